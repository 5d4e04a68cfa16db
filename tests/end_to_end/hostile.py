"""More than a thousand revisions that mean harm or are broken, looked at by every command that
looks at others' revisions, in a process that is watched.

Run by `test_hostile.py` as `python -m tests.end_to_end.hostile FOLDER`; all that it may touch is in
FOLDER. Hypothesis draws batches of revisions and, of a batch that breaks something, finds the
smallest that does.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from rich.console import Console

from stages.compare import changes, comparison, gate, page, pictures, report, snapshot
from stages.core.errors import UserError
from stages.core.text import plain
from stages.data import arrays
from stages.sync import command as syncing
from stages.tracking import store
from stages.vcs import refs
from stages.vcs.git import git
from stages.verify import choice, difference, proof, recorded
from tests.sync import outputs

BATCHES, EACH = 21, 50
SECONDS = 120  # that a batch may take on a busy machine; it takes two or three
MEGABYTES = 1500  # that memory may grow by while all of them are looked at
ROOT = Path(__file__).parents[2]
VARIANTS = ("adam-0.0", "elu")
SEEDS = (1, 2)
SECRET = "hunter2"

# What is drawn

DEEP, HUGE = "@@DEEP@@", "@@HUGE@@"  # what JSON cannot write is put in afterwards
RAW = {f'"{DEEP}"': "[" * 50_000, f'"{HUGE}"': "9" * 5000}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.99, 5, 1e300, -1e39, 1e-320, 10**18, 10**19, 10**400, 2**63,
    float("nan"), float("inf"), "", "x", "0.9", "1e999", "nan", [], {}, [[]], {"": {}}, [None] * 5,
    nested(90), nested(400), DEEP, HUGE, "a" * 1000, "\x1b[2J\x1b]0;x\x07", "\u202eexe", "\ud800",
    "[link=https://example.org]x", "[/x]", "a|b", "a\nb", "</details>", "@org/team", "`x`",
    "<script>alert(1)</script>", "![x](https://example.org)", "#1", "$(touch pwned)",
    "; touch pwned", "--upload-pack=touch pwned", "../../outside/secret", "/etc/passwd",
    "runs/../../outside/secret", "runs/../../../../proc/self/cwd/stages/.",
    "runs/adam-0.0/..", "f" * 32 + ".dir", "f" * 32,
    "f" * 16, "../" * 10 + "x.dir", {"evil-pkg": "1"}, {"numpy": "1 --index-url x"}, ["--help"],
    "é" * 50, "0" * 16, "\x00", "2020-13-45",
    "!!python/object/apply:os.system [touch pwned]", ["a"] * 3000,
)  # fmt: skip
WHOLE: tuple[bytes, ...] = (
    b"", b"\x00", b"\xff\xfe", b"5", b"null", b"[]", b"{}", b'"x"', b"[" * 50_000, b"- " * 50_000,
    b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", b"a: &a [*a]", b"<<: &a {<<: *a}", b"a: b: c",
    b"stages: [[[[", b"#" * 9_000_000, b"a,b\n" * 10, b'"' * 200_001,
    b"stages:\n  x:\n    outs:\n    - path: runs/..\n      md5: " + b"f" * 32 + b".dir",
    b"<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n",
    b"variant,seed,epoch,loss,accuracy,val_loss,val_accuracy\n../x,1,1,1,1,1,1\n",
    b"variant,seed,epoch,loss,accuracy,val_loss,val_accuracy\nelu,1,99999999999999999999,1,1,1,1\n",
    b"variant,seed,epoch,loss,accuracy,val_loss,val_accuracy\nelu,1,1,x,1,1,1e400\n",
    b"seed,epoch,loss,accuracy,val_loss,val_accuracy\n1,1,1\n", b"PK\x05\x06" + bytes(18),
    b"\x1b[2J", b"- a\n" * 400_000, b"!!python/object/apply:os.system ['touch pwned']",
    b"\xef\xbb\xbf{}",
)  # fmt: skip
NAMES = (
    "reports/results/../x.json", "reports/results/</details>.json", "reports/results/a|b.json",
    "reports/results/\x1b[2J.json", "reports/results/--help.json", "reports/results/UP.json",
    "reports/results/a\nb.json", "reports/results/sub/elu.json", "reports/metrics/é.json",
    "reports/results/.json", "reports/x.json",
)  # fmt: skip
BRANCHES = ("$(touch${IFS}pwned)", "a;b", "<b>", "\u202etxt", "a\u2028b", "a|b", "@x", "`x`", "é")
AUTHORS = ("a", "\x1b[2J", "a\u2028b", "a\x0bb", "@org")
# Which file, in which way, at which place of it, what is there then
MUTATION = st.tuples(
    st.sampled_from(
        ["params.yaml", "dvc.lock", *["reports/results/elu.json"] * 2, "results",
         "reports/curves.csv", "reports/metrics.json", "reports/metrics/elu.json", "summary.json",
         "history.csv", "seed-1.keras", ".dir", "config.json", "model.weights.h5", ".dvc/config"]
    ),
    st.sampled_from(["value", "value", "value", "key", "drop", "whole", "cut", "byte", "missing"]),
    st.integers(0, 400),
    st.one_of(st.sampled_from(VALUES), st.text(max_size=5), st.floats(), st.integers()),
    st.one_of(st.sampled_from(WHOLE), st.binary(max_size=20)),
)  # fmt: skip
REVISION = st.tuples(
    st.lists(MUTATION, min_size=1, max_size=3),
    st.sampled_from(BRANCHES), st.sampled_from(AUTHORS),
    st.sampled_from([0, 1, 2**31, 99999999999]),
)  # fmt: skip


# How it becomes a revision


def written(content: Any) -> bytes:
    """JSON, which is YAML as well."""
    text = json.dumps(content)
    for mark, raw in RAW.items():
        text = text.replace(mark, raw)
    return text.encode()


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every list or section in plain values, with each of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [content]
    for each in waiting:
        keys = list(each) if isinstance(each, dict) else range(len(each))
        found += [(each, key) for key in keys]
        waiting += [each[key] for key in keys if isinstance(each[key], dict | list)]
    return found


def mutated(content: bytes, how: str, place: int, value: Any, whole: bytes) -> bytes | None:
    """A file after one mutation; None where it is no more."""
    match how:
        case "missing":
            return None
        case "whole":
            return whole
        case "cut":
            return content[: place * len(content) // 400]
        case "byte":
            at = place * len(content) // 401
            return content[:at] + whole[:1] + content[at + 1 :]
    try:
        values = json.loads(content)
        inner, key = places(values)[place % len(places(values))]
    except (
        ValueError,
        TypeError,
        ZeroDivisionError,
        RecursionError,
    ):  # a CSV, weights, or nothing left
        text = re.split(rb"([,\n])", content)
        text[place % len(text)] = str(value).encode("utf-8", "replace")
        return b"".join(text)
    if how == "drop":
        del inner[key]
    elif how == "key" and isinstance(inner, dict):
        inner[str(value)] = inner.pop(key)
    else:
        inner[key] = value
    return written(values)


class Revisions:
    """A repository, with main and what is drawn, and a cache of outputs."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        split = arrays.Split(rng.integers(0, 255, (4, 28, 28), np.uint8), np.zeros(4, np.uint8))
        folder = Path(os.environ["TMPDIR"]) / "prepared"
        folder.mkdir()
        arrays.save(folder, {"train": split})
        prepared = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.prepared = self.cached(prepared)
        self.output = outputs.files(arrays.digest(split), *SEEDS)
        self.main = self.files(self.cached(self.output))
        git("init", "--quiet", "--initial-branch=main")
        Path(".dvc").mkdir(exist_ok=True)
        Path(".dvc/config").touch()
        Path("dvc.yaml").write_text("stages: {}\n")
        self.commit([("refs/heads/main", "tester", 1_600_000_000, self.main)])
        self.sha = git("rev-parse", "main")

    def files(self, md5: str) -> dict[str, bytes | None]:
        """What main has in git, with an output by its hash."""
        summary = json.loads(self.output["summary.json"])
        scores = {
            "validation_accuracy": 0.88, "validation_loss": 0.3, "loss_gap": 0.05,
            "test_accuracy": 0.87, "epochs_to_target": 2,
        }  # fmt: skip
        seeds = {
            n: {"fingerprint": each["fingerprint"], **scores}
            for n, each in summary["seeds"].items()
        }
        result = {
            "fingerprint": summary["fingerprint"],
            "mean": {},
            "deviation": {},
            "seeds": seeds,
        }
        head = "variant,seed,epoch,loss,accuracy,val_loss,val_accuracy\n"
        rows = [f"{v},{s},{e},.5,.5,.5,.5\n" for v in VARIANTS for s in SEEDS for e in (1, 2)]
        params = {
            "train": {"epochs": 2, "batch_size": 32, "seeds": [*SEEDS]},
            "compare": {"confidence": 0.95, "min_effect": 0.5},
            "target": {"validation_accuracy": 0.8}, "libraries": outputs.LIBRARIES,
            "optimizers": {"adam": {"class": "Adam", "learning_rate": 0.001}},
            "studies": {"elu": {"study": "activation"}},
        }  # fmt: skip
        stages = {
            f"train@{v}": {
                "cmd": "python -m stages.train",
                "deps": [{"path": "data/prepared", "md5": self.prepared},
                         {"path": "stages/training", "md5": "f" * 32 + ".dir"}],
                "params": {"params.yaml": {"train.epochs": 2, "train.seeds": [*SEEDS]}},
                "outs": [{"path": f"runs/{v}", "md5": md5}],
            }
            for v in VARIANTS
        }  # fmt: skip
        prepare = {"cmd": "x", "outs": [{"path": "data/prepared", "md5": self.prepared}]}
        return {
            "params.yaml": written(params),
            "dvc.lock": written({"schema": "2.0", "stages": {"prepare": prepare, **stages}}),
            "reports/curves.csv": (head + "".join(rows)).encode(),
            **{f"reports/results/{v}.json": written(result) for v in VARIANTS},
            **{f"reports/metrics/{v}.json": written(scores) for v in VARIANTS},
        }

    def old(self) -> bytes:
        """The scores as revisions of before the redesign have them."""
        spread = {"mean": 0.5, "std": 0.0, "seeds": [0.25, 0.75]}
        entry = {"fingerprint": "0" * 16, "test": {"accuracy": spread}, "loss_gap": spread}
        return written({"champion": {"variant": "elu"}, "adam-0_0": entry, "elu": entry})

    def drawn(self, mutations: list[Any], number: int) -> dict[str, bytes | None]:
        """The files of a revision."""
        output: dict[str, bytes | None] = dict(self.output)
        listed = lambda listing: listing  # noqa: E731
        ours = [each for each in mutations if each[0] in MUTABLE]
        for name, *how in ours:
            listed = self.mutate_output(output, listed, name, how)
        md5 = self.cached({n: c for n, c in output.items() if c is not None}, listed)
        files = self.files(md5) if ours else dict(self.main)
        for name, *how in mutations:
            if name in MUTABLE:
                continue
            if name == "results":  # under another name
                files[NAMES[how[1] % len(NAMES)]] = files["reports/results/elu.json"]
                continue
            if name == "reports/metrics.json":
                files |= {f"reports/results/{v}.json": None for v in VARIANTS}
                files.setdefault(name, self.old())
            if name == ".dvc/config":
                files[name] = (
                    b"[core]\n    remote = evil\n['remote \"evil\"']\n    url = http://127.0.0.1:9\n"
                )
            files[name] = mutated(files.get(name) or b"", *how)
        return {n: c for n, c in files.items() if "/../" not in n}

    def mutate_output(
        self, output: dict[str, bytes | None], listed: Callable[[bytes], bytes], name: str, how: Any
    ) -> Callable[[bytes], bytes]:
        """Change a file of an output, a part of its model, or DVC's list of its files."""
        if name == ".dir":
            return lambda listing: mutated(listed(listing), *how) or b""
        if name in ("config.json", "model.weights.h5"):
            members: dict[str, bytes | None] = dict(outputs.model())
            members[name] = mutated(members[name] or b"", *how)
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
                for each, content in members.items():
                    if content is not None:
                        file.writestr(each, content)
            packed = buffer.getvalue()
            summary = json.loads(self.output["summary.json"])
            summary["seeds"]["1"]["model"] = hashlib.sha256(packed).hexdigest()  # a lie that fits
            output |= {"seed-1.keras": packed, "summary.json": written(summary)}
        else:
            output[name] = mutated(output[name] or b"", *how)
        return listed

    def cached(
        self, files: dict[str, bytes], listed: Callable[[bytes], bytes] = lambda listing: listing
    ) -> str:
        """Put a folder into DVC's cache; its hash."""
        hashes = {name: put(content) for name, content in files.items()}
        return put(listed(outputs.listing(hashes)), ".dir")

    def commit(self, revisions: list[tuple[str, str, int, dict[str, bytes | None]]]) -> None:
        """Make a commit of each, all at once."""
        stream = bytearray()
        for ref, author, at, files in revisions:
            stream += f"commit {ref}\ncommitter {author} <x> {at} +0000\ndata 1\nx\n".encode()
            for name, content in files.items():
                if content is None:
                    stream += f"D {quoted(name)}\n".encode()
                    continue
                stream += f"M 100644 inline {quoted(name)}\ndata {len(content)}\n".encode()
                stream += content + b"\n"
        git("fast-import", "--quiet", "--force", "--date-format=raw", stdin=bytes(stream))

    def remove(self, names: list[str]) -> None:
        """Remove branches, and what is remembered of their commits."""
        stdin = "".join(f"delete refs/heads/{name}\0\0" for name in names)
        git("update-ref", "-z", "--stdin", stdin=stdin.encode())
        for remembered in (refs.listing, refs.tree, refs.locked, refs.settings):
            remembered.cache_clear()


MUTABLE = {"summary.json", "history.csv", "seed-1.keras", ".dir", "config.json", "model.weights.h5"}


def quoted(name: str) -> str:
    """A path as `git fast-import` takes it."""
    return '"' + "".join(f"\\{byte:03o}" for byte in name.encode()) + '"'


def put(content: bytes, ending: str = "") -> str:
    """Write a file of DVC's cache; its hash."""
    md5 = hashlib.md5(content).hexdigest() + ending
    path = Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


# What is watched

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = {
    "os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.chmod": 1, "os.chown": 1,
    "os.link": 2, "os.symlink": 2, "os.truncate": 1, "os.utime": 1, "shutil.rmtree": 1,
    "shutil.move": 2, "shutil.copyfile": 2, "shutil.copytree": 2,
}  # fmt: skip
FORBIDDEN = ("socket.connect", "socket.bind", "socket.getaddrinfo", "os.system", "os.exec",
             "pty.spawn", "ctypes.cdata/buffer", "urllib.Request", "os.startfile")  # fmt: skip
ASKED = {  # what git is asked for
    "for-each-ref", "cat-file", "rev-parse", "rev-list", "ls-tree", "symbolic-ref", "fast-import",
    "update-ref", "merge-base", "ls-files", "diff",
}  # fmt: skip


class Watch:
    """Notes what this process does outside of a folder, from the moment that it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = os.path.realpath(folder)
        self.installed = tuple(
            os.path.realpath(each)
            for each in (sys.prefix, sys.base_prefix, ROOT, "/usr", "/lib", "/lib64", "/etc",
                         "/proc", "/sys", "/dev")
        )  # fmt: skip
        self.on, self.seen = False, []  # type: bool, list[str]
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool((flags or 0) & WRITING) or any(c in str(mode or "") for c in "wax+")
            self.look(event, path, writes)
        elif event in CHANGING:
            for path in arguments[: CHANGING[event]]:
                self.look(event, path, True)
        elif event == "subprocess.Popen":
            words = [str(word) for word in arguments[1]]
            asked = next((word for word in words[1:] if word in ASKED), None)
            if os.path.basename(words[0]) != "git" or not asked:
                self.seen.append(f"{event} {words}")
        elif event in FORBIDDEN:
            self.seen.append(f"{event} {arguments}")

    def look(self, event: str, path: Any, writes: bool) -> None:
        """Note a path that is neither in the folder nor, if it is read, of what is installed."""
        if isinstance(path, int):
            return
        real = os.path.realpath(os.fsdecode(path))
        inside = (self.folder, "/dev/null") if writes else (self.folder, *self.installed)
        if not any(real == place or real.startswith(f"{place}/") for place in inside):
            self.seen.append(f"{event} {real}")


# What is done


class Looking:
    """Looks at batches of revisions by every command that looks at others'."""

    def __init__(self, revisions: Revisions, watch: Watch) -> None:
        self.revisions, self.watch = revisions, watch
        self.count, self.told = 0, Counter[str]()
        self.main = snapshot.snapshot("main")
        self.recorded = recorded.read(revisions.sha)
        self.slowest = 0.0

    def batch(self, drawn: list[Any]) -> None:
        """Commit a batch, look at it, and remove it."""
        begin = time.monotonic()
        made = []
        for number, (mutations, name, author, at) in enumerate(drawn):
            files = self.revisions.main | self.revisions.drawn(mutations, number)
            made.append((f"refs/heads/{number}-{name}", author, at, files))
        self.revisions.commit(made)
        names = [ref.removeprefix("refs/heads/") for ref, *_ in made]
        try:
            self.watch.on = True
            for number, (name, each) in enumerate(zip(names, drawn, strict=True)):
                with telling(name, each):
                    self.compare(name, main_is_head=bool(number % 2))
                    self.verify(name)
            for dry in (True, False):
                self.sync(dry)
        finally:
            self.watch.on = False
            self.revisions.remove(names)
        seen, self.watch.seen = self.watch.seen, []
        assert not seen, seen
        assert not list(Path().rglob("pwned")), "something was run"
        took = time.monotonic() - begin
        assert took < SECONDS, f"{took:.0f} s"
        self.slowest = max(took, self.slowest)
        self.count += len(drawn)

    def sentence(self, what: str, error: UserError) -> None:
        """Check what a person is told."""
        text = str(error)
        assert text.strip(), what
        assert all(c.isprintable() or c == "\n" for c in plain(text))
        assert SECRET not in text
        self.told[what] += 1

    def compare(self, name: str, main_is_head: bool) -> None:
        """Judge a revision against main, or main against it."""
        try:
            sides = (snapshot.snapshot(name), self.main)
            base, head = sides[:: 1 if main_is_head else -1]
            found, changed = comparison.compare(base, head), changes.changes(base, head)
        except UserError as error:
            self.sentence("compare", error)
            return
        output = io.StringIO()
        report.terminal(found, changed, Console(file=output, force_terminal=False), every=True)
        markdown = report.as_markdown(found, changed)
        content = json.loads(report.as_json(found, changed), parse_constant=lambda c: 1 / 0)
        assert content["head"]["commit"] == head.commit
        gate.closed(found)
        for text in (output.getvalue(), markdown):
            assert all(c.isprintable() or c in "\n\u200b" for c in text), text
        tags = set(re.findall(r"(?<!\\)<(/?[a-zA-Z!][^>\s]*)", markdown))
        assert tags <= {"details", "summary", "/summary", "/details", "sub", "/sub"}, tags
        assert not re.search(r"(?<!\\)\]\((?!<)|https?://|(?<![\w\u200b])@\w", markdown), markdown
        self.told["incomparable"] += len(found.incomparable)
        self.told["compared"] += 1
        if self.told["compared"] % 50 == 0:  # they take half a second
            made = page.page(found, changed)
            assert "<script>alert" not in made
            pictures.curves(found), pictures.differences(found)

    def verify(self, name: str) -> None:
        """Read and compare all that a proof reads; the programs of a branch are not run here."""
        try:
            revision = recorded.read(refs.resolve(name))
            base = self.recorded
            for each in choice.changed(base, revision):
                proof.of_scores(revision, each, {f"reports/results/{each}.json": b"{}"})
                difference.of_histories(revision.curves.get(each, {}), base.curves.get("elu", {}))
            choice.others(base, revision)
            recorded.together(revision.names, revision)
            self.told["verify in part"] += bool(revision.refused)
        except UserError as error:
            self.sentence("verify", error)

    def sync(self, dry: bool) -> None:
        """Bring MLflow into agreement with all of them, or say what would be done."""
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                syncing.sync([], everything=True, pulling=False, dry_run=dry, quiet=False)
        except UserError as error:
            self.sentence("sync", error)
        assert all(c.isprintable() or c == "\n" for c in output.getvalue()), output.getvalue()

    def check_main(self) -> None:
        """Main's runs have main's numbers, whatever others said of them."""
        client, experiment = store.open_store()
        runs = client.search_runs([experiment], "tags.live_on LIKE '%|main|%'", max_results=1000)
        scored = [run for run in runs if "test_accuracy" in run.data.metrics]
        assert len(runs) == len(VARIANTS) * (1 + len(SEEDS)), len(runs)
        assert {run.data.metrics["test_accuracy"] for run in scored} == {0.87}
        assert len(scored) == len(runs)


@contextlib.contextmanager
def telling(name: str, drawn: Any) -> Iterator[None]:
    """Say which revision it was that broke something."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"{name}: {drawn!r:.2000}")
        raise


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[None]:
    """Files beside the folder, which stay as they are."""
    secret = folder.parent / "outside/secret"
    secret.parent.mkdir()
    secret.write_text(SECRET)
    yield
    assert secret.read_text() == SECRET
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]


def main(folder: Path) -> None:
    """Look at all of them, and print how many there were and what came of them."""
    os.chdir(folder / "project")
    revisions = Revisions()
    watch = Watch(folder)
    looking = Looking(revisions, watch)
    syncing.sync([], everything=True, pulling=False, dry_run=False, quiet=True)
    watch.seen.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=BATCHES, derandomize=True, deadline=None, database=None,
        # A smaller example would take an hour; a note tells which revision it was
        phases=[Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(REVISION, min_size=EACH, max_size=EACH))
    def look(drawn: list[Any]) -> None:
        looking.batch(drawn)

    with outside(folder):
        look()
        looking.check_main()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES, f"{grown:.0f} MB"
    found = {"revisions": looking.count, "slowest": looking.slowest, "megabytes": grown}
    print(json.dumps(found | {"told": looking.told}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
