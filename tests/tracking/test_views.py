"""Views of MLflow's run table: `stages.tracking.views`."""

from __future__ import annotations

from stages.tracking import views as view

LONGEST = 5000  # characters of an experiment's tag that MLflow's database keeps


def test_only_views_that_differ_are_written() -> None:
    every = view.lacking({})
    assert list(every) == [view.TAG + name for name in ("variants", "seeds", "branches")]
    assert view.lacking(every | {"mlflow.note.content": "a person's"}) == {}
    changed = view.TAG + "branches"
    assert view.lacking(every | {changed: "{}"}) == {changed: every[changed]}


def test_a_view_fits_into_a_tag() -> None:
    assert max(map(len, view.lacking({}).values())) <= LONGEST
