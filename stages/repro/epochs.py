"""Read a training's progress from its history."""

from __future__ import annotations

from pathlib import Path


def ended(stage: str, root: Path) -> int:
    """Return how many epochs have ended, over all seeds; 0 for a stage without any.

    Args:
        stage: e.g. `train@adam-0.3`, which writes to `runs/adam-0.3.partial`.
        root: the project's root folder.
    """
    variant = stage.partition("@")[2]
    try:
        lines = (root / f"runs/{variant}.partial/history.csv").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
    return max(0, lines - 1)  # the first names the columns, and may not be written yet
