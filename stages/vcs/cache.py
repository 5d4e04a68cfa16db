"""Find the files of an output by its hash, in DVC's cache or in its remote.

This reads the cache in the layout that DVC documents (`files/md5/<first two digits>/<the rest>`),
because DVC takes a second to open a revision, and there may be many. Others can write to a cache
and a remote, so whatever comes from either is checked against its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from stages.core import untrusted
from stages.core.errors import UserError
from stages.core.redact import reason
from stages.core.untrusted import FOLDER, HASH, PATH, Refused
from stages.vcs.worktree import project_root

Files = dict[str, Path]  # by their path within the output
LARGEST = 2**30  # bytes of a file to pull; the prepared data have 38 MB


class Cache:
    """DVC's cache of this project, wherever its configuration puts it, and that of the main work
    tree, because DVC starts with an empty cache in every other work tree."""

    @cached_property
    def roots(self) -> list[Path]:
        """Return its folders; raise UserError if DVC cannot read its configuration."""
        return [
            Path(config()["cache"].get("dir") or ".dvc/cache"), project_root() / ".dvc/cache",
        ]  # fmt: skip

    def file(self, md5: str) -> Path | None:
        """Return the file with this hash; None if it is missing or the hash is malformed."""
        if not HASH.fullmatch(md5):
            return None
        places = (root / "files/md5" / md5[:2] / md5[2:] for root in self.roots)
        return next((path for path in places if path.is_file()), None)

    def folder(self, md5: str) -> Files | None:
        """Return a folder's files, without checking their contents; None if any is missing."""
        listing = self.file(md5) if FOLDER.fullmatch(md5) else None
        try:
            hashes = entries(listing.read_bytes(), md5) if listing else None
        except (OSError, Refused):  # cut short, or not a list
            return None
        if hashes is None:
            return None
        found = {name: self.file(each) for name, each in hashes.items()}
        files = {name: path for name, path in found.items() if path is not None}
        return files if len(files) == len(hashes) else None

    def folders(self) -> Iterator[str]:
        """Yield the hashes of the folders in the cache, newest first."""
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


def entries(listing: bytes, md5: str) -> dict[str, str]:
    """Return the hashes of a folder's files by their paths in it.

    Raises:
        Refused: this is not a list of files, or not the one with this hash.
    """
    if f"{digest(listing)}.dir" != md5:
        raise Refused("not what its hash says")
    found = {}
    for entry in untrusted.sequence(untrusted.json(listing)):
        file = untrusted.mapping(entry)
        path = untrusted.text(file.get("relpath"), PATH, "path", "relpath")
        found[path] = untrusted.text(file.get("md5"), HASH, "hash of DVC's", path)
    return found


def digest(content: bytes) -> str:
    """Return the MD5 of bytes, which is DVC's name for them."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def whole(path: Path) -> bool:
    """Return whether a file's content matches the hash in its path; raise UserError if it cannot be
    read."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        raise UserError(f"it cannot be read ({reason(error)})") from None
    return found.hexdigest() == path.parent.name + path.name.removesuffix(".dir")


def config() -> Any:
    """Return DVC's configuration, the working tree's and the user's; raise UserError if DVC cannot
    read it."""
    from dvc.config import Config, ConfigError

    try:
        return Config(dvc_dir=".dvc")
    except ConfigError as error:
        raise UserError(f".dvc/config: {reason(error)}; fix it") from None


def pull(md5: str, into: Path) -> Files:
    """Copy the files of an output from this working tree's remote, whatever remote a branch names.
    They are stored under their hashes, so that no path from a branch is written to.

    Raises:
        UserError: there is no remote, it cannot be reached, or a file is missing or damaged in it.
    """
    try:
        listing = fetched(md5, into).read_bytes()
        return {name: fetched(each, into) for name, each in entries(listing, md5).items()}
    except Exception as error:  # each kind of remote raises its own
        raise UserError(f"cannot be fetched from DVC's remote ({reason(error)})") from None


def fetched(md5: str, into: Path) -> Path:
    """Copy a file from the remote into a folder and return its path; raise Refused if it is too
    large or does not match its hash, and the remote's own errors."""
    source = remote()
    address = source.oid_to_path(md5)
    target = into / md5[:2] / md5[2:]
    if target.exists():
        return target
    if source.fs.info(address)["size"] > LARGEST:
        raise Refused(f"{md5}: larger than {LARGEST >> 30} GB")
    target.parent.mkdir(parents=True, exist_ok=True)
    source.fs.get_file(address, str(target))
    if not whole(target):
        target.unlink()
        raise Refused(f"{md5}: the remote's file does not match its hash")
    return target


@cache
def remote() -> Any:
    """Return the objects in DVC's default remote; raise DVC's own error if there is no remote."""
    from dvc.repo import Repo

    return Repo().cloud.get_remote_odb(hash_name="md5")


def has_remote() -> bool:
    """Return whether DVC has a default remote; raise UserError if its config is unreadable."""
    return bool(config()["core"].get("remote"))
