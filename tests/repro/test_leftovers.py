"""Of `runs/` only what DVC can bring back is removed, and only where no variant has its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.repro import leftovers

OUTPUTS = ("adam-0.0", "sgd-0.0", "edited-0.0", "lost-0.0")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Outputs that dvc.lock names, one of them edited, one not in the cache; a person's folders."""
    monkeypatch.chdir(tmp_path)
    for name in (*OUTPUTS, "notes", "adam-0.0.bak"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "file").write_text("x")
    (tmp_path / "runs/edited-0.0/file").write_text("y")
    (tmp_path / ".dvc/cache/files/md5/ab").mkdir(parents=True)
    (tmp_path / ".dvc/cache/files/md5/ab/c").write_text("x")
    lock = "schema: '2.0'\nstages:\n"
    for i, name in enumerate((*OUTPUTS, "..")):
        md5 = f"{i}{'0' * 31}.dir"
        lock += f"  train@{i}:\n    outs:\n    - path: runs/{name}\n      md5: {md5}\n"
        if name != "lost-0.0":
            cached = tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
            cached.parent.mkdir(parents=True)
            cached.write_text(json.dumps([{"relpath": "file", "md5": "abc"}]))
    (tmp_path / "dvc.lock").write_text(lock)
    return tmp_path / "runs"


def test_an_output_of_a_variant_that_is_no_more_is_removed_and_said_so(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leftovers.sweep(["adam-0.0"])
    left = {path.name for path in runs.iterdir()}
    assert left == {*OUTPUTS, "notes", "adam-0.0.bak"} - {"sgd-0.0"}
    assert capsys.readouterr().out.startswith("runs/sgd-0.0: removed")


@pytest.mark.parametrize("text", ["stages: [[", "stages: {a: 5}", "stages: {a: {outs: [{}]}}"])
def test_a_dvc_lock_that_is_none_is_one_sentence_and_nothing_goes(runs: Path, text: str) -> None:
    Path("dvc.lock").write_text(text)
    with pytest.raises(UserError, match=r"^dvc\.lock: not what DVC writes"):
        leftovers.sweep([])
    assert len(list(runs.iterdir())) == 6
