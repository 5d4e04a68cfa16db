"""The files of an output by its hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.sync.desired import Outputs
from stages.vcs.cache import Cache, has_remote, pull

A, B = (hashlib.md5(json.dumps(content).encode()).hexdigest() for content in (1, 2))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = Cache()
    found.roots = [tmp_path]
    return found


def put(root: Path, content: object, ending: str = "", md5: str = "") -> str:
    """Write a file of a cache or a remote; its hash."""
    text = json.dumps(content).encode()
    md5 = md5 or hashlib.md5(text).hexdigest() + ending
    file = root / "files/md5" / md5[:2] / md5[2:]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    return md5


def test_a_folder_is_there_with_all_its_files_or_not_at_all(cache: Cache) -> None:
    (root,) = cache.roots
    folder = put(root, [{"relpath": "x", "md5": A}, {"relpath": "y", "md5": B}], ".dir")
    put(root, 1)
    assert cache.folder(folder) is None
    put(root, 2)
    found = cache.folder(folder)
    assert found is not None
    assert {name: path.read_text() for name, path in found.items()} == {"x": "1", "y": "2"}
    assert list(cache.folders()) == [folder]


@pytest.mark.parametrize(
    "listing", [5, "x", [5], [{"relpath": "x"}], [{"relpath": "x", "md5": "../../../x"}],
                [{"relpath": "x", "md5": [1]}], [{"relpath": [1], "md5": A}]],
)  # fmt: skip
def test_what_is_no_listing_of_a_folder_names_no_files(cache: Cache, listing: object) -> None:
    (root,) = cache.roots
    put(root, 1)
    assert cache.folder(put(root, listing, ".dir")) is None


def test_a_listing_or_a_file_with_another_content_than_its_hash_is_not_used(
    cache: Cache, tmp_path: Path
) -> None:
    (root,) = cache.roots
    folder = put(root, [{"relpath": "x", "md5": A}], ".dir")
    put(root, "another", md5=A)
    outputs = Outputs(pulling=False, folder=tmp_path / "pulled")
    outputs.cache = cache
    with pytest.raises(UserError, match="x in DVC's cache is not what its hash says"):
        outputs.files(folder)
    put(root, 1)
    assert outputs.files(folder)["x"].read_text() == "1"
    put(root, [], md5=folder)
    assert cache.folder(folder) is None


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as DVC's remote."""
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    root = tmp_path / "remote"
    root.mkdir()
    odb = HashFileDB(LocalFileSystem(), str(root / "files/md5"))
    monkeypatch.setattr("stages.vcs.cache.remote", lambda: odb)
    return root


def test_what_is_pulled_lies_under_its_hash_whatever_a_branch_calls_it(
    remote: Path, tmp_path: Path
) -> None:
    into = tmp_path / "deep/into"
    put(remote, 1)
    folder = put(remote, [{"relpath": "../../../stages/train.py", "md5": A}], ".dir")
    files = pull(folder, into)
    assert files["../../../stages/train.py"] == into / A[:2] / A[2:]
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {p for p in written if remote not in p.parents} == {
        into / A[:2] / A[2:], into / folder[:2] / folder[2:],
    }  # fmt: skip


def test_a_remote_that_serves_another_content_is_not_believed(remote: Path, tmp_path: Path) -> None:
    folder = put(remote, [{"relpath": "x", "md5": A}], ".dir")
    put(remote, "another", md5=A)
    with pytest.raises(UserError, match="the remote's file does not match its hash"):
        pull(folder, tmp_path / "into")
    assert not (tmp_path / "into" / A[:2] / A[2:]).exists()
    put(remote, [], md5=folder)
    with pytest.raises(UserError, match="the remote's file does not match its hash"):
        pull(folder, tmp_path / "other")


def test_a_dvc_that_cannot_read_its_configuration_is_no_dvc_without_a_remote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    assert not has_remote()
    Path(".dvc/config").write_text("[core\n    remote = x\n")
    with pytest.raises(UserError, match=r"^\.dvc/config: .*; fix it$"):
        has_remote()
