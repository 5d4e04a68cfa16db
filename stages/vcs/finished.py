"""Finished seeds: results that need not be trained again, found by their fingerprint.

DVC's cache has those of earlier outputs, whatever variant or branch they are of. Those that are not
in it yet, because their stage did not end or DVC was killed right after it, are in
`.dvc/tmp/seeds`. Either may be deleted at any time: then a seed is trained.
"""

from __future__ import annotations

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
from stages.vcs.cache import Cache

SCRATCH = Path(".dvc/tmp/seeds")
DAYS = 14  # after which a seed that DVC never got is removed


@dataclass(frozen=True)
class Finished:
    """A finished seed: its model file, its history, and what `summary.json` says of it."""

    seed: Seed
    model: Path
    rows: list[Row]
    origin: str

    @property
    def whole(self) -> bool:
        """Whether model and history have the hashes that they are said to have."""
        model, rows = result.sha256(self.model.read_bytes()), result.sha256(history.text(self.rows))
        return (model, rows) == (self.seed.model, self.seed.history)

    def copy_to(self, model: Path, file: Path) -> list[Row]:
        """Copy the model, add the history to a CSV, and return it."""
        shutil.copyfile(self.model, model)
        history.append(self.rows, file)
        return self.rows


def find(fingerprints: Collection[str], scratch: Path = SCRATCH) -> dict[str, Finished]:
    """Return the finished seeds that have these fingerprints; damaged ones are passed over."""
    found: dict[str, Finished] = {}
    for finished in (*in_scratch(scratch), *in_cache(Cache(), fingerprints)):
        fingerprint = finished.seed.fingerprint
        if fingerprint in fingerprints and fingerprint not in found and finished.whole:
            found[fingerprint] = finished
    return found


def in_scratch(folder: Path) -> Iterator[Finished]:
    """Go through the seeds of stages that did not end."""
    for place in sorted(folder.glob("*")) if folder.exists() else ():
        try:
            summary = Summary.read(place / result.SUMMARY)
            (number,) = summary.seeds
            rows = history.read(place / result.HISTORY)[number]
        except (OSError, ValueError, KeyError):  # being written or removed by another process
            continue
        model = place / result.model_name(number)
        yield Finished(summary.seeds[number], model, rows, "a training that did not end")


def in_cache(cache: Cache, fingerprints: Collection[str]) -> Iterator[Finished]:
    """Go through the outputs in DVC's cache that hold one of these fingerprints."""
    for md5 in cache.folders():
        files = cache.folder(md5)
        if files is None or not {result.SUMMARY, result.HISTORY} <= files.keys():
            continue
        try:
            summary = Summary.read(files[result.SUMMARY])
            wanted = {
                n: seed for n, seed in summary.seeds.items() if seed.fingerprint in fingerprints
            }
            rows = history.read(files[result.HISTORY]) if wanted else {}
            for number, seed in wanted.items():
                yield Finished(seed, files[result.model_name(number)], rows[number], "DVC's cache")
        except (OSError, ValueError, KeyError):
            continue


def keep(number: int, seed: Seed, model: Path, rows: list[Row], scratch: Path = SCRATCH) -> None:
    """Keep a seed that has just been trained, in case its stage does not end."""
    target = scratch / seed.fingerprint
    if target.exists():
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "seed"
        folder.mkdir()
        shutil.copyfile(model, folder / result.model_name(number))
        history.append(rows, folder / result.HISTORY)
        text = Summary(seed.fingerprint, {number: seed}).text()
        (folder / result.SUMMARY).write_text(text, encoding="utf-8")
        try:
            folder.rename(target)
        except OSError:  # another process has just kept the same seed
            pass


def sweep(scratch: Path = SCRATCH) -> None:
    """Remove what is in DVC's cache by now, and what nobody has come back for."""
    kept = {path.name: path for path in scratch.glob("*")}
    cached = find(kept, scratch=scratch / "none") if kept else {}
    for name, path in kept.items():
        with suppress(OSError):  # removed by another process
            if name in cached or time.time() - path.stat().st_mtime > DAYS * 86_400:
                shutil.rmtree(path)
