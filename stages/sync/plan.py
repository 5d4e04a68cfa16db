"""What must change so that MLflow agrees with git and DVC, and the changing of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from stages.core.errors import UserError
from stages.evaluation import scores
from stages.sync import deleted_refs as departed
from stages.sync import labels, restore
from stages.sync.desired import Found, Outputs, held
from stages.sync.observed import Store
from stages.sync.orphaned import abandoned
from stages.tracking import evaluation as join
from stages.tracking import runs
from stages.tracking import views as view
from stages.vcs import refs as revisions
from stages.vcs.refs import Commit, Output

ATTEMPTS = 3  # at tags that somebody else's sync writes at the same time


@dataclass(frozen=True)
class Step:
    """One thing that must change: a row of the table, and how it is done."""

    what: str
    variant: str
    fingerprint: str
    detail: str
    do: Callable[[], None]


class Plan:
    """What one call of `branchmark sync` does: told by `steps`, or carried out.

    Args:
        commits: the revisions, oldest first.
        outputs: where their files come from.
        client: of the store; None where there is none yet.
        experiment: the project's, in that store.
    """

    def __init__(
        self, commits: list[Commit], outputs: Outputs, client: Any, experiment: str
    ) -> None:
        self.outputs, self.client, self.experiment = outputs, client, experiment
        self.read()
        self.held = held(commits, labels.known_outputs(self.store), outputs)

    def read(self) -> None:
        """Look at the store as it is now."""
        self.store = Store(self.client, self.experiment)

    def endings(self) -> Iterator[Step]:
        """Runs that nobody writes any more are closed."""
        for one in abandoned(self.store):
            tags = one.run.data.tags
            what, name = "killed" if one.reason else "failed", one.run.info.run_name
            print_of = tags.get("fingerprint", "")
            yield Step(what, name, print_of, str(one), partial(one.end, self.client))

    def restorations(self) -> Iterator[Step]:
        """Results without a complete run get one."""
        for key, found in self.held.results.items():
            if self.store.chosen(key) is None:
                commit = found.oldest
                branches = ", ".join(n for n, keys in self.held.live.items() if key in keys)
                detail = f"from {commit.sha[:7]}" + (f", live on {branches}" if branches else "")
                yield Step("restored", *key, detail, partial(self.restore, found))

    def restore(self, found: Found) -> None:
        """Make the run of one result from its files; what is missing is noted."""
        commit, output = found.oldest, found.output
        data = Output("prepare", revisions.PREPARED, output.data, "")
        lacking = output
        try:
            files = self.outputs.files(commit, output.folder, output.md5)
            lacking = data
            prepared = self.outputs.files(commit, data.folder, data.md5)
            lacking = output
            training = restore.read(files, prepared, commit)
        except UserError as error:
            self.held.missing[commit][lacking] = str(error)
            return
        restore.restore(self.client, self.experiment, training)

    def tags(self) -> Iterator[Step]:
        """Tags that say otherwise than git are changed."""
        gone = departed.names(labels.listed(self.store), self.held.live)
        truth = labels.Truth(self.held.live, gone, self.held.outputs)
        for change in labels.changes(self.store, truth):
            tags = change.recorded.run.data.tags
            name, print_of = tags["variant"], tags["fingerprint"]
            yield Step("tagged", name, print_of, str(change), partial(change.apply, self.client))

    def scores(self) -> Iterator[Step]:
        """Scores that the newest revision's evaluation found join the runs that lack them."""
        for key, found in self.held.results.items():
            chosen = self.store.chosen(key)
            entry = revisions.metrics(found.newest).get(scores.key(key[0]))
            if chosen is None or not isinstance(entry, dict) or entry.get("fingerprint") != key[1]:
                continue  # the revision was not evaluated after this training
            seeds = json.loads(chosen.run.data.params["train.seeds"])
            lacking = join.missing(self.client, chosen.runs, scores.by_seed(entry, seeds))
            if lacking:
                names = {name for values in lacking.values() for name in values}
                detail = f"{len(names)} of its evaluation's"
                yield Step("scores", *key, detail, partial(self.log, lacking))

    def log(self, values: dict[str, dict[str, float]]) -> None:
        """Log metrics to runs that are finished; they stay so."""
        for run_id, metrics in values.items():
            runs.log_metrics(self.client, run_id, metrics)

    def views(self) -> Iterator[Step]:
        """The experiment gets the project's views, where it has not got them."""
        tags = self.client.get_experiment(self.experiment).tags if self.client else {}
        if lacking := view.lacking(tags):
            names = ", ".join(key.removeprefix(view.TAG) for key in lacking)
            write = partial(view.write, self.client, self.experiment)
            yield Step("views", "", "", f"{names}: MLflow's menu Views", write)

    def steps(self) -> list[Step]:
        """All that must change, as far as it can be told before any of it is done."""
        return [*self.endings(), *self.restorations(), *self.tags(), *self.scores(), *self.views()]

    def carry_out(self, progress: Callable[[list[Step]], Iterator[Step]]) -> list[Step]:
        """Do all that must be done, and return it; `progress` goes through steps and shows them."""
        done = self.do(self.endings, progress)
        begun = self.do(self.restorations, progress)
        done += [step for step in begun if self.store.chosen((step.variant, step.fingerprint))]
        # Two people's sync at once may each write a tag that the other has just changed, and what
        # the first one wrote is lost: look again, until there is nothing to change.
        for _ in range(ATTEMPTS):
            changed = self.do(self.tags, progress)
            done += changed
            if not changed:
                break
        return done + self.do(self.scores, progress) + self.do(self.views, progress)

    def do(
        self, steps: Callable[[], Iterator[Step]], progress: Callable[[list[Step]], Iterator[Step]]
    ) -> list[Step]:
        """Carry out steps of one kind, then look at the store again if there were any."""
        found = list(steps())
        for step in progress(found):
            step.do()
        if found:
            self.read()
        return found
