"""Check a commit out in a temporary clone, with a clean environment."""

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

# Prefixes of variables that could lead a program of the clone to this project's store, cache or
# repository, or to another copy of its code
SCRUBBED = ("BRANCHMARK_", "DVC_", "GIT_", "MLFLOW_", "PYTHON")
# The user's own git settings must not change any byte or run any hook
SETTINGS = ("-c", "core.autocrlf=false", "-c", f"core.hooksPath={os.devnull}")


@contextmanager
def scrubbed() -> Iterator[None]:
    """Remove from the environment what a proof must not depend on, while the block runs. Programs
    then record nothing in MLflow and reuse no finished seeds."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(SCRUBBED):
            del os.environ[name]
    os.environ.update({TRACKING: "off", FORCE: "1"})
    if VARIABLE in before:  # absolute, because programs run in another folder
        os.environ[VARIABLE] = str(Path(before[VARIABLE]).resolve())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def cloned(commit: str) -> Iterator[tuple[Path, Path]]:
    """Check a commit out in a clone that borrows only this repository's objects; yield the
    project's root in it, and an empty folder beside it.

    Remove both however the block ends, also on Ctrl-C.

    Raises:
        GitError: git cannot clone the repository or check the commit out.
    """
    top, inside = git.git("rev-parse", "--show-toplevel"), git.git("rev-parse", "--show-prefix")
    with ExitStack() as stack:
        with deferred():  # a signal in between would leave the folder behind
            folder = Path(tempfile.mkdtemp(prefix="branchmark-verify-"))
            stack.callback(removed, folder)
        root, scratch = folder / "project", folder / "scratch"
        scratch.mkdir()
        git.git("clone", *SETTINGS, "--quiet", "--shared", "--no-checkout", "--", top, str(root))
        git.git("checkout", "--quiet", "--detach", commit, cwd=root)
        yield root / inside, scratch


def removed(folder: Path) -> None:
    """Remove a folder; defer signals until it is gone."""
    with deferred():
        shutil.rmtree(folder, ignore_errors=True)
