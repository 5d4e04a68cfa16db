"""What a revision says that its results are: its `dvc.lock` and its `reports/`, read from git.

A branch may mean harm: no name in them becomes a path, or reaches a program, before it is checked.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stages.core.errors import UserError
from stages.vcs import lockfile, refs
from stages.vcs.lockfile import PREPARED, RUNS

LOSS, CURVES = "reports/loss", "reports/curves.csv"
RESULTS, METRICS = "reports/results", "reports/metrics"
NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
STAGE = re.compile(r"[a-z]+@[a-z0-9_.-]+")
FOLDER = re.compile(r"[0-9a-f]{32}\.dir")  # DVC's hash of a folder
MOST = 1_000_000  # epochs, for a display

Rows = Mapping[tuple[str, str], Mapping[str, str]]  # of a variant, by seed and epoch, as CSV has it


@dataclass(frozen=True)
class Recorded:
    """The result of a variant.

    Attributes:
        stage: of DVC, e.g. ``train@adam-0.3``.
        md5: DVC's hash of `runs/<variant>`.
        source: the variant whose layers it takes over, or "".
        epochs: of all seeds together; 0 where `dvc.lock` does not say.
        inputs: DVC's hash of the folders that the training read, by path.
    """

    stage: str
    md5: str
    source: str = ""
    epochs: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Revision:
    """A commit with all that it says of its results.

    Attributes:
        commit: its hash.
        variants: those that `dvc.lock` has a result of, by name.
        folders: DVC's hash of every other folder that a stage wrote, by path.
        reports: git's hash of every file in `reports/`, by path.
        outputs: the paths of all that `dvc.lock` says that stages wrote.
    """

    commit: str
    variants: Mapping[str, Recorded]
    folders: Mapping[str, str]
    reports: Mapping[str, str]
    outputs: frozenset[str]

    @property
    def names(self) -> list[str]:
        """The variants that it reports anything of, also those that `dvc.lock` leaves out."""
        found = re.compile(rf"(?:{RESULTS}|{METRICS})/({NAME.pattern})\.json")
        reported = (found.fullmatch(path) for path in self.reports)
        return sorted({*self.variants, *(match[1] for match in reported if match)})

    def text(self, path: str) -> str | None:
        """Return one of `reports`; None where it has none."""
        return refs.file(self.commit, path) if path in self.reports else None

    @cached_property
    def curves(self) -> Mapping[str, Rows]:
        """The rows of every variant in `reports/curves.csv`."""
        found: dict[str, dict[tuple[str, str], Mapping[str, str]]] = {}
        for row in table(self.text(CURVES) or ""):
            rows = found.setdefault(row.get("variant") or "", {})
            rows[row.get("seed") or "", row.get("epoch") or ""] = row
        return found

    def stale(self, name: str) -> bool:
        """Whether a variant was trained from other data, or another source, than `dvc.lock` has."""
        now = dict(self.folders) | {f"{RUNS}{n}": each.md5 for n, each in self.variants.items()}
        inputs = self.variants[name].inputs if name in self.variants else {}
        return any(md5 != now.get(path) for path, md5 in inputs.items())


NOTHING = Revision("", {}, {}, {}, frozenset())


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV; none where it is something else."""
    try:
        return list(csv.DictReader(io.StringIO(text)))
    except csv.Error:
        return []


def read(commit: str) -> Revision:
    """Read what a commit says of its results.

    Raises:
        UserError: it has no `dvc.lock`, or one that DVC did not write.
    """
    text = refs.file(commit, refs.LOCK)
    if text is None:
        raise UserError(f"{commit[:7]} has no dvc.lock; run `dvc repro` there and commit it")
    try:
        stages = lockfile.stages(text)
        variants: dict[str, Recorded] = {}
        folders: dict[str, str] = {}
        outputs = set()
        for stage, entry in stages.items():
            for out in entry.get("outs") or ():
                path, md5 = str(out["path"]), str(out.get("md5", ""))
                outputs.add(path)
                if path.startswith(RUNS):
                    variants[checked(path)] = recorded(stage, md5, entry)
                elif FOLDER.fullmatch(md5):
                    folders[path] = md5
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:80]
        raise UserError(
            f"dvc.lock of {commit[:7]}: not what DVC writes ({why}); run `dvc repro` there and "
            "commit it"
        ) from None
    return Revision(commit, variants, folders, refs.listing(commit, "reports"), frozenset(outputs))


def checked(path: str) -> str:
    """Return the variant whose folder this is; raises ValueError where it is anything else."""
    name = path.removeprefix(RUNS)
    if not path.startswith(RUNS) or not NAME.fullmatch(name):
        raise ValueError(f"{path!r} is no variant's folder")
    return name


def recorded(stage: str, md5: str, entry: Mapping[str, Any]) -> Recorded:
    """Return what `dvc.lock` says of a training; raises ValueError where a name is odd."""
    if not STAGE.fullmatch(stage):
        raise ValueError(f"{stage!r} is no stage of a variant")
    if not FOLDER.fullmatch(md5):
        raise ValueError(f"{stage}: {md5!r} is no hash of a folder")
    inputs = {
        dep["path"]: str(dep.get("md5", ""))
        for dep in entry.get("deps") or ()
        if dep["path"] == PREPARED or dep["path"].startswith(RUNS)
    }
    sources = [checked(path) for path in inputs if path != PREPARED]
    return Recorded(stage, md5, next(iter(sources), ""), epochs(entry), inputs)


def epochs(entry: Mapping[str, Any]) -> int:
    """Return how many epochs a training has, all seeds together; 0 where it is not known."""
    try:
        values = entry["params"]["params.yaml"]
        return min(MOST, int(values["train.epochs"]) * len(values["train.seeds"]))
    except (KeyError, TypeError, ValueError):
        return 0


def together(names: Iterable[str], revision: Revision) -> list[str]:
    """Return variants with the sources that must be trained before them."""
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
