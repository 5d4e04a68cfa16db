"""Report a user's mistake in one sentence; keep the traceback for a bug."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from io import TextIOWrapper
from types import TracebackType
from typing import Any, NoReturn

import typer

from stages.core.redact import redacted
from stages.core.signals import catch_termination, end_with_parent
from stages.core.text import plain

DISK = {
    errno.ENOSPC: "the disk is full: free some space and run it again",
    errno.EDQUOT: "your disk quota is used up: free some space and run it again",
    errno.EROFS: "the disk is mounted read-only: make it writable and run it again",
    errno.EACCES: "permission denied: make it writable for you and run it again",
    errno.EPERM: "operation not permitted: make it writable for you and run it again",
}


class UserError(Exception):
    """An error that the user can fix; its text says where and how."""


def sentence(error: BaseException) -> str | None:
    """Return the one-sentence message for `error`, or None if it needs a traceback."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in DISK:
        return f"{error.filename or 'disk'}: {DISK[error.errno]}"
    return None


def say(text: str) -> None:
    """Print a message to stderr. Every message passes through here, so that none shows a credential
    or moves the cursor."""
    print(plain(redacted(text)), file=sys.stderr)


def run(main: Callable[..., Any]) -> NoReturn:
    """Run a stage program: parse its options, report errors in one sentence, and exit.

    SIGTERM and SIGHUP raise SystemExit, so that `with` blocks clean up. An error exits with code 1.
    """
    catch_termination()
    if "DVC_STAGE" in os.environ:
        end_with_parent()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        tell(app)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 1)


def leave(code: int) -> NoReturn:
    """Flush all output and exit without cleanup: do not wait for threads that still talk to a
    server, or for TensorFlow's teardown (0.7 s)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def tell(app: typer.Typer) -> NoReturn:
    """Run a command line; exit with 1 after a user's error, 130 after Ctrl-C; raise other errors.

    Print a character that the terminal's encoding lacks as `?`, without an error. Write each line
    at once, also with PYTHONUNBUFFERED, which makes Python write the end of a line separately: a
    training and the process that records it share an output, and their lines must not mix.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace", line_buffering=True, write_through=False)
    try:
        app()
    except Exception as error:
        if (text := sentence(error)) is None:
            sys.excepthook = show_bug  # typer has replaced it
            raise
        say(f"error: {text}")
        sys.exit(1)
    sys.exit(0)


def show_bug(kind: type[BaseException], bug: BaseException, at: TracebackType | None) -> None:
    """Print a traceback in Python's format, without credentials."""
    say("".join(traceback.format_exception(kind, bug, at)).rstrip())
