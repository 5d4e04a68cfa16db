"""As many stages run side by side as there are processors and memory for, in a container too."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from stages.repro import capacity


@pytest.fixture
def group(tmp_path: Path) -> tuple[Path, Path]:
    """A mounted tree of control groups, and the file that names this process's own."""
    (tmp_path / "cgroup/a/b").mkdir(parents=True)
    own = tmp_path / "own"
    own.write_text("0::/a/b\n")
    return tmp_path / "cgroup", own


def test_a_containers_limits_are_read_also_those_of_the_groups_above(
    group: tuple[Path, Path],
) -> None:
    root, own = group
    assert capacity.limits("cpu.max", root, own) == []
    (root / "a/b/cpu.max").write_text("max 100000\n")
    (root / "a/cpu.max").write_text("250000 100000\n")
    (root / "memory.max").write_text("4000000000\n")
    assert capacity.limits("cpu.max", root, own) == [2.5]
    assert capacity.limits("memory.max", root, own) == [4e9]
    assert capacity.limits("cpu.max", root, root / "no such file") == []


@pytest.mark.parametrize(
    ("processors", "memory", "cpus", "expected"),
    [(16, 64e9, [], 16), (16, 16e9, [], 12), (16, 64e9, [2.5], 2), (4, 0.5e9, [0.5], 1)],
)
def test_the_scarcest_decides(
    processors: int,
    memory: float,
    cpus: list[float],
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = type("Free", (), {"available": memory})
    monkeypatch.setattr(psutil, "virtual_memory", free)
    monkeypatch.setattr(capacity, "processors", lambda: processors)
    monkeypatch.setattr(capacity, "limits", lambda name: cpus if name == "cpu.max" else [])
    assert capacity.jobs() == expected


def test_it_works_where_the_system_tells_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert capacity.processors() == os.cpu_count()
