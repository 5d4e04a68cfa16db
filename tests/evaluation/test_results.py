"""Results read back as they were written, in both layouts, and nothing else is taken for one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from stages.evaluation import results
from stages.evaluation.results import HEADLINE, Result

SEEDS: dict[int, results.Scores] = {
    3: {**dict.fromkeys(HEADLINE, 0.5), "epochs_to_target": None},
    1: {**dict.fromkeys(HEADLINE, 0.25), "epochs_to_target": 2},
}
F, A, B = (letter * 16 for letter in "fab")
RESULT = Result(F, SEEDS, {1: A, 3: B})


def test_a_result_reads_back_as_it_was_written() -> None:
    assert Result.parse(RESULT.text()) == RESULT


def test_the_order_of_seeds_changes_nothing() -> None:
    other = Result(F, dict(reversed(SEEDS.items())), {3: B, 1: A})
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
        assert json.loads(found.text(), parse_constant=pytest.fail)["diverged"] == [1]
        assert json.loads(found.headline(), parse_constant=pytest.fail)["diverged"] == 1
        assert Result.parse(found.text()) == found
    assert "diverged" not in RESULT.text() + RESULT.headline()
    entry = {"fingerprint": F, "test": {"loss": {"seeds": [0.5, float("inf")]}}}
    assert results.parse_old(json.dumps({"adam": entry}), [7, 5])[0]["adam"].diverged == [5]


def test_old_metrics_become_results_by_the_names_of_today() -> None:
    entry = {"fingerprint": F, "test": {"accuracy": {"mean": 0.15, "seeds": [0.1, 0.2]}}}
    entry["loss_gap"] = {"mean": None, "seeds": [None, 3]}
    text = json.dumps({"champion": {"variant": "x"}, "sgd-0_3": entry, "leaky_relu": entry})
    found, refused = results.parse_old(text, [7, 5])
    assert refused == {}
    assert list(found) == ["sgd-0.3", "leaky_relu"]
    seeds: dict[int, results.Scores] = {
        7: {"test_accuracy": 0.1, "loss_gap": None},
        5: {"test_accuracy": 0.2, "loss_gap": 3},
    }
    assert found["sgd-0.3"] == Result(F, seeds, {})


@pytest.mark.parametrize(
    ("score", "value", "why"),
    [
        ("test_accuracy", "0.9", "'0.9' is no number"),
        ("test_accuracy", [1], "a list is no number"),
        ("test_accuracy", True, "true is no number"),
        ("test_accuracy", {"a": 1}, "a section is no number"),
        ("test_accuracy", 1.5, "1.5 is not between 0 and 1"),
        ("validation_loss", 1e39, "1e+39 is not between"),
        ("epochs_to_target", 0, "0 is not between 1 and"),
        ("</details>", 0.5, "'</details>' is no score"),
    ],
)
def test_what_is_no_score_is_one_sentence_with_its_place(score: str, value: Any, why: str) -> None:
    seeds = {"1": {"fingerprint": A, score: value}}
    with pytest.raises(ValueError, match=re.escape(why)) as error:
        Result.parse(json.dumps({"fingerprint": F, "seeds": seeds}))
    assert str(error.value).startswith("seeds.1")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_is_none(number: str) -> None:
    seeds = f'{{"1": {{"fingerprint": "{A}", "validation_loss": {number}}}}}'
    found = Result.parse(f'{{"fingerprint": "{F}", "seeds": {seeds}}}')
    assert found.seeds == {1: {"validation_loss": None}}


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400])
def test_a_number_beyond_all_losses_is_no_score(number: str) -> None:
    seeds = f'{{"1": {{"fingerprint": "{A}", "validation_loss": {number}}}}}'
    with pytest.raises(ValueError, match=r"not between|401 digits"):
        Result.parse(f'{{"fingerprint": "{F}", "seeds": {seeds}}}')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "expected a section"),
        ("5", "expected a section"),
        ("{}", "fingerprint: null is no fingerprint"),
        (f'{{"fingerprint": "{F}", "seeds": {{"1": 2}}}}', "seeds.1: expected a section"),
        (f'{{"fingerprint": "{F}", "seeds": {{"x": {{}}}}}}', "seeds: 'x' is no seed"),
        (f'{{"fingerprint": "{F}", "seeds": {{"1": {{}}}}}}', "one, each with a fingerprint"),
        ('{"a": 1' + "0" * 400 + "}", "a number of 401 digits"),
        ('{"fingerprint": "x\\nforged"}', "is no fingerprint"),
        ("[" * 50_000, "nested more than"),
    ],
)
def test_other_json_is_no_result(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Result.parse(text)


@pytest.mark.parametrize("text", ["[]", "5", '{"../a": {"fingerprint": "a"}}'])
def test_other_json_is_no_metrics(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a section|is no variant"):
        results.parse_old(text, [1])


def test_of_old_metrics_each_variant_fails_alone() -> None:
    good = {"fingerprint": F, "loss_gap": {"seeds": [0.5]}}
    bad = {"fingerprint": F, "loss_gap": {"seeds": ["0.5"]}}
    text = json.dumps({"good": good, "bad": bad, "odd": 5, "short": good | {"x": {"seeds": []}}})
    found, refused = results.parse_old(text, [1])
    assert list(found) == ["good"]
    assert refused == {
        "bad": "seeds.1.loss_gap: '0.5' is no number",
        "odd": "expected a section with keys and values",
        "short": "x: 0 values of 1 seeds",
    }
