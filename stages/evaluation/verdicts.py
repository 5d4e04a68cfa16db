"""What an interval says, beside the smallest effect that matters; and how many seeds would tell.

The smallest effect makes a region about 0, from minus to plus, within which two results are the
same to whoever uses them: a region of practical equivalence (Kruschke 2018), and *same* the
equivalence test of Schuirmann (1987).

    same         the whole interval is within the region
    better,      the interval excludes 0: the direction is certain,
    worse        and the effect is not surely negligible
    cannot tell  all else: more seeds would narrow the interval

Of many comparisons, `scipy.stats.false_discovery_control` (Benjamini and Hochberg, 1995) says which
to believe; `level` widens the intervals to match (Benjamini and Yekutieli, 2005), so that one
excludes 0 exactly where the test says so.
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
HOLDS, FAILS = "holds", "does not hold"  # of a claim; where we cannot tell, it is UNKNOWN or FEW
ENOUGH = 3  # seeds
POWER = 0.8
MOST = 100  # seeds: more than these are not counted
COUNTS = np.arange(ENOUGH, MOST + 1)


def verdict(interval: Interval, min_effect: float, sign: int = 1) -> str:
    """Return what an interval of head minus base says.

    Args:
        interval: NaN where a single seed has none.
        min_effect: the smallest effect that matters, in the unit of the interval.
        sign: 1 where more is better, -1 where less is.
    """
    if interval.seeds < ENOUGH:
        return FEW
    if -min_effect <= interval.low and interval.high <= min_effect:
        return SAME
    if interval.low > 0 or interval.high < 0:
        return BETTER if interval.mean * sign > 0 else WORSE
    return UNKNOWN


def claimed(interval: Interval, true: tuple[float, float], min_effect: float | None = None) -> str:
    """Return whether a claim holds that is true between two values.

    Args:
        interval: of what was measured.
        true: the lowest and the highest value for which the claim is true.
        min_effect: of a claim that there is a difference: one surely within it is none.
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
    """Return the level of each interval of a family, so that of the differences that are believed a
    share of 1 - `confidence` is wrong at most."""
    from scipy.stats import false_discovery_control  # half a second, which an evaluation saves

    if not p_values:
        return confidence
    rate = 1 - confidence
    believed = int((false_discovery_control(p_values) <= rate).sum())
    return 1 - rate * max(believed, 1) / len(p_values)


def needed(
    scatter: float, min_effect: float, level: float, seeds: int, overlap: float = 0.0
) -> int | None:
    """Return about how many seeds it takes to tell no difference from the smallest effect.

    With so many, a difference of 0 is decided (*same*) and one of the smallest effect is decided
    (*better* or *worse*), each with a probability of 80 % at least, if they scatter as these do.

    Args:
        scatter: the standard deviation of a pair's difference: `Estimate.scatter`.
        min_effect: the smallest effect that matters.
        level: of the interval.
        seeds: how many there are, which did not suffice.
        overlap: of their splits: `Estimate.overlap`.

    Returns:
        More than `seeds`; None where it would be more than `MOST`.
    """
    if not (math.isfinite(scatter) and min_effect > 0):
        return None
    same, seen = (chances(scatter, min_effect, level, truth, overlap) for truth in (0, min_effect))
    enough = COUNTS[(np.minimum(same, seen) >= POWER) & (seeds < COUNTS)]
    return int(enough[0]) if len(enough) else None


def many(needed: int | None) -> str:
    """Return ``about 38`` of what `needed` returned, or ``more than 100``."""
    return f"more than {MOST}" if needed is None else f"about {needed}"


def chances(
    scatter: float, min_effect: float, level: float, truth: float, overlap: float = 0.0
) -> Any:
    """Return with which probability an interval is decided, for each of `COUNTS` seeds.

    Exact for normal differences whose mean is `truth`, as in Phillips (1990): their mean and their
    sample deviation are independent, and the latter is chi-distributed. It is averaged over its
    quantiles. Undecided is a mean that is nearer to 0 than half of the interval, and not so near
    that all of the interval is within the smallest effect.
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
    """Return, a row for each of `COUNTS`: quantiles of the sample deviation where the true one is
    1, and Student's t of an interval of `level`."""
    freedom = (COUNTS - 1)[:, None]
    quantiles = (np.arange(40) + 0.5) / 40
    deviations = np.sqrt(2 * special.gammaincinv(freedom / 2, quantiles) / freedom)
    return deviations, special.stdtrit(freedom, (1 + level) / 2)
