"""`branchmark decide` on a small project: real trainings of both sides, in temporary work trees."""

from __future__ import annotations

import re
from pathlib import Path

from tests.project import Project, yaml

COMMAND = ("branchmark", "decide", "--variant", "sgd-0.0", "--up-to", "5")
FOLDERS = (".dvc/cache", "runs", "reports", "mlflow.db", "mlruns", "dvc.lock", "params.yaml")


def test_further_seeds_of_both_sides_are_trained_once_and_nothing_else_changes(
    project: Project, tmp_path: Path
) -> None:
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.05
    project.ok("dvc", "repro")
    before, status = project.tree(*FOLDERS), project.git("status", "--porcelain")
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    shown = project.ok(*COMMAND, TMPDIR=str(temporary))
    assert re.search(r"5 of 5 seeds: \d rows? still undecided", shown)
    assert "sgd-0.0 accuracy" in shown, "it ends with the table"
    assert "seeds that diverge" not in shown
    seeds = project.root / ".dvc/tmp/seeds"
    trained = {path.name: path.stat().st_mtime_ns for path in seeds.iterdir()}
    assert len(trained) == 6, "seeds 3, 4 and 5 of both sides; 1 and 2 are in the cache"
    assert project.tree(*FOLDERS) == before
    assert project.git("status", "--porcelain") == status
    assert not list(temporary.iterdir())
    assert len(project.git("worktree", "list").splitlines()) == 1

    # Once more, and into params.yaml: the same verdicts, and no seed is trained
    again = project.ok(*COMMAND, "--write", TMPDIR=str(temporary))
    assert {path.name: path.stat().st_mtime_ns for path in seeds.iterdir()} == trained
    assert rows(again) == rows(shown)
    written = yaml.load((project.root / "params.yaml").read_text())
    assert written["train"]["seeds"] == [1, 2, 3, 4, 5]

    # A training takes them over
    out = project.ok("dvc", "repro", "-s", "train@sgd-0.0")
    assert len(re.findall(r"^seed \d+: .* taken over from", out, re.M)) == 5


def rows(shown: str) -> list[str]:
    """The lines of the table of rows."""
    return [line for line in shown.splitlines() if line.startswith("sgd-0.0")]


def test_what_is_asked_for_wrongly_is_one_sentence(project: Project) -> None:
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.05
    project.ok("dvc", "repro")
    for options, said in (
        (("--variant", "nobody"), "error: nobody: not among the variants that changed"),
        (("--up-to", "2"), "Invalid value for '--up-to'"),
        (("nowhere",), "error: nowhere: no such branch"),
    ):
        result = project.run("branchmark", "decide", *options)
        assert result.returncode
        assert said in result.stderr
        assert "Traceback" not in result.stderr
