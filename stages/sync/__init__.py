"""`branchmark sync`: the desired state (git, DVC), the observed state (MLflow), a plan, its application."""
