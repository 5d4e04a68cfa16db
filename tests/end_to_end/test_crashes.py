"""Whatever ends a training, and whenever: no output that DVC takes for a whole one."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.end_to_end.after_sync import assert_whole
from tests.project import Project, yaml

VARIANT, STAGE = "adam-0.3", "train@adam-0.3"
OUTPUT = f"runs/{VARIANT}"
POINTS = 20
TRAIN = ("python", "-m", "stages.train", STAGE, "--force")
REPRO = ("dvc", "repro", "--single-item", STAGE)


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition, or for the end of the process."""
    while not condition() and process.poll() is None:
        time.sleep(0.005)


def training(project: Project, process: subprocess.Popen[str]) -> psutil.Process:
    """The stage's own program, as soon as it runs; below it is what records it."""
    while not (found := project.programs("stages.train")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    return found[0]


def kill(project: Project, moment: float | str, group: bool) -> None:
    """Start the stage anew, and kill it when its program has computed for some seconds (on a busy
    machine they take longer), or as soon as there is a file of this name: all of it, or the program
    alone, which DVC survives."""
    process = project.start(*REPRO, "--force", "--no-run-cache", BRANCHMARK_FORCE="1")
    program = training(project, process)
    if isinstance(moment, str):
        until((project.root / moment).exists, process)
    else:
        until(lambda: computed(program) >= moment, process)
    alive = stopped(program)  # else it has ended by itself: the rest is DVC's writing
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        if alive and group:
            os.killpg(process.pid, signal.SIGKILL)
        elif alive:
            program.kill()
    said, _ = process.communicate(timeout=300)
    if alive and group:
        unlock(project)
    else:
        assert ("failed to reproduce" in said) == (process.returncode != 0), said


def stopped(program: psutil.Process) -> bool:
    """Stop a program; whether it was still at work. DVC then waits for it and writes nothing, so
    that a kill of both meets no half-written lock, however late it comes."""
    try:
        program.suspend()
        return bool(program.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def unlock(project: Project) -> None:
    """What the README says to do when DVC itself was killed in the moment that it wrote its lock:
    it writes in place, and takes an empty file for a damaged one."""
    if (rwlock := project.root / ".dvc/tmp/rwlock").exists() and not rwlock.read_text():
        rwlock.unlink()


def computed(program: psutil.Process) -> float:
    """The seconds of processor time that a program has had; without end, when it is over."""
    try:
        times = program.cpu_times()
    except psutil.NoSuchProcess:
        return math.inf
    return float(times.user + times.system)


def train_anew(project: Project) -> None:
    """The next `dvc repro`, which would rather take the output out of its cache."""
    lose_cached(project)
    project.ok(*REPRO, "--no-run-cache")


def lose_cached(project: Project) -> None:
    """Remove the output from DVC's cache, as `dvc gc` would."""
    stages = yaml.load(project.root / "dvc.lock")["stages"]
    name = stages[STAGE]["outs"][0]["md5"]
    (project.root / ".dvc/cache/files/md5" / name[:2] / name[2:]).unlink(missing_ok=True)


def whole(project: Project, expected: dict[str, str]) -> bool:
    """Whether the output is there; then it is whole."""
    if not (project.root / OUTPUT).exists():
        return False
    assert project.tree(OUTPUT) == expected
    return True


def test_a_training_killed_at_any_moment_leaves_a_whole_output_or_none(project: Project) -> None:
    expected, lock = project.tree(OUTPUT), (project.root / "dvc.lock").read_bytes()
    alone = project.start(*TRAIN)
    program, seconds = training(project, alone), 0.0
    while (now := computed(program)) < math.inf:
        seconds = now
        time.sleep(0.01)
    assert not alone.wait()
    events = [f"{OUTPUT}.partial{file}" for file in ("", "/seed-1.keras", "/summary.json")]
    spread = POINTS - len(events) - 1
    moments: list[float | str] = [OUTPUT, *events]
    moments += [seconds * 1.02 * i / (spread - 1) for i in reversed(range(spread))]
    left = 0
    for i, moment in enumerate(moments):
        kill(project, moment, group=i % 2 == 0)
        there = whole(project, expected)
        left += (project.root / f"{OUTPUT}.partial").exists()
        assert (project.root / "dvc.lock").read_bytes() == lock
        if there or i in (1, 16):
            assert (STAGE in project.stale()) != there
        if not there and i in (1, 16, POINTS - 1):
            train_anew(project)
            assert whole(project, expected)
            assert (project.root / "dvc.lock").read_bytes() == lock
            assert not list((project.root / "runs").glob("*.partial"))
    assert left > 5  # the kills were in time
    assert "up to date" in project.ok("dvc", "repro")
    project.ok("python", "-m", "stages.cli", "sync")
    assert_whole(MlflowClient(project.uri()), VARIANT)


def test_seeds_that_were_finished_before_a_kill_are_not_trained_again(project: Project) -> None:
    expected, lock = project.tree(OUTPUT), (project.root / "dvc.lock").read_bytes()
    kept = project.root / ".dvc/tmp/seeds"
    shutil.rmtree(kept, ignore_errors=True)
    lose_cached(project)

    killed = project.start(*TRAIN)
    until(lambda: bool(list(kept.glob("[!.]*"))), killed)
    killed.kill()
    killed.communicate()
    said = project.ok(*TRAIN[:-1]).splitlines()
    assert "taken over from a training that did not end (" in said[0]

    shutil.rmtree(project.root / OUTPUT)  # DVC was killed when the program had ended
    said = project.ok(*REPRO, "--no-run-cache").splitlines()
    assert ["taken over" in line for line in said if line.startswith("seed ")] == [True, True]
    assert project.tree(OUTPUT) == expected
    assert (project.root / "dvc.lock").read_bytes() == lock

    said = project.ok(*TRAIN[:-1]).splitlines()
    assert ["taken over from DVC's cache (" in line for line in said] == [True, True]
    assert not list(kept.iterdir())  # DVC has them


# Two at once


def test_a_second_training_of_the_same_variant_is_refused_and_the_first_is_not_disturbed(
    project: Project,
) -> None:
    expected = project.tree(OUTPUT)
    first = project.start(*TRAIN)
    program = training(project, first)
    until((project.root / f"{OUTPUT}.partial").exists, first)
    program.suspend()  # so that it is surely there when the second one comes
    second = project.run(*TRAIN)
    program.resume()
    said, _ = first.communicate(timeout=300)
    assert (second.returncode, first.returncode) == (1, 0), said
    assert second.stderr.startswith(f"error: {OUTPUT}.partial: another process is writing it")
    assert len(second.stderr.strip().splitlines()) == 1
    assert project.tree(OUTPUT) == expected


# Edited while it trains


def importing(project: Project, process: subprocess.Popen[str]) -> bool:
    """Its first modules are loaded, and its others will be in some seconds."""
    return "tensorflow" in Path(f"/proc/{process.pid}/maps").read_text()


def saved(project: Project, process: subprocess.Popen[str]) -> bool:
    """Its first seed is saved."""
    return (project.root / f"{OUTPUT}.partial/seed-1.keras").exists()


def edit_module(project: Project, module: str = "stages/training/epoch.py") -> None:
    with (project.root / module).open("a") as file:
        file.write("EDITED = True\n")


def edit_program(project: Project) -> None:
    edit_module(project, "stages/train.py")


def edit_params(project: Project) -> None:
    with project.params() as params:
        params["optimizers"]["adam"]["learning_rate"] = 0.002


def edit_data(project: Project) -> None:
    path = project.root / "data/prepared/train_labels.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()  # DVC may have linked it
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("when", "edit", "sentence"),
    [
        (importing, edit_module, "stages/training/epoch.py: edited while train@adam-0.3 was"),
        (saved, edit_module, "stages/training/epoch.py: edited while train@adam-0.3 was"),
        (saved, edit_program, "stages/train.py: edited while train@adam-0.3 was"),
        (saved, edit_params, "params.yaml: edited while train@adam-0.3 was training"),
        (saved, edit_data, "data/prepared: damaged"),
    ],
)
def test_an_edit_during_a_training_fails_it_and_is_not_recorded(
    project: Project,
    when: Callable[[Project, subprocess.Popen[str]], bool],
    edit: Callable[[Project], None],
    sentence: str,
) -> None:
    lock = (project.root / "dvc.lock").read_bytes()
    real = {"PATH": project.env()["PATH"]}  # one that imports its libraries itself
    process = project.start(*TRAIN, **(real if when is importing else {}))
    until(lambda: when(project, process), process)
    edit(project)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"error: {sentence}" in said
    assert [line for line in said.splitlines() if not line.startswith(("seed ", "error: "))] == []
    assert not (project.root / f"{OUTPUT}.partial").exists()
    assert (project.root / "dvc.lock").read_bytes() == lock
