"""Get the four idx files from the first source that has them: -> `data/raw/`, decompressed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stages.core.errors import UserError, run
from stages.core.folders import replaced
from stages.data import sources
from stages.data.sources import Source, Unavailable
from stages.params import schema as params

RAW = Path("data/raw")


def main() -> None:
    """Write the four idx files, each checked against its hash in `params.yaml`."""
    hashes = params.load().fetch.sha256.model_dump(by_alias=True)
    files = first_of(sources.all_sources(), hashes)
    with replaced(RAW) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)


def first_of(candidates: Iterable[Source], hashes: dict[str, str]) -> dict[str, bytes]:
    """Return the files, by name, of the first source where each has its SHA-256 of `hashes`.

    Raises:
        UserError: no source has them; the message lists the sources tried and says what to do.
    """
    tried = []
    for source in candidates:
        try:
            files = take(source, hashes)
        except Unavailable as reason:
            if source.chosen:
                raise UserError(f"{source.name}: {reason}; correct it, or unset it") from None
            print(f"not from {source.name}: {reason}", flush=True)
            tried.append(f"{source.name}: {reason}")
        else:
            print(f"Fashion-MNIST from {source.name}")
            return files
    raise UserError(
        "no source has Fashion-MNIST; put its four files into a folder and set "
        f"{sources.VARIABLE} to that folder. Tried:" + "".join(f"\n  {line}" for line in tried)
    )


def take(source: Source, hashes: dict[str, str]) -> dict[str, bytes]:
    """Return the decompressed files of one source; raise Unavailable if one is missing or wrong."""
    files = {}
    with sources.scratch() as folder:
        for name, expected in hashes.items():
            files[name] = sources.read(source.find(name, Path(folder)))
            actual = hashlib.sha256(files[name]).hexdigest()
            if actual != expected:
                raise Unavailable(f"{name}: SHA-256 expected {expected}, found {actual}")
    return files


if __name__ == "__main__":
    run(main)
