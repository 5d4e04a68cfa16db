"""A program that the server of `tests.preloaded` runs behaves as one that is started."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests import preloaded
from tests.processes import until

# A program of the name `stages.say`, in a folder that is none of this project
SAY = """
import os, signal, sys, time
print(os.getcwd(), sys.argv[1:], os.environ.get("WORD"), flush=True)
print("to stderr", file=sys.stderr, flush=True)
if sys.argv[1] == "wait":
    time.sleep(600)
if sys.argv[1] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/say.py").write_text(SAY)
    return tmp_path


def start(folder: Path, word: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["python", "-m", "stages.say", word], cwd=folder, env=preloaded.env() | env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(("word", "code"), [("0", 0), ("3", 3), ("die", -signal.SIGKILL)])
def test_folder_words_environment_streams_and_exit_code_are_its_own(
    folder: Path, word: str, code: int
) -> None:
    process = start(folder, word, WORD="there")
    said, errors = process.communicate(timeout=300)
    assert said == f"{folder} ['{word}'] there\n"
    assert errors == "to stderr\n"
    assert process.returncode == code


def running(folder: Path) -> list[psutil.Process]:
    """The programs that work in a folder, but for their clients."""
    found = []
    for process in psutil.process_iter():
        try:
            here = process.cwd() == str(folder) and "stages.say" not in process.cmdline()
        except psutil.Error:
            continue
        found += [process] if here else []
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_to_it_ends_the_program(folder: Path, number: signal.Signals) -> None:
    process = start(folder, "wait")
    assert process.stdout
    process.stdout.readline()
    assert len(running(folder)) == 1
    process.send_signal(number)
    process.communicate(timeout=300)
    assert process.returncode == -number
    until(lambda: not running(folder))


def test_nothing_of_this_project_is_imported_before(folder: Path) -> None:
    (folder / "stages/say.py").write_text("import stages, sys; print(stages.__path__, sys.path[0])")
    said, _ = start(folder, "").communicate(timeout=300)
    assert said == f"_NamespacePath(['{folder / 'stages'}']) {folder}\n"


def test_it_finds_imported_what_takes_seconds_to_import(folder: Path) -> None:
    (folder / "stages/say.py").write_text(
        "import sys; print(sorted({'dvc', 'mlflow', 'tensorflow'} & sys.modules.keys()))"
    )
    said, _ = start(folder, "").communicate(timeout=300)
    assert said == "['dvc', 'mlflow', 'tensorflow']\n"
