"""What must change: a function of what revisions hold and of what the store holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from stages.core.errors import UserError
from stages.sync import labels
from stages.sync.desired import DesiredState
from stages.sync.observed import ObservedState
from stages.sync.orphaned import named, unknown
from stages.sync.plan import AddViews, Plan, Restore, Score, plan, told
from stages.tracking.liveness import State
from tests.sync.fakes import KEY, desired, holding, observed, result, run, runs


def alive(tags: Mapping[str, str]) -> State:
    return "alive"


def planned(
    wanted: DesiredState,
    there: ObservedState,
    refs: Collection[str] = ("m", "x"),
    own: Collection[str] | None = None,
) -> Plan:
    return plan(wanted, there, refs, own, state=alive)


def lines(planned: Plan) -> list[str]:
    return list(told(planned.steps))


LABELS: dict[str, Any] = {"live_on": "|m|", "dvc_output": "a", "numbers": "n"}


def in_step(**tags: Any) -> ObservedState:
    """A store that says of the branch m what is so."""
    return observed(*runs(**(LABELS | tags)))


def test_nothing_is_to_be_done_where_both_agree() -> None:
    assert planned(desired(holding("m")), in_step()) == Plan([], [])


def test_a_result_without_a_complete_run_is_restored_from_the_oldest_revision() -> None:
    wanted = desired(holding("m"), holding("x"))
    half = runs(**LABELS)[:2]
    for there in (observed(), observed(*half)):
        (step,) = [step for step in planned(wanted, there).steps if isinstance(step, Restore)]
        assert step.holding.commit.branch == "m"
        assert step.branches == ("m", "x")


def test_what_was_nowhere_to_be_had_is_not_tried_again() -> None:
    wanted = desired(holding("m"))
    (found,) = wanted.holdings
    wanted.missing[found.commit][found.output] = "gone"
    assert planned(wanted, observed()).steps == []


def test_equal_results_of_two_variants_are_two_runs() -> None:
    relu = ("relu", KEY[1])
    wanted = desired(holding("m"), holding("m", key=relu))
    (step,) = planned(wanted, in_step()).steps
    assert isinstance(step, Restore)
    assert step.variant == "relu"


def test_a_branch_is_put_on_and_taken_off_where_it_moved_or_is_no_more() -> None:
    wanted = desired(holding("m"), holding("x"))
    assert lines(planned(wanted, in_step())) == ["adam-0.0: live on +x"]
    moved = desired(holding("m"))
    moved.names.add("x")
    there = in_step(live_on="|m|x|")
    assert lines(planned(moved, there)) == ["adam-0.0: live on -x"]
    assert lines(planned(desired(holding("m")), there)) == []  # nobody looked at x
    assert lines(planned(desired(holding("m")), there, refs={"m"})) == ["adam-0.0: live on -x"]


def test_in_a_shared_store_only_names_of_this_clone_are_taken_off() -> None:
    wanted, there = desired(holding("m")), in_step(live_on="|m|theirs|")
    assert planned(wanted, there, {"m"}, own={"m"}).steps == []
    assert lines(planned(wanted, there, {"m"}, own={"m", "theirs"})) == [
        "adam-0.0: live on -theirs"
    ]


def test_of_two_complete_runs_the_newer_counts_and_takes_over_the_labels() -> None:
    there = observed(*runs("old", 1, **LABELS), *runs("new", 2))
    steps = planned(desired(holding("m")), there).steps
    by_run: dict[str, Any] = {step.recorded.run.info.run_id: step.wanted for step in steps}  # type: ignore[union-attr]
    assert by_run["old"][labels.SUPERSEDED] == "true"
    assert by_run["old"][labels.LIVE_ON] is None
    assert by_run["new"] == LABELS | {"superseded": None}


def test_a_run_that_is_still_written_is_left_alone() -> None:
    live = run("live", "RUNNING", 5, variant=KEY[0], fingerprint=KEY[1])
    there = observed(*runs(**LABELS), live)
    assert planned(desired(holding("m")), there).steps == []


def test_runs_of_processes_that_are_gone_end_with_their_models() -> None:
    tags: dict[str, Any] = {"host": "h", "pid": "7"}
    dead = run("dead", "RUNNING", seed="1", **tags)
    left = plan(DesiredState(), observed(dead), (), state=lambda _: "gone")
    assert list(told(left.steps)) == ["dead: killed: process 7 on h is gone"]
    assert left.steps[0].models == ("m-dead",)  # type: ignore[union-attr]


def elsewhere() -> ObservedState:
    """A run and one of its seeds, which a process of another machine writes."""
    about: dict[str, Any] = {"host": "h", "pid": "7"}
    about_seed = about | {"mlflow.parentRunId": "abcdef", "seed": "1"}
    nested = run("abc-1", "RUNNING", **about_seed)
    return observed(run("abcdef", "RUNNING", **about), nested, run("over"))


def test_of_a_run_of_another_place_is_told_how_a_person_ends_it() -> None:
    (line,) = unknown(elsewhere(), lambda _: "unknown")
    assert "process 7 on h" in line
    assert "`branchmark sync --end abcdef`" in line
    for state in ("alive", "gone"):
        assert not list(unknown(elsewhere(), lambda _, state=state: state))  # type: ignore[misc]
    many = observed(*(run(f"r{i}", "RUNNING") for i in range(9)))
    assert list(unknown(many, lambda _: "unknown"))[5:] == [
        "and 4 more runs that say RUNNING, of other machines or containers"
    ]


@pytest.mark.parametrize("word", ["abcdef", "abcd", "abc-1"])
def test_a_persons_word_ends_a_run_with_those_of_its_seeds(word: str) -> None:
    there = elsewhere()
    ended = named(there, [word], lambda _: "unknown")
    left = plan(DesiredState(), there, (), state=lambda _: "unknown", ended=ended)
    assert [line.split(": ", 1) for line in told(left.steps)] == [
        ["abcdef, abc-1", "killed: ended by `branchmark sync --end`"]
    ]
    assert left.steps[1].models == ("m-abc-1",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("word", "state", "sentence"),
    [
        ("abcdef", "alive", "process 7 on this machine writes it"),
        ("over", "unknown", "has ended already"),
        ("x", "unknown", "no such run"),
        ("", "unknown", "no such run"),
    ],
)
def test_a_run_that_is_written_here_or_has_ended_is_ended_by_no_word(
    word: str, state: State, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        named(elsewhere(), [word], lambda _: state)


def test_scores_that_runs_lack_are_logged_and_those_that_they_have_are_not() -> None:
    wanted, there = desired(holding("m"), m=0.88), in_step()
    (step,) = planned(wanted, there).steps
    assert isinstance(step, Score)
    assert step.values == {1: {"test_accuracy": 0.88}, 2: {"test_accuracy": 0.88}}
    for each in there.runs:
        each.data.metrics["test_accuracy"] = 0.88
    assert planned(wanted, there).steps == []


def test_what_a_diverged_seed_has_no_number_for_is_no_score() -> None:
    assert planned(desired(holding("m"), m=None), in_step()).steps == []


# The same fingerprint, other numbers


def test_an_output_with_other_numbers_is_named_and_is_not_the_runs() -> None:
    wanted = desired(holding("m"), holding("x", numbers="other", md5="b"))
    found = planned(wanted, in_step())
    assert found.steps == []
    (dispute,) = map(str, found.disputes)
    assert "same fingerprint, other numbers: adam-0.0" in dispute
    assert "runs/adam-0.0 of x (xxxxxxx)" in dispute
    assert "MLflow's run adam-0.0" in dispute


def test_without_a_run_the_oldest_revision_is_restored_and_the_other_is_named() -> None:
    wanted = desired(holding("m"), holding("x", numbers="other", md5="b"))
    found = planned(wanted, observed())
    (step,) = found.steps
    assert isinstance(step, Restore)
    assert (step.holding.commit.branch, step.branches) == ("m", ("m",))
    assert "of x (xxxxxxx) and of runs/adam-0.0 of m" in str(found.disputes[0])


def test_a_label_is_taken_off_where_the_numbers_are_others() -> None:
    wanted = desired(holding("m"), holding("x", numbers="other", md5="b"))
    assert lines(planned(wanted, in_step(live_on="|m|x|"))) == ["adam-0.0: live on -x"]


def test_another_score_of_a_branch_does_not_overwrite_that_of_the_run() -> None:
    there = in_step()
    for each in there.runs:
        each.data.metrics["test_accuracy"] = 0.88
    wanted = desired(holding("m"), holding("x"), m=0.88, x=0.99)
    found = planned(wanted, in_step(live_on="|m|x|"))
    assert "test_accuracy of seed 1 (0.99, 0.88)" in str(found.disputes[0])
    assert found.steps == []  # two revisions disagree, so that no run gets either
    for each in there.runs:
        each.data.tags["live_on"] = "|m|x|"
    found = planned(wanted, there)
    assert found.steps == []
    (dispute,) = map(str, found.disputes)
    assert "reports/ of x (xxxxxxx)" in dispute
    assert "and 1 more scores" in dispute


def test_no_branch_speaks_for_the_scores_of_a_result_of_main() -> None:
    main = dict(desired(holding("m"), m=0.88).scores)
    for asked in (("x",), ("x", "m")):  # however old it says that it is
        wanted = desired(*map(holding, asked), x=0.99, m=0.88)
        wanted.witnesses = main
        found = planned(wanted, in_step(live_on="|m|x|" if "m" in asked else "|x|"))
        (step,) = found.steps
        assert isinstance(step, Score)
        assert step.values[1]["test_accuracy"] == 0.88
        assert "reports/ of x (xxxxxxx) and of reports/ of m differ" in str(found.disputes[0])
    wanted = desired(holding("x"), x=0.99)
    wanted.witnesses = dict(desired(holding("m"), m=0.99).scores)
    assert planned(wanted, in_step(live_on="|x|")).disputes == []


def test_no_branch_speaks_for_the_models_of_a_result_of_main() -> None:
    mine, theirs = holding("m"), holding("x", numbers="other", md5="b")
    for asked in ((theirs,), (theirs, mine)):
        wanted = desired(*asked)
        wanted.claims = {KEY: holding("m", numbers="")}  # its files may be nowhere near
        found = planned(wanted, observed())
        restored = [step for step in found.steps if isinstance(step, Restore)]
        assert [step.branches for step in restored] == [("m",)] * (len(asked) - 1)
        assert "of x (xxxxxxx) and of runs/adam-0.0 of m" in str(found.disputes[0])
    taken = in_step(numbers="other", dvc_output="b", live_on="|x|")
    wanted = desired(holding("x", numbers="", md5="b"))  # as that run is known to have it
    wanted.claims = {KEY: mine}
    assert lines(planned(wanted, taken)) == ["adam-0.0: live on -x"]


def test_another_target_is_no_dispute() -> None:
    wanted = desired(holding("m"))
    wanted.scores = {wanted.holdings[0].commit: {KEY[0]: result(0.88, epochs=9)}}
    there = in_step()
    for each in there.runs:
        each.data.metrics.update(test_accuracy=0.88, epochs_to_target=3.0)
    assert planned(wanted, there) == Plan([], [])


# In words


def test_alike_steps_are_one_line_and_what_is_restored_is_told_once() -> None:
    keys = [(f"v{i}", KEY[1]) for i in range(26)]
    wanted = desired(*(holding("m", key=key) for key in keys))
    assert lines(planned(wanted, observed())) == ["26 runs: restored from mmmmmmm, live on m"]
    there = observed(*(each for k in keys for each in runs(k[0], key=k, **LABELS)))
    more = desired(*wanted.holdings, *(holding("x", key=key) for key in keys))
    assert lines(planned(more, there)) == ["26 runs: live on +x"]


def test_views_that_the_experiment_lacks_are_added() -> None:
    (step,) = planned(DesiredState(), observed(views={})).steps
    assert isinstance(step, AddViews)
    assert "variants" in step.names
