"""The scores that revisions hold in `reports/`, as this project writes them today and as it did."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from stages.evaluation.results import Result
from stages.vcs import refs
from stages.vcs.git import blobs
from stages.vcs.refs import METRICS, PARAMS, RESULTS, Commit


def read(commits: Iterable[Commit]) -> dict[Commit, dict[str, Result]]:
    """Return each commit's scores by variant; a file that cannot be read, as in the middle of a
    merge, holds none."""
    files = {
        commit: {
            path: sha
            for path, sha in refs.tracked(commit).items()
            if path == METRICS or path.startswith(f"{RESULTS}/")
        }
        for commit in commits
    }
    contents = blobs(sha for listed in files.values() for sha in listed.values())
    # By their objects: most commits share them with their neighbours
    today = {sha: of_today(content) for sha, content in contents.items()}
    found: dict[Commit, dict[str, Result]] = {}
    for commit, listed in files.items():
        found[commit] = {
            path.removeprefix(f"{RESULTS}/").removesuffix(".json"): result
            for path, sha in listed.items()
            if path != METRICS and (result := today[sha])
        }
        if not found[commit] and METRICS in listed:
            found[commit] = of_old(contents[listed[METRICS]], commit)
    return found


def of_today(content: bytes) -> Result | None:
    """Return the content of `reports/results/<variant>.json`; None where it is something else."""
    try:
        return Result.parse(content.decode())
    except (ValueError, RecursionError):
        return None


def of_old(content: bytes, commit: Commit) -> dict[str, Result]:
    """Return the content of `reports/metrics.json` by variant; its keys have `_` for dots."""
    sha = refs.tracked(commit).get(PARAMS)
    try:
        metrics: dict[str, Any] = json.loads(content)
        seeds = [int(seed) for seed in refs.settings(sha)["train"]["seeds"]] if sha else []
        found = {}
        for output in refs.outputs(commit):
            entry = metrics.get(output.variant.replace(".", "_"), {})
            if "fingerprint" in entry:
                found[output.variant] = Result.of_old(entry, seeds)
        return found
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        return {}
