"""Where two results differ first."""

from __future__ import annotations

import json

import pytest

from stages.verify import difference

ROW = {"loss": "0.5", "accuracy": "0.8", "val_loss": "0.6", "val_accuracy": "0.7"}


def test_equal_histories_differ_nowhere_however_a_number_is_written() -> None:
    there = {("1", "1"): ROW, ("1", "2"): ROW}
    here = {("1", "1"): ROW, ("1", "2"): ROW | {"loss": "0.50"}}
    assert difference.of_histories(there, here) is None


def test_the_first_seed_epoch_and_metric_are_named() -> None:
    there = {(str(seed), str(epoch)): ROW for seed in (2, 10) for epoch in (1, 2)}
    here = there | {("2", "2"): ROW | {"val_loss": "0.1", "val_accuracy": "0.2"}, ("10", "1"): {}}
    text = "seed 2, epoch 2, val_loss: 0.6 in git, 0.1 here"
    assert difference.of_histories(there, here) == text


def test_a_missing_epoch_is_named() -> None:
    both, one = {("1", "1"): ROW, ("1", "2"): ROW}, {("1", "1"): ROW}
    assert difference.of_histories(both, one) == "seed 1, epoch 2: in git, but not trained here"
    assert difference.of_histories(one, both) == "seed 1, epoch 2: trained here, but not in git"


def test_what_is_no_number_is_no_traceback() -> None:
    odd = {("x", ""): {"loss": "nan"}, ("1", "1"): ROW | {"loss": "lots"}}
    text = "seed 1, epoch 1, loss: lots in git, 0.5 here"
    assert difference.of_histories(odd, {("1", "1"): ROW}) == text


def test_the_value_of_a_seed_is_named_before_the_mean_that_follows_from_it() -> None:
    there = json.dumps({"mean": {"loss": 1}, "seeds": {"1": {"loss": 1}}})
    here = json.dumps({"mean": {"loss": 2}, "seeds": {"1": {"loss": 2}}})
    assert difference.of_json(there, here) == "seeds.1.loss: 1 in git, 2 here"
    assert difference.of_json(there, there) is None


@pytest.mark.parametrize(
    ("there", "text"),
    [("{}", "a.0: nothing in git, 1 here"), ("no JSON", None), ("[" * 100_000, None)],
)
def test_odd_json_is_no_traceback(there: str, text: str | None) -> None:
    assert difference.of_json(there, '{"a": [1]}') == text


def test_the_first_line_and_the_first_file_are_named() -> None:
    assert difference.of_lines("a\nb\n", "a\nc\n") == "line 2"
    assert difference.of_lines("a\n", "a\n") is None
    assert difference.of_folders({"a": "1", "b": "1"}, {"b": "1"}) == "a: not made here"
    assert difference.of_folders({"b": "1"}, {"b": "2"}) == "b: different content here"
