"""Which run of a result counts."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException

from stages.sync.observed import models
from tests.sync.fakes import KEY, observed, run, runs


def test_the_newest_complete_run_counts() -> None:
    there = observed(*runs("old", 1), *runs("new", 2), *runs("half", 3)[:2])
    chosen = there.chosen(KEY)
    assert chosen is not None
    assert chosen.run.info.run_id == "new"
    assert {each.info.run_id for each in chosen.seeds} == {"new-1", "new-2"}


def test_a_run_with_a_seed_unfinished_or_a_model_missing_does_not_count() -> None:
    there = runs()
    there[1].info.status = "FAILED"
    assert observed(*there).chosen(KEY) is None
    whole = observed(*runs())
    assert whole.models
    whole.models.pop()
    assert type(whole)(whole.runs, whole.models).chosen(KEY) is None


def test_on_a_server_that_knows_no_models_a_run_that_ended_well_counts() -> None:
    whole = observed(*runs())
    assert type(whole)(whole.runs, None).chosen(KEY) is not None
    whole.runs[1].info.status = "FAILED"
    assert type(whole)(whole.runs, None).chosen(KEY) is None


@pytest.mark.parametrize(("code", "known"), [(1001, None), (1, "an error")])
def test_an_older_server_has_no_models_and_any_other_failure_is_none(
    code: int, known: str | None
) -> None:
    class Client:
        def search_logged_models(self, *_: object, **__: object) -> None:
            raise MlflowException("it says", error_code=code)

    if known is None:
        assert models(Client(), "1") is None
    else:
        with pytest.raises(MlflowException, match="it says"):
            models(Client(), "1")


def test_runs_of_others_are_left_out() -> None:
    assert observed(run("theirs"), run("half", variant="x")).groups == {}


@pytest.mark.parametrize("gone", ["run", "run-1", "m-run-2"])
def test_a_run_whose_artifacts_were_deleted_does_not_count(gone: str) -> None:
    whole = observed(*runs())
    assert whole.chosen(KEY) is not None
    assert type(whole)(whole.runs, whole.models, bare={gone}).chosen(KEY) is None
