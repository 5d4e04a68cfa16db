"""Outputs of variants that are no more: DVC leaves them, and `evaluate` depends on `runs`."""

from __future__ import annotations

import filecmp
from collections.abc import Collection
from pathlib import Path

from stages.core.errors import UserError
from stages.core.folders import remove
from stages.vcs import dvc, lockfile
from stages.vcs.cache import Cache, Files

RUNS = Path("runs")


def leftovers(variants: Collection[str]) -> list[Path]:
    """Return the folders in `runs/` that `dvc.lock` names as outputs, that are of none of these
    variants, and that DVC's cache has too, byte for byte. Whatever else is there is a person's.

    Raises:
        UserError: `dvc.lock` cannot be read.
    """
    try:
        stages = lockfile.stages(dvc.lock_text())
        outs = [out for stage in stages.values() for out in stage.get("outs") or ()]
        known = {str(out["path"]): str(out.get("md5", "")) for out in outs}
    except (ValueError, AttributeError, KeyError, TypeError):
        raise UserError("dvc.lock: not what DVC writes; `git checkout HEAD -- dvc.lock`") from None
    cache = Cache()
    return [
        path
        for path in (sorted(RUNS.iterdir()) if RUNS.is_dir() else ())
        if path.name not in variants
        and path.is_dir()
        and not path.is_symlink()
        and same(path, cache.folder(known.get(path.as_posix(), "none")))
    ]


def same(folder: Path, cached: Files | None) -> bool:
    """Return whether a folder holds just the files that the cache has."""
    if cached is None:
        return False
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return names == cached.keys() and all(
        filecmp.cmp(folder / name, file, shallow=False) for name, file in cached.items()
    )


def sweep(variants: Collection[str]) -> None:
    """Remove what `leftovers` returns, and say so."""
    for path in leftovers(variants):
        remove(path)
        print(f"{path}: removed, for params.yaml has no such variant; DVC's cache keeps it")
