"""Looking at growing numbers of seeds, and being wrong no more often than who looks once.

Who tests at 5 % after each of eight groups of seeds finds a difference where none is in 20 % of
cases. So each look may spend only a part of the 5 %: hardly any of it at first, most at the end
(O'Brien and Fleming 1979, as the spending function of Lan and DeMets 1983). What is spent makes a
level for each look, and the intervals of these levels are all right at once with the whole
probability: repeated confidence intervals (Jennison and Turnbull 1989). So whatever is read from
them, and whenever one stops, is wrong in 5 % of cases at most; *same* as well as *better*.

The levels are those of the normal distribution; they are used with Student's t, as Jennison and
Turnbull (2000, section 3.8) advise where the variance is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from scipy import optimize, special, stats

ERRORS = np.geomspace(1e-7, 0.999, 60)  # at which the levels are computed, others in between
NODES, WEIGHTS = np.polynomial.legendre.leggauss(80)
HIGHEST = 38.0  # of a normal number: beyond it there is no probability that a float could be


@dataclass(frozen=True)
class Looks:
    """The looks at growing numbers of seeds.

    Attributes:
        seeds: how many there are at each look; the last number is the most that there may be.
        overlap: of the seeds' splits, as `stages.evaluation.intervals.Estimate` has it.
    """

    seeds: tuple[int, ...]
    overlap: float = 0.0

    @cached_property
    def table(self) -> Any:
        """By `ERRORS` and look, the logarithm of how often its interval may be wrong."""
        counts = np.array(self.seeds, float)
        known = (1 / counts[-1] + self.overlap) / (1 / counts + self.overlap)
        return np.log([nominal(float(error), tuple(known)) for error in ERRORS])

    def level(self, look: int, error: float) -> float:
        """Return the level of the interval at a look, of those that are wrong at any of them with
        probability `error` at most."""
        return 1 - float(np.exp(np.interp(np.log(error), np.log(ERRORS), self.table[:, look])))

    def p_value(self, look: int, p_value: float) -> float:
        """Return the smallest `error` at which the interval of a look does not hold 0, given the
        p-value of a single look: the repeated p-value."""
        if not p_value > 0:
            return 0.0 if p_value == 0 else p_value
        logarithm = np.log(p_value)
        if logarithm > self.table[-1, look]:
            return 1.0
        return float(np.exp(np.interp(logarithm, self.table[:, look], np.log(ERRORS))))


def spent(error: float, known: float) -> float:
    """Return how much of `error` is spent when a share `known` of all information is there: half
    of it upwards and half downwards, each by the first function of Lan and DeMets."""
    z = stats.norm.isf(error / 4)
    return float(4 * stats.norm.sf(z / np.sqrt(known)))


@cache
def nominal(error: float, known: Sequence[float]) -> list[float]:
    """Return how often the interval of each look may be wrong, all of them together `error`.

    The sum of what is known is a Brownian motion. Its density where no interval was wrong yet is
    carried on from look to look by numerical integration (Armitage, McPherson and Rowe 1969).

    Args:
        error: of all looks together.
        known: the share of all information at each look, growing to 1.
    """
    levels: list[float] = []
    places, density = np.zeros(1), np.ones(1)  # of the motion at the last look, and its weights
    before, used = 0.0, 0.0
    for now in known:
        step, root = np.sqrt(now - before), np.sqrt(now)
        share = spent(error, now) - used
        if share < 1e-14:  # less than the integration can tell
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
    """Return by how much the probability to leave the bounds ±z at a look is more than `share`, all
    lengths in units of the step that leads there."""
    out = special.ndtr(places - z * root) + special.ndtr(-places - z * root)
    return float(density @ out) - share
