"""A person's mistake is told in one sentence; the program's own keeps its traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

import typer

from stages.core.text import plain

DISK = {
    errno.ENOSPC: "the disk is full: free some space and run it again",
    errno.EDQUOT: "your disk quota is used up: free some space and run it again",
    errno.EROFS: "the disk is mounted read-only: make it writable and run it again",
    errno.EACCES: "permission denied: make it writable for you and run it again",
    errno.EPERM: "operation not permitted: make it writable for you and run it again",
}


class UserError(Exception):
    """Something that the person at the keyboard can mend; its text says where and how."""


def sentence(error: BaseException) -> str | None:
    """The one sentence for `error`, or None where it deserves a traceback."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in DISK:
        return f"{error.filename or 'disk'}: {DISK[error.errno]}"
    return None


def run(main: Callable[..., Any]) -> NoReturn:
    """Run a stage program: options from the command line, errors as one sentence, exit code 1.

    SIGTERM and SIGHUP become SystemExit, so that `with` blocks clean up behind themselves.
    """
    catch_termination()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        tell(app)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 1)


def leave(code: int) -> NoReturn:
    """End at once: all that matters is written. A thread that still waits for a server is not
    waited for, and TensorFlow not taken down piece by piece, which takes 0.7 s."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def tell(app: typer.Typer) -> NoReturn:
    """Run a command line; the exit code is 1 after an error of the person, 130 after Ctrl-C."""
    try:
        app()
    except Exception as error:
        if (text := sentence(error)) is None:
            raise
        print(f"error: {plain(text)}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def catch_termination() -> None:
    """End through every `finally` when `kill` asks for it or the terminal closes, `nohup` aside."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, terminate)


def terminate(signum: int, frame: FrameType | None) -> NoReturn:
    """End as `kill` asks, but through every `finally` on the way."""
    sys.exit(128 + signum)
