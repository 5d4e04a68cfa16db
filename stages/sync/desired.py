"""The desired state: what revisions hold, where the files are, and what is missing."""

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

Seen = tuple[Key, str]  # the key and numbers of a holding

NOT_CACHED = "not in DVC's cache"


class Missing(UserError):
    """Outputs of a revision are missing, or its `dvc.lock` or reports cannot be read."""


@dataclass(frozen=True)
class Holding:
    """An output of a revision, and the result that it holds.

    Attributes:
        commit: the revision.
        output: as its `dvc.lock` records it.
        key: variant and fingerprint.
        numbers: the hash of its models and histories; "" if its files were not read, because a run
            in the store or a witness's report already names the result.
    """

    commit: Commit
    output: Output
    key: Key
    numbers: str

    def __str__(self) -> str:
        """Return, for example, ``runs/elu of main (076fcad)``."""
        return f"{self.output.folder} of {self.commit} ({self.commit.sha[:7]})"


@dataclass
class DesiredState:
    """What revisions hold.

    Attributes:
        holdings: their outputs, oldest revision first.
        names: the branches and tags of revisions whose `dvc.lock` could be read completely.
        scores: the scores of their evaluations, by revision and variant.
        witnesses: the same for the main branches and the checked-out commit. They take precedence
            even if they were not asked for: no other branch may overrule their results.
        claims: by result, its first witness's output, which those of other revisions must equal.
        missing: by revision, the outputs that could not be read, each with the reason ("" if it is
            just not in the cache).
        unreadable: sentences about everything else that could not be read.
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
        """Return the holdings of each result, oldest first."""
        found: dict[Key, list[Holding]] = {}
        for holding in self.holdings:
            found.setdefault(holding.key, []).append(holding)
        return found


class Outputs:
    """The files of outputs, checked against their hashes: from DVC's cache, or pulled into a
    temporary folder."""

    def __init__(self, pulling: bool, folder: Path) -> None:
        self.cache, self.pulling, self.folder = Cache(), pulling, folder
        self.whole: dict[str, Files] = {}  # checked once: many runs share the prepared data

    def files(self, md5: str) -> Files:
        """Return the files of an output; raise UserError if one is missing or damaged."""
        if md5 not in self.whole:
            self.whole[md5] = self.checked(md5)
        return self.whole[md5]

    def checked(self, md5: str) -> Files:
        """Return undamaged files from the cache, or else, if `pulling`, from the remote."""
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
    """Return what revisions hold.

    Args:
        commits: the revisions, oldest first.
        known: by variant and output hash, the results that runs name. Their files are not read.
        outputs: finds the files of all other outputs.
        witnesses: revisions that take precedence, see `DesiredState`.
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
        # Otherwise results that could not be read would lose their label
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
        with suppress(UserError):  # it was not asked for, so its errors are not reported
            hear(state, commit, seen)
    return state


def hear(state: DesiredState, witness: Commit, seen: Mapping[tuple[str, str], Seen]) -> None:
    """Add a witness's scores, and its claims to results that no earlier witness claims.

    If seeds have fingerprints, the result determines the output's bytes. A different hash is then
    enough to prove a dispute, without the files, which may not be available here.
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
    """Yield what is unreadable, then what each revision lacks and the command to get it."""
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
        yield f"{where}: {reasons or NOT_CACHED}; {mend}"
