"""As many stages run side by side as there are processors and memory for, in a container too."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from stages.repro import capacity


def write(folder: Path, **files: str) -> None:
    """Write the files of a control group: `cpu_max` is `cpu.max`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")


def test_a_containers_limits_are_read_also_those_of_the_groups_above(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/a/b\n")
    assert [*capacity.quotas(root, own), *capacity.memories(root, own)] == []
    write(root / "a/b", cpu_max="max 100000", memory_max="max", memory_current="5")
    write(root / "a", cpu_max="250000 100000", memory_max="4000000000")
    write(root / "a", memory_current="3000000000", memory_stat="anon 1\ninactive_file 2000000000")
    assert list(capacity.quotas(root, own)) == [2.5]
    assert list(capacity.memories(root, own)) == [3e9]
    assert list(capacity.quotas(root, root / "no such file")) == []


def test_so_are_those_of_the_kernels_first_version_of_control_groups(tmp_path: Path) -> None:
    root, own = tmp_path / "cgroup", tmp_path / "own"
    # Within a container its own group is mounted at the root, whatever the host calls it
    own.write_text("4:memory:/docker/1\n2:cpu,cpuacct:/docker/1\n1:name=systemd:/\n0::/\n")
    write(root / "cpu", cpu_cfs_quota_us="200000", cpu_cfs_period_us="100000")
    write(root / "cpu/docker/1", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    write(root / "memory", memory_limit_in_bytes="4000000000", memory_usage_in_bytes="1000000000")
    assert list(capacity.quotas(root, own)) == [2.0]
    assert list(capacity.memories(root, own)) == [3e9]


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
    monkeypatch.setattr(capacity, "quotas", lambda: cpus)
    monkeypatch.setattr(capacity, "memories", list)
    assert capacity.jobs() == expected


def test_it_works_where_the_system_tells_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert capacity.processors() == os.cpu_count()
