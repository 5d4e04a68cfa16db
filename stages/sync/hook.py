"""git's post-commit hook, which keeps MLflow in step without a thought.

It stands between two marks, so that it lives beside what others have in the same file, and can be
taken out again. DVC's own hooks (`dvc install`) are other ones.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from stages.core.errors import UserError
from stages.core.folders import write
from stages.vcs.git import git

BEGIN = "# branchmark: begin (`branchmark install --remove` takes this out)\n"
END = "# branchmark: end\n"
SHELL = "#!/bin/sh\n"


def block() -> str:
    """The lines of the hook.

    In a subshell and with `|| true`, so that lines after it run whatever happens; without git's
    variables, which name the commit in the making and would mislead git and DVC elsewhere.
    Nothing of the commit or the branch is put into it.
    """
    python = shlex.quote(sys.executable)
    below = shlex.quote(git("rev-parse", "--show-prefix") or ".")  # a larger repository's folder
    return (
        f"{BEGIN}"
        "(\n"
        "  unset $(git rev-parse --local-env-vars)\n"
        f'  cd "$(git rev-parse --show-toplevel)"/{below} || exit\n'
        f"  test -f stages/sync/command.py && test -x {python} || exit\n"
        f"  exec {python} -m stages.cli sync --quiet\n"
        ") || true\n"
        f"{END}"
    )


def file() -> Path:
    """The hook's file: where `core.hooksPath` says, or in the folder that all work trees share.

    Raises:
        GitError: this is no git repository, or one that git refuses to read.
    """
    folder = git("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    return Path(folder) / "post-commit"


def install() -> str:
    """Put the hook in place; what happened, in words.

    Raises:
        UserError: its hook is a program that is no shell script.
        GitError: this is no git repository, or one that git refuses to read.
    """
    path = file()
    before = text(path)
    others = without(before)
    if others and not others.startswith(("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash")):
        raise UserError(
            f"{path}: this hook is not a shell script; call `branchmark sync --quiet` from it"
        )
    # Before the lines of others: they may end in `exit` or `exec`
    first, _, rest = (others or SHELL).partition("\n")
    after = f"{first}\n{block()}{rest}"
    if after == before and executable(path):
        return f"{path}: in place already"
    write(path, after)
    path.chmod(0o755)
    return f"{path}: every commit now calls `branchmark sync`"


def remove() -> str:
    """Take the hook out; what happened, in words. A file that holds nothing else is removed.

    Raises:
        GitError: this is no git repository, or one that git refuses to read.
    """
    path = file()
    before = text(path)
    after = without(before)
    if after == before:
        return f"{path}: no hook of branchmark in it"
    if after.strip() in ("", SHELL.strip()):
        path.unlink()
    else:
        write(path, after)
        path.chmod(0o755)
    return f"{path}: taken out"


def without(content: str) -> str:
    """What others have in the hook."""
    head, begin, rest = content.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return head + tail if begin and end else content


def text(path: Path) -> str:
    """The hook's content; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this hook is not a shell script; call `branchmark sync --quiet` from it"
        ) from None


def executable(path: Path) -> bool:
    """Whether git would run it."""
    return bool(path.stat().st_mode & 0o100)
