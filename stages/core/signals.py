"""Defer Ctrl-C, SIGTERM and SIGHUP during a step that must not be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def deferred() -> Iterator[None]:
    """Deliver the first signal when the block ends; deliver a second one at once."""
    if threading.current_thread() is not threading.main_thread():  # only it gets signals
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def keep(number: int, frame: object) -> None:
        came.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        signal.signal(number, keep)
    try:
        yield
    finally:
        restore()
        if came:
            signal.raise_signal(came[0])
