"""Pictures of MLflow's pages for the README: `python -m benchmarks.screenshot main elu`, with
the branches to show.

Needs chromium and chromedriver (Debian: `apt install chromium-driver`), which it speaks to in
plain WebDriver, W3C 2018.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.processes import free_port

TABLE, BRANCHES = Path("docs/mlflow.png"), Path("docs/branches.png")

CLICKS = (  # as XPath
    "//button[contains(., 'Group by')]",
    "//*[@role='menuitemcheckbox'][. = 'live_on']",
    "//label[.//input[@value='CHART']]",
)
SEARCH = "//input[@data-testid='search-box']"
ASSISTANT = '[data-component-id="mlflow.assistant.chat_panel.close"]'
BANNER = '[data-component-id="mlflow.experiment_page.shared_view.dismiss"]'
ALL, ENTER = "\ue009a\ue000", "\ue007"  # Ctrl-A and the key, in WebDriver's words


@contextmanager
def started(*command: str, answers: str, **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A server, as soon as it answers at a URL; it ends with the block."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how)
    try:
        for _ in range(300):
            try:
                requests.get(answers, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        else:
            raise TimeoutError(f"{answers} does not answer")
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


class Browser:
    """A headless Chromium behind a chromedriver."""

    def __init__(self, driver: str, profile: str, width: int, height: int) -> None:
        arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--no-first-run", f"--user-data-dir={profile}", f"--window-size={width},{height}",
            # There is a mouse: without one, charts show their buttons all the time.
            "--blink-settings=primaryHoverType=2,availableHoverTypes=2,"
            "primaryPointerType=4,availablePointerTypes=4",
        ]  # fmt: skip
        wanted: dict[str, Any] = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
        }
        body: Any = {"capabilities": {"alwaysMatch": wanted}}
        reply = requests.post(f"{driver}/session", json=body, timeout=60).json()
        self.session = f"{driver}/session/{reply['value']['sessionId']}"

    def open(self, url: str, seconds: float) -> None:
        """Go to a page and give its scripts time to draw."""
        requests.post(f"{self.session}/url", json={"url": url}, timeout=60).raise_for_status()
        time.sleep(seconds)

    def run(self, script: str) -> object:
        """What a piece of JavaScript returns."""
        body = {"script": script, "args": []}
        reply = requests.post(f"{self.session}/execute/sync", json=body, timeout=60)
        return reply.json()["value"]

    def element(self, path: str) -> str:
        """The address of the first thing that an XPath names, as soon as it is on the page."""
        body = {"using": "xpath", "value": path}
        for _ in range(40):
            found = requests.post(f"{self.session}/element", json=body, timeout=60).json()["value"]
            if "error" not in found:
                return f"{self.session}/element/{next(iter(found.values()))}"
            time.sleep(0.5)
        raise LookupError(f"{path}: {found['message']}")

    def click(self, path: str) -> None:
        """Click on something, as a person would."""
        requests.post(f"{self.element(path)}/click", json={}, timeout=60).raise_for_status()

    def enter(self, path: str, text: str) -> None:
        """Type a text into a field, in place of what stands there, and press Enter."""
        body = {"text": ALL + text + ENTER}
        requests.post(f"{self.element(path)}/value", json=body, timeout=60).raise_for_status()

    def picture(self) -> bytes:
        """What is to be seen, as PNG."""
        reply = requests.get(f"{self.session}/screenshot", timeout=60).json()
        return base64.b64decode(reply["value"])

    def close(self) -> None:
        """End the browser."""
        requests.delete(self.session, timeout=60)


def side_by_side(browser: Browser, variant: str) -> str:
    """One filter string and three clicks, as the README says; the filter string."""
    text = f"tags.variant = '{variant}' AND tags.live_on != ''"
    browser.enter(SEARCH, text)
    for place in CLICKS:
        time.sleep(2)
        browser.click(place)
    return text


def main() -> None:
    """Take the pictures."""
    page, driver = free_port(), free_port()
    address, remote = f"http://127.0.0.1:{page}", f"http://127.0.0.1:{driver}"
    program = str(Path(sys.executable).parent / "branchmark")
    subprocess.run([program, "sync", *sys.argv[1:]], check=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        started(program, "ui", "--port", str(page), answers=address) as ui,
        started("chromedriver", f"--port={driver}", answers=f"{remote}/status"),
    ):
        assert ui.stdout is not None
        runs = ui.stdout.readline().split()[1]
        browser = Browser(remote, profile, 1900, 1300)
        for picture in (TABLE, BRANCHES):
            browser.open(runs, 15)
            for clutter in (ASSISTANT, BANNER):
                browser.run(f"document.querySelector('{clutter}')?.click()")
            if picture is BRANCHES:
                side_by_side(browser, "adam-0.0")
            time.sleep(5)
            picture.write_bytes(browser.picture())
            print(f"{picture}: written")
        browser.close()


if __name__ == "__main__":
    main()
