"""DVC, asked by its own command line; and its files, `dvc.yaml` and `dvc.lock`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core import untrusted
from stages.core.errors import UserError, say
from stages.core.folders import lock as locked
from stages.core.folders import write
from stages.core.untrusted import Refused
from stages.params import schema as params

COMMAND = (sys.executable, "-m", "dvc", "--wait-for-lock")  # another DVC may be at work
PIPELINE, LOCK, RWLOCK = Path("dvc.yaml"), Path("dvc.lock"), Path(".dvc/tmp/rwlock")
BUSY = Path(".dvc/tmp/lock")  # what DVC locks while it reads and writes its files
LONGEST = 600.0  # seconds
FROM_GIT = (
    "`git checkout HEAD -- dvc.lock` takes the last commit's, and what was trained since comes out "
    "of DVC's cache"
)
FORCE = "BRANCHMARK_FORCE"  # in the environment of stages that must train whatever is finished


@dataclass(frozen=True)
class Stage:
    """A stage of `dvc.yaml`, or a group of stages by one template, as it is written there.

    Attributes:
        commands, deps: what it runs, and what it depends on.
        in_git: whether git keeps an output of it: DVC's remote never has that one.
    """

    commands: tuple[str, ...]
    deps: tuple[str, ...]
    in_git: bool = False


def pipeline(file: Path = PIPELINE) -> dict[str, Stage]:
    """Read the stages and groups of `dvc.yaml` by name.

    Raises:
        UserError: the file cannot be read, or a stage is no section.
    """
    content = params.read(file)
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        raise UserError(f"{file}: the section `stages` is missing")
    return {str(name): stage(name, each, file) for name, each in stages.items()}


def stage(name: str, content: Any, file: Path) -> Stage:
    """Read one stage; raises UserError as `pipeline` does."""
    body = content.get("do", content) if isinstance(content, dict) else None
    if not isinstance(body, dict):
        raise UserError(f"{file}: stages.{name}: here belongs a section with keys and values")
    commands = body.get("cmd") or ()
    commands = [commands] if isinstance(commands, str) else commands
    # A dependency with options of its own is a section with one key
    deps = [k for dep in listed(body, "deps") for k in (dep if isinstance(dep, dict) else [dep])]
    outs = [each for kind in ("outs", "metrics", "plots") for each in listed(body, kind)]
    options = [own for out in outs if isinstance(out, dict) for own in out.values()]
    in_git = any(isinstance(own, dict) and own.get("cache") is False for own in options)
    return Stage(tuple(map(str, commands)), tuple(map(str, deps)), in_git)


def listed(body: dict[str, Any], kind: str) -> list[Any]:
    """Return a list of a stage; empty where there is none, or what DVC refuses in its own words."""
    found = body.get(kind)
    return found if isinstance(found, list) else []


def ask(*arguments: str) -> str:
    """Return what a DVC command prints; raises UserError with DVC's own sentence if it fails."""
    result = run([*COMMAND, *arguments])
    if result.returncode:
        if re.search(r"dvc\.lock' (is invalid|validation failed)", result.stderr):
            raise UserError(
                "dvc.lock: not what DVC writes (in the middle of a merge, or DVC was killed while "
                f"it wrote it); {FROM_GIT}"
            )
        raise UserError(said(arguments[0], result))
    return result.stdout


def said(command: str, result: subprocess.CompletedProcess[str]) -> str:
    """Return DVC's own sentence about its failure; of one that was killed, that it was."""
    errors = [line[7:] for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
    ended = f"dvc {command} ended with code {result.returncode} and said nothing"
    return "\n".join(errors) or result.stderr.strip() or ended


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run DVC, whatever its exit code and whatever the encoding of the person's terminal."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace"
    )


def status(targets: Collection[str] = ()) -> frozenset[str]:
    """Return the stages that have changed, or whose inputs or outputs have: of all stages, or of
    the targets and all that they need.

    Raises:
        UserError: DVC cannot read its files.
    """
    mend()
    if LOCK.exists():
        try:  # DVC itself dies of one that is nested some thousand levels deep
            untrusted.yaml(LOCK.read_bytes())
        except Refused as error:
            raise UserError(f"{LOCK}: not what DVC writes ({error}); {FROM_GIT}") from None
    some = ["--with-deps", *targets] if targets else []
    return frozenset(json.loads(ask("status", "--json", *some)))


def graph() -> dict[str, list[str]]:
    """Return every stage, with those that it takes outputs of."""
    dot = ask("dag", "--dot")
    needs: dict[str, list[str]] = {name: [] for name in re.findall(r'^"([^"]+)";', dot, re.M)}
    for first, then in re.findall(r'^"([^"]+)" -> "([^"]+)";', dot, re.M):
        needs[then].append(first)
    return needs


def checkout(pull: bool) -> bool:
    """Bring the outputs that `dvc.lock` names out of the cache or with `pull` out of the remote, as
    far as they are there, all in one go; return whether that changed any."""
    command = [*COMMAND, *(["pull", "--allow-missing"] if pull else ["checkout"])]
    result = run(command)
    if pull and result.returncode:  # `checkout` fails for all that is not in the cache
        say(f"warning: {said('pull', result)}; what is not here is trained")
    return bool(re.search(r"^[MAD]\s", result.stdout, re.M))


@contextmanager
def alone(file: Path = BUSY, seconds: float = LONGEST) -> Iterator[None]:
    """Hold a lock of DVC's own while the block runs; wait for another DVC that has it, and say so.

    Raises:
        UserError: another DVC has it all that time.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8", errors="replace") as lock:  # as DVC: zc.lockfile
        begin, told = time.monotonic(), False
        while not locked(lock.fileno()):
            waited = time.monotonic() - begin
            lock.seek(0)
            number = re.match(r"\s*(\d{1,10})", lock.read(100))
            who = f"another DVC (process {number[1]})" if number else "another DVC"
            if waited > seconds:
                raise UserError(
                    f"{file}: {who} has held it for {waited:.0f} s; wait for its end or stop it, "
                    "and run this again"
                )
            if waited > 1 and not told:
                say(f"{who} is at work here; this waits for it")
                told = True
            time.sleep(0.1)
        yield


def mend() -> None:
    """Remove DVC's lists of what is read and written where they are damaged: DVC writes them in
    place, so that being killed in that instant leaves half of them, which DVC then refuses to read.

    Raises:
        UserError: another DVC is at work here all the time.
    """
    with alone(), alone(RWLOCK.with_name("rwlock.lock")):  # so no DVC is writing them
        try:
            json.loads(RWLOCK.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            RWLOCK.unlink(missing_ok=True)


def lock_text() -> str:
    """Return `dvc.lock`; "" where there is none.

    Raises:
        UserError: it is not UTF-8, as DVC writes it.
    """
    try:
        return LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    except UnicodeDecodeError as error:
        raise UserError(f"{LOCK}: not UTF-8 ({error.reason}); save it as UTF-8") from None


def stages_locked() -> list[str]:
    """Return the stages that `dvc.lock` has results of, in its order."""
    return list(blocks()[1])


def blocks() -> tuple[str, dict[str, str]]:
    """Return the text of `dvc.lock` above its stages, and that of each stage."""
    text = lock_text()
    head, *parts = re.split(r"^(?=  [^ ])", text, flags=re.M)
    return head, {part.split(":", 1)[0].strip(): part for part in parts}


def arrange(order: Iterable[str]) -> None:
    """Put the stages of `dvc.lock` into an order; DVC adds new ones as they end, so that two
    side by side would leave another file from one time to the next.

    Raises:
        UserError: another DVC is at work here all the time, or the file is not UTF-8.
    """
    with alone():
        head, stages = blocks()
        names = dict.fromkeys([*order, *stages])
        text = head + "".join(stages[name] for name in names if name in stages)
        if text != head + "".join(stages.values()):
            write(LOCK, text)


def forced() -> bool:
    """Return whether this program must train what is finished already: it is run by `dvc repro` or
    `dvc exp run` with `--force`, which the programs above it tell, or `FORCE` is set."""
    import psutil

    if os.environ.get(FORCE):
        return True
    for parent in psutil.Process().parents():
        try:
            words = parent.cmdline()
        except psutil.Error:
            continue
        if any(Path(word).name == "dvc" for word in words[:3]) and {"repro", "exp"} & {*words}:
            return any(re.fullmatch(r"--force|-[a-zA-Z]*f[a-zA-Z]*", word) for word in words)
    return False
