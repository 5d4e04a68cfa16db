"""What git holds of a revision: parameters, results and curves; nothing is checked out.

A comparison needs no more than this, so it works on a bare clone without DVC's cache. Revisions
from before there was `reports/results/` are read from their `reports/metrics.json`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.core.errors import UserError
from stages.evaluation import results
from stages.evaluation.results import Result
from stages.params import schema as params
from stages.vcs import lockfile, refs
from stages.vcs.git import blobs

WORKING_TREE = "working tree"
CURVES = ("variant", "seed", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")
RESULTS, OLD_RESULTS = "reports/results", "reports/metrics.json"


@dataclass(frozen=True)
class Snapshot:
    """What git holds of a revision.

    Attributes:
        name: as it was asked for: a branch, a tag, a commit, or the working tree.
        commit: the full hash; "" for the working tree.
        params: `params.yaml`, as plain values: an older revision has an older schema.
        lock: the stages of `dvc.lock` by name.
        results: of every variant, by its name.
        curves: `reports/curves.csv`; empty where the revision has none.
    """

    name: str
    commit: str
    params: Mapping[str, Any]
    lock: Mapping[str, Any]
    results: Mapping[str, Result]
    curves: pd.DataFrame


def snapshot(revision: str | None) -> Snapshot:
    """Return what git holds of `revision`; of the working tree where it is None.

    Raises:
        UserError: there is no such revision, it has no results, or one of its files cannot be
            read, as in the middle of a merge.
    """
    commit = "" if revision is None else refs.resolve(revision)
    name = WORKING_TREE if revision is None else revision
    if len(name) > 7 and commit.startswith(name):
        name = commit[:7]

    def parsed(path: str, text: str | None, parse: Callable[[str], Any]) -> Any:
        try:
            return None if text is None else parse(text)
        except (ValueError, ArithmeticError, RecursionError, YAMLError) as error:
            line = str(error).partition("\n")[0]
            raise UserError(f"{name}: its {path} cannot be read ({line})") from None

    def read(path: str, parse: Callable[[str], Any]) -> Any:
        return parsed(path, file(commit, path), parse)

    settings = read("params.yaml", yaml)
    if settings is None:
        raise UserError(f"{name}: it has no params.yaml, so there is nothing to compare")
    found = {
        PurePosixPath(path).stem: parsed(path, text, Result.parse)
        for path, text in folder(commit, RESULTS).items()
    } or read(OLD_RESULTS, lambda text: results.parse_old(text, seeds(settings)))
    if found is None:
        raise UserError(f"{name}: it has no {RESULTS}, so there is nothing to compare")
    curves = read("reports/curves.csv", lambda text: pd.read_csv(io.StringIO(text)))
    curves = pd.DataFrame(columns=list(CURVES)) if curves is None else curves
    lock = read("dvc.lock", lockfile.stages)
    return Snapshot(name, commit, settings, lock or {}, ordered(found, curves), curves)


def seeds(settings: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the seeds, which old results have in this order."""
    return list(settings.get("train", {}).get("seeds", []))


def ordered(found: Mapping[str, Result], curves: pd.DataFrame) -> dict[str, Result]:
    """Return results in the order of the curves, which is that of `params.yaml`."""
    names = dict.fromkeys([*(str(name) for name in curves["variant"].unique()), *found])
    return {name: found[name] for name in names if name in found}


def yaml(text: str) -> Mapping[str, Any]:
    """Return YAML as DVC reads it; raises ValueError where it is no mapping."""
    content = YAML(typ="safe", pure=True).load(text)
    if not isinstance(content, Mapping):
        raise ValueError("no keys and values")
    return content


def file(commit: str, path: str) -> str | None:
    """Return a file of a commit, or of the working tree where the commit is ""; None without."""
    if commit:
        return refs.file(commit, path)
    there = Path(path)
    return there.read_text(encoding="utf-8") if there.exists() else None


def folder(commit: str, path: str) -> dict[str, str]:
    """Return the JSON files of a folder by their paths, as `file` does one."""
    if not commit:
        return {str(p): p.read_text(encoding="utf-8") for p in sorted(Path(path).glob("*.json"))}
    listed = refs.listing(commit, path)
    wanted = {name: sha for name, sha in listed.items() if name.endswith(".json")}
    texts = blobs(wanted.values())
    return {name: texts[sha].decode("utf-8", "replace") for name, sha in wanted.items()}


def not_run(side: Snapshot) -> list[str]:
    """Return a sentence if a working tree's `params.yaml` asks for what has not been run: its
    numbers are then those of before. DVC keeps in `dvc.lock` what each stage has read."""
    if side.commit:
        return []
    asked: dict[str, None] = {}
    for stage in side.lock.values():
        read = stage.get("params", {}).get("params.yaml", {}) if isinstance(stage, Mapping) else {}
        for place, value in read.items() if isinstance(read, Mapping) else ():
            now = at(side.params, str(place))
            if now is not None and written(now) != written(value):
                asked[str(place)] = None
    try:
        names = [variant.name for variant in params.parse(side.params).variants()]
    except UserError:  # told by the commands that run something
        names = []
    asked |= dict.fromkeys(name for name in names if name not in side.results)
    if not asked:
        return []
    return [
        f"params.yaml asks for what has not been run ({', '.join(asked)}), so these numbers are of "
        "before: `branchmark repro` runs it"
    ]


def at(values: Any, place: str) -> Any:
    """Return what is at a place like ``optimizers.adam``, None where nothing is."""
    for key in place.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def written(value: Any) -> Any:
    """Return a value as one that is read as text compares with it: ``1e-3`` is ``0.001``."""
    if isinstance(value, Mapping):
        return {str(key): written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [written(each) for each in value]
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value).lower()
