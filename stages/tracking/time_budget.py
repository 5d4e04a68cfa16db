"""Limit the time of calls to the store, whatever the store does.

No setting of MLflow limits a call: it retries requests and connections, SQLite waits 20 s for a
lock, and a host name lookup has no time limit. So a call runs in a thread, which is abandoned when
time is up. It is a daemon thread, for which Python does not wait at exit, and its client makes no
further calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")

SECONDS = 5.0  # for all calls together
USUAL = 1.0  # seconds that a request may take for free: 0.01 nearby, 0.3 from another continent
REQUESTS = {  # that a call makes, if more than one; large files count as several
    "open_store": 4,
    "log_image": 4,
    "log_text": 2,
    "log_artifact": 4,
    "log_model_artifact": 4,
}
LOGGERS = ("mlflow", "urllib3", "alembic", "sqlalchemy")


class OutOfTime(Exception):
    """The store did not answer in time, or an earlier call to it did not."""


class TimeBudget:
    """The time that a program has for the store. A call is charged for what exceeds its usual time.

    Many slow calls that succeed cost no more in total than one that never ends: `seconds`, plus
    `USUAL` for each request. Time between calls is not charged: the store does not cause it.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.left = SECONDS if seconds is None else seconds
        self.over = False

    def call(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Return what `function` returns, or raise what it raises.

        Raises:
            OutOfTime: the call took too long and may still be running, or an earlier one did.
        """
        if self.over:
            raise OutOfTime("an earlier call was given up")
        answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def work() -> None:
            try:
                answers.put((function(*args, **kwargs), None))
            except BaseException as error:
                answers.put((None, error))

        quiet()
        usual = USUAL * REQUESTS.get(getattr(function, "__name__", ""), 1)
        begin = time.perf_counter()
        Thread(target=work, daemon=True).start()
        try:
            result, error = answers.get(timeout=self.left + usual)
        except Empty:
            self.over = True
            waited = time.perf_counter() - begin
            raise OutOfTime(f"no answer within {waited:.0f} s") from None
        finally:
            self.left = max(0.0, self.left - max(0.0, time.perf_counter() - begin - usual))
        if error:
            raise error
        return result  # type: ignore[no-any-return]

    def guarded(self, client: Any) -> Any:
        """Return the store's client, with all its calls made through `call`."""
        return Guarded(client, self)


class Guarded:
    """Passes calls on to `client` while the budget lasts."""

    def __init__(self, client: Any, budget: TimeBudget) -> None:
        self._client, self._budget = client, budget

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(self._budget.call, found) if callable(found) else found


def quiet() -> None:
    """Keep the libraries' own warnings and tracebacks off the screen: the caller reports it once.

    This runs before each call, because MLflow sets its log level when it is imported.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
