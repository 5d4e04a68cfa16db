"""Sources of the four idx files, tried in turn: a folder, the web, Debian's package."""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FASHION_MNIST_DIR"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package
PACKAGE = "dataset-fashion-mnist"
URLS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
TIMEOUT = 8.0  # seconds for a server's first answer


class Unavailable(Exception):
    """A source does not have the files; the text says why."""


@dataclass(frozen=True)
class Source:
    """A place that may have the files.

    Attributes:
        name: its name in messages.
        find: returns the path of a file by name, plain or as `.gz`, downloaded into the given
            folder if need be; raises Unavailable.
        chosen: the user set it, so no other source is tried.
    """

    name: str
    find: Callable[[str, Path], Path]
    chosen: bool = False


def all_sources(urls: tuple[str, ...] = URLS) -> Iterator[Source]:
    """Yield the sources in the order in which they are tried."""
    if named := os.environ.get(VARIABLE):
        yield Source(f"{named} ({VARIABLE})", in_folder(Path(named)), chosen=True)
        return
    yield Source(str(INSTALLED), in_folder(INSTALLED))
    for url in urls:
        yield Source(url, from_web(url))
    yield Source(f"Debian's package {PACKAGE}", from_debian)


def read(path: Path) -> bytes:
    """Read a file, decompressed if it is a `.gz`."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise Unavailable(f"{path.name} is not a whole gzip file ({error})") from None


def in_folder(folder: Path) -> Callable[[str, Path], Path]:
    """Return the `find` of a folder on this machine."""

    def find(name: str, _: Path) -> Path:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
        raise Unavailable(f"it has no {name} or {name}.gz" if folder.is_dir() else "no such folder")

    return find


def from_web(url: str) -> Callable[[str, Path], Path]:
    """Return the `find` of a server, which downloads `.gz` files with a progress bar."""

    def find(name: str, folder: Path) -> Path:
        import pooch
        import requests

        reachable(url)
        pooch.get_logger().setLevel("WARNING")
        try:
            path = pooch.retrieve(
                f"{url}{name}.gz",
                known_hash=None,  # ours is of the decompressed content
                fname=f"{name}.gz",
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT),
            )
        except (requests.RequestException, OSError) as error:
            raise Unavailable(first_line(error)) from None
        return Path(path)

    return find


def reachable(url: str) -> None:
    """Raise Unavailable unless a server answers within `TIMEOUT` seconds in all.

    A limit per connection is not enough: a host may have a dozen addresses, and each would be
    tried for that long.
    """
    import requests

    failure: list[str] = ["no answer"]

    def ask() -> None:
        try:
            requests.head(url, timeout=TIMEOUT)
            failure.clear()
        except requests.RequestException as error:
            failure[:] = [first_line(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if thread.is_alive() or failure:
        raise Unavailable(failure[0] if failure else "no answer")


def from_debian(name: str, folder: Path) -> Path:
    """Return a file of Debian's package, which apt downloads; it is unpacked, not installed."""
    unpacked = folder / INSTALLED.relative_to("/")
    if not unpacked.exists():
        print(f"downloading Debian's package {PACKAGE} (31 MB)", flush=True)
        download(folder)
        (package,) = folder.glob("*.deb")
        command(["dpkg-deb", "-x", str(package), str(folder)], folder)
    return in_folder(unpacked)(name, folder)


def download(folder: Path) -> None:
    """Download the package using this machine's package lists, or else fresh ones, which are put
    in `folder` so that it works without root."""
    try:
        command(["apt-get", "-q", "download", PACKAGE], folder)
    except Unavailable:
        lists = [f"-oDir::State={folder}/state", f"-oDir::Cache={folder}/cache"]
        status = "-oDir::State::status=/var/lib/dpkg/status"
        (folder / "state/lists/partial").mkdir(parents=True)
        (folder / "cache/archives/partial").mkdir(parents=True)
        command(["apt-get", "-q", *lists, status, "update"], folder)
        command(["apt-get", "-q", *lists, status, "download", PACKAGE], folder)


def command(words: list[str], folder: Path) -> None:
    """Run a program in `folder`; raise Unavailable with its error if it fails."""
    limits = ["-oAcquire::http::Timeout=8", "-oAcquire::Retries=0", "-oAPT::Sandbox::User=root"]
    if words[0] == "apt-get":
        words = [words[0], *limits, *words[1:]]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    except FileNotFoundError:
        raise Unavailable(f"{words[0]} is not on this machine") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{words[0]} took over 300 s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise Unavailable(f"{words[0]}: {errors[-1] if errors else 'failed'}")


def first_line(error: Exception) -> str:
    """Return a network error in a few words."""
    import requests

    match error:
        case requests.Timeout():
            return "no answer"
        case requests.ConnectionError():
            return "cannot be reached"
        case _:
            return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for downloads, which is removed afterwards."""
    return tempfile.TemporaryDirectory(prefix="branchmark-fetch-")
