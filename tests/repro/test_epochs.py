"""How far a training is, by its history."""

from __future__ import annotations

from pathlib import Path

from stages.repro.epochs import ended


def test_epochs_are_counted_from_the_first_line_after_the_names_of_columns(tmp_path: Path) -> None:
    assert ended("train@adam-0.3", tmp_path) == 0
    history = tmp_path / "runs/adam-0.3.partial/history.csv"
    history.parent.mkdir(parents=True)
    for text, count in (("", 0), ("seed,epoch\n", 0), ("seed,epoch\n1,1\n1,2\n", 2)):
        history.write_text(text)
        assert ended("train@adam-0.3", tmp_path) == count
