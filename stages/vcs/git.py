"""git, asked in one place; no argument reaches a shell."""

from __future__ import annotations

import subprocess
from pathlib import Path


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run git, whatever its exit code."""
    return subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def git(*arguments: str, cwd: Path | None = None) -> str:
    """What git prints, or nothing where there is no git, no repository or no such thing."""
    try:
        result = run(*arguments, cwd=cwd)
    except FileNotFoundError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
