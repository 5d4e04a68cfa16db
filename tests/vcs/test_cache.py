"""The files of an output by its hash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.vcs.cache import Cache

A, B, C = ("a" * 32, "b" * 32, "c" * 32 + ".dir")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = Cache()
    found.roots = [tmp_path]
    return found


def put(cache: Cache, md5: str, content: object) -> None:
    file = cache.roots[0] / "files/md5" / md5[:2] / md5[2:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def test_a_folder_is_there_with_all_its_files_or_not_at_all(cache: Cache) -> None:
    put(cache, C, [{"relpath": "x", "md5": A}, {"relpath": "y", "md5": B}])
    put(cache, A, 1)
    assert cache.folder(C) is None
    put(cache, B, 2)
    found = cache.folder(C)
    assert found is not None
    assert {name: path.read_text() for name, path in found.items()} == {"x": "1", "y": "2"}
    assert list(cache.folders()) == [C]


@pytest.mark.parametrize(
    "listing", [5, None, "x", [5], [{"relpath": "x"}], [{"relpath": "x", "md5": "../../../x"}],
                [{"relpath": "x", "md5": [1]}]],
)  # fmt: skip
def test_what_is_no_listing_of_a_folder_names_no_files(cache: Cache, listing: object) -> None:
    put(cache, C, listing)
    assert cache.folder(C) is None
