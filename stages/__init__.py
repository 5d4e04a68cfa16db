"""Branchmark: the programs that `dvc.yaml` runs and, below them, the rooms that they import."""

import sys
from importlib.util import find_spec

if not find_spec("typer"):  # `dvc repro` runs the first `python` in PATH
    sys.exit(
        f"error: {sys.executable} lacks this project's libraries; activate the environment "
        "that has them (`source .venv/bin/activate`), or run `.venv/bin/branchmark repro`"
    )
