"""A process that writes a run is alive, or it is gone, or nothing is known: `tracking.liveness`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from stages.tracking import liveness
from tests.processes import until

PROGRAM = "from stages.tracking.liveness import tags; import json; print(json.dumps(tags()))"
WAITS = f"{PROGRAM[:-1]}, flush=True); input()"


@pytest.fixture
def dead() -> dict[str, str]:
    """The tags of a process of this machine that has ended."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    return dict(json.loads(done.stdout))


def test_a_live_process_is_alive_and_one_that_ended_is_gone(dead: dict[str, str]) -> None:
    assert liveness.state(liveness.tags()) == "alive"
    assert liveness.state(dead) == "gone"


def test_a_number_that_another_process_has_by_now_is_gone(dead: dict[str, str]) -> None:
    assert liveness.state(dead | {"pid": liveness.tags()["pid"]}) == "gone"


def test_a_process_that_nobody_has_waited_for_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = json.loads(process.stdout.read())
        until(lambda: liveness.state(found) == "gone")


@pytest.mark.parametrize("change", [
    {"host": "another"}, {"host": ""},
])  # fmt: skip
def test_a_name_decides_nothing(dead: dict[str, str], change: dict[str, str]) -> None:
    assert liveness.state(liveness.tags() | change) == "alive"
    assert liveness.state(dead | change) == "gone"


@pytest.mark.parametrize("change", [
    {"boot": "0" * 36}, {"boot": ""}, {"pid_namespace": "1"}, {"pid_namespace": ""},
    {"pid": "none"}, {"pid": "-1"}, {"pid": "0"}, {"pid": "\u0663"}, {"pid": "9" * 30},
    {"pid_started": ""},
])  # fmt: skip
def test_of_other_boots_and_namespaces_and_of_tags_that_do_not_tell_nothing_is_known(
    dead: dict[str, str], change: dict[str, str]
) -> None:
    assert liveness.state(dead | change) == "unknown"


def test_what_an_earlier_version_recorded_by_the_clock_is_unknown(dead: dict[str, str]) -> None:
    old = {"host": dead["host"], "pid": dead["pid"], "pid_started": "1000000000.00"}
    assert liveness.state(old) == liveness.state({}) == "unknown"


UNSHARED = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]


@pytest.mark.parametrize("proc", [["--mount-proc"], []])
def test_of_a_process_in_a_container_nothing_is_known_outside(proc: list[str]) -> None:
    command = [*UNSHARED, *proc]
    if (
        not shutil.which("unshare")
        or subprocess.run([*command, "true"], capture_output=True).returncode
    ):
        pytest.skip("no namespaces for this user here")
    with subprocess.Popen(
        [*command, sys.executable, "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdin
        found = json.loads(process.stdout.readline())
        assert found["pid"] == "1"
        assert liveness.state(found) == "unknown"
        process.stdin.close()
    assert liveness.state(found) == "unknown"
    assert os.getpid() != 1
