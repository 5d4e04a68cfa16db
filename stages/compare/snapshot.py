"""Read a revision's parameters, results and curves from git, without a checkout.

A comparison needs nothing else, so it works on a bare clone without DVC's cache. Revisions older
than `reports/results/` are read from their `reports/metrics.json`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from stages.core import untrusted
from stages.core.errors import UserError
from stages.core.text import cut
from stages.core.untrusted import EPOCHS, LARGEST, SEEDS, VARIANT, Refused
from stages.evaluation import results
from stages.evaluation.results import Result
from stages.params import schema as params
from stages.vcs import lockfile, refs
from stages.vcs.git import blobs
from stages.vcs.lockfile import Lock

WORKING_TREE = "working tree"
CURVES = ("variant", "seed", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")
FILES = [path for path in refs.SAID if not path.endswith("/")]  # beside the results
CURVES_FILE = "reports/curves.csv"
CURVES_LARGEST = 4 * LARGEST  # bytes: enough for 200 variants with 40 seeds of 40 epochs


@dataclass(frozen=True)
class Snapshot:
    """The parameters, results and curves of a revision.

    Attributes:
        name: the branch, tag or commit that was asked for, or "working tree".
        commit: the full hash; "" for the working tree.
        params: `params.yaml` as plain values, because an older revision has an older schema.
        lock: the stages of `dvc.lock`, by name.
        results: the result of each variant, by name.
        curves: `reports/curves.csv`; empty if the revision has none.
        unread: a sentence for each variant, or stage of `dvc.lock`, that cannot be read.
    """

    name: str
    commit: str
    params: Mapping[str, Any]
    lock: Mapping[str, Any]
    results: Mapping[str, Result]
    curves: pd.DataFrame
    unread: Mapping[str, str] = field(default_factory=dict)


def snapshot(revision: str | None) -> Snapshot:
    """Return the snapshot of `revision`, or of the working tree if it is None.

    Raises:
        UserError: the revision does not exist or has no results, or a file cannot be read, as in
            the middle of a merge. An invalid result does not raise; it goes to `unread`.
    """
    commit = "" if revision is None else refs.resolve(revision)
    name = WORKING_TREE if revision is None else revision
    if len(name) > 7 and commit.startswith(name):
        name = commit[:7]

    files: dict[str, bytes | None] = {}
    found: dict[str, Result] = {}
    unread: dict[str, str] = {}
    for path, content in contents(commit):
        if path in FILES:
            files[path] = content
            continue
        variant = PurePosixPath(path).stem
        try:
            untrusted.text(variant, VARIANT, "variant", path)
            found[variant] = Result.parse(whole(content))
        except ValueError as error:
            unread[variant] = f"{path}: {error}"

    def read(path: str, parse: Callable[[bytes], Any]) -> Any:
        try:
            return parse(whole(files[path])) if path in files else None
        except ValueError as error:
            why = cut(" ".join(str(error).split()))
            raise UserError(f"{name}: its {path} cannot be read ({why})") from None

    settings = read("params.yaml", params_of)
    if settings is None:
        raise UserError(f"{name}: it has no params.yaml, so there is nothing to compare")
    if not (found or unread):
        numbers = results.numbers(untrusted.mapping(settings.get("train")).get("seeds"))
        old = read(refs.METRICS, lambda text: results.parse_old(text, numbers))
        if old is None:
            raise UserError(f"{name}: it has no {refs.RESULTS}, so there is nothing to compare")
        found, refused = old
        unread = {key: f"{refs.METRICS}: {why}" for key, why in refused.items()}
    said = {key: f"{key}: {name}: {why}" for key, why in unread.items()}
    curves = read(CURVES_FILE, curves_of)
    curves = pd.DataFrame(columns=list(CURVES)) if curves is None else curves
    lock = read("dvc.lock", lockfile.read) or Lock({}, (), ())
    said |= {why: f"dvc.lock of {name}: {why}" for why in lock.refused}
    return Snapshot(name, commit, settings, lock.stages, ordered(found, curves), curves, said)


def params_of(content: bytes) -> dict[str, Any]:
    """Return the content of a `params.yaml`; raise ValueError if it is empty or malformed."""
    found = untrusted.mapping(untrusted.yaml(content, typed=True))
    if not found:
        raise Refused("no keys and values")
    for name in ("train", "prepare", "compare", "target"):
        if name in found:
            found[name] = untrusted.mapping(found[name], name)
    train = found.get("train", {})
    if "epochs" in train:
        untrusted.number(train["epochs"], 1, EPOCHS, "train.epochs", integer=True)
    results.numbers(train.get("seeds"))
    return found


def curves_of(content: bytes) -> pd.DataFrame:
    """Return the curves of a revision; raise ValueError if the content is not valid."""
    kinds = {"variant": "str", "seed": "int64", "epoch": "int64"}
    types = kinds | dict.fromkeys(CURVES[len(kinds) :], "float64")
    text = io.StringIO(untrusted.decoded(content, CURVES_LARGEST))
    try:
        found = pd.read_csv(text, usecols=list(CURVES), dtype=types)
    except (OverflowError, TypeError, csv.Error) as error:
        raise Refused(str(error)) from None
    for name in found["variant"].unique():
        untrusted.text(name, VARIANT, "variant")
    if not found["epoch"].between(1, EPOCHS).all() or not found["seed"].between(0, SEEDS).all():
        raise Refused("an epoch or a seed that no training has")
    return found


def ordered(found: Mapping[str, Result], curves: pd.DataFrame) -> dict[str, Result]:
    """Return the results in the order of the curves, which follows `params.yaml`."""
    names = dict.fromkeys([*(str(name) for name in curves["variant"].unique()), *found])
    return {name: found[name] for name in names if name in found}


def contents(commit: str) -> Iterator[tuple[str, bytes | None]]:
    """Yield the path and content of each file that a snapshot is made of, one at a time.

    Args:
        commit: the commit, or "" for the working tree.

    Yields:
        None in place of the content of a file that is too large or, in the working tree, a link out
        of the project.
    """
    if commit:
        for bound in (LARGEST, CURVES_LARGEST):
            names: dict[str, list[str]] = {}
            for name, sha in refs.listing(commit, *refs.SAID).items():
                if largest(name) == bound and (name in FILES or name.endswith(".json")):
                    names.setdefault(sha, []).append(name)
            for sha, content in blobs(names, bound):
                yield from ((name, content) for name in names[sha])
        return
    for path in (*map(Path, FILES), *sorted(Path(refs.RESULTS).glob("*.json"))):
        if path.is_file():
            inside = path.resolve().is_relative_to(Path.cwd().resolve())
            small = path.stat().st_size <= largest(path.as_posix())
            yield path.as_posix(), path.read_bytes() if inside and small else None


def largest(path: str) -> int:
    """Return the most bytes that are read of a file of a snapshot."""
    return CURVES_LARGEST if path == CURVES_FILE else LARGEST


def whole(content: bytes | None) -> bytes:
    """Return a content; raise Refused if there is none."""
    if content is None:
        raise Refused("too large, or a link out of the project")
    return content


def not_run(side: Snapshot) -> list[str]:
    """Return a sentence if a side's `params.yaml` asks for something that has not been run, since
    its numbers are then outdated. `dvc.lock` records the parameters that each stage read."""
    asked: dict[str, None] = {}
    for stage in side.lock.values():
        for place, value in stage.get("params", {}).get("params.yaml", {}).items():
            now = at(side.params, str(place))
            if now is None or written(now) == written(value) or place == "compare":
                continue  # `compare` affects the verdicts, not the numbers
            asked[str(place)] = None
    try:
        names = [variant.name for variant in params.parse(side.params).variants()]
    except UserError:  # the commands that run something report it
        names = []
    known = {*side.results, *side.unread}
    asked |= dict.fromkeys(name for name in names if name not in known)
    inner = [name for name in asked if not any(place.startswith(f"{name}.") for place in asked)]
    if not inner:
        return []
    of = f"{side.name}: " if side.commit else ""
    return [
        f"{of}params.yaml has changes that were not run ({cut(', '.join(inner))}), so these "
        "numbers are outdated: `branchmark repro` runs it"
    ]


def at(values: Any, place: str) -> Any:
    """Return the value at a dotted key like ``optimizers.adam``, or None if there is none."""
    for key in place.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def written(value: Any) -> Any:
    """Return a value in a form that equals that of its text in `dvc.lock`: ``1e-3`` is 0.001."""
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
