"""Outputs are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stages.core.errors import UserError
from stages.core.signals import deferred


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A folder `<target>.partial` to write into, that becomes `target` when the block ends well.

    However else the block ends, Ctrl-C included, it is removed; what a killed process left
    behind is removed by the next one. DVC does not see it (`.dvcignore`). An old `target` is
    renamed as well before it is removed: nobody sees half of one, whenever the process is killed.

    Raises:
        UserError: another process is writing the same target.
    """
    partial = target.with_name(f"{target.name}.partial")
    old = target.with_name(f"{target.name}.old.partial")
    with ExitStack() as stack:
        with deferred():  # a signal in between would find a folder that nobody removes
            stack.enter_context(claimed(partial))
            stack.push(lambda kind, *_: remove(partial) if kind else None)
        for leftover in (*partial.iterdir(), old):
            remove(leftover)
        yield partial
        if target.exists():
            target.rename(old)
        partial.rename(target)
        remove(old)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make `folder` where it is missing, and keep other processes from claiming it.

    The kernel gives the claim up when a process ends, however it ends.

    Raises:
        UserError: another process has it.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # renamed by another process just now
            continue
        try:
            if not lock(descriptor):
                raise UserError(
                    f"{folder}: another process is writing it; wait for its end or stop it, and "
                    "run this again"
                )
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                yield
                return
        finally:
            os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Lock an open folder for as long as it is open; False where another process has done so."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network disk that locks no folders: there DVC's own lock has to do
        pass
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write one file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
