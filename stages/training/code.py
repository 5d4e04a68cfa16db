"""Digests of the code of a training, without comments and docstrings: those cannot change a bit."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path

STAGES = Path(__file__).parents[1]


def digests() -> dict[str, str]:
    """Return the SHA-256 of what the program and each module of this folder compute (`computing`),
    by path in `stages/`."""
    paths = [STAGES / "train.py", *sorted(STAGES.glob("training/*.py"))]
    return {
        path.relative_to(STAGES).as_posix(): digest(path.read_text(encoding="utf-8"))
        for path in paths
    }


@cache  # a training asks three times, and nearly always for the same texts
def digest(source: str) -> str:
    """Return the SHA-256 of what a module computes."""
    return hashlib.sha256(computing(source).encode()).hexdigest()


def computing(source: str) -> str:
    """Return the lines of a module without comments, docstrings and blank lines.

    It edits the text instead of printing the tree: `ast` prints differently in each Python version.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            end = first.end_lineno or first.lineno
            lines[first.lineno - 1 : end] = [""] * (end - first.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())
