"""Look at growing numbers of seeds without being wrong more often than with a single look.

Where there is no difference, testing at 5 % after each of eight groups of seeds finds one in 18 %
of cases. So each look may spend only part of the 5 %: hardly any at first, most at the end (O'Brien
and Fleming 1979, as the spending function of Lan and DeMets 1983). The part spent sets the level of
the look's interval. The intervals of all looks are then right simultaneously with the full
probability: repeated confidence intervals (Jennison and Turnbull 1989). So any verdict from them,
*same* as well as *better*, is wrong in at most 5 % of cases, whenever one stops.

The levels come from the normal distribution. They are used with Student's t, as Jennison and
Turnbull (2000, section 3.8) advise if the variance is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from scipy import optimize, special, stats

ERRORS = np.geomspace(1e-7, 0.999, 60)  # levels are computed at these and interpolated between
NODES, WEIGHTS = np.polynomial.legendre.leggauss(80)
HIGHEST = 38.0  # standard deviations: beyond it, a tail probability is too small for a float


@dataclass(frozen=True)
class Looks:
    """The looks at growing numbers of seeds.

    Attributes:
        seeds: the number of seeds at each look; the last is the maximum.
        overlap: the overlap of the seeds' splits, as in `stages.evaluation.intervals.Estimate`.
    """

    seeds: tuple[int, ...]
    overlap: float = 0.0

    @cached_property
    def table(self) -> Any:
        """The log of how often an interval may be wrong: a row per `ERRORS`, a column per look."""
        counts = np.array(self.seeds, float)
        known = (1 / counts[-1] + self.overlap) / (1 / counts + self.overlap)
        return np.log([nominal(float(error), tuple(known)) for error in ERRORS])

    def level(self, look: int, error: float) -> float:
        """Return the level of the interval at a look (counted from 0), such that an interval at any
        look is wrong with probability at most `error`."""
        return 1 - float(np.exp(np.interp(np.log(error), np.log(ERRORS), self.table[:, look])))

    def p_value(self, look: int, p_value: float) -> float:
        """Return the repeated p-value: the smallest `error` at which the look's interval excludes
        0, given the p-value of a single look."""
        if not p_value > 0:
            return 0.0 if p_value == 0 else p_value
        logarithm = np.log(p_value)
        if logarithm > self.table[-1, look]:
            return 1.0
        return float(np.exp(np.interp(logarithm, self.table[:, look], np.log(ERRORS))))


def spent(error: float, known: float) -> float:
    """Return how much of `error` is spent once a share `known` of all information is available:
    half of it in each direction, by the first spending function of Lan and DeMets."""
    z = stats.norm.isf(error / 4)
    return float(4 * stats.norm.sf(z / np.sqrt(known)))


@cache
def nominal(error: float, known: Sequence[float]) -> list[float]:
    """Return the probability with which each look's interval may be wrong.

    The cumulative sum of the data is a Brownian motion. Numerical integration carries its density
    on the paths without a wrong interval from look to look (Armitage, McPherson and Rowe 1969).

    Args:
        error: the probability that any of the intervals is wrong.
        known: the share of all information at each look, growing to 1.
    """
    levels: list[float] = []
    places, density = np.zeros(1), np.ones(1)  # the motion at the last look, and its weights
    before, used = 0.0, 0.0
    for now in known:
        step, root = np.sqrt(now - before), np.sqrt(now)
        share = spent(error, now) - used
        if share < 1e-14:  # below the precision of the integration
            z = max(float(stats.norm.isf(max(share, 1e-300) / 2)), 7.0)
        else:
            last = (places / step, density, root / step, share)
            z = float(optimize.brentq(exceeding, 0, HIGHEST, args=last))
        bound = min(z, 8.0) * root
        nodes = NODES * bound
        kernel = stats.norm.pdf((nodes[:, None] - places) / step) / step
        places, density = nodes, WEIGHTS * bound * (kernel @ density)
        levels.append(max(float(2 * special.ndtr(-z)), 1e-300))
        before, used = now, spent(error, now)
    return levels


def exceeding(z: float, places: Any, density: Any, root: float, share: float) -> float:
    """Return by how much the probability of leaving the bounds ±z at a look exceeds `share`. All
    lengths are in units of the step that leads to the look."""
    out = special.ndtr(places - z * root) + special.ndtr(-places - z * root)
    return float(density @ out) - share
