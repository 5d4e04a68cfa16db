"""How often verdicts are right, on real trainings: `python -m benchmarks.verdicts`.

`simulate` needs no training: it judges normal numbers. `train` trains 40 seeds of three variants
whose seeds scatter by different amounts, and some with a split for each seed; it may be ended at
any time and goes on where it was. `table` draws seeds out of those and prints how often each
verdict is wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from stages.compare.comparison import METRICS, Metric, Settings
from stages.data import arrays
from stages.data.arrays import Prepared
from stages.decide.sequential import Looks
from stages.decide.sides import known_of
from stages.evaluation import intervals, verdicts
from stages.evaluation.intervals import STEPS, Interval
from stages.evaluation.verdicts import BETTER, SAME, UNKNOWN, WORSE
from stages.params import schema as params
from stages.training import history
from stages.training.history import Row
from stages.training.trainer import Trainer

VARIANTS = {"sgd-0.0": "train", "adam-0.0": "train", "batch_normalization": "study"}
FIXED, PER_SEED = range(1, 41), range(1, 11)
PATHS = 10_000
COUNTS = (5, 10, 20)
UP_TO, FIRST, GROUP = 40, 5, 5  # of decide
FIXED_COLUMNS = (
    "variant, metric", "scatter of a pair", "no difference: *better* or *worse*",
    "smallest effect: *same*", "decided", "intervals that are right",
)  # fmt: skip
SCATTERS = (0.4, 0.54, 1.03, 1.5)  # points
SIMULATED_COLUMNS = (
    "scatter of a pair, points", "careless, no difference: *better* or *worse*",
    "careless, smallest effect: *same*", "`decide`, no difference: *better* or *worse*",
    "`decide`, smallest effect: *same*", "it ends with a verdict, no difference",
    "smallest effect",
)  # fmt: skip
DECIDE_COLUMNS = (
    "variant, metric", "needed, predicted from 5 seeds (quartiles)", "needed, as found",
    "`decide`, no difference: *better* or *worse*", "`decide`, smallest effect: *same*",
    "`decide` ends with a verdict", "mean seeds of `decide`",
)  # fmt: skip

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    folder: Annotated[Path, typer.Argument(help="Where histories are kept.")],
    prepared: Path = Path("data/prepared"),
    minutes: Annotated[float, typer.Option(help="After which no further seed is begun.")] = 600,
) -> None:
    """Train what is not there yet, seed by seed."""
    end, data = time.monotonic() + 60 * minutes, arrays.load(prepared)
    trainers: dict[str, Trainer] = {}
    settings = params.load()
    work = [(s, n, data) for s in FIXED for n in VARIANTS]
    free = replace(data, split_seed=settings.prepare.split_seed)
    work[15:15] = [(s, n, free) for s in PER_SEED for n in ("sgd-0.0", "adam-0.0") if s < 6]
    work += [(s, n, free) for s in PER_SEED for n in VARIANTS]
    for seed, name, splits in work:
        file = kept(folder, name, splits)
        if file.exists() and seed in history.read(file):
            continue
        if time.monotonic() > end:
            return
        variant = settings.variant(f"{VARIANTS[name]}@{name}")
        seen = splits.of_seed(seed)
        trainer = trainers.get(name) or trainers.setdefault(name, Trainer(variant, seen))
        begin = time.monotonic()
        rows: list[Row] = trainer.train(seed, seen, None, Path(os.devnull), lambda *_: None)
        file.parent.mkdir(parents=True, exist_ok=True)
        history.append(rows, file)
        print(f"{file.stem} {seed}: {time.monotonic() - begin:.0f} s", flush=True)


def kept(folder: Path, name: str, data: Prepared) -> Path:
    """Return the history of a variant, with the split of all seeds or one for each."""
    return folder / f"{name}{'' if data.split_seed is None else '.per_seed'}.csv"


def values(folder: Path, name: str, split: str = "") -> dict[str, Any]:
    """Return by score the values of all seeds, shape (n,), in the unit that is shown."""
    settings = params.load()
    target, never = settings.target.validation_accuracy, settings.train.epochs + 1
    found: dict[str, list[float]] = {metric.score: [] for metric in METRICS}
    for _, rows in sorted(history.read(folder / f"{name}{split}.csv").items()):
        own = known_of(rows, target)
        for metric in METRICS:
            value = own[metric.score]
            found[metric.score].append(never if value is None else metric.scale * value)
    return {score: np.array(each) for score, each in found.items()}


def drawn(
    pool: Any, count: int, shift: float, random: np.random.Generator, again: bool
) -> list[float]:
    """Return differences of seeds: base and head are drawn from one pool, so that only `shift` is
    between them. Without `again` no seed is on both sides, nor twice on one."""
    if again:
        base, head = random.choice(pool, (2, count))
    else:
        chosen = random.permutation(pool)[: 2 * count]
        base, head = chosen[:count], chosen[count:]
    return [float(each) for each in head - base + shift]


def said(differences: Sequence[float], metric: Metric, level: float, effect: float) -> str:
    """Return the verdict of an interval of this level."""
    return verdicts.verdict(interval(differences, metric, level), effect, metric.sign)


def interval(differences: Sequence[float], metric: Metric, level: float) -> Interval:
    """Return the interval of differences, as `compare` has it."""
    floor = np.sqrt(2) * intervals.rounding(STEPS[metric.score])
    return intervals.of_mean(differences, float(floor)).interval(level)


def decided(
    pool: Any, metric: Metric, effect: float, shift: float, random: np.random.Generator
) -> tuple[str, int]:
    """Return what `decide` says of a path, and after how many seeds."""
    counts = tuple(range(FIRST, UP_TO + 1, GROUP))
    looks = Looks(counts)
    path = drawn(pool, UP_TO, shift, random, again=True)
    for number, count in enumerate(counts):
        verdict = said(path[:count], metric, looks.level(number, 0.05), effect)
        if verdict != UNKNOWN:
            break
    return verdict, count


@app.command()
def table(folder: Annotated[Path, typer.Argument(help="Where `train` keeps histories.")]) -> None:
    """Print error rates, as Markdown."""
    compare = params.load().compare
    settings = Settings(compare.confidence, compare.min_effect.model_dump())
    accuracy = METRICS[0]
    pools = {name: values(folder, name) for name in VARIANTS}
    print(f"seeds: {', '.join(f'{n} {len(p[accuracy.score])}' for n, p in pools.items())}\n")
    print(f"In percent, with {' / '.join(map(str, COUNTS))} seeds:\n")
    heading(FIXED_COLUMNS)
    for name, pool in pools.items():
        for metric in METRICS:
            fixed(name, pool[metric.score], metric, settings.min_effect[metric.score])
    print("\nNo difference / smallest effect:\n")
    heading(DECIDE_COLUMNS)
    for name, pool in pools.items():
        for metric in METRICS:
            sequential(name, pool[metric.score], metric, settings.min_effect[metric.score])


@app.command()
def simulate() -> None:
    """Print how often `decide` is wrong on simulated normal differences, as Markdown: a second."""
    from tests.decide.test_sequential import LOOKS, ends

    heading(SIMULATED_COLUMNS)
    for scatter in SCATTERS:
        cells = [f"{scatter:g}"]
        for plain in (True, False):
            nothing, smallest = (ends(truth, scatter, LOOKS, plain) for truth in (0, 0.5))
            cells.append(rate(nothing, lambda v: v not in (SAME, UNKNOWN)))
            cells.append(rate(smallest, lambda v: v == SAME))
        cells += [rate(each, lambda v: v != UNKNOWN) for each in (nothing, smallest)]
        print(f"| {' | '.join(cells)} |")


def heading(columns: Sequence[str]) -> None:
    """Print the head of a table."""
    print(f"| {' | '.join(columns)} |")
    print("|" + " --- |" * len(columns))


def fixed(name: str, pool: Any, metric: Metric, effect: float) -> None:
    """Print the line of a variant and metric: fixed numbers of seeds."""
    alarms, missed, ends, coverage = [], [], [], []
    for count in COUNTS:
        random = np.random.default_rng(count)
        nothing, smallest, covered = [], [], 0
        for _ in range(PATHS):
            path = drawn(pool, count, 0.0, random, again=2 * count > len(pool))
            nothing.append(said(path, metric, 0.95, effect))
            smallest.append(said([each + effect for each in path], metric, 0.95, effect))
            found = interval(path, metric, 0.95)
            covered += found.low <= 0 <= found.high
        alarms.append(rate(nothing, lambda v: v in (BETTER, WORSE)))
        missed.append(rate(smallest, lambda v: v == SAME))
        ends.append(rate([*nothing, *smallest], lambda v: v != UNKNOWN))
        coverage.append(f"{100 * covered / PATHS:.1f} %")
    scatter = f"{np.sqrt(2) * pool.std(ddof=1):.{metric.digits}f}"
    cells = [f"{name}, {metric.short}", scatter]
    cells += [" / ".join(each).replace(" %", "") for each in (alarms, missed, ends, coverage)]
    print(f"| {' | '.join(cells)} |")


def sequential(name: str, pool: Any, metric: Metric, effect: float) -> None:
    """Print the line of a variant and metric: needed seeds, and `decide`."""
    random = np.random.default_rng(0)
    predicted = []
    for _ in range(PATHS):
        path = drawn(pool, 5, 0.0, random, again=len(pool) < 10)
        floor = float(np.sqrt(2) * intervals.rounding(STEPS[metric.score]))
        scatter = intervals.of_mean(path, floor).scatter
        needed = verdicts.needed(scatter, effect, 0.95, 5)
        predicted.append(np.inf if needed is None else needed)
    low, middle, high = np.quantile(predicted, (0.25, 0.5, 0.75), method="nearest")
    nothing, smallest = (
        [decided(pool, metric, effect, shift, random) for _ in range(PATHS)]
        for shift in (0.0, effect)
    )
    alarms = rate([v for v, _ in nothing], lambda v: v in (BETTER, WORSE))
    missed = rate([v for v, _ in smallest], lambda v: v == SAME)
    ends = [rate([v for v, _ in each], lambda v: v != UNKNOWN) for each in (nothing, smallest)]
    seeds = [np.mean([n for _, n in each]) for each in (nothing, smallest)]
    print(
        f"| {name}, {metric.short} | {seeded(middle)} ({seeded(low)} to {seeded(high)}) "
        f"| {found_needed(pool, metric, effect, random)} | {alarms} | {missed} "
        f"| {ends[0]} / {ends[1]} | {seeds[0]:.0f} / {seeds[1]:.0f} |"
    )


def found_needed(pool: Any, metric: Metric, effect: float, random: np.random.Generator) -> str:
    """Return the number of seeds with which four of five paths are decided, drawn from all."""
    for count in [*range(5, 30), *range(30, 101, 5)]:
        paths = [drawn(pool, count, 0.0, random, again=True) for _ in range(200)]
        shares = []
        for shift in (0.0, effect):
            moved = [[each + shift for each in path] for path in paths]
            shares.append(np.mean([said(m, metric, 0.95, effect) != UNKNOWN for m in moved]))
        if min(shares) >= verdicts.POWER:
            return str(count)
    return "more than 100"


def seeded(count: float) -> str:
    """Return a number of seeds as it is shown."""
    return "more than 100" if np.isinf(count) else f"{count:.0f}"


def rate(found: Sequence[str], which: Callable[[str], bool]) -> str:
    """Return the share of verdicts in percent."""
    return f"{100 * sum(map(which, found)) / len(found):.1f} %"


if __name__ == "__main__":
    app()
