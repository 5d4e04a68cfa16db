"""Summarize in one line of a report what `branchmark verify` proved about the head."""

from __future__ import annotations

import json
from pathlib import Path

from stages.core.errors import UserError


def line(path: Path, commit: str) -> str:
    """Return what was proved, or that the proof does not apply to `commit`.

    Raises:
        UserError: the file is missing or is not a proof.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        proved, of = int(content["proved"]), int(content["of"])
        cpu, proven = str(content["cpu"]), str(content["commit"])
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `branchmark verify --json {path}` writes it"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a proof written by `branchmark verify` ({error!r})") from None
    if not commit or proven != commit:
        head = commit[:7] or "the working tree"
        return f"nothing is proved of {head}: the proof is of another commit ({proven[:7]})"
    if proved < of:
        return f"{of - proved} of {of} changed numbers NOT proved on an {cpu}"
    return f"{proved} of {of} changed numbers proved on an {cpu}"
