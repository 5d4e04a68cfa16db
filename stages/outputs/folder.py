"""stand-in"""
from pathlib import Path
from collections.abc import Collection
from contextlib import contextmanager
import shutil, os
@contextmanager
def replaced(target):
    p=target.with_name(target.name+".partial"); shutil.rmtree(p,ignore_errors=True); p.mkdir(parents=True)
    try: yield p
    except BaseException: shutil.rmtree(p); raise
    shutil.rmtree(target,ignore_errors=True); p.rename(target)


def write(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and rename it there, so that it is never there by half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.partial")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def sweep(folder: Path, keep: Collection[str]) -> None:
    """Remove what is in `folder` and not in `keep`: outputs of stages that are no more."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and path.name not in keep:
            shutil.rmtree(path)
