"""Read from git what a revision records about its results, in `dvc.lock` and `reports/`.

A branch may be malicious: every name is checked before it becomes a path or reaches a program.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from stages.core import untrusted
from stages.core.errors import UserError
from stages.core.untrusted import FOLDER, LARGEST, VARIANT, Refused
from stages.vcs import lockfile, refs
from stages.vcs.git import blobs
from stages.vcs.lockfile import PREPARED, RUNS, Output, Stage

LOSS, CURVES = "reports/loss", "reports/curves.csv"
RESULTS, METRICS = "reports/results", "reports/metrics"
MOST = 1_000_000  # epochs: a cap for the progress display

Rows = Mapping[tuple[str, str], Mapping[str, str]]  # a variant's CSV rows, by seed and epoch


@dataclass(frozen=True)
class Recorded:
    """The result of a variant in `dvc.lock`.

    Attributes:
        stage: DVC's stage, e.g. ``train@adam-0.3``.
        md5: DVC's hash of `runs/<variant>`.
        source: the variant whose layers it reuses, or "".
        epochs: the number of epochs of all seeds together; 0 if `dvc.lock` does not say.
        inputs: DVC's hash of each data folder or source that the training read, by path.
    """

    stage: str
    md5: str
    source: str = ""
    epochs: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Revision:
    """A commit with everything that it records about its results.

    Attributes:
        commit: the full hash.
        variants: the results in `dvc.lock`, by variant.
        folders: DVC's hash of every other folder that a stage wrote, by path.
        reports: git's hash of every file in `reports/`, by path.
        outputs: the path of every output in `dvc.lock`.
        refused: a sentence for each stage of `dvc.lock` that is not as DVC writes it.
    """

    commit: str
    variants: Mapping[str, Recorded]
    folders: Mapping[str, str]
    reports: Mapping[str, str]
    outputs: frozenset[str]
    refused: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The variants in `dvc.lock` or in the reports, sorted."""
        found = re.compile(rf"(?:{RESULTS}|{METRICS})/({VARIANT.pattern})\.json")
        reported = (found.fullmatch(path) for path in self.reports)
        return sorted({*self.variants, *(match[1] for match in reported if match)})

    def text(self, path: str) -> str | None:
        """Return the text of a report; None if it is missing or too large to read."""
        if path not in self.reports:
            return None
        ((_, content),) = blobs([self.reports[path]], 4 * LARGEST)
        return None if content is None else content.decode("utf-8", "replace")

    @cached_property
    def curves(self) -> Mapping[str, Rows]:
        """The rows of `reports/curves.csv`, by variant."""
        found: dict[str, dict[tuple[str, str], Mapping[str, str]]] = {}
        for row in table(self.text(CURVES) or ""):
            rows = found.setdefault(row.get("variant") or "", {})
            rows[row.get("seed") or "", row.get("epoch") or ""] = row
        return found

    def stale(self, name: str) -> bool:
        """Return whether a variant was trained from other data or sources than `dvc.lock` has."""
        now = dict(self.folders) | {f"{RUNS}{n}": each.md5 for n, each in self.variants.items()}
        inputs = self.variants[name].inputs if name in self.variants else {}
        return any(md5 != now.get(path) for path, md5 in inputs.items())


NOTHING = Revision("", {}, {}, {}, frozenset())


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text; empty if it is not a CSV."""
    try:
        return list(csv.DictReader(io.StringIO(text)))
    except csv.Error:
        return []


def read(commit: str) -> Revision:
    """Read what a commit records about its results.

    Raises:
        UserError: the commit has no valid `dvc.lock`, or too many reports.
    """
    text = refs.file(commit, refs.LOCK)
    if text is None:
        raise UserError(f"{commit[:7]} has no dvc.lock; run `dvc repro` there and commit it")
    try:
        lock = lockfile.read(text)
    except Refused as error:
        raise UserError(
            f"dvc.lock of {commit[:7]}: {error}; run `dvc repro` there and commit it"
        ) from None
    variants: dict[str, Recorded] = {}
    refused = list(lock.refused)
    for each in lock.outputs:
        if "@" in each.stage:
            variants[each.variant] = recorded(each, lock.stages[each.stage])
        else:  # a name without "@" belongs to the other programs
            refused.append(f"stages.{each.stage}: not a stage of a variant")
    outs = [out for stage in lock.stages.values() for out in stage["outs"]]
    folders = {
        out["path"]: out["md5"]
        for out in outs
        if FOLDER.fullmatch(out["md5"]) and not out["path"].startswith(RUNS)
    }
    return Revision(
        commit,
        variants,
        folders,
        refs.tree(commit, "reports"),
        frozenset(out["path"] for out in outs),
        tuple(f"dvc.lock of {commit[:7]}: {why}" for why in refused),
    )


def recorded(output: Output, stage: Stage) -> Recorded:
    """Return what `dvc.lock` records about a training."""
    inputs = {
        dep["path"]: dep["md5"]
        for dep in stage["deps"]
        if dep["path"] == PREPARED or dep["path"].startswith(RUNS)
    }
    return Recorded(output.stage, output.md5, output.source, epochs(stage), inputs)


def epochs(entry: Stage) -> int:
    """Return a training's number of epochs over all seeds, at most `MOST`; 0 if unknown."""
    try:
        values = entry["params"]["params.yaml"]
        seeds = untrusted.sequence(values["train.seeds"])
        return min(MOST, untrusted.whole(values["train.epochs"]) * len(seeds))
    except (KeyError, TypeError, ValueError):
        return 0


def together(names: Iterable[str], revision: Revision) -> list[str]:
    """Return the variants and the sources that must be trained before them, sorted by name."""
    found: list[str] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        variant = revision.variants.get(name)
        if variant and variant.source in revision.variants:
            waiting.append(variant.source)
    return sorted(found)
