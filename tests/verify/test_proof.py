"""What counts as proved, and what an exit code says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from stages.verify import folders, proof, table
from stages.verify.proof import Proof, Row, State
from stages.verify.recorded import CURVES, METRICS, RESULTS, Recorded
from tests.verify.revisions import Invented

HISTORY = "seed,epoch,loss,accuracy,val_loss,val_accuracy\n1,1,0.5,0.8,0.6,0.7\n"
TEXTS = {
    CURVES: "variant,seed,epoch,loss,accuracy,val_loss,val_accuracy\nadam,1,1,0.5,0.8,0.6,0.7\n",
    f"{RESULTS}/adam.json": '{"fingerprint": "a", "seeds": {"1": {"loss": 1}}}',
    f"{METRICS}/adam.json": '{"loss": 1}',
}
MADE = {path: text.encode() for path, text in TEXTS.items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clone in which `adam` was trained."""
    folder = tmp_path / "runs/adam"
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(HISTORY)
    (folder / "seed-1.keras").write_bytes(b"weights")
    (folder / "summary.json").write_text('{"fingerprint": "a", "seeds": {}}')
    return tmp_path


def revision(root: Path, **texts: str) -> Invented:
    """A revision that says what was made, but for some texts."""
    md5 = folders.digest(folders.listing(root / "runs/adam"))
    return Invented(recorded={"adam": Recorded("train@adam", md5)}, texts=TEXTS | texts)


def test_equal_bytes_are_proved(root: Path) -> None:
    assert proof.of_training(revision(root), "adam", root) is None
    assert proof.of_scores(revision(root), "adam", MADE) is None


def test_a_row_of_the_curves_is_compared_even_where_the_output_agrees(root: Path) -> None:
    other = revision(root, **{CURVES: TEXTS[CURVES].replace("0.7", "0.9")})
    text = "seed 1, epoch 1, val_accuracy: 0.9 in git, 0.7 here"
    assert proof.of_training(other, "adam", root) == text


def test_one_bit_of_a_model_differs_and_its_file_is_named_where_the_cache_knows_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = revision(root)
    before = folders.listing(root / "runs/adam")
    (root / "runs/adam/seed-1.keras").write_bytes(b"weighty")
    monkeypatch.setattr(folders, "cached", lambda md5: {})
    assert "though every epoch agrees" in str(proof.of_training(recorded, "adam", root))
    monkeypatch.setattr(folders, "cached", lambda md5: before)
    assert "seed-1.keras: different content here" in str(proof.of_training(recorded, "adam", root))


def test_other_inputs_are_named_as_the_reason(root: Path) -> None:
    recorded = revision(root)
    (root / "runs/adam/summary.json").write_text('{"fingerprint": "b", "seeds": {}}')
    (root / "runs/adam/history.csv").write_text(HISTORY.replace("0.5", "0.4"))
    found = str(proof.of_training(recorded, "adam", root))
    assert found.startswith("seed 1, epoch 1, loss: 0.5 in git, 0.4 here; ")
    assert found.endswith("it was made from other inputs: fingerprint a in git, b here")


def test_a_training_that_writes_nothing_proves_nothing(tmp_path: Path) -> None:
    assert proof.of_training(Invented("adam"), "adam", tmp_path)


@pytest.mark.parametrize(
    ("path", "content", "detail"),
    [
        (f"{RESULTS}/adam.json", b'{"seeds": {"1": {"loss": 2}}}', "seeds.1.loss: 1 in git, 2 her"),
        (f"{METRICS}/adam.json", b'{"loss":  1}', f"{METRICS}/adam.json: line 1"),
        (f"{METRICS}/adam.json", None, "in git, but not made here"),
    ],
)
def test_a_number_of_the_reports_differs(
    path: str, content: bytes | None, detail: str, root: Path
) -> None:
    made = {**MADE, path: content} if content else {k: v for k, v in MADE.items() if k != path}
    assert detail in str(proof.of_scores(revision(root), "adam", made))


def test_reports_about_all_are_compared_with_the_pictures_and_the_loss_plots(root: Path) -> None:
    made = MADE | {"reports/claims.png": b"1", "reports/claims.json": b"{}", "reports/new": b"1"}
    outputs = {CURVES, "reports/claims.png", "reports/claims.json", "reports/champion.json"}
    texts = {
        "reports/claims.png": "2",
        "reports/claims.json": "{}",
        "reports/champion.json": "{}",
        "reports/example/README.md": "made by hand",
    }
    recorded = Invented("adam", texts=TEXTS | texts, outputs=outputs)
    states = {row.variant: row.state for row in proof.about_all(recorded, root, made)}
    assert states == {
        CURVES: "proved",
        "reports/champion.json": "differs",
        "reports/claims.json": "proved",
        "reports/claims.png": "differs",
        "reports/loss": "differs",  # dvc.lock names none
        "reports/new": "differs",
    }


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        (["proved"], 0),
        (["proved", "could not be tried"], 3),
        (["could not be tried", "differs", "proved"], 1),
    ],
)
def test_the_exit_code_is_0_only_if_all_is_proved(states: list[State], code: int) -> None:
    tried = Proof(
        "c" * 40, "a CPU", "all 2 variants", [Row(f"v{i}", state) for i, state in enumerate(states)]
    )
    assert tried.code == code
    content = json.loads(tried.text())
    assert (content["proved"], content["of"]) == (states.count("proved"), len(states))
    assert content["cpu"] == "a CPU"
    assert content["scope"] == "all 2 variants"
    assert content["commit"] == "c" * 40
    assert [row["state"] for row in content["rows"]] == states


def test_nothing_of_a_branch_repaints_the_terminal() -> None:
    out = io.StringIO()
    rows = [Row("[red]a[/red]", "differs", "[link=https://example.org]x[/] \x1b[2J\x1b]0;t\x07")]
    table.show(
        Proof("c" * 40, "a CPU", "all 2 variants", rows),
        Console(file=out, width=200, force_terminal=False),
    )
    assert "[red]a[/red]" in out.getvalue()
    assert "[link=https://example.org]x[/]" in out.getvalue()
    assert not {"\x1b", "\x07"} & set(out.getvalue())
