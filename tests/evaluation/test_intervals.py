"""Intervals are right as often as they say, and verdicts follow from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stages.evaluation.intervals import (
    FAILS,
    HOLDS,
    UNKNOWN,
    Interval,
    corrected,
    of_difference,
    of_mean,
    of_one_more,
    verdict,
)


def test_an_interval_is_students() -> None:
    """By the textbook: mean ± t * s / sqrt(n); t of 4 degrees of freedom at 97.5 % is 2.776."""
    found = of_mean([1.0, 2.0, 3.0, 4.0, 5.0], 0.95)
    half = 2.7764451 * math.sqrt(2.5) / math.sqrt(5)
    assert (found.mean, found.seeds) == (3.0, 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))


def test_a_difference_is_paired_by_seed() -> None:
    """What a seed does to both cancels out: the interval is that of the differences."""
    luck = np.array([0.0, 10.0, -10.0, 5.0, -5.0])
    found = of_difference(list(luck + np.array([1.1, 0.9, 1.0, 1.2, 0.8])), list(luck), 0.95)
    assert found.mean == pytest.approx(1.0)
    assert 0.7 < found.low < found.high < 1.3


def test_all_intervals_of_a_family_are_right_together_as_often_as_they_say() -> None:
    """2,000 families of 7 comparisons in which nothing differs: a false alarm in 5 % of them."""
    random = np.random.default_rng(0)
    level = corrected(0.95, 7)
    alarms = 0
    for _ in range(2000):
        found = [of_mean(list(random.normal(size=5)), level) for _ in range(7)]
        alarms += any(interval.low > 0 or interval.high < 0 for interval in found)
    assert stats.binomtest(alarms, 2000).proportion_ci(0.999).low < 0.05
    assert alarms / 2000 == pytest.approx(0.05, abs=0.02)


def test_one_more_run_falls_into_its_interval_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(2000):
        *values, next_one = random.normal(size=6)
        found = of_one_more(values, 0.9)
        inside += found.low <= next_one <= found.high
    assert inside / 2000 == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "true", "expected"),
    [
        (0.1, 0.3, (0, math.inf), HOLDS),
        (-0.3, -0.1, (0, math.inf), FAILS),
        (-0.1, 0.3, (0, math.inf), UNKNOWN),
        (0.0, 0.0, (0, math.inf), UNKNOWN),
        (5.0, 7.0, (4, 8), HOLDS),
        (9.0, 12.0, (4, 8), FAILS),
        (7.0, 9.0, (4, 8), UNKNOWN),
        (math.nan, math.nan, (0, math.inf), UNKNOWN),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(
    low: float, high: float, true: tuple[float, float], expected: str
) -> None:
    assert verdict(Interval((low + high) / 2, low, high, 5), *true) == expected


def test_a_single_seed_tells_nothing() -> None:
    assert verdict(of_mean([3.0], 0.95), 0, math.inf) == UNKNOWN
    assert math.isnan(of_one_more([3.0], 0.95).low)


@pytest.mark.filterwarnings("error")
def test_seeds_that_agree_to_the_last_digit_give_a_point() -> None:
    found = of_difference([5, 5, 5], [21, 21, 21], 0.99)
    assert (found.low, found.high) == (-16, -16)
    assert verdict(found, -math.inf, 0) == HOLDS
    assert verdict(of_difference([21, 21], [21, 21], 0.99), -math.inf, 0) == UNKNOWN
