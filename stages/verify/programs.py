"""Run a revision's own programs in its clone: a backend for `stages.repro.schedule`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from stages.data.sources import VARIABLE
from stages.repro import capacity, epochs
from stages.repro.children import Children
from stages.repro.schedule import Ended, Outcome
from stages.vcs.lockfile import PREPARED
from stages.verify import folders

MACHINE, FETCH, PREPARE, EVALUATE, PLOT = "machine", "fetch", "prepare", "evaluate", "plot"
# Run as a program, because it needs a module that imports TensorFlow, which takes seconds
ARITHMETIC = """
import sys
from stages.tracking import machine
from stages.training import arithmetic
reason = arithmetic.another_arithmetic(machine.features())
sys.exit(reason and f"{reason}, so its results are its own")
"""


class Programs:
    """Runs each program in a subprocess, with a thread that waits for it.

    Args:
        root: the project's root in the clone.
        scratch: an empty folder for the programs' output and temporary files.
        prepared: DVC's hash of the prepared data, from `dvc.lock`.
        jobs: how many programs run at once; None for what processors and memory allow.
        raw: where the raw data may be on this machine.
    """

    def __init__(
        self, root: Path, scratch: Path, prepared: str, jobs: int | None, raw: Path
    ) -> None:
        self.root, self.scratch, self.prepared, self.raw = root, scratch, prepared, raw
        self.jobs = jobs or capacity.jobs()
        self.difference = ""  # how the prepared data differ from `dvc.lock`
        self.evaluated: list[str] = []  # variants to evaluate; empty: all, and reports about all
        self.executor: Executor = ThreadPoolExecutor(self.jobs)
        self.children = Children()

    def slots(self) -> int:
        """Return how many programs run at once; it never changes."""
        return self.jobs

    def task(self, step: str) -> Callable[[], Ended]:
        """Return the function that runs a step: a variant's stage, or one of the five above."""
        match step:
            case "machine":
                return partial(self.program, step, ["-c", ARITHMETIC])
            case "fetch":
                return self.fetch
            case "prepare":
                return self.prepare
            case "evaluate":
                return partial(self.program, step, ["-m", "stages.evaluate", *self.evaluated])
            case "plot":
                return partial(self.program, step, ["-m", "stages.plot"])
            case _:
                return partial(self.program, step, ["-m", "stages.train"], DVC_STAGE=step)

    def program(self, step: str, arguments: list[str], **env: str) -> Ended:
        """Run a program with the clone's code and no other copy of it.

        Its temporary files go to `scratch`, because TensorFlow leaves some behind.
        """
        log = self.scratch / f"{step}.log"
        log.unlink(missing_ok=True)
        command = [sys.executable, *arguments]
        env |= {"PYTHONPATH": str(self.root), "TMPDIR": str(self.scratch)}
        code = self.children.run(command, log, self.root, **env)
        return code, log.read_text(encoding="utf-8", errors="replace")

    def fetch(self) -> Ended:
        """Fetch the raw data: this machine's if they fit, else those that the program finds."""
        arguments = ["-m", "stages.fetch"]
        if self.raw.is_dir():
            code, log = self.program(FETCH, arguments, **{VARIABLE: str(self.raw)})
            if code == 0:
                return code, log
        return self.program(FETCH, arguments)

    def prepare(self) -> Ended:
        """Prepare the data; fail if they differ from `dvc.lock`, since no training could agree."""
        code, log = self.program(PREPARE, ["-m", "stages.prepare"])
        if code:
            return code, log
        found = folders.digest(folders.listing(self.root / PREPARED))
        if found != self.prepared:
            self.difference = f"{self.prepared or 'nothing'} in dvc.lock, {found} here"
            return 1, f"{PREPARED}: {self.difference}"
        return code, log

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        """Return the outcomes of programs, by step."""
        results: Mapping[str, Ended] = {step: future.result() for step, future in ended.items()}
        return {
            step: Outcome("failed" if code else "done", log)
            for step, (code, log) in results.items()
        }

    def epochs(self, step: str) -> int:
        """Return how many epochs of a training have ended so far."""
        return epochs.ended(step, self.root)

    def made(self) -> dict[str, bytes]:
        """Return the content of every file that programs left in `reports/`, by its path."""
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for path in sorted((self.root / "reports").rglob("*"))
            if path.is_file()
        }

    def close(self) -> None:
        """Stop all programs that are still running."""
        self.children.stop()
        self.executor.shutdown(cancel_futures=True)
