"""Programs that end with the process that started them, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import psutil
import pytest

from stages.repro.children import Children
from tests.processes import until

# A folder, not a file: an interrupt that comes while Python closes a forgotten file is lost
SLEEPS = [sys.executable, "-IS", "-c", "import os, time; os.mkdir('begun'); time.sleep(60)"]
CLEANS = [
    sys.executable, "-IS", "-c",
    "import os, time\ntry:\n os.mkdir('begun'); time.sleep(60)\nfinally: os.mkdir('cleaned')",
]  # fmt: skip
STARTS = """
import signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as what a shell starts with `&`
from stages.repro.children import Children
Children().run(sys.argv[2:], Path("log"))
"""


def test_a_program_has_its_exit_code_output_and_folder(tmp_path: Path) -> None:
    log, code = tmp_path / "log", "import os, sys; print(os.getcwd(), os.environ['A']); sys.exit(7)"
    assert Children().run([sys.executable, "-c", code], log, tmp_path, A="b") == 7
    assert log.read_text() == f"{tmp_path} b\n"


@pytest.mark.parametrize("ignored", [False, True])
def test_what_is_stopped_cleans_up_and_nothing_more_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else before)
    children = Children()
    try:
        runs = Thread(target=children.run, args=(CLEANS, Path("log")))
        runs.start()
        until(Path("begun").exists)
        children.stop()
        runs.join(10)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not runs.is_alive()
    assert Path("cleaned").exists()
    assert children.run(SLEEPS, Path("log")) == 128 + signal.SIGTERM


def test_what_a_killed_process_has_started_cleans_up_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-c", STARTS, str(root), *CLEANS]
    with subprocess.Popen(command) as process:
        until(Path("begun").exists)
        below = psutil.Process(process.pid).children(recursive=True)
        assert len(below) == 2
        process.kill()
    until(lambda: not [each for each in below if each.is_running()], 10)
    assert Path("cleaned").exists()


def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert Children().run(["sh", "-c", "sleep 60 & echo $!"], log) == 0
    until(lambda: not psutil.pid_exists(int(log.read_text())), 5)
    assert os.getpgid(0)
