"""Links and views open the right pages of MLflow, in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.screenshot import Browser, side_by_side, started
from tests.processes import free_port
from tests.project import ROOT, Project

NEEDED = ("chromium", "chromedriver")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed (Debian: apt install chromium-driver)")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        started("chromedriver", f"--port={port}", answers=f"{address}/status"),
    ):
        found = Browser(address, profile, 1600, 1200)
        yield found
        found.close()


def text_of(browser: Browser, url: str, expected: str) -> str:
    """What a page says, as soon as it says what is expected."""
    browser.open(url, 1)
    return text_with(browser, expected)


def text_with(browser: Browser, expected: str) -> str:
    """What the open page says, as soon as it says what is expected."""
    for _ in range(40):
        text = str(browser.run("return document.body.innerText"))
        if expected in text:
            return text
        time.sleep(0.5)
    raise AssertionError(f"the page does not say {expected!r} but:\n{text}")


@pytest.fixture(scope="module")
def branches(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a branch `quick`, on which sgd-0.0 is another than on main; both synced."""
    project = reproduced.copy(tmp_path_factory.mktemp("branches") / "project", store=False)
    project.git("checkout", "--quiet", "-b", "quick")
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.07
    project.ok("dvc", "repro", "train@sgd-0.0")
    project.ok("dvc", "repro", "--single-item", "evaluate")
    project.keep("sgd-0.0", "adam-0.0", "prepare", "fetch")
    project.git("checkout", "--quiet", "main")
    project.keep("sgd-0.0", "adam-0.0", "prepare", "fetch")
    project.ok("python", "-m", "stages.cli", "sync", "main", "quick")
    return project


@pytest.fixture(scope="module")
def links(branches: Project) -> Iterator[dict[str, str]]:
    """`branchmark ui`: the links that it prints, by name."""
    port = free_port()
    command = ("python", "-m", "stages.cli", "ui", "--port", str(port))
    address, where = f"http://127.0.0.1:{port}", {"cwd": branches.root, "env": branches.env()}
    with started(*command, answers=address, **where) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(4)]
        yield {name.rstrip(":"): link for name, link in lines}


def test_links_lead_to_the_runs_of_both_sides_and_to_mlflows_compare_page(
    branches: Project, browser: Browser, links: dict[str, str], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    compare = ("python", "-m", "stages.cli", "compare", "main", "quick")
    branches.ok(*compare, "--json", str(report))
    rows = json.loads(report.read_text())["rows"]
    pages = next(row["pages"] for row in rows if row["variant"] == "sgd-0.0")
    address = links["runs"].partition("/#")[0]
    here = {name: url.replace("http://127.0.0.1:5000", address) for name, url in pages.items()}
    assert "Comparing 2 Runs" in text_of(browser, here["both"], "Comparing 2 Runs")
    for name, rate in (("base", "0.01"), ("head", "0.07")):
        text = text_of(browser, here[name], "optimizer.learning_rate")
        assert "sgd-0.0" in text
        assert rate in text.split("optimizer.learning_rate")[1].split()[0]


def test_the_table_shows_branches_and_folds_seeds_without_configuration(
    browser: Browser, links: dict[str, str]
) -> None:
    text = text_of(browser, links["runs"], "|main|quick|")
    for column in ("live_on", "study", "val_accuracy", "test_accuracy", "best_epoch"):
        assert column in text
    assert len(re.findall(r"^sgd-0\.0$", text, re.MULTILINE)) == 2
    assert {"|main|", "|quick|"} <= set(text.splitlines())
    assert "seed 1" not in text
    text_of(browser, links["seeds"], "|main|quick|")
    browser.click("//*[@role='gridcell'][.//a[. = 'adam-0.0']]//button")
    assert "adam-0.0 seed 1" in text_with(browser, "adam-0.0 seed 2")


def test_one_filter_and_three_clicks_show_two_branches_side_by_side(
    browser: Browser, links: dict[str, str]
) -> None:
    text_of(browser, links["runs"], "|main|quick|")
    filtered = side_by_side(browser, "sgd-0.0")
    text = text_with(browser, "Group: |quick|")
    assert "Group: |main|" in text
    assert "adam-0.0" not in text
    for chart in ("val_accuracy", "val_loss", "loss_gap", "best_epoch"):
        assert chart in text
    legend = text_with(browser, "|quick| (val_loss)")
    assert "|main| (val_loss)" in legend
    assert filtered.replace("sgd-0.0", "adam-0.0") in (ROOT / "docs/mlflow.md").read_text()
    # adam-0.0 is the same on both
    assert "Group: |main|quick|" in text_of(browser, links["branches"], "|main|quick|")


def test_views_that_are_there_are_not_written_again(branches: Project) -> None:
    assert "nothing to do" in branches.ok("python", "-m", "stages.cli", "sync")
