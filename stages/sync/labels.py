"""The tags that link runs to git and DVC, and the changes that they need.

`live_on` lists the branches whose `dvc.lock` has exactly this result, as ``|elu|main|``: the filter
``tags.live_on LIKE '%|main|%'`` finds all runs of a branch, wherever they were trained.
`superseded` marks all runs of a fingerprint except the newest complete one. `dvc_output` holds the
output's hashes from `dvc.lock`, so that a revision can be compared without its files. The recorder
writes `numbers`, the hash of models and histories; a run of an earlier version gets it here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.sync.observed import Key, ObservedState, Recorded

LIVE_ON, SUPERSEDED, OUTPUT, NUMBERS = "live_on", "superseded", "dvc_output", "numbers"
LONGEST = 8000  # characters that MLflow keeps of a tag's value


@dataclass(frozen=True)
class Truth:
    """What git and DVC say.

    Attributes:
        live: by branch or tag, the results that its revision holds.
        gone: branches and tags that no longer exist.
        outputs: by result, the hashes of its outputs.
        numbers: by result, the hash of its models and histories; "" if unknown.
    """

    live: Mapping[str, Collection[Key]]
    gone: Collection[str]
    outputs: Mapping[Key, Collection[str]]
    numbers: Mapping[Key, str]


@dataclass(frozen=True)
class Change:
    """The tags that a variant's run and its seeds' runs should have (None: remove the tag)."""

    recorded: Recorded
    wanted: Mapping[str, str | None]

    @property
    def variant(self) -> str:
        """Return the variant's name."""
        return str(self.recorded.run.data.tags["variant"])

    def __str__(self) -> str:
        """Return the change in words: ``live on +elu -old``."""
        said = []
        if self.recorded.run.data.tags.get(SUPERSEDED) != self.wanted[SUPERSEDED]:
            said.append("superseded" if self.wanted[SUPERSEDED] else "no longer superseded")
        before = names(self.recorded.run.data.tags.get(LIVE_ON))
        after = names(self.wanted[LIVE_ON])
        moved = [f"+{name}" for name in after if name not in before]
        moved += [f"-{name}" for name in before if name not in after]
        said += [f"live on {' '.join(moved)}"] if moved else []
        return ", ".join(said) or "tags of seeds and output"

    def apply(self, client: Any) -> None:
        """Write the tags that differ, run by run."""
        from mlflow.entities import RunTag
        from mlflow.exceptions import MlflowException

        for run in self.recorded.runs:
            differs = {k: v for k, v in self.wanted.items() if run.data.tags.get(k) != v}
            tags = [RunTag(key, value) for key, value in differs.items() if value is not None]
            if tags:
                client.log_batch(run.info.run_id, tags=tags)
            for key in differs.keys() - {tag.key for tag in tags}:
                try:
                    client.delete_tag(run.info.run_id, key)
                except MlflowException as error:  # another person's sync has just removed it
                    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                        raise


def changes(observed: ObservedState, truth: Truth) -> Iterator[Change]:
    """Yield the changes that make the tags of all runs agree with `truth`."""
    for key, group in observed.groups.items():
        chosen = observed.chosen(key)
        for recorded in group:
            if recorded is chosen:
                wanted = of_chosen(key, chosen, group, truth)
            elif recorded.at_work:
                continue
            else:
                wanted = of_other(recorded, superseded=chosen is not None)
            if any(run.data.tags.get(k) != v for run in recorded.runs for k, v in wanted.items()):
                yield Change(recorded, wanted)


def of_chosen(
    key: Key, recorded: Recorded, group: list[Recorded], truth: Truth
) -> dict[str, str | None]:
    """Return the tags for the run that counts. It takes over the group's output hashes, and the
    branches that this sync did not read and that still exist."""
    said = [each.run.data.tags for each in group]
    before = {name for tags in said for name in names(tags.get(LIVE_ON))}
    stays = before - set(truth.gone) - truth.live.keys()
    now = {name for name, keys in truth.live.items() if key in keys}
    hashes = {md5 for tags in said for md5 in tags.get(OUTPUT, "").split()}
    return {
        LIVE_ON: text(stays | now),
        SUPERSEDED: None,
        OUTPUT: " ".join(sorted(hashes.union(truth.outputs.get(key, ())))) or None,
        NUMBERS: recorded.numbers or truth.numbers.get(key) or None,
    }


def of_other(recorded: Recorded, superseded: bool) -> dict[str, str | None]:
    """Return the tags for a run that another one supersedes, or that is not complete."""
    tags = recorded.run.data.tags
    after = "true" if superseded else tags.get(SUPERSEDED)
    return {LIVE_ON: None, SUPERSEDED: after, OUTPUT: tags.get(OUTPUT)}


def text(found: Iterable[str]) -> str | None:
    """Return names as the tag holds them, without those that do not fit; None if none is left."""
    value = "|"
    for name in sorted(found):
        if len(value) + len(name) + 1 <= LONGEST:
            value += f"{name}|"
    return value if value != "|" else None


def names(value: str | None) -> list[str]:
    """Return the names that the tag holds."""
    return [name for name in (value or "").split("|") if name]


def listed(observed: ObservedState) -> set[str]:
    """Return every branch and tag that any run is marked as live on."""
    return {name for run in observed.runs for name in names(run.data.tags.get(LIVE_ON))}


def known_outputs(observed: ObservedState) -> dict[tuple[str, str], Key]:
    """Return the results that runs name for outputs, by variant and output hash. The hash alone is
    not enough: equal results of two variants have equal outputs."""
    return {
        (key[0], md5): key
        for key, group in observed.groups.items()
        for recorded in group
        for md5 in recorded.run.data.tags.get(OUTPUT, "").split()
    }
