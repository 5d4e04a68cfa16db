"""Folders have the hashes that DVC gives them."""

from __future__ import annotations

from pathlib import Path

from dvc_data.hashfile.tree import Tree

from stages.verify import folders


def test_a_folder_has_dvcs_hash_whatever_its_files_are_called(tmp_path: Path) -> None:
    for name in ("seed-10.keras", "seed-2.keras", "b/a", "b-a", "é.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = folders.listing(tmp_path)
    entries = [{"md5": md5, "relpath": path} for path, md5 in found.items()]
    tree = Tree.from_list(entries, hash_name="md5")
    tree.digest()
    assert folders.digest(found) == tree.oid


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert folders.listing(tmp_path / "missing") == {}
