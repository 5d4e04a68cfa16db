"""What is recorded of a training stays as whole as the store allows, and nothing stays RUNNING."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from stages.data.arrays import Prepared, Split
from stages.tracking import recorder as recording
from stages.tracking import runs, store, time_budget
from stages.tracking.recorder import LiveRecorder, Recorder
from stages.tracking.training import Training
from stages.training.history import Row
from stages.vcs.worktree import Tree

OLD = MlflowException("API request failed with error code 404 != 200", error_code=1001)
SPLIT = Split(np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8))
TRAINING = Training("adam-0.3", "train@adam-0.3", "grid", "f" * 64, {1: "a", 2: "b"}, "d" * 64, {})
TREE = Tree("main", "c" * 40, "", "")


class Client:
    """A store in memory that takes its time and fails where a test says so."""

    def __init__(self, seconds: float = 0.0, **failing: BaseException | float) -> None:
        self.seconds, self.failing = seconds, failing
        self.status: dict[str, str] = {}
        self.calls: list[str] = []
        self.tags: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append(name)
            wrong = self.failing.get(name, self.seconds)
            if isinstance(wrong, BaseException):
                raise wrong
            time.sleep(wrong)
            return self.answer(name, arguments, options)

        call.__name__ = name
        return call

    def answer(self, name: str, arguments: Any, options: Any) -> Any:
        match name:
            case "create_run":
                run_id = f"run-{len(self.status)}"
                self.status[run_id] = "RUNNING"
                self.tags |= options["tags"]
                return SimpleNamespace(info=SimpleNamespace(run_id=run_id))
            case "create_logged_model":
                return SimpleNamespace(model_id="model")
            case "set_terminated":
                self.status[arguments[0]] = arguments[1]
            case "delete_run":
                del self.status[arguments[0]]
        return None


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of all limits."""
    for module, name in (
        (time_budget, "SECONDS"),
        (time_budget, "USUAL"),
        (recording, "FAREWELL"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)
    runs.say_without_models.cache_clear()


def live(client: Client, monkeypatch: pytest.MonkeyPatch) -> LiveRecorder:
    """A recorder of a training with that store, which has taken no time to import."""
    monkeypatch.setattr(store, "open_store", lambda: (client, "1"))
    monkeypatch.setattr(recording, "working_tree", lambda: TREE)
    monkeypatch.setattr(LiveRecorder, "load", lambda self: None)
    return LiveRecorder(TRAINING, Prepared(SPLIT, SPLIT, SPLIT, {}), {})


def row(epoch: int) -> Row:
    values = {"loss": 0.5, "accuracy": 0.5, "val_loss": 0.5, "val_accuracy": 0.5}
    return cast(Row, {"seed": 1, "epoch": epoch, **values})


def test_a_store_that_takes_its_time_over_every_request_is_written_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.3 s each, with all limits a tenth of what they are."""
    monkeypatch.setattr(recording, "FLUSH", 0.0)
    client = Client(seconds=0.3 / 10)
    with live(client, monkeypatch) as recorder:
        recorder.seed_begins(1)
        for epoch in range(1, 40):
            recorder.epoch_ends(row(epoch), 1.0)
    assert capsys.readouterr().err == ""
    assert client.calls.count("log_batch") == 2 + 39
    assert set(client.status.values()) == {"FINISHED"}


@pytest.mark.parametrize("call", ["log_batch", "log_inputs", "create_logged_model"])
def test_a_store_that_fails_is_told_once_and_asked_once_more_to_end_the_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], call: str
) -> None:
    client = Client(**{call: MlflowException("https://token@host is full")})
    with live(client, monkeypatch) as recorder:
        recorder.seed_begins(1)
        recorder.epoch_ends(row(1), 1.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow's store cannot be written (https://***@host is full)")
    assert set(client.status.values()) == {"FAILED"}


@pytest.mark.parametrize("call", ["create_run", "log_batch", "set_terminated"])
def test_a_store_that_does_not_answer_costs_all_in_all_ten_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], call: str
) -> None:
    client = Client(**{call: 60.0})
    begin = time.perf_counter()
    with live(client, monkeypatch) as recorder:
        recorder.seed_begins(1)
    assert time.perf_counter() - begin < 10 / 10
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_server_that_knows_no_models_has_all_the_rest_and_is_told_of_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Client(create_logged_model=OLD)
    recorder = Recorder(client, "1", TRAINING, SPLIT, TREE, {})
    recorder.begin()
    for seed in TRAINING.seeds:
        recorder.seed_begins(seed)
        recorder.epoch_ends(row(1), 1.0)
    recorder.end("FINISHED")
    assert client.calls.count("create_run") == 3
    assert set(client.status.values()) == {"FINISHED"}
    assert "finalize_logged_model" not in client.calls
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("note: MLflow's server is older than MLflow 3")


def test_any_other_error_about_a_model_is_an_error() -> None:
    client = Client(create_logged_model=MlflowException("the disk is full"))
    recorder = Recorder(client, "1", TRAINING, SPLIT, TREE, {})
    recorder.begin()
    with pytest.raises(MlflowException, match="full"):
        recorder.seed_begins(1)
    recorder.end("FAILED")
    assert set(client.status.values()) == {"FAILED"}
    recorder.discard()
    assert client.status == {}


def test_no_tag_of_a_run_holds_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    client = Client()
    tags = {"mlflow.user": "me:s3cret", "note": "https://token@host"}
    recorder = Recorder(client, "1", TRAINING, SPLIT, TREE, tags)
    recorder.begin()
    assert client.tags["mlflow.user"] == "me:***"
    assert client.tags["note"] == "https://***@host"
    assert client.tags["fingerprint"] == "f" * 64
