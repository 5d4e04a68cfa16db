"""Record what was proved: a row for each variant, and for each report about all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from stages.training.result import HISTORY, SUMMARY, Summary
from stages.vcs.lockfile import RUNS
from stages.verify import difference, folders
from stages.verify.recorded import LOSS, METRICS, RESULTS, Revision, table

State = Literal["proved", "differs", "could not be tried"]
CODES: dict[State, int] = {"proved": 0, "could not be tried": 3, "differs": 1}


@dataclass(frozen=True)
class Row:
    """The outcome of one attempt.

    Attributes:
        variant: the variant's name, or the path of a file about all variants.
        detail: the first difference, or why it could not be tried.
    """

    variant: str
    state: State
    detail: str = ""


@dataclass(frozen=True)
class Proof:
    """The outcomes for a commit, and the CPU that produced them.

    Attributes:
        scope: how much of the commit was tried: ``all 26 variants``, ``3 of 26 variants``.
    """

    commit: str
    cpu: str
    scope: str
    rows: list[Row]

    @property
    def proved(self) -> int:
        """The number of rows that are proved."""
        return sum(row.state == "proved" for row in self.rows)

    @property
    def code(self) -> int:
        """The exit code: 1 if anything differs, else 3 if anything could not be tried, else 0."""
        states = {row.state for row in self.rows}
        return next((CODES[s] for s in ("differs", "could not be tried") if s in states), 0)

    def text(self) -> str:
        """Return the proof as JSON."""
        content = {"proved": self.proved, "of": len(self.rows)}
        return json.dumps(content | asdict(self), indent=2) + "\n"


def of_training(revision: Revision, name: str, root: Path) -> str | None:
    """Return where a variant that was trained in the clone at `root` differs from git, or None."""
    recorded, folder = revision.variants[name], root / RUNS / name
    files = folders.listing(folder)
    if not files:
        return f"{RUNS}{name}: nothing was written here"
    made = {
        (row.get("seed", ""), row.get("epoch", "")): row for row in table(text(folder / HISTORY))
    }
    found = difference.of_histories(revision.curves.get(name, {}), made)
    if not found and recorded.md5 != (md5 := folders.digest(files)):
        known = folders.cached(recorded.md5)
        where = difference.of_folders(known, files) if known else "though every epoch agrees"
        found = f"{RUNS}{name}: {recorded.md5} in dvc.lock, {md5} here, {where}"
    return found and found + inputs(revision, name, folder)


def of_scores(revision: Revision, name: str, made: Mapping[str, bytes]) -> str | None:
    """Return where the reports made of a variant differ from git's, or None."""
    reports = (f"{section}/{name}.json" for section in (RESULTS, METRICS))
    return next(filter(None, (of_report(revision, path, made) for path in reports)), None)


def inputs(revision: Revision, name: str, folder: Path) -> str:
    """Return a clause if the result was made from other inputs than the revision's, else ""."""
    try:
        here = Summary.read(folder / SUMMARY).fingerprint
        there = json.loads(revision.text(f"{RESULTS}/{name}.json") or "")["fingerprint"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""
    if here == there:
        return ""
    return f"; it was made from other inputs: fingerprint {there} in git, {here} here"


def of_report(revision: Revision, path: str, made: Mapping[str, bytes]) -> str | None:
    """Return where a report differs from git's, or None if the bytes are equal."""
    if path not in made:
        return f"{path}: in git, but not made here"
    recorded = revision.reports.get(path)
    if recorded is None:
        return f"{path}: made here, but not in git"
    if recorded == blob(made[path], recorded):
        return None
    there, here = revision.text(path) or "", made[path].decode(errors="replace")
    match Path(path).suffix:
        case ".json":
            where = difference.of_json(there, here) or difference.of_lines(there, here)
        case ".csv":
            where = difference.of_lines(there, here)
        case _:
            where = None
    return f"{path}: {where or 'other bytes'}"


def about_all(revision: Revision, root: Path, made: Mapping[str, bytes]) -> list[Row]:
    """Return a row for each file about all variants together, and one for the loss pictures."""
    own = {f"{section}/{name}.json" for name in revision.names for section in (RESULTS, METRICS)}
    expected = {path for path in revision.reports if belongs(path, revision.outputs)}
    paths = sorted(
        path for path in (made.keys() | expected) - own if not path.startswith(f"{LOSS}/")
    )
    differences = [(path, of_report(revision, path, made)) for path in paths]
    there = revision.folders.get(LOSS, "nothing")
    here = folders.digest(folders.listing(root / LOSS))
    wrong = None if there == here else f"{LOSS}: {there} in dvc.lock, {here} here"
    return [
        Row(path, "differs" if found else "proved", found or "")
        for path, found in [*differences, (LOSS, wrong)]
    ]


def belongs(path: str, outputs: frozenset[str]) -> bool:
    """Return whether a file is an output of a stage, or lies in one."""
    return path in outputs or any(path.startswith(f"{out}/") for out in outputs)


def blob(content: bytes, like: str) -> str:
    """Return git's hash of a file's content: SHA-1 or SHA-256, whichever `like` is."""
    kind = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return kind(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def text(path: Path) -> str:
    """Return the text of a file, or "" if it does not exist."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
