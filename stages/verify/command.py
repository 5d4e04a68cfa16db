"""Run `branchmark verify`: choose, train, evaluate and compare; leave nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from graphlib import CycleError
from pathlib import Path

from rich.console import Console

from stages.core.errors import UserError
from stages.core.signals import catch_termination
from stages.core.text import plain
from stages.repro.progress import Screen
from stages.repro.schedule import Outcome, carry_out
from stages.tracking import machine
from stages.vcs import git, refs
from stages.vcs.lockfile import PREPARED, RUNS
from stages.verify import choice, proof, recorded
from stages.verify.clone import cloned, scrubbed
from stages.verify.programs import EVALUATE, FETCH, MACHINE, PLOT, PREPARE, Programs
from stages.verify.proof import Proof, Row
from stages.verify.recorded import Revision

IDENTITY = "stages/training/identity.py"  # results of revisions without it depend on the CPU
RAW = Path("data/raw")


@dataclass
class Asked:
    """What to prove: by default, everything in HEAD."""

    variants: list[str] = field(default_factory=list)
    sample: int | None = None
    since: str | None = None
    rev: str = "HEAD"
    jobs: int | None = None


def verify(asked: Asked, console: Console) -> Proof:
    """Prove what is asked for, and show the progress.

    Raises:
        UserError: the revision or a variant does not exist, or the revision cannot be proved.
    """
    catch_termination()
    (commit,) = refs.named([asked.rev])
    revision = recorded.read(commit.sha)
    if unknown := sorted(set(asked.variants) - set(revision.names)):
        known = ", ".join(revision.names)
        raise UserError(f"{', '.join(unknown)}: {asked.rev} has no such variant; it has {known}")
    if refs.file(commit.sha, IDENTITY) is None:
        raise UserError(
            f"{asked.rev} could not be tried: its results depend on the CPU; only those of "
            "revisions with stages/training can be proved"
        )
    with scrubbed(), cloned(commit.sha) as (root, scratch):
        names = chosen(asked, revision, root, console)
        total = len(revision.names)
        scope = f"{'all' if len(names) == total else f'{len(names)} of'} {total} variants"
        refused = [Row("dvc.lock", "could not be tried", why) for why in revision.refused]
        if not names:
            return Proof(commit.sha, machine.cpu(), scope, refused)
        prepared = revision.folders.get(PREPARED, "")
        with closing(Programs(root, scratch, prepared, asked.jobs, RAW.resolve())) as programs:
            rows = Attempt(revision, names, programs, console).rows()
    return Proof(commit.sha, machine.cpu(), scope, rows + refused)


def chosen(asked: Asked, revision: Revision, root: Path, console: Console) -> list[str]:
    """Return the variants to prove, and the sources of those that reuse another's layers."""
    names = asked.variants or revision.names
    if asked.since is not None:
        (since,) = refs.named([asked.since])
        if not (base := git.find("merge-base", since.sha, revision.commit)):
            raise UserError(f"{asked.since} and {asked.rev} have no commit in common")
        before = recorded.read(base) if refs.file(base, refs.LOCK) else recorded.NOTHING
        changed = set(choice.changed(before, revision))
        late = stale(root) & {each.stage for each in revision.variants.values()}
        changed |= {n for n, each in revision.variants.items() if each.stage in late}
        changed |= {n for n in revision.variants if revision.stale(n)}
        names = [name for name in names if name in changed]
        if not names:
            console.print(f"no variant's output, fingerprint or numbers changed since {base[:7]}")
        if len(names) < len(revision.names) and (files := choice.others(before, revision)):
            console.print(
                f"not tried, because they are about all variants: {plain(', '.join(files))}; "
                "`branchmark verify` without options proves them",
                markup=False,
            )
    if asked.sample is not None:
        names = choice.sample(names, asked.sample, revision.commit)
    return recorded.together(names, revision)


def stale(root: Path) -> set[str]:
    """Return the stages whose command, code or parameters differ from `dvc.lock`: a branch that was
    not reproduced still has its old numbers.

    Raises:
        UserError: DVC cannot read the revision's files.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    result = subprocess.run(
        command, cwd=root, capture_output=True, encoding="utf-8", errors="replace"
    )
    if result.returncode:
        said = " ".join(re.sub("ERROR: ", "", result.stderr).split())[:300]
        raise UserError(said or f"dvc status ended with code {result.returncode}")
    return {stage for stage, changes in json.loads(result.stdout).items() if edited(changes)}


def edited(changes: list[object]) -> bool:
    """Return whether command, code or parameters changed; a clone has no data and no outputs."""
    for change in changes:
        if not isinstance(change, dict):
            return True  # "changed command"
        deps = change.get("changed deps", {})
        if any(not path.startswith(("data/", RUNS, "runs", "reports")) for path in deps):
            return True
    return False


class Attempt:
    """Trains and evaluates variants in a clone, and compares them with the revision's records."""

    def __init__(
        self, revision: Revision, names: list[str], programs: Programs, console: Console
    ) -> None:
        self.revision, self.names, self.programs, self.console = revision, names, programs, console
        self.everything = names == revision.names
        self.recorded = {n: revision.variants[n] for n in names if n in revision.variants}
        steps = {MACHINE: 0, FETCH: 0, PREPARE: 0}
        steps |= {each.stage: each.epochs for each in self.recorded.values()}
        steps |= {EVALUATE: 0, PLOT: 0} if self.everything else {EVALUATE: 0}
        self.screen = Screen(steps, programs.epochs, console)
        self.outcomes: dict[str, Outcome] = {}
        self.made: dict[str, bytes] = {}
        self.untried = ""  # why the reports about all variants could not be tried

    def rows(self) -> list[Row]:
        """Train and evaluate the variants, and return a row for each thing tried."""
        with self.screen.shown():
            self.train()
            trained = [n for n, each in self.recorded.items() if self.ok(each.stage)]
            failed = self.evaluate(trained) if trained else {}
        rows = [self.row(name, failed.get(name, "")) for name in self.names]
        if self.programs.difference:
            rows.insert(0, Row(PREPARED, "differs", self.programs.difference))
        if self.everything:
            rows += self.about_all(trained)
        return rows

    def ok(self, step: str) -> bool:
        """Return whether a program ran and did not fail."""
        return step in self.outcomes and self.outcomes[step].state != "failed"

    def run(self, work: dict[str, set[str]]) -> None:
        """Run programs, each after those that it waits for, and print the logs of failed ones."""
        report = carry_out(work, self.programs, self.screen.started, self.screen.ended)
        self.outcomes |= report.outcomes
        for step in report.failed:
            self.console.rule(f"{step} failed", align="left")
            self.console.print(plain(report.outcomes[step].log.strip()), markup=False)

    def train(self) -> None:
        """Train the variants, each after its source."""
        work: dict[str, set[str]] = {MACHINE: set(), FETCH: set(), PREPARE: {FETCH}}
        for each in self.recorded.values():
            source = self.recorded.get(each.source)
            work[each.stage] = {MACHINE, PREPARE, *([source.stage] if source else [])}
        try:
            self.run(work)
        except CycleError:
            raise UserError(
                f"dvc.lock of {self.revision.commit[:7]}: variants reuse each other in a circle"
            ) from None

    def evaluate(self, names: list[str]) -> dict[str, str]:
        """Evaluate trained variants, and make the reports about all variants if all were trained;
        return by name why variants could not be evaluated."""
        reports = self.programs.root / "reports"
        if reports.exists():  # so that only newly made reports are compared
            reports.rename(self.programs.scratch / "committed")
        everything = self.everything and names == self.names
        self.programs.evaluated = [] if everything else names
        self.run({EVALUATE: set(), PLOT: {EVALUATE}} if everything else {EVALUATE: set()})
        self.made = self.programs.made()
        if self.ok(EVALUATE):
            self.untried = self.why(PLOT)
            return {}
        self.untried = self.why(EVALUATE)
        failed = {}
        for name in names:  # so that one failure does not affect the others
            self.programs.evaluated = [name]
            self.run({EVALUATE: set()})
            self.made |= self.programs.made()
            if why := self.why(EVALUATE):
                failed[name] = why
        return failed

    def row(self, name: str, failed: str) -> Row:
        """Return the row of a variant; `failed` is why its evaluation failed, or ""."""
        if name not in self.recorded:
            return Row(name, "could not be tried", "dvc.lock has no output of it")
        stage = self.recorded[name].stage
        if not self.ok(stage):
            why = self.why(MACHINE, FETCH, PREPARE, stage)
            return Row(name, "could not be tried", why or "its source could not be trained")
        found = proof.of_training(self.revision, name, self.programs.root)
        if not found and failed:
            return Row(name, "could not be tried", failed)
        found = found or proof.of_scores(self.revision, name, self.made)
        return Row(name, "differs", found) if found else Row(name, "proved")

    def why(self, *steps: str) -> str:
        """Return the error of the first of these programs that failed, or ""."""
        failed = (step for step in steps if step in self.outcomes and not self.ok(step))
        return next((f"{step}: {last_line(self.outcomes[step].log)}" for step in failed), "")

    def about_all(self, trained: list[str]) -> list[Row]:
        """Return the rows of the reports about all variants."""
        why = self.untried if trained == self.names else "not every variant could be trained"
        if why:
            return [Row("reports", "could not be tried", why)]
        return proof.about_all(self.revision, self.programs.root, self.made)


def last_line(log: str) -> str:
    """Return the error of a program: the last line of its log, without "error: "."""
    lines = [line for line in log.splitlines() if line.strip()]
    return plain(lines[-1].removeprefix("error: ")) if lines else "it printed nothing"
