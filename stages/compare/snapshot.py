"""What git holds of a revision: parameters, results and curves; nothing is checked out.

A comparison needs no more than this, so it works on a bare clone without DVC's cache.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.core.errors import UserError
from stages.evaluation.scores import key
from stages.vcs import lockfile

WORKING_TREE = "working tree"
CURVES = ("variant", "seed", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: as it was asked for: a branch, a tag, a commit, or the working tree.
        commit: the full hash; "" for the working tree.
        params: `params.yaml`, as plain values: an older revision has an older schema.
        lock: the stages of `dvc.lock` by name.
        metrics: `reports/metrics.json`.
        curves: `reports/curves.csv`; empty where the revision has none.
    """

    name: str
    commit: str
    params: Mapping[str, Any]
    lock: Mapping[str, Any]
    metrics: Mapping[str, Any]
    curves: pd.DataFrame

    @property
    def seeds(self) -> list[int]:
        """The seeds of each variant, in the order in which the metrics have them."""
        return list(self.params.get("train", {}).get("seeds", []))

    @cached_property
    def variants(self) -> dict[str, Mapping[str, Any]]:
        """The variants that have results, by key."""
        found = self.metrics.items()
        return {name: value for name, value in found if "fingerprint" in value}

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of variants by key, of those that have curves."""
        return {key(str(name)): str(name) for name in self.curves["variant"].unique()}


def side(revision: str | None) -> Side:
    """What git holds of `revision`; of the working tree where it is None.

    Raises:
        UserError: there is no such revision, it has no results, or one of its files cannot be
            read, as in the middle of a merge.
    """
    commit = "" if revision is None else resolve(revision)
    name = WORKING_TREE if revision is None else revision
    if len(name) > 7 and commit.startswith(name):
        name = commit[:7]

    def read(path: str, parse: Callable[[str], Any]) -> Any:
        content = text(commit, path)
        if content is None:
            return None
        try:
            return parse(content)
        except (ValueError, YAMLError) as error:
            line = str(error).partition("\n")[0]
            raise UserError(f"{name}: its {path} cannot be read ({line})") from None

    params, metrics = read("params.yaml", yaml), read("reports/metrics.json", json.loads)
    if params is None or metrics is None:
        missing = "params.yaml" if params is None else "reports/metrics.json"
        raise UserError(f"{name}: it has no {missing}, so there is nothing to compare")
    curves = read("reports/curves.csv", lambda content: pd.read_csv(io.StringIO(content)))
    curves = pd.DataFrame(columns=list(CURVES)) if curves is None else curves
    lock = read("dvc.lock", lockfile.stages)
    return Side(name, commit, params, lock or {}, metrics, curves)


def yaml(content: str) -> Mapping[str, Any]:
    """YAML as DVC reads it."""
    return dict(YAML(typ="safe", pure=True).load(content) or {})


def text(commit: str, path: str) -> str | None:
    """A file of a commit, or of the working tree where the commit is ""; None if it has none."""
    if not commit:
        file = Path(path)
        return file.read_text(encoding="utf-8") if file.exists() else None
    result = git("show", f"{commit}:{path}")
    return result.stdout if result.returncode == 0 else None


def resolve(revision: str) -> str:
    """The commit that a branch (also of a remote alone), a tag or a hash names.

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
