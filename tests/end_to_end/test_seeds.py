"""Seeds are results: a stage trains those that it does not have, and leaves the same bytes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.project import Project, yaml

STAGE, OUTPUT = "train@sgd-0.0", "runs/sgd-0.0"
EPOCHS = 60  # long enough to be killed in between


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project whose seeds take some seconds each, with its data prepared."""
    project = Project(tmp_path_factory.mktemp("seeds"))
    project.shrink()
    with project.params() as params:
        params["train"]["epochs"] = EPOCHS
    project.ok("dvc", "repro", "prepare")
    return project


def seeds(project: Project, *numbers: int) -> None:
    """Change the list of seeds."""
    with project.params() as params:
        params["train"]["seeds"] = list(numbers)


def what_came(text: str) -> dict[int, str]:
    """Of each seed, in order: whether it was trained or where it was taken over from."""
    found = re.findall(r"^seed (\d+): .* (after|taken over from [^(\n]*[^(\s])", text, re.M)
    return {int(seed): "trained" if how == "after" else how for seed, how in found}


def md5(project: Project) -> str:
    """Of the output, as `dvc.lock` has it."""
    stage = yaml.load((project.root / "dvc.lock").read_text())["stages"][STAGE]
    (out,) = stage["outs"]
    return str(out["md5"])


def test_seeds_are_trained_once(training: Project) -> None:
    process = training.start("dvc", "repro", "-s", STAGE)
    history = training.root / f"{OUTPUT}.partial/history.csv"
    wait_for(history, "2,", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(history.read_text().splitlines()) < 1 + 2 * EPOCHS

    # A stage killed in its second seed goes on with the second
    out = training.ok("dvc", "repro", "-s", STAGE)
    assert what_came(out) == {1: "taken over from a training that did not end", 2: "trained"}
    before = training.tree(OUTPUT), md5(training)

    # Another seed trains one; without it, none, and in reverse, none
    seeds(training, 1, 2, 3)
    out = training.ok("dvc", "repro", "-s", STAGE)
    cache = "taken over from DVC's cache"
    assert what_came(out) == {1: cache, 2: cache, 3: "trained"}
    seeds(training, 2, 1)
    out = training.ok("dvc", "repro", "-s", STAGE)
    assert what_came(out) == {2: cache, 1: cache}
    assert not list((training.root / ".dvc/tmp/seeds").iterdir()), "DVC's cache has them"
    assert (training.tree(OUTPUT), md5(training)) == before

    # With --force all are trained, and nothing about them changes
    out = training.ok("dvc", "repro", "-f", "-s", STAGE)
    assert what_came(out) == {2: "trained", 1: "trained"}
    assert (training.tree(OUTPUT), md5(training)) == before
    out = training.ok("dvc", "repro", "--force", "-s", STAGE)
    assert what_came(out) == {2: "trained", 1: "trained"}


def test_branchmark_repro_with_force_really_trains(training: Project) -> None:
    seeds(training, 1)
    training.ok("dvc", "repro", "-s", STAGE)
    training.ok("branchmark", "repro", "--force", STAGE)
    log = training.root / f".dvc/tmp/repro/{STAGE}.log"
    assert what_came(log.read_text()) == {1: "trained"}


def wait_for(file: Path, begin: str, process: subprocess.Popen[str]) -> None:
    """Wait until a line of a file begins like this."""
    for _ in range(12_000):
        if file.exists() and f"\n{begin}" in file.read_text():
            return
        assert process.poll() is None, "it ended before"
        time.sleep(0.01)
    pytest.fail(f"{file} has no such line")
