"""git in tests."""

from __future__ import annotations

import subprocess


def git(*arguments: str) -> str:
    """What git prints in the current folder; it must succeed."""
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
