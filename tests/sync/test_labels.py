"""Tags that say which branches have a result."""

from __future__ import annotations

from stages.sync import labels
from tests.sync.fakes import KEY, observed, runs


def test_names_in_a_tag_come_back_and_too_many_are_cut_between_two() -> None:
    assert labels.text(["b", "a"]) == "|a|b|"
    assert labels.text([]) is None
    assert labels.names("|a|b|") == ["a", "b"]
    many = [f"branch-{i:05}" for i in range(1000)]
    text = labels.text(many) or ""
    assert len(text) <= labels.LONGEST
    assert labels.names(text) == many[: len(labels.names(text))]


def test_an_output_is_known_by_its_variant_too() -> None:
    relu = ("relu", KEY[1])
    there = observed(*runs("a", dvc_output="x y"), *runs("b", key=relu, dvc_output="x"))
    assert labels.known_outputs(there) == {
        (KEY[0], "x"): KEY, (KEY[0], "y"): KEY, ("relu", "x"): relu,
    }  # fmt: skip


def test_every_name_that_a_run_has_is_listed() -> None:
    there = observed(*runs("a", live_on="|m|x|"), *runs("b", live_on="|tag:v1|"))
    assert labels.listed(there) == {"m", "x", "tag:v1"}
