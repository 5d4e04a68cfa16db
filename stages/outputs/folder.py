"""Outputs are whole or not there: written beside their place, then renamed."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A folder `<target>.partial` to write into, that becomes `target` when the block ends well.

    However else the block ends, Ctrl-C included, it is removed; what a killed process left
    behind is removed by the next one. DVC does not see it (`.dvcignore`).
    """
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write(path: Path, content: str | bytes) -> None:
    """Write one file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sweep(folder: Path, keep: Collection[str]) -> None:
    """Remove the folders in `folder` that `keep` does not name: outputs of stages that are no
    more, which DVC leaves where they are."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and path.name not in keep:
            shutil.rmtree(path)
