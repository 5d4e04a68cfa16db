"""How `repro`, `compare` and `sync` grow: `python -m benchmarks.scale 14 50 200`.

Builds a project of so many variants whose training program trains nothing: it takes a real result
of a small network and writes it under its own fingerprint. What is measured is all the rest.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from stages.evaluation.results import Result
from tests.project import Project

TRAIN = """
import os, shutil
from pathlib import Path
from stages import params
from stages.core.folders import replaced
from stages.data import arrays
from stages.training import history, identity, result

variant = params.load().variant(os.environ["DVC_STAGE"])
rows, template = history.read(Path("template/run/history.csv")), Path("template/run")
with replaced(Path("runs") / variant.name) as folder:
    seeds = {}
    for seed, each in identity.of_seeds(variant, arrays.load(Path("data/prepared"))).items():
        model = shutil.copy(template / result.model_name(seed), folder)
        seeds[seed] = result.describe(each.text, Path(model), rows[seed])
    result.write(folder, seeds, rows)
"""

EVALUATE = """
import shutil
from dataclasses import replace
from pathlib import Path
import pandas as pd
from stages import params
from stages.core.folders import replaced, write
from stages.evaluation import results
from stages.training.result import Summary

(template,) = results.read(Path("template/results")).values()
table, curves = pd.read_csv("template/run/history.csv"), []
with replaced(Path("reports/results")) as full, replaced(Path("reports/metrics")) as headline:
    for variant in params.load().variants():
        summary = Summary.read(Path("runs") / variant.name / "summary.json")
        own = {"fingerprint": summary.fingerprint, "fingerprints": summary.fingerprints}
        found = replace(template, **own)
        (full / f"{variant.name}.json").write_text(found.text())
        (headline / f"{variant.name}.json").write_text(found.headline())
        curves.append(table.assign(variant=variant.name))
columns = ["variant", *table.columns]
write(Path("reports/curves.csv"), pd.concat(curves)[columns].to_csv(index=False))
for name in ("champion", "claims"):
    write(Path(f"reports/{name}.json"), "{}")
"""

PLOT = """
from pathlib import Path
from stages.core.folders import write

write(Path("reports/loss/none.png"), b"")
pictures = "activations claims confusion overfitting samples studies validation"
for name in pictures.split():
    write(Path(f"reports/{name}.png"), b"")
"""


@contextmanager
def template() -> Iterator[Path]:
    """Real outputs of a small network: `run` of one variant, its `results`."""
    with tempfile.TemporaryDirectory() as name:
        project = Project(Path(name, "project"))
        project.shrink()
        project.ok("dvc", "repro", "train@adam-0.3")
        project.ok("python", "-m", "stages.evaluate", "adam-0.3")
        shutil.copytree(project.root / "runs/adam-0.3", Path(name, "template/run"))
        shutil.copytree(project.root / "reports/results", Path(name, "template/results"))
        yield Path(name, "template")


def grown(root: Path, variants: int, outputs: Path) -> Project:
    """A project of so many variants, its data prepared, nothing trained."""
    project = Project(root)
    project.shrink()
    shutil.copytree(outputs, root / "template")
    for name, program in (("train", TRAIN), ("evaluate", EVALUATE), ("plot", PLOT)):
        (root / f"stages/{name}.py").write_text(program)
    with project.params() as params:
        for i in range((variants - 6) // 2):  # two dropouts each, beside sgd, adam and two studies
            params["optimizers"][f"sgd{i}"] = dict(params["optimizers"]["sgd"])
    project.ok("dvc", "repro", "prepare")
    project.commit(f"{variants} variants")
    return project


def measured(project: Project, *command: str) -> tuple[float, float]:
    """Seconds that a command takes, and the memory of its largest process in GB."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=project.root, env=project.env(), stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - begin, usage.ru_maxrss / 2**20


def other_branch(project: Project) -> None:
    """A commit with other fingerprints and other numbers of every variant."""
    noise = np.random.default_rng(1)
    project.git("switch", "--quiet", "--create", "other")
    for file in (project.root / "reports/results").iterdir():
        result = Result.parse(file.read_text())
        seeds = {
            seed: {name: value and value + noise.normal(0, 0.01) for name, value in scores.items()}
            for seed, scores in result.seeds.items()
        }
        prints = {seed: f"{noise.integers(2**60):016x}" for seed in seeds}
        file.write_text(Result(f"{noise.integers(2**60):016x}", seeds, prints).text())
    project.commit("other numbers")
    project.git("switch", "--quiet", "main")


def main() -> None:
    """Measure and print."""
    sizes = [int(size) for size in sys.argv[1:]] or [14, 50, 200]
    table = Table("command", *(str(size) for size in sizes), "law")
    found: dict[str, list[tuple[float, float]]] = {}

    def note(name: str, project: Project, *command: str) -> None:
        found.setdefault(name, []).append(measured(project, *command))
        print(f"{size} variants, {name}: {found[name][-1]}", file=sys.stderr)

    with template() as outputs:
        for size in sizes:
            with tempfile.TemporaryDirectory() as name:
                plain = grown(Path(name, "plain"), size, outputs)
                note("dvc repro", plain, "dvc", "repro")
                note("dvc repro, up to date", plain, "dvc", "repro")
            with tempfile.TemporaryDirectory() as name:
                project = grown(Path(name, "project"), size, outputs)
                note("branchmark repro", project, "branchmark", "repro")
                project.commit("results")
                note("branchmark sync, all to restore", project, "branchmark", "sync")
                note("branchmark sync, nothing to do", project, "branchmark", "sync")
                note("branchmark repro, up to date", project, "branchmark", "repro")
                other_branch(project)
                note("branchmark compare", project, "branchmark", "compare", "main", "other")
    for name, values in found.items():
        cells = [f"{seconds:.1f} s, {memory:.2f} GB" for seconds, memory in values]
        table.add_row(name, *cells, law(sizes, [seconds for seconds, _ in values]))
    Console(width=160).print(table)


def law(sizes: list[int], seconds: list[float]) -> str:
    """The power of the number of variants that the last two sizes fit."""
    if len(sizes) < 2:
        return ""
    power = math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])
    return f"n^{power:.2f}"


if __name__ == "__main__":
    main()
