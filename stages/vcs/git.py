"""git, called in one place; no argument reaches a shell.

A git that fails (no program, no repository, a repository of somebody else, a damaged one) is an
error and never "nothing". That something is not there is another thing: `find` returns None.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from stages.core.errors import UserError


class GitError(UserError):
    """git could not do what it was asked; the text is git's own sentence."""


def run(
    *arguments: str, cwd: Path | None = None, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git, whatever its exit code; raise GitError where there is no git."""
    try:
        return subprocess.run(["git", *arguments], cwd=cwd, input=stdin, capture_output=True)
    except FileNotFoundError as error:
        what = "git is not installed" if error.filename == "git" else f"{cwd}: no such folder"
        raise GitError(what) from None


def git(*arguments: str, cwd: Path | None = None, stdin: bytes | None = None) -> str:
    """Return what git prints; raise GitError where it fails."""
    result = run(*arguments, cwd=cwd, stdin=stdin)
    if result.returncode:
        raise failure(arguments, result)
    return text(result.stdout)


def find(*arguments: str, cwd: Path | None = None) -> str | None:
    """Return what git prints; None where it ends with 1, which is how it says that there is no such
    thing. Raise GitError where it fails."""
    result = run(*arguments, cwd=cwd)
    if result.returncode not in (0, 1):
        raise failure(arguments, result)
    return None if result.returncode else text(result.stdout)


def blobs(shas: Iterable[str]) -> dict[str, bytes]:
    """Return the content of files by their object's hash, read by one process."""
    wanted = list(dict.fromkeys(shas))
    result = run("cat-file", "--batch", stdin="".join(f"{sha}\n" for sha in wanted).encode())
    if result.returncode:
        raise failure(("cat-file",), result)
    found, output = {}, result.stdout
    for sha in wanted:
        header, _, output = output.partition(b"\n")
        fields = header.split()
        if len(fields) != 3:  # "<sha> missing"
            raise GitError(f"git: object {sha} is missing; `git fsck` tells what else is")
        size = int(fields[2])
        found[sha], output = output[:size], output[size + 1 :]
    return found


def text(output: bytes) -> str:
    """Return what git printed, without the spaces about it."""
    return output.decode("utf-8", "replace").strip()


def failure(arguments: tuple[str, ...], result: subprocess.CompletedProcess[bytes]) -> GitError:
    """Return git's own sentence as an error."""
    lines = text(result.stderr).splitlines()
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    said = said or next(iter(lines), f"exit code {result.returncode}")
    return GitError(f"git {arguments[0]}: {said.partition(': ')[2] or said}")
