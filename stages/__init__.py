"""Branchmark: the programs that `dvc.yaml` runs, and beneath them what they call."""

import time

BEGIN = time.perf_counter()  # when this program began, for its clock
