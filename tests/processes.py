"""Programs that tests start: a port for them, and waiting for what they do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(
    condition: Callable[[], object], seconds: float = 180, complaint: str = "it takes too long"
) -> None:
    """Wait for a condition; fail with the complaint after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, complaint
        time.sleep(0.02)
