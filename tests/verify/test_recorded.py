"""What a revision says of its results, whoever wrote it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.verify import recorded
from stages.verify.recorded import CURVES

MD5 = "0123456789abcdef" * 2 + ".dir"
LOCK = f"""schema: '2.0'
stages:
  prepare:
    cmd: python -m stages.prepare
    outs:
    - {{path: data/prepared, md5: {MD5}}}
  train@adam-0.0:
    cmd: python -m stages.train
    deps:
    - {{path: data/prepared, md5: {MD5}}}
    - {{path: stages/training, md5: {MD5}}}
    params:
      params.yaml:
        train.epochs: 20
        train.seeds: [1, 2, 3]
    outs:
    - {{path: runs/adam-0.0, md5: {MD5}}}
  reuse@reused:
    cmd: python -m stages.train
    deps:
    - {{path: data/prepared, md5: {MD5}}}
    - {{path: runs/adam-0.0, md5: {MD5}}}
    outs:
    - {{path: runs/reused, md5: {MD5}}}
"""

Commit = Callable[[dict[str, str]], str]


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commit:
    """Commit files to a repository of their own, and return the commit's hash."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)

    def committed(files: dict[str, str]) -> str:
        for name, text in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text)
        identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
        subprocess.run(["git", "add", "--all"], check=True)
        subprocess.run(["git", *identity, "commit", "--quiet", "--message", "x"], check=True)
        return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()

    return committed


def test_a_revision_says_what_it_has(commit: Commit) -> None:
    curves = "variant,seed,epoch,loss\nadam-0.0,1,2,0.5\n"
    revision = recorded.read(commit({"dvc.lock": LOCK, CURVES: curves}))
    adam, reused = revision.variants["adam-0.0"], revision.variants["reused"]
    assert (adam.stage, adam.md5, adam.source, adam.epochs) == ("train@adam-0.0", MD5, "", 60)
    assert reused.source == "adam-0.0"
    assert revision.folders == {"data/prepared": MD5}
    assert revision.curves["adam-0.0"]["1", "2"]["loss"] == "0.5"
    listed = subprocess.check_output(["git", "hash-object", CURVES], text=True).strip()
    assert revision.reports == {CURVES: listed}


@pytest.mark.parametrize(
    "path",
    [
        "runs/../../etc", "runs/..", "runs/.", "runs/a/b", "runs/", "runs/-x", "runs/A", "runs/a b",
        '"runs/a\\nb"', "runs/.hidden",
    ],
)  # fmt: skip
def test_an_output_that_is_no_variants_folder_is_refused_alone(path: str, commit: Commit) -> None:
    revision = recorded.read(
        commit({"dvc.lock": LOCK.replace("path: runs/reused", f"path: {path}")})
    )
    (why,) = revision.refused
    assert re.match(r"dvc\.lock of [0-9a-f]{7}: not what DVC writes \(stages\.reuse@reused: ", why)
    assert list(revision.variants) == ["adam-0.0"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reuse@reused", "--help"),
        ("reuse@reused", "machine"),
        ("reuse@reused", '"a@b; touch planted"'),
        (f"path: runs/reused, md5: {MD5}", "path: runs/reused, md5: ../../x.dir"),
        (f"path: runs/reused, md5: {MD5}", "path: runs/reused, md5: [1]"),
    ],
)
def test_a_stage_that_dvc_did_not_write_fails_alone(old: str, new: str, commit: Commit) -> None:
    assert old in LOCK
    revision = recorded.read(commit({"dvc.lock": LOCK.replace(old, new)}))
    assert len(revision.refused) == 1
    assert list(revision.variants) == ["adam-0.0"]


def test_a_lock_that_dvc_did_not_write_is_one_sentence(commit: Commit) -> None:
    for text in ("stages: [[[[", "stages: 5", "[" * 50_000, "&a [*a]"):
        with pytest.raises(UserError, match=r"^dvc\.lock of [0-9a-f]{7}: not what DVC writes"):
            recorded.read(commit({"dvc.lock": text}))


def test_a_revision_without_results_is_one_sentence(commit: Commit) -> None:
    with pytest.raises(UserError, match=r"has no dvc\.lock; run `dvc repro` there"):
        recorded.read(commit({"params.yaml": json.dumps({})}))
