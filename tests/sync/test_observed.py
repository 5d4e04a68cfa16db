"""Which run of a result counts."""

from __future__ import annotations

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
    whole.models.pop()
    assert type(whole)(whole.runs, whole.models).chosen(KEY) is None


def test_runs_of_others_are_left_out() -> None:
    assert observed(run("theirs"), run("half", variant="x")).groups == {}
