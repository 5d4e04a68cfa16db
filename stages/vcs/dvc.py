"""DVC by its own command line: what it would run, its graph, its lock file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.core.errors import UserError
from stages.core.folders import write
from stages.repro.schedule import Outcome

COMMAND = (sys.executable, "-m", "dvc")
FORCE = "BRANCHMARK_FORCE"  # set by `branchmark verify`, which runs stages without DVC
LOCK, RWLOCK = Path("dvc.lock"), Path(".dvc/tmp/rwlock")


@dataclass(frozen=True)
class Plan:
    """What `dvc repro` would look at and run."""

    needs: dict[str, list[str]]  # every stage that it looks at, after those that it takes
    stale: frozenset[str]

    @cached_property
    def work(self) -> dict[str, set[str]]:
        """The stages to run and what they wait for: the stale ones, and all that follow from them,
        whose inputs may change."""
        found: dict[str, set[str]] = {}
        for stage, needs in self.needs.items():
            if stage in self.stale or not found.keys().isdisjoint(needs):
                found[stage] = found.keys() & needs
        return found


def ask(*arguments: str) -> str:
    """What a DVC command prints; raises UserError with DVC's own sentence where it fails."""
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
    if result.returncode:
        errors = [line[7:] for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
        if re.search(r"dvc\.lock' (is invalid|validation failed)", result.stderr):
            raise UserError(
                "dvc.lock: not what DVC writes (in the middle of a merge, or DVC was killed while "
                "it wrote it); `git checkout HEAD -- dvc.lock` takes the last commit's, and what "
                "was trained since comes out of DVC's cache"
            )
        raise UserError("\n".join(errors) or result.stderr.strip())
    return result.stdout


def plan(targets: list[str], stale: frozenset[str], force: bool, pull: bool = False) -> Plan:
    """What `dvc repro` would do for `targets`, of which `stale` are; with `force` all of it is,
    with `pull` not what the remote has.

    Not from `dvc repro --dry`, which fails where a stage's input is still to be made.

    Raises:
        UserError: there is no such target, or DVC cannot read its files.
    """
    if not (stale or force) and known(targets):
        return Plan({}, stale)
    needs = before(targets, graph())
    if not force and not stale.isdisjoint(needs) and checkout(pull):
        stale = status(targets)  # on another branch that was all there is to do
    return Plan(needs, frozenset(needs) if force else stale)


def status(targets: list[str]) -> frozenset[str]:
    """The stages that have changed, or whose inputs or outputs have: of the targets and all that
    they need, or of all stages.

    Raises:
        UserError: DVC cannot read its files.
    """
    mend()
    some = ["--with-deps", *targets] if targets and known(targets) else []
    return frozenset(json.loads(ask("status", "--json", *some)))


def known(targets: list[str]) -> bool:
    """Whether there are results of all targets."""
    locked = stages_locked()
    return all(named(target, locked) for target in targets)


def graph() -> dict[str, list[str]]:
    """Every stage, with those that it takes outputs of."""
    said = ask("dag", "--dot")
    needs: dict[str, list[str]] = {name: [] for name in re.findall(r'^"([^"]+)";', said, re.M)}
    for first, then in re.findall(r'^"([^"]+)" -> "([^"]+)";', said, re.M):
        needs[then].append(first)
    return needs


def before(targets: list[str], needs: dict[str, list[str]]) -> dict[str, list[str]]:
    """The targets, by default all stages, and all that they need, in the order in which DVC runs
    them. A target is a stage (`train@adam-0.3`) or a group of stages (`train`).

    Raises:
        UserError: there is no such target.
    """
    found: dict[str, list[str]] = {}

    def visit(stage: str) -> None:
        if stage not in found:
            for other in needs[stage]:
                visit(other)
            found[stage] = needs[stage]

    for target in targets or needs:
        if not (stages := named(target, needs)):
            raise UserError(f"{target}: there is no such stage; `dvc stage list` names them")
        for stage in stages:
            visit(stage)
    return found


def named(target: str, stages: Iterable[str]) -> list[str]:
    """The stages that a target names."""
    return [stage for stage in stages if target in (stage, stage.split("@")[0])]


def checkout(pull: bool) -> bool:
    """Bring the outputs that `dvc.lock` names out of the cache or with `pull` out of the remote, as
    far as they are there, all in one go; whether that changed any."""
    command = [*COMMAND, *(["pull", "--allow-missing"] if pull else ["checkout"])]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return bool(re.search(r"^[MAD]\s", result.stdout, re.M))


def outcome(code: int, said: str) -> Outcome:
    """How a stage ended, in DVC's own words."""
    if code:
        return Outcome("failed", said)
    if re.search(r"^Stage '.*' is cached|^Pulling data for", said, re.M):
        return Outcome("restored", said)
    return Outcome("unchanged" if "didn't change, skipping" in said else "done", said)


def mend() -> None:
    """Remove DVC's lock file where it is damaged: DVC writes it in place, so that being killed in
    that instant leaves half of it, which DVC then refuses to read."""
    for wait in (0.0, 1.0):  # a DVC that is at work has written it by then
        time.sleep(wait)
        try:
            json.loads(RWLOCK.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            continue
        return
    RWLOCK.unlink(missing_ok=True)


def stages_locked() -> list[str]:
    """The stages that `dvc.lock` has results of, in its order."""
    return list(blocks()[1])


def blocks() -> tuple[str, dict[str, str]]:
    """The text of `dvc.lock` above its stages, and that of each stage."""
    text = LOCK.read_text(encoding="utf-8") if LOCK.exists() else ""
    head, *parts = re.split(r"^(?=  [^ ])", text, flags=re.M)
    return head, {part.split(":", 1)[0].strip(): part for part in parts}


def arrange(order: Iterable[str]) -> None:
    """Put the stages of `dvc.lock` into an order; DVC adds new ones as they end, so that two
    side by side would leave another file from one time to the next."""
    head, found = blocks()
    names = dict.fromkeys([*order, *found])
    text = head + "".join(found[name] for name in names if name in found)
    if text != head + "".join(found.values()):
        write(LOCK, text)


def forced() -> bool:
    """Whether this program is run by `branchmark verify`, or by a `dvc repro` or `dvc exp run` with
    `--force`.

    DVC does not tell its stages, so the programs above this one are asked.
    """
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
