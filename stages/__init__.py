"""Branchmark: the programs that `dvc.yaml` runs, and beneath them the rooms that they call."""

import sys
from importlib.util import find_spec

if not find_spec("typer"):  # `dvc repro` runs the `python` that comes first in PATH
    sys.exit(
        f"error: {sys.executable} has none of this project's libraries; activate the environment "
        "that has them (`source .venv/bin/activate`), or run `.venv/bin/branchmark repro`"
    )
