"""A program ends through every `finally`, whoever ends it, and what a person did is a sentence."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import stages
from tests.processes import until

PROGRAM = """
import os, sys, time
from stages.core.errors import UserError, run
def main():
    if len(sys.argv) > 1:
        raise UserError("params.yaml: mend it")
    try:
        print("begun", flush=True)
        time.sleep(30)
    finally:
        print("cleaned up")
sys.argv = sys.argv[:1]
run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_program_that_is_told_to_end_cleans_up(number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    rest, _ = process.communicate(timeout=120)
    assert rest == "cleaned up\n"
    assert process.returncode == 128 + number


def test_under_nohup_the_end_of_the_terminal_is_no_end() -> None:
    program = f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{PROGRAM}".replace(
        "time.sleep(30)", "os.kill(os.getpid(), signal.SIGHUP)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "begun\ncleaned up\n"
    assert done.returncode == 0


@pytest.mark.parametrize("kind", ["UserError", "ValueError"])
def test_no_error_shows_a_credential_not_even_that_of_a_bug(kind: str) -> None:
    program = PROGRAM.replace("sys.argv = sys.argv[:1]", "").replace("UserError(", f"{kind}(")
    program = program.replace("params.yaml: mend it", "no http://me:s3cret@host/x")
    command = [sys.executable, "-c", program.replace("main():", "main(_: str):"), "once"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("no http://***@host/x\n")
    assert "s3cret" not in done.stderr
    assert ("Traceback" in done.stderr) == (kind == "ValueError")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_is_written_at_once_so_that_no_other_process_writes_into_it(unbuffered: str) -> None:
    """A training and its recorder share an output; make and `branchmark repro` want no buffer."""
    program = """
from stages.core.errors import UserError, run
def main():
    print("seed 1")
    raise UserError("params.yaml: mend it")
run(main)
"""
    reading, writing = os.pipe2(os.O_DIRECT)  # a read gives what one write wrote
    subprocess.run(
        [sys.executable, "-c", program], stdout=writing, stderr=writing,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    os.close(writing)
    written = list(iter(lambda: os.read(reading, 4096), b""))
    os.close(reading)
    assert written == [b"seed 1\n", b"error: params.yaml: mend it\n"]


def test_messages_have_one_way_to_the_screen() -> None:
    """`stages.core.errors.say`, which shows no credential; nothing else writes beside results."""
    code = Path(stages.__file__).parent
    writes = re.compile(r"file=sys\.stderr|sys\.stderr\.write|\berr=True")
    found = [path.name for path in code.rglob("*.py") if writes.search(path.read_text("utf-8"))]
    assert found == ["errors.py"]


STAGE = """
import subprocess, sys
code = "import time; from stages.core.errors import run\\n"
code += "def main(): print('begun', flush=True); time.sleep(60)\\n"
code += "run(main)"
subprocess.run([sys.executable, "-c", code])
"""


def test_a_stage_ends_with_the_dvc_that_runs_it_and_another_program_does_not() -> None:
    for stage in (True, False):
        env = {k: v for k, v in os.environ.items() if k != "DVC_STAGE"}
        env |= {"DVC_STAGE": "x"} if stage else {}
        with subprocess.Popen(
            [sys.executable, "-c", STAGE], env=env, stdout=subprocess.PIPE, text=True
        ) as dvc:
            assert dvc.stdout
            dvc.stdout.readline()
            (program,) = psutil.Process(dvc.pid).children()
            dvc.kill()
        if stage:
            until(lambda program=program: not program.is_running(), 5)  # type: ignore[misc]
        else:
            time.sleep(2)
            assert program.is_running()
            program.kill()
