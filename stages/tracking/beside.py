"""Run the recorder in its own process, so that a training does not wait for MLflow.

The two share no state that could change a bit, such as the random numbers that Keras draws when it
loads a model. Forking imports their libraries only once. Events pass as one JSON text per line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from stages.core.errors import say
from stages.core.signals import SIGNALS, deferred
from stages.tracking.listener import Listener
from stages.tracking.recorder import LOST, LiveRecorder, status_after
from stages.training.history import Row


class Beside(Listener):
    """Passes every event to a recorder in another process, and at the end waits for that process.

    Args:
        recorder: the other process gets a copy, whose changes are not seen here.
    """

    def __init__(self, recorder: LiveRecorder) -> None:
        self.recorder = recorder

    def __enter__(self) -> Beside:
        sys.stdout.flush()  # else both processes print what is buffered
        sys.stderr.flush()
        reading, writing = os.pipe()
        with deferred():
            self.pid = os.fork()
            if not self.pid:
                os.close(writing)
                child(lambda: record(os.fdopen(reading), self.recorder))
        os.close(reading)
        self.pipe = os.fdopen(writing, "w")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.tell("end", status_after(kind))
        with suppress(BrokenPipeError):
            self.pipe.close()
        with deferred():
            code = os.waitpid(self.pid, 0)[1]
        if code:
            say(LOST.format("the process that writes it has ended"))

    def tell(self, *what: Any) -> None:
        """Send a line; do nothing if the other process has ended."""
        with suppress(BrokenPipeError):
            print(json.dumps(what), file=self.pipe, flush=True)

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


def child(work: Callable[[], None]) -> None:
    """Do the work of a forked process, then exit without cleanup, which is left to the parent.

    Ignore signals: the parent says when to end, and one that ended both would leave runs open.
    """
    code = 1
    try:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        work()
        code = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


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
