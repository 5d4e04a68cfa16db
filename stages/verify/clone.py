"""A commit in a clone of its own, in the temporary folder, with an environment of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stages.core.signals import deferred
from stages.data.sources import VARIABLE
from stages.tracking import TRACKING
from stages.vcs import git
from stages.vcs.dvc import FORCE

# Whatever could lead a program of the clone to this project's store, cache or repository, or to
# another copy of its code
SCRUBBED = ("BRANCHMARK_", "DVC_", "GIT_", "MLFLOW_", "PYTHON")
# The user's own settings must change no byte and run nothing
SETTINGS = ("core.autocrlf=false", f"core.hooksPath={os.devnull}")


@contextmanager
def scrubbed() -> Iterator[None]:
    """Take out of the environment what a proof must not depend on, for as long as the block runs:
    programs record nothing in MLflow and take no finished seed over."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(SCRUBBED):
            del os.environ[name]
    os.environ.update({TRACKING: "off", FORCE: "1"})
    if VARIABLE in before:  # programs run in another folder
        os.environ[VARIABLE] = str(Path(before[VARIABLE]).resolve())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def cloned(commit: str) -> Iterator[tuple[Path, Path]]:
    """Check a commit out in a clone, which borrows this repository's objects and nothing else;
    yield the project's root in it, and an empty folder beside it.

    Both are removed however the block ends, Ctrl-C included.

    Raises:
        GitError: git cannot clone it.
    """
    top, inside = git.git("rev-parse", "--show-toplevel"), git.git("rev-parse", "--show-prefix")
    with ExitStack() as stack:
        with deferred():  # a signal in between would find a folder that nobody removes
            folder = Path(tempfile.mkdtemp(prefix="branchmark-verify-"))
            stack.callback(removed, folder)
        root, scratch = folder / "project", folder / "scratch"
        scratch.mkdir()
        settings = [word for setting in SETTINGS for word in ("--config", setting)]
        clone = ["clone", "--quiet", "--shared", "--no-checkout", *settings, "--", top, str(root)]
        git.git(*clone)
        git.git("checkout", "--quiet", "--detach", commit, cwd=root)
        yield root / inside, scratch


def removed(folder: Path) -> None:
    """Remove a folder; a signal waits for the end of it."""
    with deferred():
        shutil.rmtree(folder, ignore_errors=True)
