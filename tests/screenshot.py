"""`python -m tests.screenshot`: MLflow's chart view of this project, for the README.

Needs chromium and chromedriver (Debian: `apt install chromium-driver`), which it speaks to in
plain WebDriver, W3C 2018.
"""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

PICTURE = Path("docs/mlflow.png")
ASSISTANT = '[data-component-id="mlflow.assistant.chat_panel.close"]'


def free_port() -> int:
    """A port on this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


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

    def picture(self) -> bytes:
        """What is to be seen, as PNG."""
        reply = requests.get(f"{self.session}/screenshot", timeout=60).json()
        return base64.b64decode(reply["value"])

    def close(self) -> None:
        """End the browser."""
        requests.delete(self.session, timeout=60)


def main() -> None:
    """Take the picture."""
    page, driver = free_port(), free_port()
    address, remote = f"http://127.0.0.1:{page}", f"http://127.0.0.1:{driver}"
    program = str(Path(sys.executable).parent / "branchmark")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        started(program, "ui", "--port", str(page), answers=address) as ui,
        started("chromedriver", f"--port={driver}", answers=f"{remote}/status"),
    ):
        assert ui.stdout is not None
        lines = [ui.stdout.readline() for _ in range(2)]
        curves = next(line.split()[1] for line in lines if line.startswith("curves:"))
        browser = Browser(remote, profile, 1900, 1300)
        browser.open(curves, 15)
        browser.run(f"document.querySelector('{ASSISTANT}')?.click()")
        time.sleep(3)
        PICTURE.write_bytes(browser.picture())
        browser.close()
    print(f"{PICTURE}: written")


if __name__ == "__main__":
    main()
