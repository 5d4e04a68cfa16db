"""Ctrl-C, SIGTERM and SIGHUP: end a program cleanly, but not during a step that must be whole."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
asked: list[int] = []  # the signals that have asked for the end


def catch_termination() -> None:
    """Make SIGTERM and SIGHUP run every `finally`, as Ctrl-C does, except a signal that `nohup`
    ignores; remember all three for `end_if_asked`."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def end(number: int, frame: FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt for Ctrl-C, as Python does by itself; else SystemExit with the exit
    code that a shell gives this signal."""
    asked.append(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def end_if_asked() -> None:
    """Raise SystemExit if a signal has asked for the end: Python drops the exception of a handler
    that runs while an object is freed. What takes minutes calls this now and then."""
    if asked:
        sys.exit(128 + asked[0])


def end_with_parent() -> None:
    """Send this process SIGTERM within a second of its parent's death: DVC ends its children when
    it is asked to stop, but not when it is killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


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
