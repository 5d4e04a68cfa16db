"""What is planned is what `dvc repro` would run."""

from __future__ import annotations

import pytest

from stages.core.errors import UserError
from stages.repro.plan import Plan, closure
from tests.repro.test_schedule import WORK


def test_what_follows_from_a_stale_stage_is_run_too_and_nothing_else() -> None:
    needs = {stage: sorted(before) for stage, before in WORK.items()}
    plan = Plan(needs, frozenset({"b"}))
    assert plan.work == {"b": set(), "after_b": {"b"}, "last": {"b", "after_b"}}
    assert Plan(needs, frozenset()).work == {}


def test_a_target_brings_what_it_needs_and_a_group_all_of_its_stages() -> None:
    needs = {"last": ["t@2", "t@1"], "t@1": ["a"], "t@2": [], "a": []}
    assert list(closure(["t"], needs)) == ["a", "t@1", "t@2"]
    assert list(closure(["t@2"], needs)) == ["t@2"]
    assert list(closure([], needs)) == ["t@2", "a", "t@1", "last"]
    with pytest.raises(UserError, match="t@3: there is no such stage"):
        closure(["t@3"], needs)
