"""A recorder in a process of its own hears all that a training tells, and ends as it does."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from stages.tracking.beside import Beside
from stages.tracking.recorder import LiveRecorder
from stages.training.history import Row
from tests.processes import until

# Python warns of other threads, here those of pytest, since 3.12
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


class Heard:
    """Stands for a recorder: writes what it is told into a file, a JSON text a line."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.phases: Mapping[str, float] = {"epochs": 1.5}
        self.seconds = 0.0

    def note(self, *what: Any) -> None:
        with self.file.open("a") as lines:
            print(json.dumps([os.getpid(), *what]), file=lines)

    def start(self) -> None:
        self.note("start")

    def seed_begins(self, seed: int) -> None:
        self.note("seed begins", seed)

    def epoch_ends(self, row: Row, seconds: float) -> None:
        self.note("epoch ends", row, seconds)

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        self.note("seed ends", seed, rows, model.name, origin)

    def training_ends(self) -> None:
        self.note("training ends", self.phases, self.seconds < 60)

    def end(self, status: str) -> None:
        self.note("end", status)


def beside(file: Path) -> Beside:
    return Beside(cast(LiveRecorder, Heard(file)))


def heard(file: Path) -> list[Any]:
    """What was told, without the process that wrote it."""
    return [json.loads(line)[1:] for line in file.read_text().splitlines()]


def row(loss: float) -> Row:
    return {
        "seed": 1,
        "epoch": 1,
        "loss": loss,
        "accuracy": 0.1,
        "val_loss": 2.0,
        "val_accuracy": 1 / 3,
    }


def test_all_is_told_in_its_order_by_another_process_and_to_the_last_bit(tmp_path: Path) -> None:
    file = tmp_path / "heard"
    with beside(file) as listener:
        listener.seed_begins(1)
        listener.epoch_ends(row(math.inf), 0.1)
        listener.seed_ends(1, [row(0.1 + 0.2)] * 1000, Path("seed-1.keras"), "")
        listener.training_ends()
    assert heard(file) == [
        ["start"],
        ["seed begins", 1],
        ["epoch ends", row(math.inf), 0.1],
        ["seed ends", 1, [row(0.30000000000000004)] * 1000, "seed-1.keras", ""],
        ["training ends", {"epochs": 1.5}, True],
        ["end", "FINISHED"],
    ]
    assert {json.loads(line)[0] for line in file.read_text().splitlines()} != {os.getpid()}


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED"), (OSError, "FAILED")],
)
def test_it_ends_as_the_training_does(
    tmp_path: Path, error: type[BaseException], status: str
) -> None:
    file = tmp_path / "heard"
    with pytest.raises(error), beside(file):
        raise error
    assert heard(file) == [["start"], ["end", status]]


def test_what_a_killed_training_leaves_is_ended_and_a_signal_to_both_does_not_end_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "heard"
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from tests.tracking.test_beside import beside\n"
        "with beside(Path(sys.argv[1])) as listener: listener.seed_begins(1); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(file)], start_new_session=True)
    until(lambda: file.exists() and len(heard(file)) == 2, complaint="it hears nothing")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(json.loads(file.read_text().splitlines()[0])[0], number)
    process.kill()
    process.wait()
    until(lambda: heard(file)[-1] == ["end", "KILLED"], 20, "nobody ends the runs")


def test_a_training_lives_on_where_what_records_it_ends_and_says_so_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with beside(tmp_path / "heard") as listener:
        listener.seed_begins(1)
        until(lambda: (tmp_path / "heard").exists())
        os.kill(listener.pid, signal.SIGKILL)
        for _ in range(1000):
            listener.epoch_ends(row(0.5), 0.1)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow's store cannot be written (")
    assert "`branchmark sync` records them" in line
