"""Branchmark: the programs that `dvc.yaml` runs, and beneath them what they call."""

import os
import time

BEGIN = time.perf_counter()  # when this program began, for its clock

# Before NumPy is imported anywhere: results must not depend on the number of cores.
os.environ["OMP_NUM_THREADS"] = "1"
