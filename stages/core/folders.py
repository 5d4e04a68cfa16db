"""Atomic outputs: write beside the target, then rename, so that a reader sees all or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stages.core.errors import UserError
from stages.core.signals import deferred

os.umask(MASK := os.umask(0o077))  # permission bits that new files do not get


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Yield a folder `<target>.partial` to write into; rename it to `target` if the block succeeds.

    If the block fails, Ctrl-C included, remove the folder. If the process is killed, the next call
    removes what it left. DVC ignores the folder (`.dvcignore`). An old `target` is renamed before
    it is removed, so that no reader ever sees half of it.

    Raises:
        UserError: another process is writing the same target.
    """
    partial = target.with_name(f"{target.name}.partial")
    old = target.with_name(f"{target.name}.old.partial")
    with ExitStack() as stack:
        with deferred():  # a signal between the two would leave a folder that nobody removes
            stack.enter_context(claimed(partial))
            stack.push(lambda kind, *_: remove(partial) if kind else None)
        for leftover in (*partial.iterdir(), old):
            remove(leftover)
        yield partial
        synced(partial)
        if target.exists():
            target.rename(old)
        partial.rename(target)
        remove(old)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Create `folder` if it is missing, and lock it against other processes.

    The kernel releases the lock when the process ends, however it ends.

    Raises:
        UserError: another process holds the lock.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another process has just renamed it
            continue
        try:
            if not lock(descriptor):
                raise UserError(
                    f"{folder}: another process is writing it; wait until it ends or stop "
                    "it, and run this again"
                )
            if folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                yield
                return
        finally:
            os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Lock an open folder until it is closed; return False if another process has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network disk without folder locks: DVC's own lock must suffice
        pass
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write one file atomically; of several concurrent writers, the last one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content.encode() if isinstance(content, str) else content
    number, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            os.fchmod(number, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~MASK)
            file.write(text)
            file.flush()
            os.fsync(number)  # else a power failure may leave the new name without the content
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def synced(folder: Path) -> None:
    """Flush a folder and its files to disk, so that a rename is safe."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
