"""Write to MLflow in a process of its own, so that no stage waits for it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Self

from stages.core.signals import SIGNALS, deferred

ENDED = "the process that writes it has ended"


class Process:
    """A process beside this one that does `work` with the lines that this one tells it, each a JSON
    text; at the end this one waits for it."""

    def __init__(self, work: Callable[[IO[str]], None]) -> None:
        self.work = work

    def __enter__(self) -> Self:
        sys.stdout.flush()  # else both processes print what is buffered
        sys.stderr.flush()
        reading, writing = os.pipe()
        with deferred():
            self.pid = os.fork()
            if not self.pid:
                os.close(writing)
                child(lambda: self.work(os.fdopen(reading)))
        os.close(reading)
        self.pipe = os.fdopen(writing, "w")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(BrokenPipeError):
            self.pipe.close()
        with deferred():
            self.code = os.waitpid(self.pid, 0)[1]

    def tell(self, *what: Any) -> None:
        """Send a line; do nothing if the other process has ended."""
        with suppress(BrokenPipeError):
            print(json.dumps(what), file=self.pipe, flush=True)


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
