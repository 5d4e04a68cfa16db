"""DVC commands in processes that have imported DVC already: as if each had been started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

from stages.repro.local import PreloadedDvc
from stages.vcs import dvc as vcs
from tests.processes import until

PIPELINE = """
stages:
  env:
    cmd: 'echo $DVC_STAGE $BRANCHMARK_FORCE; pwd; python -c "import sys; print(sys.executable)"'
  fails: {cmd: 'echo no >&2; exit 7'}
  sleeps: {cmd: 'touch begun; sleep 60'}
  interrupted:
    cmd: 'trap "touch interrupted; exit 1" INT; touch begun; while :; do sleep 0.1; done'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC repository without git, entered; no virtual environment is activated."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    Path("dvc.yaml").write_text(PIPELINE)
    return tmp_path


@pytest.fixture
def dvc(folder: Path) -> Iterator[PreloadedDvc]:
    started = PreloadedDvc(force=True)
    yield started
    started.stop()


def test_each_command_has_its_own_log_exit_code_and_environment(
    dvc: PreloadedDvc, folder: Path
) -> None:
    for _ in range(2):  # one after the other, in the same process
        code, log = dvc.reproduce(["env"], [], Path("logs/env.log"))
        assert code == 0, log
        # `python` is this environment's, though it is not activated
        expected = ["env 1", str(folder), str(Path(sys.executable))]
        assert [line for line in log.splitlines() if line in expected] == expected
    code, log = dvc.reproduce(["fails"], [], Path("logs/fails.log"))
    assert code
    assert "no\n" in log
    assert "exited with 7" in log
    assert len(dvc.started) == 1
    assert vcs.FORCE not in os.environ


def test_when_it_is_stopped_commands_end_as_by_ctrl_c_and_none_begins(dvc: PreloadedDvc) -> None:
    ended: list[tuple[int, str]] = []
    runs = Thread(target=lambda: ended.append(dvc.reproduce(["interrupted"], [], Path("log"))))
    runs.start()
    until(Path("begun").exists)
    below = psutil.Process(dvc.started[0].pid).children(recursive=True)
    dvc.stop()
    runs.join(30)
    assert ended[0][0]
    assert Path("interrupted").exists()
    assert not [each for each in below if each.is_running()]
    assert dvc.reproduce(["env"], [], Path("log"))[0] == -signal.SIGTERM


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from stages.repro.local import PreloadedDvc
PreloadedDvc().reproduce(["sleeps"], [], Path("log"))
"""


def test_where_the_program_is_killed_what_it_runs_ends_too(folder: Path, root: Path) -> None:
    os.chdir(folder)
    program = subprocess.Popen([sys.executable, "-c", KILLED, str(root)])
    until(Path("begun").exists)
    below = psutil.Process(program.pid).children(recursive=True)
    assert len(below) > 2  # the process that imported DVC, its fork, the stage
    program.kill()
    program.wait()
    until(lambda: not [each for each in below if each.is_running()])


@pytest.mark.parametrize("which", [0, 1])
def test_where_one_of_its_processes_is_killed_those_below_clean_up_and_end(
    dvc: PreloadedDvc, which: int
) -> None:
    """The one that imported DVC, or its fork that runs `dvc repro`."""
    ended: list[tuple[int, str]] = []
    runs = Thread(target=lambda: ended.append(dvc.reproduce(["interrupted"], [], Path("log"))))
    runs.start()
    until(Path("begun").exists)
    first = psutil.Process(dvc.started[0].pid)
    processes = [first, *first.children(recursive=True)]
    processes[which].kill()
    runs.join(30)
    assert ended[0][0]
    until(lambda: not [each for each in processes[which + 1 :] if each.is_running()])
    assert Path("interrupted").exists()
    assert dvc.reproduce(["env"], [], Path("log"))[0] == 0  # it has left no lock


def test_a_process_that_somebody_killed_is_a_stage_that_failed(dvc: PreloadedDvc) -> None:
    assert dvc.reproduce(["env"], [], Path("log"))[0] == 0
    dvc.started[0].kill()
    code, log = dvc.reproduce(["env"], [], Path("log"))
    assert code
    assert log.endswith("was it killed?")
    assert dvc.reproduce(["env"], [], Path("log"))[0] == 0  # in a new one
