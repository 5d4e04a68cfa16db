"""Calls to the store that end in time, whatever the store does.

No setting of MLflow bounds a call: requests and connections are retried, SQLite waits 20 s for a
lock, and looking up a host's name has no limit. So a call runs in a thread, which is left behind
when the time is up: it is a daemon, for which Python does not wait when the process ends, and no
further call is made by the client that it was made by.
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

SECONDS = 5.0  # in all
USUAL = 1.0  # what a request may take at no charge: 0.01 s nearby, 0.3 s from another continent
REQUESTS = {  # that a call makes, where it is more than one; a file counts for what it weighs
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
    """The time that a program has for the store: every call draws on it by what it takes too long.

    Slow calls that succeed one after the other cost no more in all than one that never ends:
    `seconds`, and `USUAL` for each request. What a program does between two calls is no fault of
    the store.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.left = SECONDS if seconds is None else seconds
        self.over = False

    def call(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Return what `function` returns, or raise what it raises.

        Raises:
            OutOfTime: it took too long, and may still be under way; or an earlier one did.
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
        """Return a client of the store whose calls are all made by `call`."""
        return Guarded(client, self)


class Guarded:
    """`client`, as long as the budget lasts."""

    def __init__(self, client: Any, budget: TimeBudget) -> None:
        self._client, self._budget = client, budget

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return partial(self._budget.call, found) if callable(found) else found


def quiet() -> None:
    """Keep the libraries' own warnings and tracebacks off the screen: the caller says it once.

    Before each call, because MLflow sets its level when it is imported.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
