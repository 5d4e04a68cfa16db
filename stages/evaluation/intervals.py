"""Compute intervals over seeds, with SciPy.

The method, in words:

1. Every variant is trained once for each seed. Seed 3 of one variant begins with the same random
   numbers and sees the pictures in the same order as seed 3 of another.
2. So two variants are compared seed by seed: five differences instead of two averages. Whatever a
   seed does to both cancels out.
3. The mean of the differences is the best guess. How far off it may be follows from their scatter:
   Student's t interval.
4. A claim names the values for which it is true, e.g. "above 0". It *holds* if the whole interval
   is among them. It *does not hold* if none of it is, or if the whole interval is within ± the
   smallest effect that matters (`compare.min_effect`): then there is no difference worth the name.
   Otherwise we *cannot tell*, and the table says about how many seeds would.
5. Of twenty 95 % intervals, about one is wrong. So the intervals of one claim are widened until all
   of them together hold with 95 %: Bonferroni's correction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special  # half a second less to import than scipy.stats, which calls it

CORRECTION = "Bonferroni"
PICTURES = 60_000  # in the data set, for training and validation
STEPS = {  # the unit of counting: one of 12,000 pictures (in points), the last digit, one epoch
    "validation_accuracy": 100 / 12000,
    "validation_loss": 1e-4,
    "loss_gap": 1e-4,
    "epochs_to_target": 1,
}


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its interval; `low` and `high` are NaN for a single seed."""

    mean: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, and how certain it is.

    Attributes:
        mean: of one value per seed, or of head minus base.
        error: its standard error; NaN for a single seed.
        freedom: degrees of freedom of Student's t.
        seeds: how many seeds; for two sides that are not paired, those of the smaller side.
        overlap: validation over training pictures if each seed has its own split, else 0.
    """

    mean: float
    error: float
    freedom: float
    seeds: int
    overlap: float = 0.0

    @property
    def scatter(self) -> float:
        """Return the standard deviation of the seeds' values or differences; NaN below 2 seeds."""
        return self.error / float(share(self.seeds, self.overlap)) if self.seeds else math.nan

    @property
    def p_value(self) -> float:
        """Return the p value of a two-sided t test that the mean is 0; NaN for a single seed."""
        if self.error == 0:
            return float(self.mean == 0)
        return float(2 * special.stdtr(self.freedom, -abs(self.mean) / self.error))

    def interval(self, level: float) -> Interval:
        """Return Student's t interval, which covers the true mean with probability `level`."""
        if math.isnan(self.error):
            return Interval(self.mean, math.nan, math.nan, self.seeds)
        half = float(special.stdtrit(self.freedom, (1 + level) / 2)) * self.error
        return Interval(self.mean, self.mean - half, self.mean + half, self.seeds)


def corrected(confidence: float, comparisons: int) -> float:
    """Return each interval's level, so that all together have `confidence` (Bonferroni 1936)."""
    return 1 - (1 - confidence) / comparisons


def rounding(step: float) -> float:
    """Return the standard deviation that rounding to multiples of `step` adds to a number, for the
    uniform errors that Sheppard (1898) corrects for.

    Five equal differences in whole epochs do not prove that the next is equal too: what is counted
    in steps hides any smaller scatter. So no scatter is assumed to be smaller than this.
    """
    return step / math.sqrt(12)


def overlap(split: object, validation_size: float) -> float:
    """Return `Estimate.overlap` for the settings under `prepare` in `params.yaml`."""
    return validation_size / (PICTURES - validation_size) if split == "per_seed" else 0.0


def share(seeds: Any, overlap: float = 0.0) -> Any:
    """Return the standard error of a mean over `seeds`, as a share of their standard deviation.

    If each seed draws its own split, two trainings still see mostly the same pictures. Their
    numbers are correlated, so a mean is less certain than it seems. The corrected resampled t test
    (Nadeau and Bengio 2003) adds `overlap`, validation over training pictures, to 1/n.
    """
    return np.sqrt(1 / seeds + overlap)


def of_mean(values: Sequence[float], floor: float = 0.0, overlap: float = 0.0) -> Estimate:
    """Estimate the mean of `values`, one per seed; assume a deviation of at least `floor`."""
    seeds = len(values)
    if seeds < 2:
        return Estimate(float(values[0]), math.nan, 0, seeds, overlap)
    scatter = max(float(np.std(values, ddof=1)), floor)
    error = scatter * float(share(seeds, overlap))
    return Estimate(float(np.mean(values)), error, seeds - 1, seeds, overlap)


def of_pairs(
    base: Sequence[float], head: Sequence[float], step: float = 0.0, overlap: float = 0.0
) -> Estimate:
    """Estimate head minus base, paired by seed, both counted in multiples of `step`."""
    differences = [after - before for before, after in zip(base, head, strict=True)]
    return of_mean(differences, math.sqrt(2) * rounding(step), overlap)


def of_sides(
    base: Sequence[float], head: Sequence[float], step: float = 0.0, overlap: float = 0.0
) -> Estimate:
    """Estimate head minus base for seeds that are not paired, by Welch's t test (1947), as
    `scipy.stats.ttest_ind(head, base, equal_var=False)` does."""
    one, other = (of_mean(side, rounding(step), overlap) for side in (base, head))
    mean, seeds = other.mean - one.mean, min(one.seeds, other.seeds)
    if seeds < 2:
        return Estimate(mean, math.nan, 0, seeds, overlap)
    a, b = one.error**2, other.error**2
    freedom = (a + b) ** 2 / (a**2 / one.freedom + b**2 / other.freedom) if a + b else 1
    return Estimate(mean, math.sqrt(a + b), freedom, seeds, overlap)


def of_one_more(values: Sequence[float], level: float) -> Interval:
    """Return where one more run after those of `values` falls with probability `level`: Student's t
    prediction interval."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    scale = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * scale
    return Interval(mean, mean - half, mean + half, n)
