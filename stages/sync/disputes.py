"""Disputes: outputs or reported scores that have the same fingerprint but different numbers.

They must not occur, because equal fingerprints promise equal bits. A dispute names both places. The
run keeps the numbers that it has, and gets a disputed score only if a witness reports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stages.core.errors import UserError
from stages.evaluation.results import Scores
from stages.sync.desired import DesiredState, Holding
from stages.sync.observed import Key, ObservedState, Recorded
from stages.vcs.refs import Commit

# These also depend on `target` in params.yaml, which is not part of the fingerprint
BY_TARGET = ("epochs_to_target", "seconds_to_target")
Values = dict[int, dict[str, float]]  # scores by seed and name


class Disputed(UserError):
    """Two places have the same fingerprint but different numbers."""


@dataclass(frozen=True)
class Dispute:
    """Two places that disagree.

    Attributes:
        key: variant and fingerprint.
        what: the numbers that differ.
        places: both places, in words.
    """

    key: Key
    what: str
    places: tuple[str, str]

    def __str__(self) -> str:
        """Return the dispute as a sentence."""
        variant, fingerprint = self.key
        return (
            f"same fingerprint, other numbers: {variant} ({fingerprint}): {self.what} of "
            f"{self.places[0]} and of {self.places[1]} differ; MLflow's run is left as it is; "
            f"`branchmark verify {variant}` tells which are right"
        )


def of_outputs(
    desired: DesiredState, observed: ObservedState
) -> tuple[list[Holding], list[Dispute]]:
    """Return the holdings that agree with the run that counts and with any witness's claim (or, if
    neither is known, with the oldest revision), and a dispute for each of the others."""
    agreed, disputes = [], []
    for key, holdings in desired.results.items():
        chosen, claim = observed.chosen(key), desired.claims.get(key)
        first = next((each for each in holdings if each.numbers), holdings[0])
        for holding in holdings:
            if chosen and differ(chosen.numbers, holding.numbers):
                authority = str(chosen)
            elif claim and claim.output.md5 != holding.output.md5:
                authority = str(claim)
            elif (
                not claim
                and not (chosen and chosen.numbers)
                and differ(first.numbers, holding.numbers)
            ):
                authority = str(first)
            else:
                agreed.append(holding)
                continue
            disputes.append(Dispute(key, "models or histories", (str(holding), authority)))
    return agreed, disputes


def differ(one: str, other: str) -> bool:
    """Return whether two hashes are known and differ; "" means unknown."""
    return bool(one and other) and one != other


def of_scores(
    key: Key, recorded: Recorded, holdings: Iterable[Holding], desired: DesiredState
) -> tuple[Values, list[Dispute]]:
    """Return the scores that a result's runs have or should get, and the disputes about them.

    A run keeps the scores that it has. It gets a missing one from the first witness that reports
    it, or else from the other revisions, if they agree.
    """
    values: Values = {
        int(run.data.tags["seed"]): dict(run.data.metrics)
        for run in recorded.seeds
        if str(run.data.tags.get("seed", "")).isdigit()
    }
    names: dict[str, None] = {}
    origins: dict[tuple[int, str], Commit] = {}
    disputes: list[Dispute] = []
    refused: set[str] = set()
    seen: set[int] = set()
    # Each revision has its own target: of the scores that depend on it, the first one found counts
    heard = {**desired.scores, **desired.witnesses}
    for commit in (*desired.witnesses, *(holding.commit for holding in holdings)):
        result = heard.get(commit, {}).get(key[0])
        if result is None or result.fingerprint != key[1] or id(result) in seen:
            continue  # not evaluated after this training, or already read from another revision
        seen.add(id(result))
        differing: list[tuple[str, str]] = []
        for seed in result.seeds.keys() & values.keys():
            for name, score in finite(result.seeds[seed]).items():
                names[name] = None
                place = (seed, name)
                known = values[seed].setdefault(name, score)
                if known == score:
                    origins.setdefault(place, commit)
                elif name in BY_TARGET:
                    continue
                else:
                    origin = origins.get(place)
                    refused |= {name} if origin and origin not in desired.witnesses else set()
                    where = f"reports/ of {origin}" if origin else str(recorded)
                    differing.append((f"{name} of seed {seed} ({score:g}, {known:g})", where))
        if differing:
            more = f" and {len(differing) - 1} more scores" if len(differing) > 1 else ""
            here = f"reports/ of {commit} ({commit.sha[:7]})"
            disputes.append(Dispute(key, differing[0][0] + more, (here, differing[0][1])))
    return {
        seed: {n: scores[n] for n in names if n in scores and n not in refused}
        for seed, scores in values.items()
    }, disputes


def finite(scores: Scores) -> dict[str, float]:
    """Return only the scores that are numbers: a seed that diverged has None for others."""
    return {name: value for name, value in scores.items() if value is not None}
