"""Seconds by phase of a stage. They go to MLflow only: an output holds no durations."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from stages import BEGIN


class Clock:
    """Adds up the seconds spent in `with clock("phase"):`; `imports` is all before its making."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.add("imports", time.perf_counter() - BEGIN)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Count the seconds of a `with` block as `phase`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(phase, time.perf_counter() - begin)

    def add(self, phase: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere as `phase`."""
        self.seconds[phase] += seconds
