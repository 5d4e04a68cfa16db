"""Who looks repeatedly is wrong no more often than who looks once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stages.decide.sequential import Looks, nominal
from stages.evaluation.intervals import Estimate, Interval
from stages.evaluation.verdicts import SAME, UNKNOWN, verdict

LOOKS = Looks((5, 10, 15, 20, 25, 30, 35, 40))
PATHS = 4000


def test_the_bounds_are_those_of_the_literature() -> None:
    """Lan and DeMets' function of O'Brien and Fleming, five equal looks at 5 %, as printed by
    `ldbounds` and `gsDesign`."""
    bounds = stats.norm.isf(np.array(nominal(0.05, (0.2, 0.4, 0.6, 0.8, 1.0))) / 2)
    assert bounds == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-3)


def test_a_single_look_is_the_plain_test() -> None:
    once = Looks((12,))
    assert once.level(0, 0.05) == pytest.approx(0.95, abs=1e-4)
    assert once.p_value(0, 0.03) == pytest.approx(0.03, rel=0.01)


@pytest.mark.parametrize("look", range(1, 8))
def test_the_repeated_p_value_is_the_error_whose_interval_ends_at_0(look: int) -> None:
    for error in (0.001, 0.02, 0.05):
        assert LOOKS.p_value(look, 1 - LOOKS.level(look, error)) == pytest.approx(error, rel=1e-3)
    assert LOOKS.p_value(look, 1.0) == 1.0
    assert LOOKS.p_value(look, 0.0) == 0.0


def ends(truth: float, scatter: float, looks: Looks, plain: bool = False) -> list[str]:
    """The verdicts of paths with differences of this mean, each ended when it says something."""
    random = np.random.default_rng(1)
    values = random.normal(truth, scatter, (PATHS, looks.seeds[-1]))
    found = np.full(PATHS, UNKNOWN, object)
    for look, seeds in enumerate(looks.seeds):
        level = 0.95 if plain else looks.level(look, 0.05)
        unit = Estimate(0.0, 1.0, seeds - 1, seeds).interval(level).high
        halves = unit * values[:, :seeds].std(axis=1, ddof=1) / np.sqrt(seeds)
        means = values[:, :seeds].mean(axis=1)
        for i in np.flatnonzero(found == UNKNOWN):
            low, high = means[i] - halves[i], means[i] + halves[i]
            found[i] = verdict(Interval(means[i], low, high, seeds), 0.5)
    return list(found)


def test_without_a_difference_better_or_worse_is_said_in_5_percent_at_most() -> None:
    careful, careless = ends(0, 1.5, LOOKS), ends(0, 1.5, LOOKS, plain=True)

    def alarms(found: list[str]) -> float:
        return sum(each not in (SAME, UNKNOWN) for each in found) / PATHS

    assert alarms(careful) <= 0.055
    assert alarms(careless) >= 0.10


def test_with_the_smallest_effect_same_is_said_in_5_percent_at_most() -> None:
    found = ends(0.5, 0.8, LOOKS)
    assert found.count(SAME) / PATHS <= 0.055
    assert found.count("better") / PATHS >= 0.8
