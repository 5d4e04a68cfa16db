"""What revisions hold: outputs known by a run, looked at, missing, unreadable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from stages.core.errors import UserError
from stages.evaluation.results import Result
from stages.sync import desired, reports, restore
from stages.sync.desired import Outputs
from stages.vcs import refs
from stages.vcs.lockfile import Output
from stages.vcs.refs import Commit

OLD, NEW = (
    Commit(name * 7, at, "somebody", frozenset({name}), name) for at, name in enumerate("on")
)


def output(variant: str, md5: str) -> Output:
    return Output(f"train@{variant}", variant, md5, "d", "")


def missing() -> NoReturn:
    raise UserError("")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., desired.DesiredState]:
    """`desired.read` of locks that are given by commit, of a cache that has the named outputs."""

    def call(
        locks: dict[Commit, tuple[Output, ...] | str],
        cached: dict[str, str],
        known: dict[tuple[str, str], tuple[str, str]] | None = None,
        refused: dict[Commit, list[str]] | None = None,
        witnesses: dict[Commit, dict[str, Result]] | None = None,
    ) -> desired.DesiredState:
        odd, heard = refused or {}, witnesses or {}
        asked = [commit for commit in locks if commit not in heard]

        def listed(commit: Commit) -> tuple[Output, ...]:
            found = locks[commit]
            if isinstance(found, str):
                raise UserError(found)
            return found

        outputs = Outputs(pulling=False, folder=tmp_path)
        outputs.checked = lambda md5: {md5: Path()} if md5 in cached else missing()  # type: ignore[method-assign]
        content = lambda files: SimpleNamespace(  # noqa: E731
            fingerprint=cached[next(iter(files))], numbers=f"n-{next(iter(files))}"
        )
        monkeypatch.setattr(refs, "outputs", listed)
        monkeypatch.setattr(refs, "refused", lambda commit: odd.get(commit, []))
        monkeypatch.setattr(reports, "read", lambda each: ({c: heard.get(c, {}) for c in each}, []))
        monkeypatch.setattr(restore, "content", content)
        return desired.read(asked, known or {}, outputs, heard)

    return call


def test_results_are_known_by_variant_and_fingerprint_the_oldest_first(
    read: Callable[..., desired.DesiredState],
) -> None:
    both = (output("relu", "a"), output("adam-0.0", "a"))
    state = read({OLD: both, NEW: both[:1]}, {"a": "f1"})
    assert list(state.results) == [("relu", "f1"), ("adam-0.0", "f1")]
    assert [each.commit for each in state.results["relu", "f1"]] == [OLD, NEW]
    assert state.names == {"o", "n"}


def test_an_output_that_a_run_is_known_to_be_of_needs_no_files(
    read: Callable[..., desired.DesiredState],
) -> None:
    locks = {OLD: (output("relu", "a"), output("adam-0.0", "a"))}
    state = read(locks, {}, {("relu", "a"): ("relu", "f1")})
    assert list(state.results) == [("relu", "f1")]
    assert list(state.missing[OLD]) == [output("adam-0.0", "a")]


def test_a_revision_that_cannot_be_read_does_not_keep_the_others_from_being_so(
    read: Callable[..., desired.DesiredState],
) -> None:
    state = read(
        {OLD: "dvc.lock of o: not what DVC writes", NEW: (output("elu", "a"),)}, {"a": "f"}
    )
    assert list(state.results) == [("elu", "f")]
    assert state.names == {"n"}  # what o holds is not known: its name is not taken off
    assert state.unreadable == ["dvc.lock of o: not what DVC writes"]


def test_of_a_revision_that_is_read_in_part_no_label_is_taken_off(
    read: Callable[..., desired.DesiredState],
) -> None:
    state = read({OLD: (output("elu", "a"),)}, {"a": "f"}, refused={OLD: ["stages.x: odd"]})
    assert (list(state.results), state.names) == ([("elu", "f")], set())
    assert state.unreadable == ["stages.x: odd"]


def test_what_is_missing_is_a_sentence_a_revision_with_what_makes_it(
    read: Callable[..., desired.DesiredState], monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = {OLD: (output("elu", "a"), output("relu", "b"))}
    for remote, mend in (
        (True, "branchmark sync --pull o"),
        (False, "git checkout o && dvc repro"),
    ):
        monkeypatch.setattr(desired, "has_remote", lambda remote=remote: remote)
        (line,) = desired.complaints(read(locks, {}), pulling=False)
        assert line.startswith("runs/elu, runs/relu of o (ooooooo): not in DVC's cache; ")
        assert mend in line


def test_what_a_witness_has_is_known_by_its_reports_where_no_run_is_of_its_output(
    read: Callable[..., desired.DesiredState],
) -> None:
    first, second = (Commit(name * 7, 0, "somebody", frozenset({name}), name) for name in "mh")
    locks = {
        NEW: (output("a", "1"),),
        first: (output("a", "2"), output("b", "3")),
        second: (output("a", "4"), output("b", "5"), output("old", "6")),
    }
    scores = {"test_accuracy": 0.9}
    said = {name: Result(f"{name}-result", {1: scores}, {1: "s"}) for name in "ab"}
    old = {"old": Result("old-result", {1: scores}, {})}  # whose outputs held dates
    state = read(
        locks, {"1": "x"}, {("b", "3"): ("b", "newer")}, None, {first: said, second: said | old}
    )
    claimed = {key: (claim.commit, claim.output.md5) for key, claim in state.claims.items()}
    assert claimed == {
        ("a", "a-result"): (first, "2"),
        ("b", "newer"): (first, "3"),  # trained since it was evaluated
        ("b", "b-result"): (second, "5"),
    }
    assert list(state.witnesses) == [first, second]
