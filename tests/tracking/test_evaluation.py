"""Which scores runs lack, and what becomes of a store that nobody can write."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stages.evaluation.results import Result
from stages.tracking import evaluation
from tests.processes import free_port


def run(seed: str | None, **metrics: float) -> Any:
    tags = {"seed": seed, "mlflow.parentRunId": "v"} if seed else {}
    about = SimpleNamespace(run_id=f"s{seed}" if seed else "v")
    return SimpleNamespace(info=about, data=SimpleNamespace(tags=tags, metrics=dict(metrics)))


class Client:
    """Ten seconds an epoch."""

    def get_metric_history(self, run_id: str, name: str) -> list[Any]:
        return [SimpleNamespace(step=step, value=10.0) for step in (1, 2, 3)]


SCORES = {1: {"test_accuracy": 0.5, "epochs_to_target": 2}, 2: {"test_accuracy": 0.7}}


def test_runs_get_their_seeds_scores_and_the_variants_the_mean() -> None:
    runs = [run(None), run("1"), run("2")]
    assert evaluation.incomplete(runs, SCORES)
    assert evaluation.missing(Client(), runs, SCORES) == {
        "s1": {"test_accuracy": 0.5, "epochs_to_target": 2},
        "s2": {"test_accuracy": 0.7},
        "v": {"test_accuracy": pytest.approx(0.6)},  # no mean where a seed has no value
    }


def test_runs_that_say_so_already_lack_nothing() -> None:
    whole = [run(None, test_accuracy=0.6), run("1", test_accuracy=0.5, epochs_to_target=2),
             run("2", test_accuracy=0.7)]  # fmt: skip
    assert not evaluation.incomplete(whole, SCORES)
    assert not evaluation.incomplete(whole, {})
    assert evaluation.missing(Client(), whole, SCORES) == {}


def test_a_run_whose_epochs_were_measured_gets_the_seconds_to_the_target() -> None:
    live = run("1", test_accuracy=0.5, epochs_to_target=2, epoch_seconds=10.0)
    assert evaluation.incomplete([live], SCORES)
    assert evaluation.missing(Client(), [live], SCORES) == {"s1": {"seconds_to_target": 20.0}}


RESULTS = {"relu": Result("0" * 16, {1: SCORES[2]}, {1: "0" * 16})}


def test_a_store_that_is_away_is_told_only_when_there_was_something_to_record(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(KeyError), evaluation.recorder():
        raise KeyError("the evaluation fails")
    assert capfd.readouterr() == ("", "")
    with evaluation.recorder() as record:
        record(RESULTS)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow's store cannot be written")


def test_a_process_that_writes_and_was_killed_costs_the_evaluation_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    fork, started = os.fork, []

    def kept() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", kept)
    with evaluation.recorder() as record:
        os.kill(started[0], signal.SIGKILL)
        record(RESULTS)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow's store cannot be written (the process that writes it")
    assert "the evaluation is complete in reports/" in line
