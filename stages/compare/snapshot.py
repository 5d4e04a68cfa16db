"""What git holds of a revision: parameters, results and curves; nothing is checked out.

A comparison needs no more than this, so it works on a bare clone without DVC's cache. Revisions
from before there was `reports/results/` are read from their `reports/metrics.json`.
"""

from __future__ import annotations

import io
import subprocess
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
from stages.vcs import lockfile

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
    commit = "" if revision is None else resolve(revision)
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

    params = read("params.yaml", yaml)
    if params is None:
        raise UserError(f"{name}: it has no params.yaml, so there is nothing to compare")
    found = {
        PurePosixPath(path).stem: parsed(path, text, Result.parse)
        for path, text in folder(commit, RESULTS).items()
    } or read(OLD_RESULTS, lambda text: results.parse_old(text, seeds(params)))
    if found is None:
        raise UserError(f"{name}: it has no {RESULTS}, so there is nothing to compare")
    curves = read("reports/curves.csv", lambda text: pd.read_csv(io.StringIO(text)))
    curves = pd.DataFrame(columns=list(CURVES)) if curves is None else curves
    lock = read("dvc.lock", lockfile.stages)
    return Snapshot(name, commit, params, lock or {}, ordered(found, curves), curves)


def seeds(params: Mapping[str, Any]) -> list[int]:
    """Return the numbers of the seeds, which old results have in this order."""
    return list(params.get("train", {}).get("seeds", []))


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
    if not commit:
        there = Path(path)
        return there.read_text(encoding="utf-8") if there.exists() else None
    result = git("show", f"{commit}:{path}")
    return result.stdout if result.returncode == 0 else None


def folder(commit: str, path: str) -> dict[str, str]:
    """Return the JSON files of a folder by their paths, as `file` does one."""
    if not commit:
        return {str(p): p.read_text(encoding="utf-8") for p in sorted(Path(path).glob("*.json"))}
    listed = git("ls-tree", "--name-only", "-z", commit, f"{path}/").stdout.split("\0")
    paths = [name for name in listed if name.endswith(".json")]
    return {name: text for name in paths if (text := file(commit, name)) is not None}


def resolve(revision: str) -> str:
    """Return the commit that a branch (also of a remote alone), a tag or a hash names.

    Raises:
        UserError: there is none.
    """
    for candidate in (revision, f"origin/{revision}"):
        found = git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}"
        )
        if found.returncode == 0:
            return found.stdout.strip()
    raise UserError(f"{revision}: no such branch, tag or commit; `git fetch` may bring it")


def merge_base(head: str | None) -> str:
    """The commit at which `head` (None: the working tree) left the main branch.

    Raises:
        UserError: there is no main branch, or the two have no commit in common.
    """
    tip = resolve(head) if head else "HEAD"
    for main in ("main", "origin/main", "master", "origin/master"):
        if git("rev-parse", "--verify", "--quiet", f"{main}^{{commit}}").returncode:
            continue
        found = git("merge-base", main, tip)
        if found.returncode == 0:
            return found.stdout.strip()
        shallow = git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        hint = "; this clone is shallow: `git fetch --unshallow`" if shallow else ""
        raise UserError(
            f"{head or 'HEAD'} and {main} have no commit in common{hint}; or name the base: "
            "`branchmark compare BASE`"
        )
    raise UserError("there is no branch main or master; name the base: `branchmark compare BASE`")


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git, whatever its exit code; no argument reaches a shell."""
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, encoding="utf-8", errors="replace"
    )
