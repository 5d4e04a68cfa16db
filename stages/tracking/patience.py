"""Calls to a store that may be away: a training waits for it some seconds in all, and no longer.

MLflow's own timeouts bound a request, not a call: one of its methods may send several requests,
retry each, upload files in threads of its own, or wait in SQLite for a lock. So the calls run one
after the other in a thread beside; when one takes too long, that thread is left behind, and the
training goes on. It is a daemon: it does not keep a finished process either. As signals reach the
main thread alone, Ctrl-C cuts none of these calls in half.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

SECONDS = 8.0  # that are lost at most, so that it is under 10 with all that comes with it
USUAL = 1.0  # a call that takes less costs no patience


class Patience:
    """A thread for calls, and how long it may still keep the caller waiting."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.left = seconds
        self.waiting: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.work, daemon=True, name="mlflow")
        self.thread.start()

    def work(self) -> None:
        """Make the calls in the order in which they come."""
        while True:
            future, action = self.waiting.get()
            try:
                future.set_result(action())
            except BaseException as error:
                future.set_exception(error)

    def call(self, action: Callable[[], Any]) -> Any:
        """What `action` returns or raises.

        Raises:
            TimeoutError: it takes longer than there is patience left; it may still end some time.
        """
        future: Future[Any] = Future()
        self.waiting.put((future, action))
        begin = time.perf_counter()
        try:
            return future.result(timeout=self.left + USUAL)
        except TimeoutError:
            if future.done():  # the action's own
                raise
            raise TimeoutError(f"no answer within {self.left + USUAL:.0f} s") from None
        finally:
            self.left -= max(0.0, time.perf_counter() - begin - USUAL)
