"""A process that writes a run is gone, or it is not, or nothing is known: `tracking.liveness`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stages.tracking import liveness


@pytest.fixture
def dead() -> dict[str, str]:
    """The tags of a process of this host that has ended."""
    program = "from stages.tracking.liveness import tags; import json; print(json.dumps(tags()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    import json

    return dict(json.loads(done.stdout))


def test_a_live_process_is_not_gone_and_one_that_ended_is(dead: dict[str, str]) -> None:
    assert not liveness.gone(liveness.tags())
    assert liveness.gone(dead)


def test_a_number_that_another_process_has_by_now_is_gone(dead: dict[str, str]) -> None:
    assert liveness.gone(dead | {"pid": liveness.tags()["pid"]})


def test_a_machine_that_was_down_since_has_none_of_its_processes_left() -> None:
    boot, *rest = liveness.tags()["pid_started"].split()
    if not rest:
        pytest.skip("only Linux names its boots")
    before = " ".join(["0" * len(boot), *rest])
    assert liveness.gone(liveness.tags() | {"pid_started": before})


def test_of_other_hosts_containers_and_runs_that_name_no_process_nothing_is_known(
    dead: dict[str, str],
) -> None:
    assert not liveness.gone(dead | {"host": "another"})
    assert not liveness.gone({})
    assert not liveness.gone(dead | {"pid": "none"})
    boot, *rest = dead["pid_started"].split()
    if rest:
        other = " ".join([boot, "1", rest[-1]])
        assert not liveness.gone(dead | {"pid_started": other})


def test_what_an_earlier_version_recorded_is_still_understood() -> None:
    assert liveness.gone(liveness.tags() | {"pid_started": "1000000000.00"})
