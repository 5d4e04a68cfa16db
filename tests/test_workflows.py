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

FILES = sorted(Path(".github/workflows").glob("*.yml"))
GH = """#!/usr/bin/env python3
# GitHub at the command line: keeps what it was asked, and lists the comments in a file.
import os, sys
with open("asked", "a") as log:
    print(*sys.argv[1:], file=log)
if "--jq" in sys.argv:
    print(open("comments").read(), end="")
"""
BRANCHMARK = """#!/usr/bin/env python3
# The command: keeps what it was asked, writes what it was told to, and ends as `code` says.
import pathlib, sys
with open("asked", "a") as log:
    print(*sys.argv[1:], file=log)
for option, name in zip(sys.argv, sys.argv[1:]):
    if option in ("--markdown", "--html", "--json") and not pathlib.Path("broken").exists():
        pathlib.Path(name).write_text(f"{option} of {sys.argv[1]}\\n")
sys.exit(int(pathlib.Path("code").read_text()) if sys.argv[1] == "verify" else 0)
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


def test_no_workflow_reads_or_writes_a_cache(root: Path) -> None:
    assert not [file for file in FILES if "actions/cache" in file.read_text()]


@pytest.fixture
def pull_request(tmp_path: Path) -> Path:
    """A repository whose branch left main before main's last commit, with a `branchmark` that only
    keeps what it was asked."""
    commands = (
        "init --quiet --initial-branch=main",
        "config user.name tester",
        "config user.email tester@example.org",
        "commit --quiet --allow-empty --message base",
        "tag base",
        "checkout --quiet -b feature",
        "commit --quiet --allow-empty --message feature",
        "checkout --quiet main",
        "commit --quiet --allow-empty --message others",
        "checkout --quiet feature",
    )
    for command in commands:
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    program = tmp_path / ".venv/bin/branchmark"
    program.parent.mkdir(parents=True)
    program.write_text(BRANCHMARK)
    program.chmod(0o755)
    return tmp_path


def run(found: dict[str, Any], folder: Path) -> int:
    """Run a step as GitHub's runner does; return its exit code."""
    env = os.environ | {"TARGET": "main", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    command = ["bash", "-e", "-c", found["run"]]
    return subprocess.run(command, cwd=folder, env=env).returncode


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_job_proves_what_changed_since_the_merge_base_and_reports_it_proved_or_not(
    code: int, root: Path, pull_request: Path
) -> None:
    (pull_request / "code").write_text(str(code))
    assert run(step("compare", "compare", "Prove what changed"), pull_request) == code
    assert run(step("compare", "compare", "Compare with the merge base"), pull_request) == 0
    command = ["git", "rev-parse", "base"]
    sha = subprocess.check_output(command, cwd=pull_request, text=True).strip()
    proof, compared = (pull_request / "asked").read_text().splitlines()
    assert proof == f"verify --changed-since {sha} --json compare/proof.json"
    assert compared.startswith(f"compare {sha} HEAD --proof compare/proof.json --markdown ")
    assert (pull_request / "summary.md").read_text() == "--markdown of compare\n"


def test_the_report_comes_even_if_the_proof_broke_off(root: Path, pull_request: Path) -> None:
    (pull_request / "code").write_text("1")
    (pull_request / "broken").touch()  # it writes nothing
    assert run(step("compare", "compare", "Prove what changed"), pull_request) == 1
    (pull_request / "broken").unlink()
    assert run(step("compare", "compare", "Compare with the merge base"), pull_request) == 0
    assert "--proof" not in (pull_request / "asked").read_text()


def test_numbers_that_are_not_proved_fail_the_job_after_the_report(root: Path) -> None:
    jobs = workflow("compare")["jobs"]
    proving, *_, upload, last = jobs["compare"]["steps"][-4:]
    assert proving["continue-on-error"] is True
    assert "upload-artifact" in upload["uses"]
    assert last["run"] == "exit 1"
    assert last["if"] == f"steps.{proving['id']}.outcome != 'success'"
    assert "!cancelled()" in jobs["comment"]["if"]


def test_every_number_of_main_is_proved_each_week(root: Path) -> None:
    content = workflow("verify")
    assert content["on"]["schedule"]
    command = step("verify", "verify", "Prove every number")["run"]
    assert command.startswith(".venv/bin/branchmark verify")
    assert "--sample" not in command


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
