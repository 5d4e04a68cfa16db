"""Runs, models and revisions as plain values: what plans are made of."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from stages.evaluation.results import Result
from stages.sync.desired import DesiredState, Holding
from stages.sync.observed import ObservedState
from stages.tracking import views
from stages.vcs.lockfile import Output
from stages.vcs.refs import Commit

KEY = ("adam-0.0", "f" * 16)
VIEWS = views.lacking({})


def run(name: str, status: str = "FINISHED", at: int = 0, **tags: str) -> Any:
    return SimpleNamespace(
        info=SimpleNamespace(run_id=name, run_name=name, status=status, start_time=at),
        data=SimpleNamespace(tags=tags, params={}, metrics={}),
    )


def runs(name: str = "run", at: int = 0, key: tuple[str, str] = KEY, **tags: str) -> list[Any]:
    """A complete run of a variant with those of its two seeds."""
    about = {"variant": key[0], "fingerprint": key[1], **tags}
    parent = run(name, at=at, **about)
    parent.data.params["train.seeds"] = json.dumps([1, 2])
    nested = {"mlflow.parentRunId": name}
    return [parent, *(run(f"{name}-{s}", at=at, **about, **nested, seed=str(s)) for s in (1, 2))]


def observed(*each: Any, views: dict[str, str] = VIEWS) -> ObservedState:
    """A store with these runs, each seed's with a ready model."""
    models = [
        SimpleNamespace(source_run_id=run.info.run_id, model_id=f"m-{run.info.run_id}",
                        status="READY" if run.info.status == "FINISHED" else "PENDING")
        for run in each
        if "seed" in run.data.tags
    ]  # fmt: skip
    return ObservedState(list(each), models, views)


def holding(branch: str, numbers: str = "n", md5: str = "a", key: tuple[str, str] = KEY) -> Holding:
    """What a branch holds."""
    commit = Commit(branch * 7, 0, "somebody", frozenset({branch}), branch)
    output = Output(f"train@{key[0]}", key[0], md5, "d", "")
    return Holding(commit, output, key, numbers)


def desired(*holdings: Holding, **accuracy: float | None) -> DesiredState:
    """What revisions hold, and what the evaluation of each branch says of every seed."""
    scores = {
        each.commit: {each.key[0]: result(accuracy[each.commit.branch])}
        for each in holdings
        if each.commit.branch in accuracy
    }
    names = {name for each in holdings for name in each.commit.names}
    return DesiredState(list(holdings), names, scores)


def result(accuracy: Any, epochs: Any = None) -> Result:
    scores = {"test_accuracy": accuracy, "epochs_to_target": epochs}
    return Result(KEY[1], {1: scores, 2: scores}, {})
