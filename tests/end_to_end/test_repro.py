"""`branchmark repro`: the state that `dvc repro` leaves, sooner."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import until
from tests.project import Project

REPRO = ("branchmark", "repro", "--jobs", "3")


def fresh(project: Project, root: Path) -> Project:
    """The same commit with nothing reproduced."""
    copy = project.copy(root, store=False)
    for folder in ("runs", "reports", "data/raw", "data/prepared", ".dvc/cache"):
        shutil.rmtree(copy.root / folder)
    (copy.root / "dvc.lock").unlink()
    return copy


def state(project: Project) -> dict[str, object]:
    """All that DVC knows and keeps, byte for byte."""
    folders = ("runs", "data/prepared", "reports", ".dvc/cache")
    trees = {folder: project.tree(folder) for folder in folders}
    return trees | {"lock": (project.root / "dvc.lock").read_bytes()}


def test_it_ends_in_the_same_state_as_dvc_repro_byte_for_byte(
    reproduced: Project, tmp_path: Path
) -> None:
    expected = state(reproduced)
    project = fresh(reproduced, tmp_path / "project")
    said = project.ok(*REPRO)
    assert "train@adam-0.3: running" in said
    assert "evaluate: done" in said
    assert state(project) == expected
    project.git("diff", "--exit-code", "--", "dvc.lock", "reports")
    assert "up to date" in project.ok("dvc", "repro")
    again = project.ok(*REPRO)
    assert again.startswith("Data and pipelines are up to date.")
    assert state(project) == expected

    # One stage by its name, forced: the same bytes once more, and nothing else has run
    said = project.ok(*REPRO, "--force", "train@sgd-0.0")
    assert "train@sgd-0.0: done" in said
    assert "train@adam" not in said
    assert state(project) == expected


def test_on_another_branch_everything_is_restored_and_nothing_trained(project: Project) -> None:
    before = project.tree("runs")
    project.git("switch", "--quiet", "--create", "elsewhere")
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.02
    said = project.ok(*REPRO)
    assert "train@sgd-0.3: done" in said
    assert "train@adam" not in said
    project.commit("faster")
    project.git("switch", "--quiet", "main")
    assert "up to date" in project.ok(*REPRO)
    assert project.tree("runs") == before

    # Back to parameters that were never committed together: the run-cache has them
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.02
    assert "train@sgd-0.3: restored from cache" in project.ok(*REPRO)


def test_that_the_last_commits_results_are_elsewhere_is_no_warning_once_there_are_others(
    reproduced: Project, tmp_path: Path
) -> None:
    project = Project.at(tmp_path / "clone")
    reproduced.git("clone", "--quiet", ".", str(project.root))
    with project.params() as params:
        params["train"]["epochs"] = 1
    result = project.run(*REPRO, "train@sgd-0.0")
    assert result.returncode == 0, result.stderr
    assert "dvc.lock is new: commit it with reports/" in result.stdout
    assert "warning" not in result.stderr


def test_a_variant_that_is_removed_from_params_leaves_no_folder(project: Project) -> None:
    with project.params() as params:
        params["dropouts"] = [0.0]
    said = project.ok(*REPRO)
    ended = [line.split(":")[0] for line in said.splitlines() if " of 2)" in line]
    assert ended == ["evaluate", "plot"]
    left = {path.name for path in (project.root / "runs").iterdir()}
    assert left == {"sgd-0.0", "adam-0.0", "elu", "reused_frozen"}


def test_what_depends_on_a_failing_stage_is_not_begun_and_the_rest_goes_on(
    project: Project,
) -> None:
    with project.params() as params:
        params["train"]["epochs"] = 1
    taken = project.root / "runs/adam-0.0.partial"
    taken.mkdir()
    holder = os.open(taken, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)  # as another training of the same variant would
    result = project.run("branchmark", "repro", "--jobs", "1", "--fail-fast", "train")
    assert result.returncode == 1
    assert "not begun: train@adam-0.3" in result.stderr
    result = project.run(*REPRO)
    assert result.returncode == 1
    assert "train@adam-0.0: failed" in result.stdout
    assert "another process is writing it" in result.stdout  # the stage's own output
    assert "not begun: reuse@reused_frozen, evaluate, plot" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert project.stale() == {"train@adam-0.0", "reuse@reused_frozen", "evaluate"}
    log = project.root / ".dvc/tmp/repro/train@adam-0.0.log"
    assert "another process is writing it" in log.read_text()

    # And on from there
    os.close(holder)
    said = project.ok(*REPRO)
    assert "train@adam-0.0: done" in said
    assert "train@sgd-0.0: " not in said
    assert not project.stale()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_all_its_children_when_it_is_told_to_end_and_goes_on_the_next_time(
    project: Project, number: signal.Signals
) -> None:
    before = state(project)
    process = project.start(*REPRO, "--force", "study", "train")
    while len(list((project.root / "runs").glob("*.partial"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    below = project.programs()
    assert "stages.train" in {child.name() for child in below}
    process.send_signal(number)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert not [child for child in below if child.is_running()]
    assert not list((project.root / "runs").glob("*.partial"))
    project.ok(*REPRO)
    assert state(project) == before


def test_forced_stages_train_though_their_seeds_are_finished(project: Project) -> None:
    log = project.root / ".dvc/tmp/repro/train@sgd-0.0.log"
    project.ok(*REPRO, "--force", "train@sgd-0.0")
    assert "seed 1: " in log.read_text()
    assert "taken over" not in log.read_text()
    assert "taken over" not in project.ok("dvc", "repro", "-f", "-s", "train@sgd-0.0")

    # Without it they are taken over: here for another order of the same seeds
    with project.params() as params:
        params["train"]["seeds"] = [2, 1]
    project.ok(*REPRO, "train@sgd-0.0")
    assert log.read_text().count("taken over") == 2


def test_it_waits_for_another_dvc_and_needs_no_activated_environment(
    project: Project, tmp_path: Path
) -> None:
    with project.params() as params:
        params["target"]["validation_accuracy"] = 0.5
    (project.root / ".dvc/tmp").mkdir(exist_ok=True)
    hold = (
        "import sys, zc.lockfile as z; a = z.LockFile(sys.argv[1]); print(1, flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(project.root / ".dvc/tmp/lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    holder.stdout.readline()
    command = [str(Path(sys.executable).parent / "branchmark"), "repro"]
    out, errors = tmp_path / "out", tmp_path / "errors"
    with out.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=project.root,
            env=project.env() | {"PATH": "/usr/bin:/bin"},
            stdout=stdout,
            stderr=stderr,
        )
    said = f"another DVC (process {holder.pid}) is at work here; waiting for it"
    until(lambda: said in errors.read_text() or process.poll() is not None)
    assert "evaluate: done" not in out.read_text()
    holder.communicate(b"\n")
    assert process.wait(300) == 0, errors.read_text()
    assert said in errors.read_text()
    assert "evaluate: done" in out.read_text()


def test_a_persons_own_stage_is_run_too(project: Project) -> None:
    file = project.root / "dvc.yaml"
    own = (
        "stages:\n  own:\n    cmd: [echo one > own.txt, echo two >> own.txt]\n    outs: [own.txt]\n"
    )
    file.write_text(file.read_text().replace("stages:\n", own, 1))
    assert "are sound" in project.ok("branchmark", "check")
    assert "own: done" in project.ok(*REPRO)
    assert (project.root / "own.txt").read_text() == "one\ntwo\n"


def test_a_lock_file_that_dvc_left_half_written_is_no_obstacle(project: Project) -> None:
    (project.root / ".dvc/tmp").mkdir(exist_ok=True)
    (project.root / ".dvc/tmp/rwlock").write_text("")
    assert "up to date" in project.ok(*REPRO)


def test_a_dvc_lock_that_dvc_left_half_written_is_one_sentence_that_helps(project: Project) -> None:
    lock = project.root / "dvc.lock"
    expected = lock.read_bytes()
    lock.write_bytes(b"")
    result = project.run(*REPRO)
    assert result.returncode == 1
    assert result.stderr.startswith("error: dvc.lock: not what DVC writes")
    assert len(result.stderr.splitlines()) == 1
    help = result.stderr.split("`")[1]
    assert help == "git checkout HEAD -- dvc.lock"
    project.ok(*help.split())
    assert "up to date" in project.ok(*REPRO)

    # Cut between two stages it is a whole one to DVC: what is missing is cached
    lock.write_bytes(expected[: expected.index(b"  train@sgd")])
    said = project.ok(*REPRO)
    assert "train@sgd-0.0: restored from cache" in said
    # What git keeps of an evaluation is in no cache of DVC's
    assert re.findall(r"^(\S+): done", said, re.MULTILINE) == ["evaluate"]
    assert lock.read_bytes() == expected


def test_an_unknown_stage_is_one_sentence(reproduced: Project) -> None:
    result = reproduced.run("branchmark", "repro", "train@adamm-0.3")
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "adamm" in result.stderr
    assert "Traceback" not in result.stderr
