"""Verdicts follow from intervals, and as many seeds as are said to do so decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stages.evaluation import verdicts
from stages.evaluation.intervals import Interval, of_mean
from stages.evaluation.verdicts import (
    BETTER,
    FAILS,
    FEW,
    HOLDS,
    SAME,
    UNKNOWN,
    WORSE,
    claimed,
    needed,
    verdict,
)


def between(low: float, high: float, seeds: int = 5) -> Interval:
    return Interval((low + high) / 2, low, high, seeds)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.9, BETTER),  # certain, and perhaps large
        (0.6, 0.9, BETTER),
        (-0.9, -0.1, WORSE),
        (0.1, 0.3, SAME),  # certain and surely negligible
        (-0.3, -0.1, SAME),
        (-0.5, 0.5, SAME),
        (-0.1, 0.6, UNKNOWN),
        (-2.0, 3.0, UNKNOWN),
        (0.0, 0.6, UNKNOWN),
    ],
)
def test_a_verdict_is_by_the_interval_and_the_smallest_effect(
    low: float, high: float, expected: str
) -> None:
    assert verdict(between(low, high), 0.5) == expected
    mirrored = {BETTER: WORSE, WORSE: BETTER}.get(expected, expected)
    assert verdict(between(low, high), 0.5, sign=-1) == mirrored


def test_below_three_seeds_there_is_no_verdict() -> None:
    assert verdict(between(1, 2, seeds=2), 0.5) == FEW
    assert verdict(between(math.nan, math.nan, seeds=1), 0.5) == FEW
    assert claimed(between(1, 2, seeds=2), (0, math.inf)) == FEW


@pytest.mark.parametrize(
    ("low", "high", "true", "min_effect", "expected"),
    [
        (0.1, 0.3, (0, math.inf), None, HOLDS),
        (0.1, 0.3, (0, math.inf), 0.5, FAILS),  # more, but by nothing that matters
        (0.1, 0.7, (0, math.inf), 0.5, HOLDS),
        (-0.3, -0.1, (0, math.inf), 0.01, FAILS),
        (-0.1, 0.3, (0, math.inf), 0.2, UNKNOWN),
        (5.0, 7.0, (4, 8), None, HOLDS),
        (9.0, 12.0, (4, 8), None, FAILS),
        (7.0, 9.0, (4, 8), None, UNKNOWN),
    ],
)
def test_a_claim_needs_the_whole_interval_and_an_effect_that_matters(
    low: float, high: float, true: tuple[float, float], min_effect: float | None, expected: str
) -> None:
    assert claimed(between(low, high), true, min_effect) == expected


def test_the_level_allows_for_the_others_of_the_family() -> None:
    assert verdicts.level([], 0.95) == 0.95
    assert verdicts.level([0.5] * 10, 0.95) == pytest.approx(1 - 0.05 / 10)  # none is believed
    assert verdicts.level([0.001] * 10, 0.95) == pytest.approx(0.95)  # all are


@pytest.mark.parametrize("truth", [0.0, 0.5])
def test_with_the_needed_seeds_four_of_five_are_decided(truth: float) -> None:
    """No difference as *same*, one of the smallest effect as *better*."""
    seeds = needed(0.5, 0.5, 0.95, 5)
    assert seeds is not None
    random = np.random.default_rng(0)
    found = []
    for _ in range(1500):
        interval = of_mean(list(random.normal(truth, 0.5, size=seeds))).interval(0.95)
        found.append(verdict(interval, 0.5))
    decided = np.mean([each != UNKNOWN for each in found])
    predicted = verdicts.chances(0.5, 0.5, 0.95, truth)[seeds - verdicts.ENOUGH]
    assert decided == pytest.approx(predicted, abs=0.04)
    assert decided >= 0.77
    assert np.mean([each == (WORSE if truth else BETTER) for each in found]) < 0.05


def test_at_least_as_many_seeds_are_needed_as_a_t_test_takes() -> None:
    """The power of Student's t test by SciPy's noncentral t, for the smallest effect."""

    def power(n: int, effect: float) -> float:
        edge = stats.t.ppf(0.975, n - 1)
        return float(stats.nct.sf(edge, n - 1, effect * math.sqrt(n)))

    for scatter in (0.3, 0.56, 1.0):
        seeds = needed(scatter, 0.5, 0.95, 3)
        alone = next(n for n in range(3, 200) if power(n, 0.5 / scatter) >= 0.8)
        assert seeds is not None
        assert alone <= seeds <= 2 * alone


def test_needed_seeds_are_more_than_there_are_and_not_counted_above_a_hundred() -> None:
    assert needed(0.001, 0.5, 0.95, 7) == 8
    assert needed(50.0, 0.5, 0.95, 5) is None
    assert needed(0.5, 0.0, 0.95, 5) is None  # nothing is too small to matter
    assert needed(math.nan, 0.5, 0.95, 1) is None
    assert verdicts.many(None) == "more than 100"
    assert verdicts.many(38) == "about 38"
