"""The plan: the steps from the observed to the desired state. It reads and writes no store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from stages.sync import disputes, labels
from stages.sync.desired import DesiredState, Holding
from stages.sync.disputes import Dispute, Values
from stages.sync.labels import Change, Truth
from stages.sync.observed import Key, ObservedState, Recorded
from stages.sync.orphaned import Orphaned, StateOf, orphaned
from stages.tracking import evaluation, liveness, views


@dataclass(frozen=True)
class Restore:
    """The step that makes a result's complete run, from the oldest revision that holds it."""

    holding: Holding
    branches: tuple[str, ...]

    @property
    def variant(self) -> str:
        """Return the variant's name."""
        return self.holding.output.variant

    def __str__(self) -> str:
        """Return the step in words."""
        live = f", live on {', '.join(self.branches)}" if self.branches else ""
        return f"restored from {self.holding.commit.sha[:7]}{live}"


@dataclass(frozen=True)
class Score:
    """The step that gives runs the scores that they lack."""

    variant: str
    recorded: Recorded
    values: Values

    def __str__(self) -> str:
        """Return the step in words."""
        return "scores of its evaluation"


@dataclass(frozen=True)
class AddViews:
    """The step that gives the experiment the project's views of its table."""

    names: tuple[str, ...]
    variant = "MLflow's menu Views"

    def __str__(self) -> str:
        """Return the step in words."""
        return ", ".join(self.names)


Step = Orphaned | Restore | Change | Score | AddViews


@dataclass(frozen=True)
class Plan:
    """The steps that must be done, and the disputes."""

    steps: list[Step]
    disputes: list[Dispute]


def plan(
    desired: DesiredState,
    observed: ObservedState,
    refs: Collection[str],
    own: Collection[str] | None = None,
    state: StateOf = liveness.state,
    ended: Collection[str] = (),
) -> Plan:
    """Return the plan that makes the store agree with git and DVC.

    Args:
        desired: what revisions hold.
        observed: what the store holds.
        refs: every branch and tag that exists.
        own: the names that this clone put into a store that others use too; None if only this
            clone uses it.
        state: returns the state of the process that a run's tags name.
        ended: the ids of variants' runs that a person ends.
    """
    agreed, disputed = disputes.of_outputs(desired, observed)
    results = DesiredState(agreed).results
    restorations = [
        Restore(holdings[0], tuple(sorted(set().union(*(h.commit.names for h in holdings)))))
        for key, holdings in results.items()
        if observed.chosen(key) is None and not missing(desired, holdings[0])
    ]
    truth = Truth(
        live={
            name: {each.key for each in agreed if name in each.commit.names}
            for name in desired.names
        },
        gone=deleted(labels.listed(observed), desired.names, refs, own),
        outputs={key: {each.output.md5 for each in each_of} for key, each_of in results.items()},
        numbers={
            key: next((each.numbers for each in each_of if each.numbers), "")
            for key, each_of in results.items()
        },
    )
    lacking, disputed_scores = scores(desired, observed, results)
    wanted = views.lacking(observed.tags)
    steps: list[Step] = [
        *orphaned(observed, state, ended),
        *restorations,
        *labels.changes(observed, truth),
        *lacking,
        *([AddViews(tuple(key.removeprefix(views.TAG) for key in wanted))] if wanted else []),
    ]
    return Plan(steps, disputed + disputed_scores)


def missing(desired: DesiredState, holding: Holding) -> bool:
    """Return whether an output's files turned out to be missing."""
    return holding.output in desired.missing.get(holding.commit, {})


def deleted(
    listed: Iterable[str],
    live: Collection[str],
    refs: Collection[str],
    own: Collection[str] | None,
) -> set[str]:
    """Return the branches and tags that runs list and that no longer exist.

    In a store that others use too, a name that git does not know here may be somebody else's branch
    that is not pushed yet. In that case, return only names that this clone put there.
    """
    absent = set(listed) - set(refs) - set(live)
    return absent if own is None else absent & set(own)


def scores(
    desired: DesiredState, observed: ObservedState, results: Mapping[Key, list[Holding]]
) -> tuple[list[Score], list[Dispute]]:
    """Return the steps that add scores that runs lack, and the disputes about scores."""
    lacking, disputed = [], []
    for key, holdings in results.items():
        if chosen := observed.chosen(key):
            values, said = disputes.of_scores(key, chosen, holdings, desired)
            disputed += said
            if evaluation.incomplete(chosen.runs, values):
                lacking.append(Score(key[0], chosen, values))
    return lacking, disputed


def told(steps: Iterable[Step]) -> Iterator[str]:
    """Yield what steps do, one line for all that are alike: ``26 runs: live on +feature``.

    Leave out the tags and scores of restored runs, which are no news.
    """
    every = list(steps)
    restored = {step.variant for step in every if isinstance(step, Restore)}
    alike: dict[str, list[str]] = {}
    for step in every:
        if not (isinstance(step, Change | Score) and step.variant in restored):
            alike.setdefault(str(step), []).append(step.variant)
    for text, variants in alike.items():
        few = ", ".join(dict.fromkeys(variants))
        yield f"{few if len(variants) <= 3 else f'{len(variants)} runs'}: {text}"
