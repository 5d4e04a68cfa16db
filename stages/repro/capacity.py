"""Compute how many single-threaded stages this machine can run side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

MEMORY = 1.3e9  # bytes per training
CGROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def jobs() -> int:
    """Return how many stages processors and memory allow; at least 1.

    Six stages of 5 epochs on 2 cores took 137 s one at a time, 71 s two, 73 s three, 78 s four.
    """
    memory = min([psutil.virtual_memory().available, *memories()])
    return max(1, int(min([processors(), *quotas(), memory / MEMORY])))


def processors() -> int:
    """Return how many processors this program may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(root: Path = CGROUPS, own: Path = OWN) -> Iterator[float]:
    """Yield the limits that a container sets, each as a number of processors.

    Args:
        root: where control groups are mounted.
        own: the file that names this process's control groups.
    """
    for group in groups("cpu", root, own):
        one = [*words(group / "cpu.cfs_quota_us"), *words(group / "cpu.cfs_period_us")]
        quota, period = words(group / "cpu.max") or one or ("max", "1")
        if quota not in ("max", "-1"):
            yield float(quota) / float(period)


def memories(root: Path = CGROUPS, own: Path = OWN) -> Iterator[float]:
    """Yield the bytes left within each memory limit of a container; arguments as in `quotas`."""
    for group in groups("memory", root, own):
        limit = words(group / "memory.max") or words(group / "memory.limit_in_bytes")
        used = words(group / "memory.current") or words(group / "memory.usage_in_bytes")
        if limit and used and limit != ["max"]:
            pairs = words(group / "memory.stat")
            stat = dict(zip(pairs[::2], pairs[1::2], strict=False))
            files = stat.get("total_inactive_file") or stat.get("inactive_file", "0")
            yield float(limit[0]) - float(used[0]) + float(files)  # the kernel can free those


def groups(controller: str, root: Path, own: Path) -> Iterator[Path]:
    """Yield the process's control groups and those above them, in both of the kernel's versions:
    cgroup v1 has a tree for each controller, v2 one for all."""
    for line in own.read_text(encoding="utf-8").splitlines() if own.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controller if controllers else root
        group = top / path.lstrip("/")
        yield from (each for each in (group, *group.parents) if each.is_relative_to(top))


def words(file: Path) -> list[str]:
    """Return the words of a file; none if it cannot be read, as outside Linux."""
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []
