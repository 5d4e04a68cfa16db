"""Check out two revisions in temporary git work trees, and train further seeds there.

No training is lost: finished seeds go to this project's `.dvc/tmp/seeds`. Any later training of the
same result, also by `branchmark repro`, finds them there by their fingerprint.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML

from stages.compare.snapshot import Snapshot
from stages.core.errors import UserError
from stages.core.folders import write
from stages.core.signals import deferred
from stages.core.text import cut
from stages.core.untrusted import STAGE
from stages.evaluation import scores
from stages.evaluation.results import Result, Scores, finite
from stages.repro import capacity
from stages.repro.schedule import Ended, Outcome
from stages.training import history, result
from stages.training.history import Row
from stages.training.result import Summary
from stages.vcs import git
from stages.vcs.cache import Cache
from stages.vcs.dvc import FORCE
from stages.vcs.finished import SCRATCH
from stages.vcs.lockfile import PREPARED, RUNS
from stages.vcs.worktree import INPUTS
from stages.verify.clone import SETTINGS, removed, scrubbed
from stages.verify.command import IDENTITY, RAW, last_line
from stages.verify.programs import FETCH, PREPARE, Programs

PARAMS = "params.yaml"


@contextmanager
def trainable() -> Iterator[None]:
    """Hide the user's settings from a side's programs, as a proof does; reuse finished seeds."""
    with scrubbed():
        del os.environ[FORCE]
        yield


@contextmanager
def checked_out(side: Snapshot) -> Iterator[tuple[Path, Path]]:
    """Check a side out in its own git work tree (the working tree with its uncommitted changes);
    yield the project's root in it, and an empty folder. Remove both however the block ends.

    Raises:
        UserError: git cannot check the side out, or it is too old to be given more seeds.
    """
    inside = git.git("rev-parse", "--show-prefix")
    with ExitStack() as stack:
        with deferred():  # a signal in between would leave the folder behind
            folder = Path(tempfile.mkdtemp(prefix="branchmark-decide-")).resolve()
            stack.callback(git.run, "worktree", "prune")
            stack.callback(removed, folder)
        tree, scratch = folder / "project", folder / "scratch"
        scratch.mkdir()
        commit = side.commit or "HEAD"
        git.git(*SETTINGS, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        root = tree / inside
        if not (root / IDENTITY).exists():
            raise UserError(
                f"{side.name}: its seeds are not stored one by one, so none can be added; only "
                "revisions with stages/training store them so"
            )
        if not side.commit:
            take_changes(root)
        kept = root / SCRATCH
        kept.parent.mkdir(parents=True, exist_ok=True)
        SCRATCH.mkdir(parents=True, exist_ok=True)
        kept.symlink_to(SCRATCH.resolve())
        yield root, scratch


def take_changes(root: Path) -> None:
    """Copy this working tree's inputs, as they are now, to the project at `root`."""
    listed = git.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *INPUTS)
    for name in filter(None, listed.split("\0")):
        source, target = Path(name), root / name
        target.unlink(missing_ok=True)
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


class Side:
    """A side that is checked out.

    Args:
        snapshot: the side's snapshot.
        root, scratch: the folders that `checked_out` yields.
        jobs: how many programs the side may run at once.
    """

    def __init__(self, snapshot: Snapshot, root: Path, scratch: Path, jobs: int) -> None:
        self.snapshot, self.root = snapshot, root
        named = [name for name in snapshot.lock if STAGE.fullmatch(name) and "@" in name]
        self.stages = {name.partition("@")[2]: name for name in named}
        outs = snapshot.lock.get(PREPARE, {}).get("outs", ())
        md5 = next((out["md5"] for out in outs if out["path"] == PREPARED), "")
        self.programs = Programs(root, scratch, md5, jobs, RAW.resolve())
        self.ready = False
        if files := Cache().folder(md5):
            for name, path in files.items():
                target = root / PREPARED / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            self.ready = True

    def work(self, variants: Collection[str], seeds: list[int]) -> dict[str, set[str]]:
        """Write the seeds to `params.yaml`; return the training steps, each with those it needs.

        Raises:
            UserError: this side's `dvc.lock` lacks a variant.
        """
        set_seeds(self.root / PARAMS, seeds)
        steps: dict[str, set[str]] = {} if self.ready else {FETCH: set(), PREPARE: {FETCH}}
        self.ready = True
        waiting = list(variants)
        while waiting:
            name = waiting.pop()
            if (stage := self.stages.get(name)) is None:
                raise UserError(
                    f"{self.snapshot.name}: its dvc.lock has no variant {name}; "
                    "`branchmark repro` runs it"
                )
            deps = [dep["path"] for dep in self.snapshot.lock[stage].get("deps", ())]
            sources = [dep.removeprefix(RUNS) for dep in deps if dep.startswith(RUNS)]
            waiting += [each for each in sources if self.stages.get(each) not in steps]
            steps[stage] = {self.stages[each] for each in sources if each in self.stages}
            steps[stage] |= steps.keys() & {PREPARE}
        return steps

    def trained(self, variants: Collection[str]) -> Snapshot:
        """Return the snapshot with all seeds of these variants trained so far.

        Raises:
            UserError: a known seed has another fingerprint now.
        """
        results = dict(self.snapshot.results)
        target = self.snapshot.params.get("target", {}).get("validation_accuracy", 1.0)
        for name in variants:
            folder, known = self.root / RUNS / name, results[name]
            summary = Summary.read(folder / result.SUMMARY)
            rows = history.read(folder / result.HISTORY)
            for seed, fingerprint in known.fingerprints.items():
                if summary.fingerprints.get(seed, fingerprint) != fingerprint:
                    raise UserError(
                        f"{self.snapshot.name}: the results of {name} are not those of its "
                        "params.yaml and code; `branchmark repro` runs it anew"
                    )
            found = {seed: known_of(each, target) for seed, each in rows.items()}
            results[name] = Result(known.fingerprint, found, summary.fingerprints)
        return replace(self.snapshot, results=results)


KNOWN = ("validation_loss", "validation_accuracy", "loss_gap", "epochs_to_target")


def known_of(rows: Sequence[Row], target: float) -> Scores:
    """Return the scores of a seed that follow from its history. Only `evaluate` measures the
    finished network; here the training loss of the last epoch only tells whether it diverged."""
    measured = {"train_loss": finite(rows[-1]["loss"])}
    return {k: v for k, v in scores.of_seed(measured, rows, target).items() if k in KNOWN}


def set_seeds(file: Path, seeds: list[int]) -> None:
    """Write the seeds into a `params.yaml`; keep its comments and order."""
    yaml = YAML()
    yaml.width = 4096
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(file.read_text(encoding="utf-8"))
    content["train"]["seeds"][:] = seeds  # in place, to keep the list's style
    with tempfile.TemporaryFile("w+", encoding="utf-8") as stream:
        yaml.dump(content, stream)
        stream.seek(0)
        write(file, stream.read())


class Backend:
    """Runs the programs of both sides. A step is "base" or "head", a space, and the side's step."""

    def __init__(self, sides: tuple[Side, Side]) -> None:
        self.sides = sides
        self.jobs = capacity.jobs()
        self.executor: Executor = ThreadPoolExecutor(self.jobs)

    def slots(self) -> int:
        """Return how many programs run at once; it never changes."""
        return self.jobs

    def split(self, step: str) -> tuple[Side, str]:
        """Return the side of a step, and the side's name for it."""
        name, _, own = step.partition(" ")
        return self.sides[name == "head"], own

    def task(self, step: str) -> Callable[[], Ended]:
        """Return the function that runs a step."""
        side, own = self.split(step)
        return side.programs.task(own)

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        """Return the outcomes of programs, by step."""
        return self.sides[0].programs.finish(ended)

    def epochs(self, step: str) -> int:
        """Return how many epochs of a training have ended so far."""
        side, own = self.split(step)
        return side.programs.epochs(own)

    def close(self) -> None:
        """Stop all programs that are still running."""
        for side in self.sides:
            side.programs.close()
        self.executor.shutdown(cancel_futures=True)


def failed(logs: dict[str, Outcome]) -> str:
    """Return a line for each failed program with the last line that it printed."""
    lines = []
    for step, outcome in logs.items():
        if outcome.state == "failed":
            lines.append(f"{step}: {cut(last_line(outcome.log))}")
    return "\n       ".join(lines)
