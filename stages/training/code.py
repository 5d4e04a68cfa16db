"""Digests of this folder's code, without comments and docstrings: those cannot change a bit."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path

FOLDER = Path(__file__).parent


def digests() -> dict[str, str]:
    """Return the SHA-256 of what each module computes (`computing`), by file name."""
    return {
        path.name: hashlib.sha256(computing(path.read_text(encoding="utf-8")).encode()).hexdigest()
        for path in sorted(FOLDER.glob("*.py"))
    }


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
