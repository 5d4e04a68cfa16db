"""What revisions hold: their results by fingerprint, where the files are, and what is missing."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stages.core.errors import UserError
from stages.sync import restore
from stages.sync.observed import Key
from stages.vcs import refs as revisions
from stages.vcs.cache import Cache, Files, has_remote, pull
from stages.vcs.refs import Commit, Output


class Missing(UserError):
    """Outputs of a revision are nowhere to be had, or its `dvc.lock` cannot be read."""


@dataclass(frozen=True)
class Found:
    """A result, in the oldest and the newest revision that hold it."""

    output: Output
    oldest: Commit
    newest: Commit


@dataclass
class Held:
    """What the revisions hold.

    Attributes:
        results: by variant and fingerprint.
        live: the same by branch and tag.
        outputs: the hashes that stand for a result.
        missing: by revision, the outputs that are nowhere to be had, with the reason if there is
            one beyond that.
        unreadable: revisions whose `dvc.lock` says nothing, in words.
    """

    results: dict[Key, Found] = field(default_factory=dict)
    live: dict[str, set[Key]] = field(default_factory=dict)
    outputs: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    missing: dict[Commit, dict[Output, str]] = field(default_factory=lambda: defaultdict(dict))
    unreadable: list[str] = field(default_factory=list)


class Outputs:
    """The files of outputs: in DVC's cache, or pulled into a folder that is removed afterwards."""

    def __init__(self, pulling: bool, folder: Path) -> None:
        self.cache, self.pulling, self.folder = Cache(), pulling, folder

    def files(self, commit: Commit, folder: str, md5: str) -> Files:
        """The files of an output.

        Raises:
            UserError: it is not to be had.
        """
        if found := self.cache.folder(md5):
            return found
        if not self.pulling:
            raise UserError("")
        return pull(commit.sha, folder, self.folder)


def held(commits: Iterable[Commit], known: dict[str, Key], outputs: Outputs) -> Held:
    """What revisions hold, oldest first; the files of an output whose hash is `known` are not
    looked at."""
    found = Held()
    for commit in commits:
        keys: set[Key] = set()
        try:
            listed = revisions.outputs(commit)
        except UserError as error:
            found.unreadable.append(str(error))
            continue
        for output in listed:
            if output.md5 not in known:
                try:
                    files = outputs.files(commit, output.folder, output.md5)
                    summary = restore.summary_of(files)
                except UserError as error:
                    found.missing[commit][output] = str(error)
                    continue
                known[output.md5] = (summary["variant"], summary["fingerprint"])
            key = known[output.md5]
            first = found.results.get(key, Found(output, commit, commit))
            found.results[key] = Found(first.output, first.oldest, commit)
            found.outputs[key].add(output.md5)
            keys.add(key)
        found.live |= dict.fromkeys(commit.names, keys)
    return found


def complaints(found: Held, pulling: bool) -> Iterator[str]:
    """What is missing, a sentence a revision, with the command that would bring it."""
    yield from found.unreadable
    remote = bool(found.missing) and not pulling and has_remote()
    for commit, lacking in found.missing.items():
        name = str(commit) if commit.branch else commit.sha
        folders = ", ".join(sorted(output.folder for output in lacking))
        where = f"{folders} of {commit} ({commit.sha[:7]})"
        if remote:
            mend = f"`branchmark sync --pull {shlex.quote(name)}` fetches it from the remote"
        else:
            stages = sorted(shlex.quote(output.stage) for output in lacking)
            targets = f" {' '.join(stages)}" if len(stages) <= 3 else ""
            mend = f"`git checkout {shlex.quote(name)} && dvc repro{targets}` makes it"
        reasons = "; ".join(sorted({text for text in lacking.values() if text}))
        yield f"{where}: {reasons or 'not in DVC' + chr(39) + 's cache'}; {mend}"
