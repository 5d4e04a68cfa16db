"""`make bench`: this working tree beside an earlier commit, on the real data, in one run.

    python -m benchmarks.bench --before 316655b --grid

Each side is a copy of its own with a store of its own. They take turns, so that whatever else the
machine does meets both.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mlflow import MlflowClient
from rich.console import Console
from rich.table import Table
from typer import Option, run

from stages.vcs import git
from tests.project import ROOT, Project

STAGE, VARIANT = "train@adam-0.3", "adam-0.3"
PREFIX = "system/seconds_"


@dataclass(frozen=True)
class Side:
    """A copy of the project, its data prepared."""

    name: str
    project: Project
    commit: str  # "" for the working tree

    @classmethod
    def make(cls, name: str, root: Path, commit: str, raw: Path) -> Side:
        """Copy the commit, or the working tree, and prepare the data."""
        if commit:
            subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(root)], check=True)
            subprocess.run(["git", "-C", str(root), "checkout", "-q", commit], check=True)
        side = cls(name, Project.at(root) if commit else Project(root), commit)
        (root / "data/raw").symlink_to(raw)
        side.python("stages.prepare")
        return side

    def python(self, *arguments: str) -> float:
        """Run a program of the side; return its seconds."""
        begin = time.perf_counter()
        self.project.ok(
            sys.executable, "-m", *arguments,
            MLFLOW_TRACKING_URI=self.project.uri(), BRANCHMARK_FORCE="1", PYTHONPATH="",
        )  # fmt: skip
        return time.perf_counter() - begin

    def lines(self) -> list[int]:
        """Return the lines of `dvc.lock` of each training stage."""
        lock = git.git("show", f"{self.commit}:dvc.lock") if self.commit else ""
        parts = re.split(r"^(?=  [^ ])", lock or (ROOT / "dvc.lock").read_text(), flags=re.M)
        return [part.count("\n") for part in parts if "-m stages.train" in part]

    def stage(self) -> dict[str, float]:
        """Train a variant; return the seconds by phase and in all."""
        total = self.python("stages.train", STAGE)
        client = MlflowClient(self.project.uri())
        (experiment,) = (e for e in client.search_experiments() if e.name != "Default")
        query = f"tags.`mlflow.runName` = '{VARIANT}'"
        (trained, *_) = client.search_runs([experiment.experiment_id], query)
        phases = {
            name.removeprefix(PREFIX): seconds
            for name, seconds in trained.data.metrics.items()
            if name.startswith(PREFIX)
        }
        measured = sum(phases.values())
        return {
            **phases,
            "exit and the rest": total - measured,
            "all": total,
            "all but epochs": total - phases["epochs"],
            "tracking, percent": 100 * phases["tracking"] / total,
        }

    def evaluate(self) -> dict[str, float]:
        """Evaluate the working tree's models of all variants; return the seconds."""
        shutil.rmtree(self.project.root / "runs", ignore_errors=True)
        shutil.copytree(ROOT / "runs", self.project.root / "runs")
        return {"evaluate": self.python("stages.evaluate")}

    def grid(self) -> dict[str, float]:
        """Make everything from nothing; return the seconds."""
        for folder in ("runs", ".dvc/cache", "data/prepared"):
            shutil.rmtree(self.project.root / folder, ignore_errors=True)
        (self.project.root / "data/raw").unlink()
        (self.project.root / "dvc.lock").unlink(missing_ok=True)
        begin = time.perf_counter()
        self.project.ok(
            sys.executable, "-m", "stages.cli", "repro",
            FASHION_MNIST_DIR=str(raw_data()), PYTHONPATH="",
        )  # fmt: skip
        return {"the whole grid, branchmark repro": time.perf_counter() - begin}


def raw_data() -> Path:
    """Return the folder with the four idx files of the real data set."""
    return Path(os.environ.get("FASHION_MNIST_DIR") or ROOT / "data/raw").resolve()


def main(
    before: Annotated[str, Option(help="The commit to compare with.")] = "316655b",
    grid: Annotated[bool, Option(help="Make the whole grid from nothing too: an hour.")] = False,
) -> None:
    """Measure and print."""
    Project.preloads = False  # people's programs import what they need
    table = Table("seconds", "before", "after", "ratio")
    with tempfile.TemporaryDirectory() as name:
        commit = git.git("rev-parse", "--verify", f"{before}^{{commit}}", cwd=ROOT)
        sides = [
            Side.make("before", Path(name, "before"), commit, raw_data()),
            Side.make("after", Path(name, "after"), "", raw_data()),
        ]
        ways: list[Callable[[Side], dict[str, float]]] = [Side.stage, Side.evaluate]
        for way in [*ways, Side.grid] if grid else ways:
            old, new = (way(side) for side in sides)
            for key in {**old, **new}:
                one, other = old.get(key), new.get(key)
                cells = ("" if each is None else f"{each:.2f}" for each in (one, other))
                table.add_row(key, *cells, f"{other / one:.2f}" if one and other else "")
        lines = [f"{min(found)} to {max(found)}" for found in (side.lines() for side in sides)]
        table.add_row("lines of dvc.lock a training", *lines, "")
    Console().print(table)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    os.chdir(ROOT)
    run(main)
