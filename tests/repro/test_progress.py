"""A person sees how far the stages are."""

from __future__ import annotations

import io

from rich.console import Console

from stages.repro.progress import Screen
from stages.repro.schedule import Outcome


def screen(terminal: bool, height: int = 25) -> tuple[Screen, Console]:
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=100, height=height, highlight=False
    )
    stages = {"prepare": 0, "train@a": 100, "train@b": 100, "train@c": 100}
    return Screen(stages, {"train@a": 30, "train@b": 0}.__getitem__, console), console


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_there_are_plain_lines() -> None:
    view, console = screen(terminal=False)
    with view.shown():
        view.started("prepare")
        view.ended("prepare", Outcome("restored"))
        view.started("train@a")
    said = printed(console)
    assert "\x1b" not in said
    assert said.splitlines()[0] == "prepare: running"
    assert said.splitlines()[1].startswith("prepare: restored from cache after 0 s (1 of 4")


def test_on_a_terminal_there_is_a_line_a_stage_with_its_epoch() -> None:
    view, console = screen(terminal=True)
    view.started("train@a")
    view.began["train@a"] -= 15
    view.started("train@b")
    with console.capture() as capture:
        console.print(view.now())
    lines = capture.get().splitlines()
    assert lines[0].split()[:5] == ["train@a", "epoch", "30", "of", "100"]
    assert lines[0].endswith("15 s")
    assert "epoch 0 of 100" in lines[1]
    assert any(line.startswith("prepare") and "waiting" in line for line in lines)
    # 270 epochs at half a second each, two at once
    assert "0 of 4, 68 s left" in lines[-1] or "0 of 4, 67 s left" in lines[-1]


def test_a_low_terminal_shows_what_runs_and_counts_what_waits() -> None:
    view, console = screen(terminal=True, height=5)
    view.started("train@a")
    with console.capture() as capture:
        console.print(view.now())
    assert len(capture.get().splitlines()) <= 4
    assert "2 more waiting" in capture.get()
