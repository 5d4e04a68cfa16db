"""The desired state: what revisions hold, where its files are, and what is missing."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from stages.core.errors import UserError
from stages.evaluation.results import Result
from stages.sync import reports, restore
from stages.sync.observed import Key
from stages.vcs import refs
from stages.vcs.cache import Cache, Files, has_remote, pull, whole
from stages.vcs.lockfile import Output
from stages.vcs.refs import Commit

Seen = tuple[Key, str]  # what a holding's key and numbers are


class Missing(UserError):
    """Outputs of a revision are nowhere to be had, or its `dvc.lock` cannot be read."""


@dataclass(frozen=True)
class Holding:
    """An output of a revision, and the result that it is.

    Attributes:
        commit: the revision.
        output: by its `dvc.lock`.
        key: variant and fingerprint.
        numbers: the hash of its models and histories; "" where a run in the store is known to be
            of this very output, which was not looked at again.
    """

    commit: Commit
    output: Output
    key: Key
    numbers: str

    def __str__(self) -> str:
        """As a person would call it."""
        return f"{self.output.folder} of {self.commit} ({self.commit.sha[:7]})"


@dataclass
class DesiredState:
    """What revisions hold.

    Attributes:
        holdings: their outputs, the oldest revision's first.
        names: the branches and tags of revisions that could be read, with all their outputs.
        scores: by revision and variant, what its evaluation says.
        witnesses: the same of the main branches and of what is checked out, whose word counts
            first, whichever are asked for: no other branch speaks for their results.
        claims: the output that a witness has for a result, which that of any other must equal.
        missing: by revision, the outputs that are nowhere to be had, with the reason if there is
            one beyond that.
        unreadable: what of revisions cannot be read, in words.
    """

    holdings: list[Holding] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    scores: Mapping[Commit, Mapping[str, Result]] = field(default_factory=dict)
    witnesses: dict[Commit, Mapping[str, Result]] = field(default_factory=dict)
    claims: dict[Key, Holding] = field(default_factory=dict)
    missing: dict[Commit, dict[Output, str]] = field(default_factory=lambda: defaultdict(dict))
    unreadable: list[str] = field(default_factory=list)

    @property
    def results(self) -> dict[Key, list[Holding]]:
        """The holdings of each result, the oldest first."""
        found: dict[Key, list[Holding]] = {}
        for holding in self.holdings:
            found.setdefault(holding.key, []).append(holding)
        return found


class Outputs:
    """The files of outputs, checked against their hashes: in DVC's cache, or pulled into a folder
    that is removed afterwards."""

    def __init__(self, pulling: bool, folder: Path) -> None:
        self.cache, self.pulling, self.folder = Cache(), pulling, folder
        self.whole: dict[str, Files] = {}  # of this process: the prepared data are many runs' input

    def files(self, md5: str) -> Files:
        """Return the files of an output; raise UserError where it is not to be had."""
        if md5 not in self.whole:
            self.whole[md5] = self.checked(md5)
        return self.whole[md5]

    def checked(self, md5: str) -> Files:
        """Return the files of an output from the cache, or from the remote where it lacks one."""
        files = self.cache.folder(md5)
        damaged = next((name for name, path in (files or {}).items() if not whole(path)), "")
        if files is not None and not damaged:
            return files
        if self.pulling:
            return pull(md5, self.folder)
        why = f"its files cannot be read ({damaged} in DVC's cache is not what its hash says)"
        raise UserError(why if damaged else "")


def read(
    commits: Iterable[Commit],
    known: Mapping[tuple[str, str], Key],
    outputs: Outputs,
    witnesses: Iterable[Commit] = (),
) -> DesiredState:
    """Return what revisions hold, given the oldest first.

    Args:
        commits: the revisions.
        known: by variant and hash of an output, the result that it is, as far as runs say: its
            files are not looked at.
        outputs: where the files of all others are.
        witnesses: revisions that are heard first.
    """
    state = DesiredState()
    readable = []
    seen: dict[tuple[str, str], Seen] = {each: (key, "") for each, key in known.items()}
    for commit in commits:
        try:
            listed, refused = refs.outputs(commit), refs.refused(commit)
        except UserError as error:
            state.unreadable.append(str(error))
            continue
        readable.append(commit)
        state.unreadable += refused
        # Else a label would be taken off what could not be read
        state.names |= set() if refused else commit.names
        for output in listed:
            name = (output.variant, output.md5)
            if name not in seen:
                try:
                    files = outputs.files(output.md5)
                    content = restore.content(files)
                except UserError as error:
                    state.missing[commit][output] = str(error)
                    continue
                seen[name] = ((output.variant, content.fingerprint), content.numbers)
            state.holdings.append(Holding(commit, output, *seen[name]))
    state.scores, complaints = reports.read(readable)
    state.unreadable += complaints
    for commit in witnesses:
        with suppress(UserError):  # it was not asked for: what is wrong with it is no news here
            hear(state, commit, seen)
    return state


def hear(state: DesiredState, witness: Commit, seen: Mapping[tuple[str, str], Seen]) -> None:
    """Add what a witness says, as far as no earlier one does.

    Since seeds have fingerprints, an output's bytes follow from the result's: its hash tells
    another one, and its files, which may be nowhere near, need not be looked at.
    """
    asked = {commit.sha: scores for commit, scores in state.scores.items()}
    own = asked[witness.sha] if witness.sha in asked else reports.read([witness])[0][witness]
    state.witnesses[witness] = own
    for output in refs.outputs(witness):
        result = own.get(output.variant)
        if result and result.fingerprints:
            said = (output.variant, result.fingerprint), ""
            holding = Holding(witness, output, *seen.get((output.variant, output.md5), said))
            state.claims.setdefault(holding.key, holding)


def complaints(state: DesiredState, pulling: bool) -> Iterator[str]:
    """Go through what is missing, a sentence a revision, with the command that would bring it."""
    yield from state.unreadable
    remote = bool(state.missing) and not pulling and has_remote()
    for commit, lacking in state.missing.items():
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
