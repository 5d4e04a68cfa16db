"""What ends a training that a signal could not end."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from stages.core.errors import run
from stages.tracking.listener import Listeners

class Freed:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))

def main(_: str):
    Freed()
    print("goes on")
    Listeners().epoch_ends({}, 0.0)
    print("for ever")

run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_python_drops_ends_a_training_after_the_epoch(number: signal.Signals) -> None:
    """As any that comes while it frees an object."""
    command = [sys.executable, "-c", PROGRAM, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "Exception ignored in" in done.stderr
    assert (done.stdout, done.returncode) == ("goes on\n", 128 + number)
