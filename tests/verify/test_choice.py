"""Which variants are proved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stages.verify import choice
from stages.verify.command import edited
from stages.verify.recorded import CURVES, METRICS, NOTHING, RESULTS, Recorded, together
from tests.verify.revisions import MD5, Invented

NAMES = [f"variant-{i}" for i in range(9)]
TEXTS = {
    f"{RESULTS}/adam.json": '{"fingerprint": "a"}',
    f"{METRICS}/adam.json": '{"test_accuracy": 0.8}',
    CURVES: "variant,seed,epoch,loss\nadam,1,1,0.5\nsgd,1,1,0.7\n",
}


def test_author_and_reviewer_of_a_commit_get_the_same_sample() -> None:
    assert choice.sample(NAMES, 3, "abc") == choice.sample(NAMES[::-1], 3, "abc")
    assert len(choice.sample(NAMES, 3, "abc")) == 3
    assert choice.sample(NAMES, 99, "abc") == NAMES


def test_another_commit_has_another_sample() -> None:
    assert len({tuple(choice.sample(NAMES, 3, str(i))) for i in range(20)}) > 5


def test_a_variant_with_the_same_output_and_numbers_is_unchanged() -> None:
    assert choice.changed(Invented("adam", texts=TEXTS), Invented("adam", texts=TEXTS)) == []


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        (f"{RESULTS}/adam.json", lambda text: text.replace('"a"', '"b"')),
        (f"{METRICS}/adam.json", lambda text: text.replace("0.8", "0.9")),
        (CURVES, lambda text: text.replace("0.5", "0.4")),
    ],
    ids=["fingerprint", "number", "curve"],
)
def test_a_variant_with_another_fingerprint_or_number_is_changed(
    path: str, edit: Callable[[str], str]
) -> None:
    after = TEXTS | {path: edit(TEXTS[path])}
    before = Invented("adam", "sgd", texts=TEXTS)
    assert choice.changed(before, Invented("adam", "sgd", texts=after)) == ["adam"]


def test_a_variant_with_another_output_or_a_new_one_is_changed() -> None:
    other = {"adam": Recorded("train@adam", "f" * 32 + ".dir"), "new": Recorded("train@new", MD5)}
    assert choice.changed(Invented("adam"), Invented(recorded=other)) == ["adam", "new"]
    assert choice.changed(NOTHING, Invented("adam")) == ["adam"]


def test_a_variant_that_dvc_lock_leaves_out_is_not_overlooked() -> None:
    assert Invented("sgd", texts=TEXTS).names == ["adam", "sgd"]


def test_the_source_of_a_reused_variant_is_trained_with_it() -> None:
    recorded = {
        "a": Recorded("train@a", MD5),
        "b": Recorded("reuse@b", MD5, source="a"),
        "c": Recorded("reuse@c", MD5, source="b"),
        "d": Recorded("train@d", MD5),
    }
    assert together(["c"], Invented(recorded=recorded)) == ["a", "b", "c"]


def test_a_variant_whose_source_or_data_are_others_by_now_is_stale() -> None:
    data = {"data/prepared": "d"}
    recorded = {
        "a": Recorded("train@a", MD5, inputs=data),
        "b": Recorded("reuse@b", MD5, source="a", inputs=data | {"runs/a": MD5}),
        "c": Recorded("reuse@c", MD5, source="a", inputs=data | {"runs/a": "older"}),
    }
    revision = Invented(recorded=recorded, folders=data)
    assert [name for name in recorded if revision.stale(name)] == ["c"]
    assert Invented(recorded=recorded, folders={}).stale("a")


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ([{"changed outs": {"runs/a": "deleted"}}, {"changed deps": {"runs/b": "deleted"}}], False),
        ([{"changed deps": {"data/prepared": "deleted"}}], False),
        ([{"changed deps": {"stages/training": "modified"}}], True),
        ([{"changed deps": {"params.yaml": {"train.epochs": "modified"}}}], True),
        (["changed command"], True),
    ],
)
def test_a_clone_without_data_is_not_stale_but_edited_code_is(
    changes: list[Any], stale: bool
) -> None:
    assert edited(changes) is stale


def test_what_is_about_all_variants_is_named_where_it_changed() -> None:
    before = Invented(texts={"reports/claims.json": "1", "reports/champion.json": "1", "x": "1"})
    after = Invented(
        texts={"reports/claims.json": "2", "reports/champion.json": "1", "x": "2"},
        outputs=("reports/claims.json", "reports/champion.json"),
    )
    assert choice.others(before, after) == ["reports/claims.json"]
