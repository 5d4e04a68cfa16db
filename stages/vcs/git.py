"""git, called in one place; no argument reaches a shell.

If git fails (no program, no repository, somebody else's repository, a damaged one), that is an
error and never "nothing". If something simply does not exist, `find` returns None.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any

from stages.core.errors import UserError
from stages.core.untrusted import LARGEST

# Override the user's settings where no option of a command can
SETTINGS = ("-c", "core.quotePath=true", "-c", "diff.suppressBlankEmpty=false")


class GitError(UserError):
    """git could not do what was asked; the text is git's own message."""


@contextmanager
def started(*arguments: str, cwd: Path | None = None) -> Iterator[Any]:
    """Run git with pipes for its streams while the block runs; kill it if the block fails.

    Raises:
        GitError: there is no git.
    """
    try:
        process = subprocess.Popen(
            ["git", *SETTINGS, *arguments], cwd=cwd, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
    except FileNotFoundError as error:
        what = "git is not installed" if error.filename == "git" else f"{cwd}: no such folder"
        raise GitError(what) from None
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def run(
    *arguments: str, cwd: Path | None = None, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git and return its result, whatever its exit code; raise GitError if there is no git."""
    with started(*arguments, cwd=cwd) as process:
        output, errors = process.communicate(stdin)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


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
    """Yield the hash and content of each object, one at a time, with None for content of more than
    `largest` bytes. One git process reads them, and another one after each that is too large.

    Raises:
        GitError: an object is missing, or git fails.
    """
    waiting = list(dict.fromkeys(shas))[::-1]
    while waiting:
        with started("cat-file", "--batch") as process:
            while waiting:
                sha = waiting.pop()
                with suppress(BrokenPipeError):  # it has ended, and has no answer
                    os.write(process.stdin.fileno(), f"{sha}\n".encode())
                answer = process.stdout.readline()
                if answer.endswith(b" missing\n"):
                    raise GitError(f"git: object {sha} is missing; `git fsck` tells what else is")
                size = int(answer.split()[2]) if answer else 0
                if size > largest:
                    process.kill()  # it would write all of it
                    yield sha, None
                    break
                content = process.stdout.read(size + 1)  # with a line feed at its end
                if len(content) <= size:
                    code, errors = process.wait(), process.stderr.read()
                    said = subprocess.CompletedProcess((), code, stderr=errors)
                    raise failure(("cat-file",), said)
                yield sha, content[:-1]


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
