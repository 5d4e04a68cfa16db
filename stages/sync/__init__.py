"""`branchmark sync`: read the desired state (git, DVC) and the observed (MLflow), plan, apply."""
