"""Branchmark: the programs that `dvc.yaml` runs, and beneath them what they call."""

import hashlib
import os
import time
from pathlib import Path

BEGIN = time.perf_counter()  # when this program began, for its clock

# SHA-256 by path of what this program is about to be loaded from: its imports take seconds.
LOADED = {
    f"{__name__}/{path.relative_to(Path(__file__).parent).as_posix()}": hashlib.sha256(
        path.read_bytes()
    ).hexdigest()
    for path in Path(__file__).parent.rglob("*.py")
}

# Before NumPy is imported anywhere: results must not depend on the number of cores.
os.environ["OMP_NUM_THREADS"] = "1"
