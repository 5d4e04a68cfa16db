"""Hash folders as DVC does: by the MD5 of the list of their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from stages.core.untrusted import Refused
from stages.vcs.cache import Cache, entries


def listing(folder: Path) -> dict[str, str]:
    """Return the MD5 of every file in a folder, by its relative path."""
    return {
        path.relative_to(folder).as_posix(): md5(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def digest(files: Mapping[str, str]) -> str:
    """Return the hash that `dvc.lock` records for a folder with these files (MD5 by path)."""
    entries = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return f"{md5(json.dumps(entries).encode())}.dir"


def cached(digest: str) -> dict[str, str]:
    """Return the MD5 by path of a folder's files; empty if DVC's cache does not have the list."""
    path = Cache().file(digest)
    try:
        return entries(path.read_bytes(), digest) if path else {}
    except (OSError, Refused):
        return {}


def md5(content: bytes) -> str:
    """Return the MD5 of bytes. As in DVC, it is a name and protects nothing."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
