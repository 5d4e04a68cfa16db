"""git, called in one place; no argument reaches a shell.

If git fails (no program, no repository, somebody else's repository, a damaged one), that is an
error and never "nothing". If something simply does not exist, `find` returns None.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stages.core.errors import UserError
from stages.core.untrusted import LARGEST

# Override the user's settings where no option of a command can
SETTINGS = ("-c", "core.quotePath=true", "-c", "diff.suppressBlankEmpty=false")
AT_ONCE = 8 * LARGEST  # bytes that are read into memory at a time


class GitError(UserError):
    """git could not do what was asked; the text is git's own message."""


def run(
    *arguments: str, cwd: Path | None = None, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git and return its result, whatever its exit code; raise GitError if there is no git."""
    try:
        return subprocess.run(
            ["git", *SETTINGS, *arguments], cwd=cwd, input=stdin, capture_output=True
        )
    except FileNotFoundError as error:
        what = "git is not installed" if error.filename == "git" else f"{cwd}: no such folder"
        raise GitError(what) from None


def git(*arguments: str, cwd: Path | None = None, stdin: bytes | None = None) -> str:
    """Return what git prints; raise GitError if it fails."""
    result = run(*arguments, cwd=cwd, stdin=stdin)
    if result.returncode:
        raise failure(arguments, result)
    return text(result.stdout)


def find(*arguments: str, cwd: Path | None = None) -> str | None:
    """Return what git prints; None if it exits with 1, its way of saying that there is no such
    thing. Raise GitError if it fails."""
    result = run(*arguments, cwd=cwd)
    if result.returncode not in (0, 1):
        raise failure(arguments, result)
    return None if result.returncode else text(result.stdout)


def own_file(name: str) -> Path:
    """Return the path of a file of branchmark beside git's own files, which all work trees of the
    clone share; raise GitError if git fails."""
    common = git("rev-parse", "--path-format=absolute", "--git-common-dir")
    return Path(common) / "branchmark" / name


def blobs(shas: Iterable[str], largest: int = LARGEST) -> Iterator[tuple[str, bytes | None]]:
    """Yield the hash and content of each object, with None for content of more than `largest`
    bytes. A few git processes read them all, at most `AT_ONCE` bytes at a time.

    Raises:
        GitError: an object is missing, or git fails.
    """
    wanted = list(dict.fromkeys(shas))
    sizes = {}
    stdin = "".join(f"{sha}\n" for sha in wanted).encode()
    answers = git("cat-file", "--batch-check", stdin=stdin).split("\n") if wanted else []
    for sha, answer in zip(wanted, answers, strict=True):
        if len(fields := answer.split()) != 3:  # "<sha> missing"
            raise GitError(f"git: object {sha} is missing; `git fsck` tells what else is")
        sizes[sha] = int(fields[2])
    batch: list[str] = []
    total = 0
    for sha in wanted:
        if sizes[sha] > largest:
            yield sha, None
            continue
        if total + sizes[sha] > AT_ONCE:
            yield from contents(batch, sizes)
            batch, total = [], 0
        batch.append(sha)
        total += sizes[sha]
    yield from contents(batch, sizes)


def contents(shas: list[str], sizes: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """Yield the hash and content of objects of known sizes, read by one git process."""
    if not shas:
        return
    result = run("cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in shas).encode())
    if result.returncode:
        raise failure(("cat-file",), result)
    begin = 0
    for sha in shas:
        begin = result.stdout.index(b"\n", begin) + 1
        yield sha, result.stdout[begin : begin + sizes[sha]]
        begin += sizes[sha] + 1


def text(output: bytes) -> str:
    """Return what git printed, without surrounding whitespace."""
    return output.decode("utf-8", "replace").strip()


def failure(arguments: tuple[str, ...], result: subprocess.CompletedProcess[bytes]) -> GitError:
    """Return git's own message as an error."""
    lines = text(result.stderr).splitlines()
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    said = said or next(iter(lines), f"exit code {result.returncode}")
    said = said.partition(": ")[2] or said
    # If git names a command that helps, it is on a line of its own
    helps = next((line.strip() for line in lines if line.startswith("\tgit ")), "")
    return GitError(f"git {arguments[0]}: {said}" + (f"; `{helps}`" if helps else ""))
