"""The files of an output by its hash: from DVC's cache, or pulled from its remote.

The cache is read as DVC documents it (`files/md5/<first two digits>/<the rest>`): opening a
revision through DVC takes a second, and there may be many.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from stages.core.errors import UserError
from stages.core.redact import reason
from stages.vcs.worktree import project_root

HASH = re.compile(r"[0-9a-f]{32}(\.dir)?")
Files = dict[str, Path]  # by their path within the output


class Cache:
    """DVC's cache of this project, wherever its configuration puts it; in a git work tree of its
    own, where DVC begins with an empty one, that of the main work tree as well."""

    @cached_property
    def roots(self) -> list[Path]:
        """Its folders.

        Raises:
            UserError: DVC cannot read its configuration.
        """
        from dvc.config import Config, ConfigError

        try:
            named = Config(dvc_dir=".dvc")["cache"].get("dir")
        except ConfigError as error:
            raise UserError(f".dvc/config: {reason(error)}; mend it") from None
        return [Path(named or ".dvc/cache"), project_root() / ".dvc/cache"]

    def file(self, md5: str) -> Path | None:
        """Return where the content with this hash is, if it is there; None for no hash."""
        if not re.fullmatch(r"[0-9a-f]{32}(\.dir)?", md5):
            return None
        places = (root / "files/md5" / md5[:2] / md5[2:] for root in self.roots)
        return next((path for path in places if path.is_file()), None)

    def folder(self, md5: str) -> Files | None:
        """Return the files of a folder; None unless every one of them is there."""
        if (listing := self.file(md5)) is None:
            return None
        try:
            entries = {str(e["relpath"]): e["md5"] for e in json.loads(listing.read_bytes())}
            found = {name: self.file(md5) for name, md5 in entries.items() if HASH.fullmatch(md5)}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):  # cut short, or no list
            return None
        files = {name: path for name, path in found.items() if path is not None}
        return files if len(files) == len(entries) else None

    def folders(self) -> Iterator[str]:
        """Go through the hashes of the folders in the cache, the newest first."""
        listings = {
            path.parent.name + path.name: path
            for root in self.roots
            for path in (root / "files/md5").glob("*/*.dir")
        }

        def age(md5: str) -> int:
            try:
                return -listings[md5].stat().st_mtime_ns
            except OSError:  # removed meanwhile
                return 0

        yield from sorted(listings, key=age)


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
            shutil.rmtree(target, ignore_errors=True)
            why = f"not to be had from DVC's remote ({reason(error)})"
            raise UserError(why) from None
    return {str(path.relative_to(target)): path for path in target.rglob("*") if path.is_file()}


def has_remote() -> bool:
    """Whether DVC has a default remote to pull from."""
    command = [sys.executable, "-m", "dvc", "config", "core.remote"]
    return bool(subprocess.run(command, capture_output=True).stdout.strip())
