"""`branchmark verify` on a small project: real trainings, in a clone that leaves nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.project import Project

FOLDERS = (".dvc/cache", ".dvc/tmp/seeds", "runs", "reports", "mlflow.db", "mlruns", "dvc.lock")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The temporary folder of the commands."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def proof(file: Path) -> dict[str, tuple[str, str]]:
    """State and detail of what was tried."""
    rows = json.loads(file.read_text())["rows"]
    return {row["variant"]: (row["state"], row["detail"]) for row in rows}


def test_every_number_of_a_revision_is_proved_and_nothing_is_left_behind(
    reproduced: Project, tmp_path: Path, temporary: Path
) -> None:
    before = reproduced.tree(*FOLDERS)
    command = ("branchmark", "verify", "--json", str(tmp_path / "proof.json"))
    shown = reproduced.ok(*command, TMPDIR=str(temporary))
    states = {name: state for name, (state, _) in proof(tmp_path / "proof.json").items()}
    assert set(states.values()) == {"proved"}
    results = {path.stem for path in (reproduced.root / "reports/results").iterdir()}
    pictures = {f"reports/{path.name}" for path in (reproduced.root / "reports").glob("*.png")}
    others = {f"reports/{name}" for name in ("champion.json", "claims.json", "curves.csv", "loss")}
    assert set(states) == results | pictures | others
    content = json.loads((tmp_path / "proof.json").read_text())
    assert content["proved"] == content["of"] == len(states)
    assert content["scope"] == f"all {len(results)} variants"
    assert content["commit"] == reproduced.git("rev-parse", "HEAD").strip()
    assert f"{len(states)} of {len(states)} proved on {content['cpu']}" in shown.replace("\n", " ")
    assert not list(temporary.iterdir())
    assert reproduced.tree(*FOLDERS) == before
    assert not reproduced.git("status", "--porcelain")


def test_what_a_branch_tampered_with_is_told_with_the_place_where_it_differs_first(
    reproduced: Project, tmp_path: Path, temporary: Path
) -> None:
    project = reproduced.copy(tmp_path / "project")
    unchanged = project.run("branchmark", "verify", "--changed-since", "main")
    assert unchanged.returncode == 0
    assert "no variant's output, fingerprint or numbers changed since" in unchanged.stdout

    score, output, curve, broken = "adam-0.3", "sgd-0.0", "sgd-0.3", "elu"
    project.git("checkout", "--quiet", "-b", "evil")
    edit(project, f"reports/results/{score}.json", better)
    md5 = next(
        line for line in lines(project, "dvc.lock", f"- path: runs/{output}") if "md5: " in line
    )
    edit(project, "dvc.lock", lambda text: text.replace(md5.split()[1], "0" * 32 + ".dir"))
    edit(project, "reports/curves.csv", lambda text: moved(text, curve))
    edit(project, f"reports/metrics/{broken}.json", lambda text: text.replace("0.", "0.9", 1))
    # no stage depends on this file, so nothing else becomes stale
    plant = f'''if variant.name == "{broken}":
        raise RuntimeError("planted")
    clock = Clock()'''
    edit(project, "stages/tracking/live.py", lambda text: text.replace("clock = Clock()", plant))
    project.commit("evil")

    command = ("branchmark", "verify", "--changed-since", "main", "--json", str(tmp_path / "json"))
    result = project.run(*command, TMPDIR=str(temporary))
    assert result.returncode == 1, result.stdout + result.stderr
    rows = proof(tmp_path / "json")
    assert set(rows) == {score, output, curve, broken}
    assert rows[score][0] == "differs"
    assert f"reports/results/{score}.json: seeds.2.test_accuracy: 0.99 in git, " in rows[score][1]
    assert rows[output][0] == "differs"
    assert rows[output][1].startswith(f"runs/{output}: {'0' * 32}.dir in dvc.lock, ")
    assert rows[curve][0] == "differs"
    assert rows[curve][1].startswith("seed 2, epoch 2, val_accuracy: 0.123 in git, ")
    assert rows[broken] == ("could not be tried", f"study@{broken}: RuntimeError: planted")
    assert not list(temporary.iterdir())


def test_a_parameter_that_was_edited_without_training_anew_is_found(
    reproduced: Project, tmp_path: Path, temporary: Path
) -> None:
    project = reproduced.copy(tmp_path / "project")
    project.git("checkout", "--quiet", "-b", "lazy")
    with project.params() as params:
        params["studies"]["elu"]["network"]["activation"]["alpha"] = 0.5
    project.commit("lazy")
    command = ("branchmark", "verify", "--changed-since", "main", "--json", str(tmp_path / "json"))
    result = project.run(*command, TMPDIR=str(temporary))
    assert result.returncode == 1, result.stdout + result.stderr
    rows = proof(tmp_path / "json")
    assert list(rows) == ["elu"]
    assert "seed 1, epoch 1, loss: " in rows["elu"][1]
    assert "it was made from other inputs: fingerprint " in rows["elu"][1]


def test_a_revision_from_before_could_not_be_tried_in_one_sentence(
    reproduced: Project, tmp_path: Path
) -> None:
    project = reproduced.copy(tmp_path / "project")
    project.git("rm", "--quiet", "stages/training/identity.py")
    project.commit("an old one")
    project.git("tag", "old")
    project.git("reset", "--quiet", "--hard", "HEAD~1")
    result = project.run("branchmark", "verify", "--rev", "old")
    assert result.returncode == 3
    assert result.stderr.startswith("error: old could not be tried: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_a_signal(
    number: signal.Signals, reproduced: Project, temporary: Path
) -> None:
    env = reproduced.env() | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        ["branchmark", "verify", "elu"],
        cwd=reproduced.root,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        line = next(line for line in process.stdout if line.startswith("study@elu: running"))
        time.sleep(0.5)
        children = psutil.Process(process.pid).children(recursive=True)
        assert children, line
        process.send_signal(number)
        assert process.wait(timeout=300) == (130 if number == signal.SIGINT else 143)
    assert not list(temporary.iterdir())
    assert not [child for child in children if child.is_running()]


def edit(project: Project, name: str, change: Callable[[str], str]) -> None:
    """Change a file, really."""
    path = project.root / name
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before


def lines(project: Project, name: str, first: str) -> list[str]:
    """The three lines of a file after one."""
    text = (project.root / name).read_text().splitlines()
    return text[(at := next(i for i, line in enumerate(text) if line.strip() == first)) : at + 4]


def better(text: str) -> str:
    """Results with a better score of one seed."""
    content = json.loads(text)
    content["seeds"]["2"]["test_accuracy"] = 0.99
    return json.dumps(content, indent=2) + "\n"


def moved(text: str, variant: str) -> str:
    """Curves with another accuracy in the last row of a variant."""
    rows = text.splitlines()
    at = max(i for i, row in enumerate(rows) if row.startswith(f"{variant},"))
    rows[at] = f"{rows[at].rpartition(',')[0]},0.123"
    return "\n".join(rows) + "\n"
