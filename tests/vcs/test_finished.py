"""Finished seeds are taken over if their bytes are those of their summary, and else trained."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from stages.training import history, result
from stages.training.history import Row
from stages.training.result import Seed
from stages.vcs import finished
from stages.vcs.cache import Cache

CACHE = Path(".dvc/cache/files/md5")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Cache, "roots", [Path(".dvc/cache")])


def identity(seed: int, **others: Any) -> str:
    """What determines the result of a seed."""
    return result.canonical({"params": {"epochs": 2}, "seed": seed, **others})


def fingerprint(seed: int, **others: Any) -> str:
    """Of `identity`."""
    return result.digest(identity(seed, **others))


def rows(seed: int) -> list[Row]:
    """Two epochs."""
    values = {"loss": 0.5, "accuracy": 0.25, "val_loss": 0.125, "val_accuracy": 0.86475}
    return [Row(seed=seed, epoch=epoch, **values) for epoch in (1, 2)]  # type: ignore[typeddict-item]


def describe(seed: int, folder: Path) -> tuple[Seed, Path]:
    """Write a model; return what a summary says of it, and its file."""
    model = folder / result.model_name(seed)
    model.write_bytes(b"model %d" % seed)
    return result.describe(identity(seed), model, rows(seed)), model


def kept(seed: int, tmp_path: Path) -> Path:
    """Keep a seed as a training does; return its folder."""
    described, model = describe(seed, tmp_path)
    finished.keep(seed, described, model, rows(seed))
    model.unlink()
    return finished.SCRATCH / described.fingerprint


def cached(*seeds: int) -> dict[str, Path]:
    """Put the output of a variant with these seeds into the cache, as DVC does; return its files
    there."""
    folder = Path("output")
    folder.mkdir()
    described = {seed: describe(seed, folder)[0] for seed in seeds}
    result.write(folder, described, {seed: rows(seed) for seed in seeds})
    files = {path.name: stored(path.read_bytes()) for path in sorted(folder.iterdir())}
    listing = [{"md5": "".join(path.parts[-2:]), "relpath": name} for name, path in files.items()]
    files[".dir"] = stored(json.dumps(listing).encode(), ".dir")
    shutil.rmtree(folder)
    return files


def stored(content: bytes, suffix: str = "") -> Path:
    """A file of the cache."""
    md5 = hashlib.md5(content).hexdigest()
    path = CACHE / md5[:2] / f"{md5[2:]}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def find(*seeds: int) -> set[int]:
    """The seeds of these that are found."""
    fingerprints = {fingerprint(seed): seed for seed in seeds}
    return {fingerprints[each] for each in finished.find(fingerprints)}


def test_a_seed_of_a_stage_that_did_not_end_is_taken_over(tmp_path: Path) -> None:
    kept(1, tmp_path)
    taken = finished.find({fingerprint(1), fingerprint(2)})
    assert taken.keys() == {fingerprint(1)}
    assert taken[fingerprint(1)].origin == "a training that did not end"
    model, file = tmp_path / "seed-1.keras", tmp_path / "history.csv"
    assert taken[fingerprint(1)].copy_to(model, file) == rows(1)
    assert model.read_bytes() == b"model 1"
    assert history.read(file) == {1: rows(1)}


def test_seeds_of_an_earlier_output_are_taken_over_for_shorter_and_longer_lists() -> None:
    cached(1, 2, 3)
    assert find(3, 1) == {1, 3}
    assert find(2, 4) == {2}
    assert finished.find({fingerprint(1)})[fingerprint(1)].origin == "DVC's cache"


def test_seeds_of_several_outputs_come_together(tmp_path: Path) -> None:
    cached(1)
    cached(2, 3)
    kept(4, tmp_path)
    assert find(1, 3, 4, 5) == {1, 3, 4}


def test_a_result_with_another_identity_is_not_taken_over() -> None:
    cached(1)
    assert not finished.find({fingerprint(1, source="another")})


def test_all_may_be_deleted_at_any_time(tmp_path: Path) -> None:
    cached(1)
    kept(2, tmp_path)
    taken = finished.find({fingerprint(1), fingerprint(2)})
    shutil.rmtree(".dvc")
    assert not finished.find({fingerprint(1), fingerprint(2)})
    for seed in (1, 2):  # what has been found is whole all the same
        copy = tmp_path / f"copy-{seed}.keras"
        taken[fingerprint(seed)].copy_to(copy, tmp_path / "copy.csv")
        assert copy.read_bytes() == b"model %d" % seed


@pytest.mark.parametrize("name", ["seed-1.keras", "history.csv", "summary.json", ".dir"])
@pytest.mark.parametrize("content", [None, b"", b"5", b"[5]", b"\x00\xff", b"{}", b"[" * 5000])
def test_a_damaged_output_is_passed_over(name: str, content: bytes | None, tmp_path: Path) -> None:
    files = cached(1)
    files[name].unlink()
    if content is not None:
        files[name].write_bytes(content)
    kept(2, tmp_path)
    assert find(1, 2) == {2}


@pytest.mark.parametrize("name", ["seed-1.keras", "history.csv", "summary.json"])
@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_damaged_kept_seed_is_passed_over_and_kept_anew(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    folder = kept(1, tmp_path)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    assert find(1) == set()
    kept(1, tmp_path)
    assert find(1) == {1}


def test_one_changed_digit_in_a_history_is_seen(tmp_path: Path) -> None:
    file = kept(1, tmp_path) / result.HISTORY
    file.write_text(file.read_text().replace("0.86475", "0.86476"))
    assert find(1) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": [1]},
        {"identity": 5},
        {"identity": "{}"},
        {"model": None},
        {"identity": identity(2)},
    ],
)
def test_a_summary_that_says_anything_is_passed_over(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    folder = kept(1, tmp_path)
    file = folder / result.SUMMARY
    content = json.loads(file.read_text())
    content["seeds"]["1"] |= changes
    file.write_text(json.dumps(content))
    cached(2)
    assert find(1, 2) == {2}


def test_a_seed_under_another_number_is_passed_over(tmp_path: Path) -> None:
    described, model = describe(1, tmp_path)
    lying = replace(described, history=result.sha256(history.text(rows(2))))
    finished.keep(2, lying, model, rows(2))
    assert find(1) == set()


@pytest.mark.parametrize(
    "entry",
    [
        {"md5": "../../../secret", "relpath": "seed-1.keras"},
        {"md5": ["1"], "relpath": "seed-1.keras"},
        {"md5": "0" * 32, "relpath": "../../../stages/train.py"},
        {"relpath": 5},
        [],
    ],
)
def test_a_listing_that_names_other_places_reads_and_writes_nothing(
    entry: Any, tmp_path: Path
) -> None:
    files = cached(1)
    listing = json.loads(files[".dir"].read_text())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    files[".dir"].write_text(json.dumps([*listing, entry]))
    del before[tmp_path / files[".dir"]]
    assert find(1) == set()  # not every file of it is in the cache
    assert before == {
        path: path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and path != tmp_path / files[".dir"]
    }


def test_the_newest_listing_may_be_removed_while_the_cache_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached(1)
    listing = cached(2)[".dir"]
    glob = Path.glob

    def removing(self: Path, pattern: str) -> Any:
        found = list(glob(self, pattern))
        listing.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "glob", removing)
    assert find(1, 2) == {1}


def test_many_at_once_may_keep_and_remove_the_same_seed(tmp_path: Path) -> None:
    described, model = describe(1, tmp_path)

    def at_work(turn: int) -> None:
        finished.keep(1, described, model, rows(1))
        for taken in finished.find({described.fingerprint}).values():
            assert taken.model == b"model 1"
        if turn % 3 == 0:
            shutil.rmtree(finished.SCRATCH / described.fingerprint, ignore_errors=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(at_work, range(100)))
    finished.keep(1, described, model, rows(1))
    assert find(1) == {1}
    assert [path.name for path in finished.SCRATCH.iterdir()] == [described.fingerprint]


def test_what_was_kept_is_removed_once_dvc_has_it_or_after_weeks(tmp_path: Path) -> None:
    """Not at the end of its stage: DVC may be killed before the output is in its cache."""
    kept(1, tmp_path)
    folder, old = kept(2, tmp_path), kept(3, tmp_path)
    days_ago = time.time() - (finished.DAYS + 1) * 86_400
    os.utime(old, (days_ago, days_ago))
    cached(1)
    finished.sweep()
    assert list(finished.SCRATCH.iterdir()) == [folder]
    assert find(1, 2, 3) == {1, 2}


def test_no_more_is_read_than_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(1, tmp_path)
    read: Callable[..., Any] = pytest.fail
    monkeypatch.setattr(Cache, "folders", lambda self: read("the cache was read"))
    assert find(1) == {1}


def test_a_kept_seed_is_described_as_in_an_output(tmp_path: Path) -> None:
    folder = kept(1, tmp_path)
    content = json.loads((folder / result.SUMMARY).read_text())
    files = cached(1)
    assert content["seeds"] == json.loads(files[result.SUMMARY].read_text())["seeds"]
    assert content["seeds"]["1"] == asdict(describe(1, tmp_path)[0])
