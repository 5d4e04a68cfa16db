"""GitHub's workflows: valid, pinned, with narrow permissions, and their shell steps do work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.test_compare import Repository

FILES = sorted(Path(".github/workflows").glob("*.yml"))
GH = """#!/usr/bin/env python3
# GitHub at the command line: keeps what it was asked, and lists the comments in a file.
import os, sys
with open("asked", "a") as log:
    print(*sys.argv[1:], file=log)
if "--jq" in sys.argv:
    print(open("comments").read(), end="")
"""


def workflow(name: str) -> dict[str, Any]:
    text = Path(f".github/workflows/{name}.yml").read_text()
    return dict(YAML(typ="safe", pure=True).load(text))


def step(name: str, job: str, title: str) -> dict[str, Any]:
    steps = workflow(name)["jobs"][job]["steps"]
    return next(dict(each) for each in steps if each.get("name") == title)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_a_workflow_is_valid_by_githubs_own_schema(file: Path, root: Path) -> None:
    program = str(Path(sys.executable).parent / "check-jsonschema")
    command = [program, "--builtin-schema", "vendor.github-workflows", str(file)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_and_nothing_untrusted_reaches_a_shell(file: Path, root: Path) -> None:
    content = workflow(file.stem)
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        for each in job["steps"]:
            if "uses" in each:
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each["uses"])
            assert "${{" not in each.get("run", "")


def test_only_the_job_that_runs_no_code_of_the_pull_request_may_write(root: Path) -> None:
    jobs = workflow("compare")["jobs"]
    assert "permissions" not in jobs["compare"]
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    assert not [each for each in jobs["comment"]["steps"] if "checkout" in each.get("uses", "")]
    assert "head.repo.full_name == github.repository" in jobs["comment"]["if"]


def test_the_job_compares_with_the_merge_base_and_fills_the_summary(
    root: Path, tmp_path: Path
) -> None:
    found = step("compare", "compare", "Compare with the merge base")
    (tmp_path / "project").mkdir()
    repository = Repository(tmp_path / "project")
    repository.commit("base")
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.better("elu", 2.0)
    repository.commit("better")
    (repository.root / ".venv").symlink_to(Path(sys.executable).parent.parent)
    summary = tmp_path / "summary.md"
    env = os.environ | {"TARGET": "main", "GITHUB_STEP_SUMMARY": str(summary)}
    command = ["bash", "-eo", "pipefail", "-c", found["run"]]
    subprocess.run(command, cwd=repository.root, env=env, check=True)
    assert "1 better" in summary.read_text()
    made = {path.name for path in (repository.root / "compare").iterdir()}
    pictures = {"curves.png", "differences.png"}
    assert made == {"compare.md", "compare.html", "compare.json", *pictures}


@pytest.mark.parametrize("known", ["", "17\n"], ids=["first", "again"])
def test_the_comment_is_made_once_and_then_edited(known: str, root: Path, tmp_path: Path) -> None:
    found = step("compare", "comment", "One comment, edited in place")
    (tmp_path / "compare").mkdir()
    (tmp_path / "compare/compare.md").write_text("### main → `$(touch planted)`\n")
    (tmp_path / "comments").write_text(known)
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    env = os.environ | {
        "PATH": f"{gh.parent}:{os.environ['PATH']}",
        "COMMENTS": "repos/o/r/issues/5/comments",
        "REPLACE": "repos/o/r/issues/comments",
        "RUN": "https://example.org/run",
    }
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", found["run"]], cwd=tmp_path, env=env, check=True
    )
    asked = (tmp_path / "asked").read_text().splitlines()[-1]
    if known:
        assert asked.startswith("api --method PATCH repos/o/r/issues/comments/17 ")
    else:
        assert asked.startswith("api --method POST repos/o/r/issues/5/comments ")
    comment = (tmp_path / "comment.md").read_text()
    assert comment.startswith("<!-- branchmark compare -->\n### main")
    assert not (tmp_path / "planted").exists()
