"""Judge over several seeds what the course notebook claims from single runs.

A claim is a number with an interval, and the values for which the claim is true. The notebook's
tables are in `data/notebook.csv`, as it printed them. `stages.evaluation.intervals` explains how
intervals are computed and what a verdict means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluation import intervals, verdicts
from stages.evaluation.intervals import STEPS, Interval
from stages.evaluation.results import Result
from stages.evaluation.verdicts import FAILS, FEW, HOLDS, UNKNOWN
from stages.params.schema import Params
from stages.training.history import METRICS

EPOCHS = (1, 5, 10, 20)  # in the notebook's tables
ABOVE, BELOW = (0.0, math.inf), (-math.inf, 0.0)
ORDER = ("elu", "leaky_relu", "relu", "tanh", "sigmoid")
FASTER = ("momentum", "nesterov", "adagrad", "rmsprop", "adam", "nadam")


@dataclass(frozen=True)
class Claim:
    """One claim: what the notebook says, what was measured, and which values make it true.

    Attributes:
        number: as in docs/results.md; claims that share a number are corrected for together.
        name: short, without dots; number and name are the key in `reports/claims.json`.
        says: the notebook's sentence.
        measure: what `values` are.
        values: one for each seed.
        true: the lowest and the highest value for which the claim is true.
        score: its name in `compare.min_effect` and `STEPS`; None if the claim is not about a
            difference of scores: the smallest effect is then half the width of `true`.
        digits: decimals to print.
    """

    number: int
    name: str
    says: str
    measure: str
    values: Sequence[float]
    true: tuple[float, float]
    score: str | None = "validation_accuracy"
    digits: int = 2


def judge(
    params: Params, results: Mapping[str, Result], curves: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """Return a row for each claim whose variants exist, ready for JSON, by number and name.

    Args:
        params: the variants, the target, the confidence and the smallest effects.
        results: every variant's result, by name.
        curves: the table in `reports/curves.csv`.
    """
    claims = [*activations(results), *patience(results, curves), *dropout(params, results)]
    claims += [*faster(params, results), *linear(params, results)]
    overlap = intervals.overlap(params.prepare.split, params.prepare.validation_size)
    rows = {}
    for claim in claims:
        family = sum(other.number == claim.number for other in claims)
        level = intervals.corrected(params.compare.confidence, family)
        step = STEPS.get(claim.score or "", 1)  # else one epoch
        floor = math.sqrt(2) * intervals.rounding(step)
        estimate = intervals.of_mean(claim.values, floor, overlap)
        interval = estimate.interval(level)
        low, high = claim.true
        effect = getattr(params.compare.min_effect, claim.score or "", (high - low) / 2)
        difference = effect if claim.true in (ABOVE, BELOW) else None
        verdict = verdicts.claimed(interval, claim.true, difference)
        enough = None
        if verdict == UNKNOWN:
            enough = verdicts.needed(
                estimate.scatter, effect, level, estimate.seeds, estimate.overlap
            )
        rows[f"{claim.number} {claim.name}"] = {
            "says": claim.says,
            "measure": claim.measure,
            "true": [None if math.isinf(value) else value for value in claim.true],
            **rounded(interval),
            "min_effect": difference,
            "verdict": verdict,
            "needed": enough,
            "comparisons": family,
            "digits": claim.digits,
        }
    return rows


def seeds(results: Mapping[str, Result], variant: str, score: str) -> list[Any]:
    """Return a score of each seed; empty if the variant is missing or one of its seeds diverged."""
    if variant not in results or results[variant].diverged:
        return []
    return list(results[variant].values(score))


def difference(a: list[Any], b: list[Any], scale: float = 1) -> list[float]:
    """Return `scale * (a - b)`, seed by seed; empty if either is missing."""
    return [scale * (x - y) for x, y in zip(a, b, strict=True)] if a and b else []


def points(results: Mapping[str, Result], one: str, other: str) -> list[float]:
    """Return by how many points of validation accuracy `one` beats `other`, seed by seed."""
    score = "validation_accuracy"
    return difference(seeds(results, one, score), seeds(results, other, score), scale=100)


def activations(results: Mapping[str, Result]) -> list[Claim]:
    """Return claim 1: ELU > LeakyReLU > ReLU > tanh > sigmoid, pair by pair, in accuracy points."""
    measure = "difference of validation accuracy, points"
    found = []
    for better, worse in pairwise(ORDER):
        if values := points(results, better, worse):
            says = f"{better} > {worse}"
            found.append(Claim(1, says, says, measure, values, ABOVE))
    return found


def patience(results: Mapping[str, Result], curves: pd.DataFrame) -> list[Claim]:
    """Return claim 2: with Adam, validation loss stops improving after about 6 epochs."""
    best = seeds(results, "adam-0.0", "best_epoch")
    if not best:
        return []
    adam = curves[curves["variant"] == "adam-0.0"]
    early, late = adam[adam["epoch"] <= 6], adam[adam["epoch"] > 6]
    says = "adam: validation loss stops improving after about 6 epochs"
    measure = "epoch of the lowest validation loss (about 6: 4 to 8)"
    found = [Claim(2, "best epoch", says, measure, best, (4, 8), None, 1)]
    if len(late):
        lowest = [table.groupby("seed")["val_loss"].min() for table in (late, early)]
        measure = "lowest validation loss after epoch 6 minus that until then"
        values = list(lowest[0] - lowest[1])
        found.append(
            Claim(2, "loss after epoch 6", says, measure, values, ABOVE, "validation_loss", 4)
        )
    return found


def dropout(params: Params, results: Mapping[str, Result]) -> list[Claim]:
    """Return claim 3: dropout 0.3 reduces overfitting, for each optimizer and by both gaps."""
    gaps = {
        "loss_gap": "loss gap as plotted: with minus without dropout",
        "evaluated_gap": "the same, both losses measured with Dropout off",
    }
    found = []
    for gap, measure in gaps.items():
        for optimizer in params.optimizers:
            with_dropout, without = (
                seeds(results, f"{optimizer}-{rate}", gap) for rate in ("0.3", "0.0")
            )
            if values := difference(with_dropout, without):
                says = f"{optimizer}: dropout 0.3 reduces overfitting"
                found.append(
                    Claim(3, f"{optimizer} {gap}", says, measure, values, BELOW, "loss_gap", 3)
                )
    return found


def faster(params: Params, results: Mapping[str, Result]) -> list[Claim]:
    """Return claim 4: momentum and the adaptive methods reach the target in fewer epochs than plain
    gradient descent. A seed that never reaches it counts as one epoch after the last."""
    never, score = params.train.epochs + 1, "epochs_to_target"

    def epochs(variant: str) -> list[float]:
        found = seeds(results, variant, score)
        return [never if value is None else value for value in found]

    measure = (
        f"epochs to {params.target.validation_accuracy} validation accuracy, minus those of sgd"
    )
    found = []
    for optimizer in FASTER:
        if values := difference(epochs(f"{optimizer}-0.0"), epochs("sgd-0.0")):
            says = f"{optimizer} trains faster than plain gradient descent"
            found.append(Claim(4, optimizer, says, measure, values, BELOW, score, 1))
    return found


def linear(params: Params, results: Mapping[str, Result]) -> list[Claim]:
    """Return claim 5: a linear hidden layer is not better than none by an amount that matters."""
    values = points(results, "linear", "no_hidden_layer")
    if not values:
        return []
    margin = params.compare.min_effect.validation_accuracy
    says = "a linear hidden layer is no better than no hidden layer"
    measure = f"difference of validation accuracy, points (better: by {margin} or more)"
    return [Claim(5, "linear", says, measure, values, (-math.inf, margin))]


def tables(params: Params, curves: pd.DataFrame, notebook: pd.DataFrame) -> dict[str, Any]:
    """Compare the notebook's three tables with ours: is its run inside the spread of our seeds?

    The spread is where one more run falls with `compare.confidence`. In a table of many numbers a
    few may be outside by chance, so the verdict uses intervals that are corrected for their count.
    Leave out variants with a seed that diverged.

    Returns:
        By variant: the verdict, how many numbers are inside, a row for each curve and epoch.
    """
    found = {}
    for variant, table in notebook.groupby("variant", sort=False):
        theirs = table.set_index("epoch")
        ours = curves[curves["variant"] == variant].groupby("epoch")
        places = [(m, epoch) for m in METRICS for epoch in EPOCHS if epoch in ours.groups]
        numbers = curves.loc[curves["variant"] == variant, list(METRICS)]
        if not places or not np.isfinite(numbers.to_numpy(float)).all():
            continue
        rows, said = [], set()
        for metric, epoch in places:
            values = [float(value) for value in ours.get_group(epoch)[metric]]
            value = float(theirs[metric][epoch])
            one = intervals.of_one_more(values, params.compare.confidence)
            level = intervals.corrected(params.compare.confidence, len(places))
            wide = intervals.of_one_more(values, level)
            run = Interval(value, value, value, len(values))
            said.add(verdicts.claimed(run, (wide.low, wide.high)))
            row = {"curve": metric, "epoch": epoch, "notebook": value, **rounded(one)}
            rows.append({**row, "inside": one.low <= value <= one.high})
        worst = next(v for v in (FAILS, FEW, UNKNOWN, HOLDS) if v in said)
        inside = sum(row["inside"] for row in rows)
        found[str(variant)] = {"verdict": worst, "inside": inside, "rows": rows}
    return found


def rounded(interval: Interval) -> dict[str, Any]:
    """Return an interval for JSON: six decimals, None for what a single seed cannot tell."""
    found = asdict(interval)
    for name in ("mean", "low", "high"):
        found[name] = None if math.isnan(found[name]) else round(found[name], 6)
    return found
