"""Run the recorder in its own process, so that a training does not wait for MLflow.

The two share no state that could change a bit, such as the random numbers that Keras draws when it
loads a model. Forking imports their libraries only once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from stages.core.errors import say
from stages.tracking.forked import ENDED, Process
from stages.tracking.listener import Listener
from stages.tracking.recorder import LOST, LiveRecorder, status_after
from stages.training.history import Row


class Beside(Process, Listener):
    """Passes every event to a recorder in another process, and at the end waits for that process.

    Args:
        recorder: the other process gets a copy, whose changes are not seen here.
    """

    def __init__(self, recorder: LiveRecorder) -> None:
        super().__init__(lambda lines: record(lines, recorder))
        self.recorder = recorder

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.tell("end", status_after(kind))
        super().__exit__(kind)
        if self.code:
            say(LOST.format(ENDED))

    def seed_begins(self, seed: int) -> None:
        """Pass it on."""
        self.tell("seed begins", seed)

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Pass it on."""
        self.tell("epoch ends", row, seconds)

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Pass it on."""
        self.tell("seed ends", seed, rows, str(model), origin)

    def training_ends(self) -> None:
        """Pass it on, with the seconds of each phase and the present time."""
        self.tell("training ends", self.recorder.phases, time.time())


def record(lines: IO[str], recorder: LiveRecorder) -> None:
    """Pass each line to the recorder; if the training is killed, end its runs as KILLED."""
    recorder.start()
    status = "KILLED"
    for line in lines:
        match json.loads(line):
            case ["seed begins", seed]:
                recorder.seed_begins(seed)
            case ["epoch ends", row, seconds]:
                recorder.epoch_ends(row, seconds)
            case ["seed ends", seed, rows, model, origin]:
                recorder.seed_ends(seed, rows, Path(model), origin)
            case ["training ends", phases, at]:
                recorder.phases = phases
                recorder.seconds = time.time() - at  # the training waits only from then on
                recorder.training_ends()
            case ["end", said]:
                status = said
    recorder.end(status)
