"""Rows are judged until they say something, and no longer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from stages.compare import comparison
from stages.compare.comparison import METRICS, Row, Settings
from stages.decide import command
from stages.decide.command import Judged
from stages.decide.sequential import Looks
from stages.decide.sides import set_seeds
from stages.evaluation.intervals import STEPS
from stages.evaluation.verdicts import BETTER, SAME, UNKNOWN
from tests.project import ROOT, yaml

ACCURACY = METRICS[0]
SETTINGS = Settings(0.95, {metric.score: metric.min_effect for metric in METRICS})
COUNTS = (5, 10, 15, 20)
LUCK = np.random.default_rng(2).normal(size=20)
UNCLEAR = 1.5 * LUCK - 1.5 * LUCK[:5].mean()  # of five seeds the mean is 0


def row(variant: str, differences: npt.NDArray[np.float64], seeds: int) -> Row:
    """A row of the first seeds."""
    sides = [{i: 88.0 + each * float(differences[i]) for i in range(seeds)} for each in (0, 1)]
    estimate = comparison.estimate(sides[0], sides[1], STEPS[ACCURACY.score])
    return Row(variant, ("", ""), ACCURACY, (sides[0], sides[1]), estimate)


def begun(*rows: Row, variants: tuple[str, ...] = ()) -> Judged:
    """What is known when seeds are as many as at the first look."""
    return Judged.of(comparison.judged(rows, SETTINGS), variants)


def test_only_rows_that_cannot_be_told_need_more_seeds() -> None:
    known, open_ = row("clear", 1 + 0.01 * LUCK, 5), row("open", UNCLEAR, 5)
    judged = begun(known, open_)
    assert judged.variants == ["open"]
    assert judged.rows["clear", ACCURACY.score].verdict == BETTER
    assert begun(known, open_, variants=("clear",)).variants == []


def test_a_row_is_closed_when_it_says_something_and_not_judged_again() -> None:
    scattered = 0.8 + 0.7 * LUCK
    judged = begun(row("a", UNCLEAR, 5))
    looks, place = Looks(COUNTS), ("a", ACCURACY.score)
    said = []
    for number, seeds in enumerate(COUNTS):
        judged.look([row("a", scattered, seeds)], looks, number, SETTINGS)
        said.append(judged.rows[place])
    verdicts = [each.verdict for each in said]
    assert verdicts[0] == UNKNOWN, "hardly anything may be said at the first look"
    assert verdicts[-1] == BETTER
    end = verdicts.index(BETTER)
    assert all(each is said[end] for each in said[end:])
    assert judged.variants == []


def test_equal_sides_become_the_same() -> None:
    judged = begun(row("a", UNCLEAR, 5))
    looks = Looks(COUNTS)
    for number, seeds in enumerate(COUNTS):
        judged.look([row("a", 0.2 * LUCK, seeds)], looks, number, SETTINGS)
    assert judged.rows["a", ACCURACY.score].verdict == SAME


def test_where_every_row_is_decided_nothing_is_trained_and_no_seeds_are_to_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = comparison.judged([row("a", 5 + 0.1 * LUCK, 5)], SETTINGS)
    monkeypatch.setattr(comparison, "compare", lambda *_: SimpleNamespace(rows=rows))
    monkeypatch.setattr(command, "catch_termination", lambda: None)  # not this process's
    neither: Any = None
    assert command.decide(neither, neither, [], 40, Console())[1] == []
    assert "no more seeds are needed" in capsys.readouterr().out


def test_seeds_are_written_into_params_yaml_and_nothing_else_changes(tmp_path: Path) -> None:
    before = (ROOT / "params.yaml").read_text()
    file = tmp_path / "params.yaml"
    file.write_text(before)
    seeds = [*range(1, 41)]
    set_seeds(file, seeds)
    after = file.read_text()
    assert yaml.load(after)["train"]["seeds"] == seeds
    changed = set(after.splitlines()) - set(before.splitlines())
    assert len(changed) == 1
    assert len(after.splitlines()) == len(before.splitlines())
    assert "# one seed is an anecdote" in changed.pop()


@pytest.mark.parametrize("place", ["train", "seeds"])
def test_a_file_that_cannot_be_changed_stays_as_it_is(tmp_path: Path, place: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"other: {place}\n")
    with pytest.raises(KeyError):
        set_seeds(file, [1])
    assert file.read_text() == f"other: {place}\n"
