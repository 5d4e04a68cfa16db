"""Calls to the store that end in time, whatever the store does.

No setting of MLflow bounds a call: requests and connections are retried, SQLite waits 20 s for a
lock, a model is sent file by file, each with a timeout of its own, and looking up a host's name
has none. So a call runs in a thread, which is left behind when the time is up: it is a
daemon, for which Python does not wait when the process ends, and the client that it holds refuses
every further call, so that nothing is written after the fact by one that wakes up late.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")

SECONDS = 8.0  # in all
USUAL = 0.5  # what a call may take at no charge; a healthy store takes 0.01 to 0.3 s
LOGGERS = ("mlflow", "urllib3", "alembic", "sqlalchemy")


class OutOfTime(Exception):
    """The store did not answer in time, or an earlier call to it did not."""


class TimeBudget:
    """The time that a program has for the store: every call draws on it by what it takes too long.

    Slow calls that succeed one after the other cost no more in all than one that never ends:
    `SECONDS`, and `USUAL` for each call.
    """

    def __init__(self) -> None:
        self.left = SECONDS
        self.over = False

    def call(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """What `function` returns or raises.

        Raises:
            OutOfTime: it took too long; it may still be under way.
        """
        answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def work() -> None:
            try:
                answers.put((function(*args, **kwargs), None))
            except BaseException as error:
                answers.put((None, error))

        quiet()
        begin = time.perf_counter()
        Thread(target=work, daemon=True).start()
        try:
            result, error = answers.get(timeout=self.left + USUAL)
        except Empty:
            self.over = True
            waited = time.perf_counter() - begin
            raise OutOfTime(f"no answer within {waited:.0f} s") from None
        finally:
            self.left = max(0.0, self.left - max(0.0, time.perf_counter() - begin - USUAL))
        if error:
            raise error
        return result  # type: ignore[no-any-return]

    def guarded(self, client: Any) -> Any:
        """A client of the store that refuses to be called when the time is up."""
        return Guarded(client, self)


class Guarded:
    """`client`, as long as the budget lasts."""

    def __init__(self, client: Any, budget: TimeBudget) -> None:
        self._client, self._budget = client, budget

    def __getattr__(self, name: str) -> Any:
        if self._budget.over:
            raise OutOfTime("an earlier call was given up")
        return getattr(self._client, name)


def quiet() -> None:
    """Keep the libraries' own warnings and tracebacks off the screen: the caller says it once.

    Before each call, because MLflow sets its level when it is imported.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
