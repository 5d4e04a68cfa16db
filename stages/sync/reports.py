"""The scores that revisions hold in `reports/`, in today's format or in the old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from stages.core import untrusted
from stages.core.untrusted import Refused
from stages.evaluation import results
from stages.evaluation.results import Result
from stages.vcs import refs
from stages.vcs.git import blobs
from stages.vcs.refs import METRICS, PARAMS, RESULTS, Commit


def read(commits: Iterable[Commit]) -> tuple[dict[Commit, dict[str, Result]], list[str]]:
    """Return each commit's scores by variant, and a sentence for each file that cannot be read."""
    files = {commit: of_today(refs.tracked(commit)) for commit in commits}
    # Parse each git object once: most commits share them with their neighbours
    parsed: dict[str, Result | str] = {}
    for sha, content in blobs(sha for listed in files.values() for sha in listed.values()):
        parsed[sha] = result(content)
    found: dict[Commit, dict[str, Result]] = {}
    complaints: list[str] = []
    for commit, listed in files.items():
        own = found[commit] = {}
        for path, sha in listed.items():
            each, name = parsed[sha], PurePosixPath(path).stem
            if isinstance(each, str):
                complaints.append(told(path, commit, each))
            elif not untrusted.VARIANT.fullmatch(name):
                complaints.append(told(path, commit, "no variant has this name"))
            else:
                own[name] = each
        if not listed and METRICS in refs.tracked(commit):
            try:
                found[commit], refused = of_old(commit)
            except Refused as error:
                refused = {METRICS: str(error)}
            complaints += [told(METRICS, commit, f"{key}: {why}") for key, why in refused.items()]
    return found, complaints


def of_today(tracked: Mapping[str, str]) -> dict[str, str]:
    """Return the object hashes of `reports/results/*.json` by path."""
    return {
        path: sha
        for path, sha in tracked.items()
        if path.startswith(f"{RESULTS}/") and path.endswith(".json")
    }


def result(content: bytes | None) -> Result | str:
    """Return the content of a `reports/results/<variant>.json`, or why it cannot be read."""
    try:
        return "too large" if content is None else Result.parse(content)
    except ValueError as error:
        return str(error)


def of_old(commit: Commit) -> tuple[dict[str, Result], dict[str, str]]:
    """Return what `results.parse_old` finds in a commit; raise Refused if it cannot be read."""
    tracked = refs.tracked(commit)
    params = refs.settings(tracked[PARAMS]) if PARAMS in tracked else {}
    train = untrusted.mapping(params.get("train"), f"{PARAMS}: train")
    return results.parse_old(refs.content(tracked[METRICS]), results.numbers(train.get("seeds")))


def told(path: str, commit: Commit, why: str) -> str:
    """Return a sentence about what is wrong with a file of a commit."""
    return f"{path} of {commit} ({commit.sha[:7]}): {why}; its scores are not taken"
