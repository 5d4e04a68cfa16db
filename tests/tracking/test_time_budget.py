"""A call to the store ends in time, whatever the store does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from stages.tracking import time_budget
from stages.tracking.time_budget import OutOfTime, TimeBudget


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_budget, "SECONDS", 0.4)
    monkeypatch.setattr(time_budget, "USUAL", 0.1)


def test_a_call_in_time_returns_and_raises_as_without_a_budget() -> None:
    one = TimeBudget()
    assert one.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        one.call(divmod, 7, 0)
    assert one.left == time_budget.SECONDS


def test_a_call_that_never_ends_is_left_behind() -> None:
    begin = time.perf_counter()
    with pytest.raises(OutOfTime, match="no answer within"):
        TimeBudget().call(threading.Event().wait)
    assert time.perf_counter() - begin < 2


def test_slow_calls_cost_no_more_in_all_than_one_that_never_ends() -> None:
    one = TimeBudget()
    begin = time.perf_counter()

    def slow_calls() -> None:
        while True:
            one.call(time.sleep, 0.3)

    with pytest.raises(OutOfTime):
        slow_calls()
    assert time.perf_counter() - begin < 3


def test_calls_as_fast_as_usual_may_go_on_for_ever() -> None:
    one = TimeBudget()
    for _ in range(20):
        one.call(time.sleep, 0.04)


def test_what_a_program_does_between_two_calls_is_no_fault_of_the_store() -> None:
    one = TimeBudget()
    client = one.guarded([])
    client.append(1)
    time.sleep(0.6)
    client.append(2)
    assert one.left == time_budget.SECONDS


def test_a_call_may_take_as_long_as_its_requests() -> None:
    def log_image() -> None:
        time.sleep(0.3)

    one = TimeBudget()
    one.call(log_image)
    assert one.left == time_budget.SECONDS


def test_after_a_call_that_was_left_behind_nothing_is_called_any_more() -> None:
    one = TimeBudget()
    written: list[int] = []
    client = one.guarded(written)
    client.append(1)
    with pytest.raises(OutOfTime):
        one.call(threading.Event().wait)
    with pytest.raises(OutOfTime, match="an earlier call"):
        client.append(2)
    assert written == [1]


def test_a_call_left_behind_does_not_keep_the_process_alive() -> None:
    program = (
        "import threading; from stages.tracking import time_budget; time_budget.SECONDS = 0.1\n"
        "try: time_budget.TimeBudget().call(threading.Event().wait)\n"
        "except time_budget.OutOfTime: print('given up')"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=120, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"given up\n")
