"""Finished seeds: results that need not be trained again, found by their fingerprint.

DVC's cache has the seeds of earlier outputs, of any variant and branch. `.dvc/tmp/seeds` has those
that are not in the cache yet, because their stage did not end or DVC was killed right after it.
Either may be deleted at any time; then a seed is trained.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stages.training import history, result
from stages.training.history import Row
from stages.training.result import Seed, Summary
from stages.vcs.cache import Cache, Files

SCRATCH = Path(".dvc/tmp/seeds")
DAYS = 14  # until a seed that never reached DVC's cache is removed


@dataclass(frozen=True)
class Finished:
    """A finished seed, read and checked; the files that it came from may be gone by now."""

    model: bytes
    rows: list[Row]
    origin: str

    def copy_to(self, model: Path, file: Path) -> list[Row]:
        """Write the model, append the history to the CSV `file`, and return the history."""
        model.write_bytes(self.model)
        history.append(self.rows, file)
        return self.rows


def find(fingerprints: Collection[str], scratch: Path = SCRATCH) -> dict[str, Finished]:
    """Return the finished seeds with these fingerprints, by fingerprint; skip damaged ones."""
    found: dict[str, Finished] = {}
    missing = set(fingerprints)
    for files, origin in outputs(scratch):
        # Others may have written anything, or delete it during the read: then the seed is trained
        with suppress(Exception):
            for number, seed in Summary.read(files[result.SUMMARY]).seeds.items():
                if seed.fingerprint in missing and (taken := whole(number, seed, files, origin)):
                    found[seed.fingerprint] = taken
                    missing.remove(seed.fingerprint)
        if not missing:
            break
    return found


def outputs(scratch: Path) -> Iterator[tuple[Files, str]]:
    """Yield the files of each folder that may hold finished seeds, and where it is, in words."""
    for folder in sorted(scratch.glob("*")):
        with suppress(OSError):  # removed meanwhile
            yield {path.name: path for path in folder.iterdir()}, "a training that did not end"
    cache = Cache()
    for md5 in cache.folders():
        if files := cache.folder(md5):
            yield files, "DVC's cache"


def whole(number: int, seed: Seed, files: Files, origin: str) -> Finished | None:
    """Return a seed of an output; None if its bytes are not those that the summary names."""
    with suppress(OSError, ValueError, KeyError):
        model = files[result.model_name(number)].read_bytes()
        rows = history.read(files[result.HISTORY])[number]
        hashes = result.sha256(model), result.sha256(history.text(rows))
        named = result.digest(seed.identity), json.loads(seed.identity)["seed"]
        if hashes == (seed.model, seed.history) and named == (seed.fingerprint, number):
            return Finished(model, rows, origin)
    return None


def keep(number: int, seed: Seed, model: Path, rows: list[Row], scratch: Path = SCRATCH) -> None:
    """Keep a seed that has just been trained, in case its stage does not end."""
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / seed.fingerprint
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "seed"
        folder.mkdir()
        shutil.copyfile(model, folder / result.model_name(number))
        result.write(folder, {number: seed}, {number: rows})
        shutil.rmtree(target, ignore_errors=True)  # a damaged one, or the same
        with suppress(OSError):  # another process has just kept the same seed
            folder.rename(target)


def sweep(scratch: Path = SCRATCH) -> None:
    """Remove the kept seeds that are in DVC's cache by now or are older than `DAYS`."""
    kept = {path.name: path for path in scratch.glob("*")}
    cached = find(kept, scratch=scratch / "none") if kept else {}
    for name, path in kept.items():
        with suppress(OSError):  # removed by another process
            if name in cached or time.time() - path.stat().st_mtime > DAYS * 86_400:
                shutil.rmtree(path)
