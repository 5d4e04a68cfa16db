"""`prepare.split: per_seed`: each seed its own split, the same for all variants; and back again."""

from __future__ import annotations

import json
from typing import Any

from tests.project import Project, yaml

VARIANTS = ("sgd-0.0", "sgd-0.3")
STAGES = ("prepare", *(f"train@{name}" for name in VARIANTS))


def split(project: Project, kind: str) -> str:
    """Prepare and train with this kind of split; what was printed."""
    with project.params() as params:
        params["prepare"]["split"] = kind
    return project.ok("dvc", "repro", "-s", *STAGES)


def trained_on(project: Project, variant: str) -> list[str]:
    """By seed, the digest of the pictures that it was trained on."""
    file = project.root / f"runs/{variant}/summary.json"
    seeds = json.loads(file.read_text())["seeds"].values()
    return [json.loads(seed["identity"])["data"]["train"] for seed in seeds]


def outputs(project: Project) -> dict[str, Any]:
    """The hash of every output, as `dvc.lock` has it."""
    stages = yaml.load((project.root / "dvc.lock").read_text())["stages"]
    return {out["path"]: out["md5"] for name in STAGES for out in stages[name]["outs"]}


def test_seeds_with_splits_of_their_own_are_paired_and_leave_the_fixed_ones_as_they_were(
    project: Project,
) -> None:
    before = outputs(project)
    (fixed,) = set(trained_on(project, VARIANTS[0]))
    split(project, "per_seed")
    one, other = (trained_on(project, name) for name in VARIANTS)
    assert one == other, "seed 2 of one variant sees what seed 2 of another does"
    assert len({fixed, *one}) == 3
    project.ok("python", "-m", "stages.evaluate", *VARIANTS)

    said = split(project, "fixed")
    assert outputs(project) == before
    assert "epochs\n" not in said, "no seed is trained: the fingerprints are those of before"
