"""Intervals are right as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from stages.evaluation.intervals import (
    corrected,
    of_mean,
    of_one_more,
    of_pairs,
    of_sides,
    overlap,
)


def test_an_interval_is_students() -> None:
    """By the textbook: mean ± t * s / sqrt(n); t of 4 degrees of freedom at 97.5 % is 2.776."""
    found = of_mean([1.0, 2.0, 3.0, 4.0, 5.0]).interval(0.95)
    half = 2.7764451 * math.sqrt(2.5) / math.sqrt(5)
    assert (found.mean, found.seeds) == (3.0, 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))


def test_a_difference_is_paired_by_seed() -> None:
    """What a seed does to both cancels out: the interval is that of the differences."""
    luck = np.array([0.0, 10.0, -10.0, 5.0, -5.0])
    head = list(luck + np.array([1.1, 0.9, 1.0, 1.2, 0.8]))
    found = of_pairs(list(luck), head)
    interval = found.interval(0.95)
    assert interval.mean == pytest.approx(1.0)
    assert 0.7 < interval.low < interval.high < 1.3
    assert found.p_value == pytest.approx(stats.ttest_rel(head, luck).pvalue)


def test_sides_that_are_not_paired_are_compared_by_welch() -> None:
    base, head = [1.0, 2.0, 4.0, 3.0], [5.0, 5.5, 4.0, 9.0, 2.0, 7.0]
    found, scipy = of_sides(base, head), stats.ttest_ind(head, base, equal_var=False)
    interval, theirs = found.interval(0.9), scipy.confidence_interval(0.9)
    assert found.p_value == pytest.approx(scipy.pvalue)
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high))
    assert found.freedom == pytest.approx(scipy.df)
    assert found.seeds == 4


def test_equal_differences_of_a_few_seeds_are_no_certainty() -> None:
    """Rounding to whole epochs hides a scatter of 1 / sqrt(6) in a difference of two."""
    found = of_pairs([5, 5, 5], [6, 6, 6], step=1)
    assert found.scatter == pytest.approx(1 / math.sqrt(6))
    for each in (found, of_sides([5, 5, 5], [6, 6, 6], step=1)):
        interval = each.interval(0.95)
        assert interval.low < 1 < interval.high


def test_all_intervals_of_a_family_are_right_together_as_often_as_they_say() -> None:
    """2,000 families of 7 comparisons in which nothing differs: a false alarm in 5 % of them."""
    random = np.random.default_rng(0)
    level = corrected(0.95, 7)
    alarms = 0
    for _ in range(2000):
        found = [of_mean(list(random.normal(size=5))).interval(level) for _ in range(7)]
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


@pytest.mark.filterwarnings("error")
def test_a_single_seed_has_no_interval_and_one_result_is_certain() -> None:
    assert math.isnan(of_mean([3.0]).interval(0.95).low)
    assert math.isnan(of_sides([3.0], [2.0, 4.0]).interval(0.95).low)
    assert math.isnan(of_one_more([3.0], 0.95).low)
    found = of_pairs([5, 6, 7], [5, 6, 7])
    assert (found.interval(0.99).low, found.interval(0.99).high, found.p_value) == (0, 0, 1)


def test_intervals_of_overlapping_splits_are_those_of_nadeau_and_bengio() -> None:
    """Their variance of a mean: (1/n + validation/training) times that of one seed."""
    values, ratio = [1.0, 2.0, 3.0, 4.0, 5.0], overlap("per_seed", 12_000)
    found = of_mean(values, overlap=ratio)
    assert ratio == 0.25
    assert found.error == pytest.approx(math.sqrt((1 / 5 + 12_000 / 48_000) * 2.5))
    assert found.scatter == pytest.approx(math.sqrt(2.5))
    assert overlap("fixed", 12_000) == overlap(None, 12_000) == 0
    sides = of_sides(values, [5.0, 6.0, 8.0, 1.0, 2.0], overlap=ratio)
    plain = of_sides(values, [5.0, 6.0, 8.0, 1.0, 2.0])
    assert sides.error == pytest.approx(plain.error * 1.5)
    assert sides.freedom == pytest.approx(plain.freedom)
    assert sides.scatter == pytest.approx(plain.scatter)


@pytest.mark.parametrize("corrected", [True, False])
def test_a_mean_over_overlapping_splits_is_less_sure_than_one_of_independent_ones(
    corrected: bool,
) -> None:
    """Numbers of splits that share 4 of 5 pictures correlate by 1/5: without the correction a
    difference of 0 is called one in much more than 5 % of cases."""
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(2000):
        shared, own = random.normal(), random.normal(size=5)
        values = math.sqrt(0.2) * shared + math.sqrt(0.8) * own
        wrong += of_mean(list(values), overlap=0.25 if corrected else 0.0).p_value <= 0.05
    assert (wrong / 2000 <= 0.06) is corrected
