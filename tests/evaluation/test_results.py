"""Results read back as they were written, in both layouts, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stages.evaluation import results
from stages.evaluation.results import HEADLINE, Result

SEEDS: dict[int, results.Scores] = {
    3: {**dict.fromkeys(HEADLINE, 0.5), "epochs_to_target": None},
    1: dict.fromkeys(HEADLINE, 0.25),
}
RESULT = Result("f", SEEDS, {1: "a", 3: "b"})


def test_a_result_reads_back_as_it_was_written() -> None:
    assert Result.parse(RESULT.text()) == RESULT


def test_the_order_of_seeds_changes_nothing() -> None:
    other = Result("f", dict(reversed(SEEDS.items())), {3: "b", 1: "a"})
    assert other.text() == RESULT.text()


def test_there_is_no_mean_where_a_seed_has_no_value() -> None:
    assert RESULT.mean("test_accuracy") == 0.375
    assert RESULT.mean("epochs_to_target") is RESULT.deviation("epochs_to_target") is None
    assert json.loads(RESULT.headline())["epochs_to_target"] is None


def test_a_seed_whose_training_diverged_is_named_and_one_that_missed_the_target_is_not() -> None:
    assert RESULT.diverged == []
    for value in ("null", "NaN", "-Infinity"):  # earlier versions wrote what is no JSON
        text = RESULT.text().replace('"validation_loss": 0.25', f'"validation_loss": {value}')
        found = Result.parse(text)
        assert found.diverged == [1]
        assert found.mean("validation_loss") is None
        json.loads(found.text(), parse_constant=pytest.fail)
    entry = {"fingerprint": "f", "test": {"loss": {"seeds": [0.5, float("inf")]}}}
    assert results.parse_old(json.dumps({"adam": entry}), [7, 5])["adam"].diverged == [5]


def test_old_metrics_become_results_by_the_names_of_today() -> None:
    entry = {"fingerprint": "f", "test": {"accuracy": {"mean": 1.5, "seeds": [1, 2]}}}
    entry["loss_gap"] = {"mean": None, "seeds": [None, 3]}
    text = json.dumps({"champion": {"variant": "x"}, "sgd-0_3": entry, "leaky_relu": entry})
    found = results.parse_old(text, [7, 5])
    assert list(found) == ["sgd-0.3", "leaky_relu"]
    seeds: dict[int, results.Scores] = {
        7: {"test_accuracy": 1, "loss_gap": None},
        5: {"test_accuracy": 2, "loss_gap": 3},
    }
    assert found["sgd-0.3"] == Result("f", seeds, {})


@pytest.mark.parametrize("value", ["0.9", [1], True, 10**400, {"a": 1}])
def test_what_is_no_number_is_no_score(value: Any) -> None:
    seeds = {"1": {"fingerprint": "a", "test_accuracy": value}}
    with pytest.raises(ValueError, match="test_accuracy of seed 1 is no"):
        Result.parse(json.dumps({"fingerprint": "f", "seeds": seeds}))


@pytest.mark.parametrize("text", ["[]", "5", "{}", '{"fingerprint": "f", "seeds": {"1": 2}}'])
def test_other_json_is_no_result(text: str) -> None:
    with pytest.raises(ValueError, match="no result of an evaluation"):
        Result.parse(text)


@pytest.mark.parametrize("text", ["[]", "5", '{"a": 5}'])
def test_other_json_is_no_metrics(text: str) -> None:
    with pytest.raises(ValueError, match="no metrics of an evaluation"):
        results.parse_old(text, [1])
