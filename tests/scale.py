"""How `repro`, `compare` and `sync` grow: `python -m tests.scale 14 50 200`.

Builds a project of so many variants whose training program trains nothing: it takes a real result
of a small network and writes it under its own fingerprint. What is measured is all the rest.
"""

from __future__ import annotations

import json
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

from tests.project import Project

TRAIN = """
import json, os, shutil
from pathlib import Path
from stages import params
from stages.data import arrays
from stages.core.folders import replaced
from stages.training.identity import Provenance, code_of, source_of

variant = params.load().variant(os.environ["DVC_STAGE"])
digest = arrays.load(Path("data/prepared")).digest
provenance = Provenance(variant, digest, code_of(variant.stage), source_of(variant))
with replaced(Path("runs") / variant.name) as folder:
    shutil.copytree("template/run", folder, dirs_exist_ok=True)
    facts = json.loads((folder / "summary.json").read_text()) | provenance.summary()
    (folder / "summary.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\\n")
"""

EVALUATE = """
import json, shutil
from pathlib import Path
import pandas as pd
from stages import params
from stages.evaluation.scores import key

template = json.loads(Path("template/reports/metrics.json").read_text())
shutil.copytree("template/reports", "reports", dirs_exist_ok=True)
table = pd.read_csv("template/run/history.csv")
report, curves = {"champion": template["champion"]}, []
for variant in params.load().variants():
    summary = json.loads((Path("runs") / variant.name / "summary.json").read_text())
    report[key(variant.name)] = template["adam-0_3"] | {"fingerprint": summary["fingerprint"]}
    curves.append(table.assign(variant=variant.name))
Path("reports/metrics.json").write_text(json.dumps(report, indent=2) + "\\n")
columns = pd.read_csv("template/reports/curves.csv", nrows=0).columns
pd.concat(curves)[columns].to_csv("reports/curves.csv", index=False, lineterminator="\\n")
"""


@contextmanager
def template() -> Iterator[Path]:
    """Real outputs of a small network: `run` of one variant, `reports`."""
    with tempfile.TemporaryDirectory() as name:
        project = Project(Path(name, "project"))
        project.shrink()
        project.ok("dvc", "repro")
        shutil.copytree(project.root / "runs/adam-0.3", Path(name, "template/run"))
        shutil.copytree(project.root / "reports", Path(name, "template/reports"))
        yield Path(name, "template")


def grown(root: Path, variants: int, outputs: Path) -> Project:
    """A project of so many variants, its data prepared, nothing trained."""
    project = Project(root)
    project.shrink()
    shutil.copytree(outputs, root / "template")
    for file, program in (("train", TRAIN), ("evaluate", EVALUATE)):
        path = root / f"stages/{file}.py"
        imports = [line for line in path.read_text().splitlines() if line.startswith("from stages")]
        # dvc.yaml must list what a program imports, neither more nor less
        path.write_text(f"{program}if False:\n    " + "\n    ".join(imports) + "\n")
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
    file = project.root / "reports/metrics.json"
    report, noise = json.loads(file.read_text()), np.random.default_rng(1)

    def shift(content: dict[str, object]) -> None:
        for value in content.values():
            if isinstance(value, dict):
                shift(value)
        if isinstance(seeds := content.get("seeds"), list) and all(seeds):
            found = np.array(seeds) + noise.normal(0, 0.01, len(seeds))
            content |= {"mean": found.mean(), "std": found.std(ddof=1), "seeds": found.tolist()}

    for key in report.keys() - {"champion"}:
        shift(report[key])
        report[key]["fingerprint"] = f"{noise.integers(2**60):016x}"
    project.git("switch", "--quiet", "--create", "other")
    file.write_text(json.dumps(report, indent=2) + "\n")
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
