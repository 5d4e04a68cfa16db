"""The recorder in a process of its own: a training neither waits for MLflow nor shares with it what
could change a bit, as the random numbers that Keras draws when it loads a model.

The process is forked, so that the libraries of both are imported once. It hears a JSON text a line.
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
    """Passes on what it hears to a recorder in another process, and waits for its end.

    Args:
        recorder: as it is now; what becomes of it is not seen here.
    """

    def __init__(self, recorder: LiveRecorder) -> None:
        self.recorder = recorder

    def __enter__(self) -> Beside:
        sys.stdout.flush()  # what waits would be printed by both
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
        """Send a line; to nobody, if the other process has ended."""
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
        """Pass it on, with the seconds by phase."""
        self.tell("training ends", self.recorder.phases, time.time())


def child(work: Callable[[], None]) -> None:
    """Do the work of a forked process, and end it: what its parent has to clean up is not its own.

    The parent says when it is over; a signal that ends both would leave runs that nobody ends.
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
    """Tell the recorder what is heard, until the training ends, or is killed."""
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
                recorder.seconds = time.time() - at  # the training waits only now
                recorder.training_ends()
            case ["end", said]:
                status = said
    recorder.end(status)
