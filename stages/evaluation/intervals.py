"""Intervals over seeds, by SciPy, and what they say of a claim.

The method, in words:

1. Every variant is trained once for each seed. Seed 3 of one variant begins with the same random
   numbers and sees the pictures in the same order as seed 3 of another.
2. So two variants are compared seed by seed: five differences instead of two averages. What a
   seed does to both cancels out.
3. The mean of the differences is our best guess. How far it may be off is told by how much they
   scatter: Student's t interval (`scipy.stats.ttest_1samp` of the differences).
4. A claim names the values for which it is true, e.g. "above 0". It *holds* if the whole interval
   is among them, *does not hold* if none of it is; else we *cannot tell*.
5. Who looks at twenty intervals of 95 % finds one that is wrong. So those of one claim are made
   wider, until all of them together are right with 95 %: Bonferroni's correction.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CORRECTION = "Bonferroni"
HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "cannot tell"


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and what it may be; `low` and `high` are NaN for a single seed."""

    mean: float
    low: float
    high: float
    seeds: int


def corrected(confidence: float, comparisons: int) -> float:
    """The level of each interval, so that all together have `confidence`: Bonferroni 1936."""
    return 1 - (1 - confidence) / comparisons


def of_mean(values: Sequence[float], level: float) -> Interval:
    """Student's t interval of the mean of `values`, one for each seed."""
    if len(values) < 2:
        return Interval(float(values[0]), math.nan, math.nan, len(values))
    with warnings.catch_warnings():  # equal values have no scatter, which SciPy remarks on
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = stats.ttest_1samp(values, 0).confidence_interval(level)
    return Interval(float(np.mean(values)), float(low), float(high), len(values))


def of_difference(a: Sequence[float], b: Sequence[float], level: float) -> Interval:
    """Student's t interval of the mean of `a - b`, paired by seed."""
    return of_mean([x - y for x, y in zip(a, b, strict=True)], level)


def of_one_more(values: Sequence[float], level: float) -> Interval:
    """Where one more run falls with probability `level`, after those of `values`: the prediction
    interval of Student's t."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    scale = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)
    low, high = stats.t.interval(level, n - 1, loc=mean, scale=scale) if scale else (mean, mean)
    return Interval(mean, float(low), float(high), n)


def verdict(interval: Interval, low: float, high: float) -> str:
    """Whether a claim holds that is true from `low` to `high`."""
    if interval.low > low and interval.high < high:
        return HOLDS
    if interval.high < low or interval.low > high:
        return FAILS
    return UNKNOWN
