"""DVC, called by its command line, and its files `dvc.yaml` and `dvc.lock`."""

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
BUSY = Path(".dvc/tmp/lock")  # DVC locks it while it reads and writes its files
LONGEST = 600.0  # seconds
FROM_GIT = (
    "`git checkout HEAD -- dvc.lock` takes the last commit's, and what was trained since comes out "
    "of DVC's cache"
)
FORCE = "BRANCHMARK_FORCE"  # an environment variable: stages train even what is finished


@dataclass(frozen=True)
class Stage:
    """A stage of `dvc.yaml`, or a group of stages from one template, as it is written there.

    Attributes:
        commands, deps: what it runs, and what it depends on.
        in_git: whether git keeps one of its outputs, which DVC's remote then never has.
    """

    commands: tuple[str, ...]
    deps: tuple[str, ...]
    in_git: bool = False


def pipeline(file: Path = PIPELINE) -> dict[str, Stage]:
    """Return the stages and groups of `dvc.yaml` by name.

    Raises:
        UserError: the file cannot be read, or a stage is not a section.
    """
    content = params.read(file)
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        raise UserError(f"{file}: the section `stages` is missing")
    return {str(name): stage(name, each, file) for name, each in stages.items()}


def stage(name: str, content: Any, file: Path) -> Stage:
    """Return one stage; raise UserError if it is not a section."""
    body = content.get("do", content) if isinstance(content, dict) else None
    if not isinstance(body, dict):
        raise UserError(f"{file}: stages.{name}: expected a section with keys and values")
    commands = body.get("cmd") or ()
    commands = [commands] if isinstance(commands, str) else commands
    # A dependency with options of its own is a section with one key
    deps = [k for dep in listed(body, "deps") for k in (dep if isinstance(dep, dict) else [dep])]
    outs = [each for kind in ("outs", "metrics", "plots") for each in listed(body, kind)]
    options = [own for out in outs if isinstance(out, dict) for own in out.values()]
    in_git = any(isinstance(own, dict) and own.get("cache") is False for own in options)
    return Stage(tuple(map(str, commands)), tuple(map(str, deps)), in_git)


def listed(body: dict[str, Any], kind: str) -> list[Any]:
    """Return a stage's list; empty if there is none or it is not a list, which DVC refuses."""
    found = body.get(kind)
    return found if isinstance(found, list) else []


def ask(*arguments: str) -> str:
    """Return what a DVC command prints; raise UserError with DVC's own message if it fails."""
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
    """Return DVC's own error message; if it printed none, its exit code in a sentence."""
    errors = [line[7:] for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
    ended = f"dvc {command} ended with code {result.returncode} and said nothing"
    return "\n".join(errors) or result.stderr.strip() or ended


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run DVC and return its result, whatever its exit code and the terminal's encoding."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace"
    )


def status(targets: Collection[str] = ()) -> frozenset[str]:
    """Return the stages that have changed, or whose inputs or outputs have, among all stages or
    among the targets and all that they need.

    Raises:
        UserError: DVC cannot read its files.
    """
    mend()
    if LOCK.exists():
        try:  # a file nested some thousand levels deep would crash DVC
            untrusted.yaml(LOCK.read_bytes())
        except Refused as error:
            raise UserError(f"{LOCK}: not what DVC writes ({error}); {FROM_GIT}") from None
    some = ["--with-deps", *targets] if targets else []
    return frozenset(json.loads(ask("status", "--json", *some)))


def graph() -> dict[str, list[str]]:
    """Return, for every stage, the stages whose outputs it takes."""
    dot = ask("dag", "--dot")
    needs: dict[str, list[str]] = {name: [] for name in re.findall(r'^"([^"]+)";', dot, re.M)}
    for first, then in re.findall(r'^"([^"]+)" -> "([^"]+)";', dot, re.M):
        needs[then].append(first)
    return needs


def checkout(pull: bool) -> bool:
    """Restore the outputs that `dvc.lock` names from the cache, or with `pull` from the remote, all
    in one call that skips missing ones; return whether any changed."""
    command = [*COMMAND, *(["pull", "--allow-missing"] if pull else ["checkout"])]
    result = run(command)
    if pull and result.returncode:  # `checkout` fails whenever the cache lacks an output
        say(f"warning: {said('pull', result)}; missing outputs will be trained")
    return bool(re.search(r"^[MAD]\s", result.stdout, re.M))


@contextmanager
def alone(file: Path = BUSY, seconds: float = LONGEST) -> Iterator[None]:
    """Hold one of DVC's own locks while the block runs; if another DVC has it, say so and wait.

    Raises:
        UserError: another DVC has held it for `seconds`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8", errors="replace") as lock:  # like DVC's zc.lockfile
        begin, told = time.monotonic(), False
        while not locked(lock.fileno()):
            waited = time.monotonic() - begin
            lock.seek(0)
            number = re.match(r"\s*(\d{1,10})", lock.read(100))
            who = f"another DVC (process {number[1]})" if number else "another DVC"
            if waited > seconds:
                raise UserError(
                    f"{file}: {who} has held it for {waited:.0f} s; wait until it ends or stop "
                    "it, and run this again"
                )
            if waited > 1 and not told:
                say(f"{who} is at work here; waiting for it")
                told = True
            time.sleep(0.1)
        yield


def mend() -> None:
    """Remove DVC's lists of what it reads and writes if they are damaged. DVC writes them in place:
    if it is killed at that moment, it leaves half of them and then refuses to read them.

    Raises:
        UserError: another DVC has been at work here for `LONGEST` seconds.
    """
    with alone(), alone(RWLOCK.with_name("rwlock.lock")):  # so no DVC is writing them
        try:
            json.loads(RWLOCK.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            RWLOCK.unlink(missing_ok=True)


def lock_text() -> str:
    """Return the text of `dvc.lock`; "" if there is none.

    Raises:
        UserError: it is not UTF-8 (DVC writes UTF-8).
    """
    try:
        return LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    except UnicodeDecodeError as error:
        raise UserError(f"{LOCK}: not UTF-8 ({error.reason}); save it as UTF-8") from None


def stages_locked() -> list[str]:
    """Return the names of the stages in `dvc.lock`, in its order."""
    return list(blocks()[1])


def blocks() -> tuple[str, dict[str, str]]:
    """Return the text of `dvc.lock` above its stages, and the text of each stage by name."""
    text = lock_text()
    head, *parts = re.split(r"^(?=  [^ ])", text, flags=re.M)
    return head, {part.split(":", 1)[0].strip(): part for part in parts}


def arrange(order: Iterable[str]) -> None:
    """Put the stages of `dvc.lock` into this order, others last. DVC appends new stages as they
    end, so stages that run side by side could leave a different file each time.

    Raises:
        UserError: another DVC has been at work for `LONGEST` seconds, or the file is not UTF-8.
    """
    with alone():
        head, stages = blocks()
        names = dict.fromkeys([*order, *stages])
        text = head + "".join(stages[name] for name in names if name in stages)
        if text != head + "".join(stages.values()):
            write(LOCK, text)


def forced() -> bool:
    """Return whether this program must train even what is finished: `FORCE` is set, or a process
    above this one is `dvc repro` or `dvc exp run` with `--force`."""
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
