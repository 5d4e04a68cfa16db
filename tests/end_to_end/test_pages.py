"""The links of a comparison open the right page of MLflow, in a real browser."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator

import pytest

from tests.project import Project
from tests.screenshot import Browser, free_port, started

NEEDED = ("chromium", "chromedriver")


@pytest.fixture(scope="module")
def reproduced(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with a store of its own: what happens to it here is not for other modules' tests."""
    return reproduced.copy(tmp_path_factory.mktemp("copy") / "project")


@pytest.fixture
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
    for _ in range(40):
        text = str(browser.run("return document.body.innerText"))
        if expected in text:
            return text
        time.sleep(0.5)
    raise AssertionError(f"{url} does not say {expected!r} but:\n{text}")


def test_links_lead_to_the_runs_of_both_sides_and_to_mlflows_compare_page(
    project: Project, browser: Browser
) -> None:
    project.ok("python", "-m", "stages.cli", "sync")
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.07
    project.ok("dvc", "repro", "train@sgd-0.0")
    project.ok("dvc", "repro", "--single-item", "evaluate")
    report = project.root / "report.json"
    project.ok("python", "-m", "stages.cli", "compare", "HEAD", "--json", str(report))
    rows = json.loads(report.read_text())["rows"]
    pages = next(row["pages"] for row in rows if row["variant"] == "sgd-0.0")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    here = {name: url.replace("http://127.0.0.1:5000", address) for name, url in pages.items()}
    ui = ("python", "-m", "stages.cli", "ui", "--port", str(port))
    with started(*ui, answers=address, cwd=project.root, env=project.env()):
        assert "Comparing 2 Runs" in text_of(browser, here["both"], "Comparing 2 Runs")
        for name, rate in (("base", "0.01"), ("head", "0.07")):
            text = text_of(browser, here[name], "optimizer.learning_rate")
            assert "sgd-0.0" in text
            assert rate in text.split("optimizer.learning_rate")[1].split()[0]
