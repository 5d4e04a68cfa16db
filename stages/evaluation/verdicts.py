"""Judge an interval by the smallest effect that matters; tell how many seeds would be enough.

Two results that differ by no more than the smallest effect are the same to whoever uses them. Such
differences form a region of practical equivalence about 0 (Kruschke 2018), and *same* is the
equivalence test of Schuirmann (1987).

    same         the whole interval is within the region
    better,      the interval excludes 0: the direction is certain,
    worse        and the effect is not surely negligible
    cannot tell  everything else: more seeds would narrow the interval

For many comparisons, `scipy.stats.false_discovery_control` (Benjamini and Hochberg, 1995) says
which to believe. `level` widens the intervals to match (Benjamini and Yekutieli, 2005), so that an
interval excludes 0 exactly where the test believes the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy import special

from stages.evaluation.intervals import Interval, share

BETTER, WORSE, SAME, UNKNOWN = "better", "worse", "same", "cannot tell"
FEW, DIVERGED = "too few seeds", "diverged"
HOLDS, FAILS = "holds", "does not hold"  # of a claim, which can also be UNKNOWN or FEW
ENOUGH = 3  # seeds
POWER = 0.8
MOST = 100  # seeds: `needed` tries no more
COUNTS = np.arange(ENOUGH, MOST + 1)


def verdict(interval: Interval, min_effect: float, sign: int = 1) -> str:
    """Return the verdict on an interval of head minus base.

    Args:
        interval: the interval, NaN for a single seed.
        min_effect: the smallest effect that matters, in the unit of the interval.
        sign: 1 if more is better, -1 if less is.
    """
    if interval.seeds < ENOUGH:
        return FEW
    if -min_effect <= interval.low and interval.high <= min_effect:
        return SAME
    if interval.low > 0 or interval.high < 0:
        return BETTER if interval.mean * sign > 0 else WORSE
    return UNKNOWN


def claimed(interval: Interval, true: tuple[float, float], min_effect: float | None = None) -> str:
    """Return the verdict on a claim that is true between two values.

    Args:
        interval: the interval of what was measured.
        true: the lowest and the highest value for which the claim is true.
        min_effect: for a claim of a difference: it fails if the whole interval is within ± this.
    """
    if interval.seeds < ENOUGH:
        return FEW
    if min_effect is not None and verdict(interval, min_effect) == SAME:
        return FAILS
    low, high = true
    if interval.low > low and interval.high < high:
        return HOLDS
    if interval.high < low or interval.low > high:
        return FAILS
    return UNKNOWN


def level(p_values: Sequence[float], confidence: float) -> float:
    """Return the level for each interval of a family, so that at most a share of 1 - `confidence`
    of the believed differences is expected to be wrong."""
    from scipy.stats import false_discovery_control  # takes half a second, which evaluate saves

    if not p_values:
        return confidence
    rate = 1 - confidence
    believed = int((false_discovery_control(p_values) <= rate).sum())
    return 1 - rate * max(believed, 1) / len(p_values)


def needed(
    scatter: float, min_effect: float, level: float, seeds: int, overlap: float = 0.0
) -> int | None:
    """Return about how many seeds it takes to tell no difference from the smallest effect.

    With that many, a difference of 0 is decided (*same*), and so is one of the smallest effect
    (*better* or *worse*), each with a probability of at least 80 %, if they scatter as these do.

    Args:
        scatter: the standard deviation of a pair's difference: `Estimate.scatter`.
        min_effect: the smallest effect that matters.
        level: the interval's.
        seeds: how many there are, which were not enough.
        overlap: `Estimate.overlap` of their splits.

    Returns:
        More than `seeds`; None if over `MOST`, if `scatter` is not finite or `min_effect` is 0.
    """
    if not (math.isfinite(scatter) and min_effect > 0):
        return None
    same, seen = (chances(scatter, min_effect, level, truth, overlap) for truth in (0, min_effect))
    enough = COUNTS[(np.minimum(same, seen) >= POWER) & (seeds < COUNTS)]
    return int(enough[0]) if len(enough) else None


def many(needed: int | None) -> str:
    """Return the result of `needed` in words: ``about 38``, or ``more than 100``."""
    return f"more than {MOST}" if needed is None else f"about {needed}"


def chances(
    scatter: float, min_effect: float, level: float, truth: float, overlap: float = 0.0
) -> Any:
    """Return the probability that an interval is decided, for each number of seeds in `COUNTS`.

    This is exact for normal differences with mean `truth`, as in Phillips (1990): their mean and
    sample deviation are independent. The deviation is chi-distributed and averaged over its
    quantiles. An interval is undecided if its mean is nearer to 0 than half its width, but not so
    near that the whole interval is within the smallest effect.
    """
    deviations, factors = sampled(level)
    error = (scatter * share(COUNTS, overlap))[:, None]
    half = factors * deviations * error

    def within(size: Any) -> Any:
        return special.ndtr((size - truth) / error) - special.ndtr((-size - truth) / error)

    same = np.clip(np.minimum(min_effect - half, half), 0, None)
    return 1 - (within(half) - within(same)).mean(axis=1)


@cache
def sampled(level: float) -> tuple[Any, Any]:
    """Return quantiles of the sample deviation if the true one is 1, shape (n, 40), and Student's t
    for an interval of `level`, shape (n, 1): a row for each of the n `COUNTS`."""
    freedom = (COUNTS - 1)[:, None]
    quantiles = (np.arange(40) + 0.5) / 40
    deviations = np.sqrt(2 * special.gammaincinv(freedom / 2, quantiles) / freedom)
    return deviations, special.stdtrit(freedom, (1 + level) / 2)
