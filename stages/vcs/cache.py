"""The files of an output by its hash: from DVC's cache, or pulled from its remote.

The cache is read as DVC documents it (`files/md5/<first two digits>/<the rest>`): opening a
revision through DVC takes a second, and there may be many. Others write into a cache and a remote:
what is taken from either is checked against its hash.
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
LARGEST = 2**30  # bytes of a file that is pulled: the prepared data have 38 MB


class Cache:
    """DVC's cache of this project, wherever its configuration puts it; in a git work tree of its
    own, where DVC begins with an empty one, that of the main work tree as well."""

    @cached_property
    def roots(self) -> list[Path]:
        """Its folders; raise UserError where DVC cannot read its configuration."""
        return [
            Path(config()["cache"].get("dir") or ".dvc/cache"), project_root() / ".dvc/cache",
        ]  # fmt: skip

    def file(self, md5: str) -> Path | None:
        """Return where the content with this hash is, if it is there; None for no hash."""
        if not HASH.fullmatch(md5):
            return None
        places = (root / "files/md5" / md5[:2] / md5[2:] for root in self.roots)
        return next((path for path in places if path.is_file()), None)

    def folder(self, md5: str) -> Files | None:
        """Return the files of a folder, whose contents are not looked at; None unless every one of
        them is there."""
        listing = self.file(md5) if FOLDER.fullmatch(md5) else None
        try:
            hashes = entries(listing.read_bytes(), md5) if listing else None
        except (OSError, Refused):  # cut short, or no list
            return None
        if hashes is None:
            return None
        found = {name: self.file(each) for name, each in hashes.items()}
        files = {name: path for name, path in found.items() if path is not None}
        return files if len(files) == len(hashes) else None

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


def entries(listing: bytes, md5: str) -> dict[str, str]:
    """Return the hashes of a folder's files by their paths in it.

    Raises:
        Refused: this is no list of files, or not the one that has this hash.
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
    """Return the MD5 of bytes: DVC's name of them."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def whole(path: Path) -> bool:
    """Whether a file has the content that its place in the cache says; raise UserError where it
    cannot be read."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    except OSError as error:
        raise UserError(f"it cannot be read ({reason(error)})") from None
    return found.hexdigest() == path.parent.name + path.name.removesuffix(".dir")


def config() -> Any:
    """Return DVC's configuration, of the working tree and of the user; raise UserError where DVC
    cannot read it."""
    from dvc.config import Config, ConfigError

    try:
        return Config(dvc_dir=".dvc")
    except ConfigError as error:
        raise UserError(f".dvc/config: {reason(error)}; mend it") from None


def pull(md5: str, into: Path) -> Files:
    """Copy the files of an output from DVC's remote: the one of this working tree, whatever that of
    a branch is. They lie under their hashes: no path of a branch is written to.

    Raises:
        UserError: the remote has it not, or cannot be reached, or there is none.
    """
    try:
        listing = fetched(md5, into).read_bytes()
        return {name: fetched(each, into) for name, each in entries(listing, md5).items()}
    except Exception as error:  # each kind of remote has its own
        raise UserError(f"not to be had from DVC's remote ({reason(error)})") from None


def fetched(md5: str, into: Path) -> Path:
    """Return a file of the remote, copied into a folder; raise Refused where it has another
    content than its hash says, and the remote's own errors."""
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
        raise Refused(f"{md5}: the remote's file has another content")
    return target


@cache
def remote() -> Any:
    """Return the objects in DVC's default remote; raise DVC's own error where there is none."""
    from dvc.repo import Repo

    return Repo().cloud.get_remote_odb(hash_name="md5")


def has_remote() -> bool:
    """Whether DVC has a default remote to pull from; raise UserError where DVC cannot read its
    configuration."""
    return bool(config()["core"].get("remote"))
