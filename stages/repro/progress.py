"""Show the progress of stages: a line for each on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from stages.repro.schedule import Outcome

COLOURS = {"done": "green", "restored": "cyan", "unchanged": "cyan", "failed": "red"}
WORDS = {
    "done": "done",
    "restored": "restored from cache",
    "unchanged": "nothing changed",
    "failed": "failed",
}


class Screen:
    """Shows which stages wait, run and have ended.

    Args:
        stages: all stages that will run, each with its number of epochs, 0 if none.
        epochs: returns how many epochs of a stage have ended.
    """

    def __init__(
        self, stages: dict[str, int], epochs: Callable[[str], int], console: Console
    ) -> None:
        self.stages, self.epochs, self.console = stages, epochs, console
        self.at_once = 1  # the most that ran side by side
        self.began: dict[str, float] = {}
        self.over: set[str] = set()
        self.trained = 0.0  # seconds of stages that have trained, and their epochs
        self.trained_epochs = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the lines on the terminal up to date while the block runs."""
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self.now, console=self.console, transient=True):
            yield

    def started(self, stage: str) -> None:
        """Note that a stage has begun."""
        self.began[stage] = time.monotonic()
        self.at_once = max(self.at_once, len(self.began) - len(self.over))
        if not self.console.is_terminal:
            self.console.print(f"{stage}: running")

    def ended(self, stage: str, outcome: Outcome) -> None:
        """Note and print how a stage ended."""
        seconds = time.monotonic() - self.began.setdefault(stage, time.monotonic())
        self.over.add(stage)
        if outcome.state == "done" and self.stages[stage]:
            self.trained += seconds
            self.trained_epochs += self.stages[stage]
        count = f"{len(self.over)} of {len(self.stages)}"
        line = Text(f"{stage}: ").append(WORDS[outcome.state], COLOURS[outcome.state])
        line.append(f" after {seconds:.0f} s ({count}{self.left()})")
        if outcome.state != "failed" and outcome.diverged:
            line.append(f", {', '.join(outcome.diverged)} diverged", "yellow")
        self.console.print(line)

    def left(self) -> str:
        """Return the estimated time left; "" if none is left or no epoch has ended."""
        waiting = sum(
            epochs - min(epochs, self.epochs(stage) if stage in self.began else 0)
            for stage, epochs in self.stages.items()
            if stage not in self.over
        )
        spent, ended = self.trained, self.trained_epochs
        for stage in self.began.keys() - self.over:
            if so_far := self.epochs(stage):
                spent += time.monotonic() - self.began[stage]
                ended += so_far
        if not (waiting and ended):
            return ""
        seconds = spent / ended * waiting / self.at_once
        return f", about {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"

    def now(self) -> RenderableType:
        """Return a line for each running stage, then as many waiting ones as fit."""
        table = Table.grid(padding=(0, 2))
        running = [stage for stage in self.began if stage not in self.over]
        for stage in running:
            table.add_row(stage, *self.progress(stage))
        waiting = [stage for stage in self.stages if stage not in self.began]
        lines = max(0, self.console.height - len(running) - 3)
        for stage in waiting[:lines]:
            table.add_row(stage, Text("waiting", "dim"))
        more = f", {len(waiting) - lines} more waiting" if len(waiting) > lines else ""
        return Group(table, Text(f"{len(self.over)} of {len(self.stages)}{more}{self.left()}"))

    def progress(self, stage: str) -> Iterable[RenderableType]:
        """Return the cells of a running stage."""
        seconds = f"{time.monotonic() - self.began[stage]:.0f} s"
        if not (total := self.stages[stage]):
            return "running", "", seconds
        done = min(total, self.epochs(stage))
        return f"epoch {done} of {total}", ProgressBar(total, done, width=20), seconds
