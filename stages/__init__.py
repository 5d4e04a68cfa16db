"""Branchmark: the programs that `dvc.yaml` runs, and beneath them the rooms that they call."""
