"""The files of an output by its hash: from DVC's cache, or pulled from its remote.

The cache is read as DVC documents it (`files/md5/<first two digits>/<the rest>`): opening a
revision through DVC takes a second, and there may be many.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cached_property
from pathlib import Path

from stages.errors import UserError
from stages.tracking.reasons import reason

Files = dict[str, Path]  # by their path within the output


class Cache:
    """DVC's cache of this project, wherever its configuration puts it."""

    @cached_property
    def root(self) -> Path:
        """Its folder; asking DVC for it takes some time, so only when it is needed."""
        command = [sys.executable, "-m", "dvc", "cache", "dir"]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            raise UserError(f"dvc cache dir: {found.stderr.strip() or 'failed'}; mend .dvc/config")
        return Path(found.stdout.strip())

    def file(self, md5: str) -> Path:
        """Where the content with this hash is, if it is there."""
        return self.root / "files/md5" / md5[:2] / md5[2:]

    def folder(self, md5: str) -> Files | None:
        """The files of a folder; None unless every one of them is there."""
        try:
            listed = json.loads(self.file(md5).read_bytes())
        except (OSError, ValueError):
            return None
        files = {entry["relpath"]: self.file(entry["md5"]) for entry in listed}
        return files if all(path.exists() for path in files.values()) else None


def pull(sha: str, folder: str, into: Path) -> Files:
    """Copy an output of a revision from DVC's remote; what is in the cache is taken from there.

    Raises:
        UserError: the remote has it not, or cannot be reached, or there is none.
    """
    from dvc.api import DVCFileSystem

    target = into / sha / folder
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            DVCFileSystem(rev=sha).get(folder, str(target), recursive=True)
        except Exception as error:  # each kind of remote has its own
            why = f"not to be had from DVC's remote ({reason(error)})"
            raise UserError(why) from None
    return {str(path.relative_to(target)): path for path in target.rglob("*") if path.is_file()}


def has_remote() -> bool:
    """Whether DVC has a default remote to pull from."""
    command = [sys.executable, "-m", "dvc", "config", "core.remote"]
    return bool(subprocess.run(command, capture_output=True).stdout.strip())
