"""A program ends through every `finally`, whoever ends it, and what a person did is a sentence."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

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
