"""git's post-commit hook, which keeps MLflow in step automatically.

Two markers enclose its lines, so that it can share the file with other people's hooks and can be
removed again. DVC's own hooks (`dvc install`) are different ones.
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
WAIT = 100  # about how many tenths of a second a commit waits


def block() -> str:
    """Return the lines of the hook.

    They run in a subshell with `|| true`, so that later lines run whatever happens. They unset
    git's variables, which describe the commit in progress and would mislead git and DVC elsewhere.
    They contain no text and run no code of the commit or the branch: `-P` runs the installed
    command, not the folder's. They skip commits that git itself makes (rebase, merge, cherry-pick,
    revert) and commits on no branch, which the next sync brings in. A commit waits for the sync for
    some seconds; after that, the sync goes on in the background.
    """
    python = shlex.quote(sys.executable)
    folder = shlex.quote("./" + git("rev-parse", "--show-prefix"))
    return (
        f"{BEGIN}"
        "(\n"
        "  unset $(git rev-parse --local-env-vars)\n"
        "  git symbolic-ref --quiet HEAD >/dev/null || exit\n"
        '  case "$(git log -g -1 --no-show-signature --no-color --format=%gs HEAD)" in\n'
        "    'commit: '*|'commit (amend): '*|'commit (initial): '*) ;;\n"
        "    *) exit ;;\n"
        "  esac\n"
        f'  cd "$(git rev-parse --show-toplevel)" && cd {folder} || exit\n'
        f"  test -f dvc.yaml && test -x {python} || exit\n"
        '  log="$(git rev-parse --git-common-dir)/branchmark"\n'
        '  mkdir -p "$log" && log="$log/hook.log" || exit\n'
        f'  {python} -P -m stages.cli sync --quiet </dev/null >"$log" 2>&1 &\n'
        "  tenths=0\n"
        f"  while kill -0 $! 2>/dev/null && test $tenths -lt {WAIT}; do\n"
        "    sleep 0.1; tenths=$((tenths + 1))\n"
        "  done\n"
        '  cat "$log"\n'
        "  if kill -0 $! 2>/dev/null; then\n"
        '    echo "branchmark sync goes on by itself; what it says is in $log"\n'
        "  fi\n"
        ") || true\n"
        f"{END}"
    )


def file() -> Path:
    """Return the hook's file: in `core.hooksPath`, or in the folder that all work trees share.

    Raises:
        GitError: this is not a git repository, or git refuses to read it.
    """
    folder = git("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    return Path(folder) / "post-commit"


def install() -> str:
    """Install the hook; return what happened as a sentence.

    Raises:
        UserError: the existing hook is not a shell script.
        GitError: this is not a git repository, or git refuses to read it.
    """
    path = file()
    before = text(path)
    others = without(before)
    if others and not others.startswith(("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash")):
        raise UserError(
            f"{path}: this hook is not a shell script; call `branchmark sync --quiet` from it"
        )
    # Ahead of other people's lines, which may end in `exit` or `exec`
    first, _, rest = (others or SHELL).partition("\n")
    after = f"{first}\n{block()}{rest}"
    if after == before and executable(path):
        return f"{path}: in place already"
    write(path, after)
    path.chmod(0o755)
    return f"{path}: every commit now calls `branchmark sync`"


def remove() -> str:
    """Remove the hook, and its file if it holds nothing else; return what happened as a sentence.

    Raises:
        UserError, GitError: as `install` does.
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
    """Return the hook's content without branchmark's lines."""
    head, begin, rest = content.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return head + tail if begin and end else content


def text(path: Path) -> str:
    """Return the hook's content; "" if there is none. Raise UserError if it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: this hook is not a shell script; call `branchmark sync --quiet` from it"
        ) from None


def executable(path: Path) -> bool:
    """Return whether git would run the file."""
    return bool(path.stat().st_mode & 0o100)
