"""`branchmark sync`: desired state (git, DVC), observed state (MLflow), a plan, its application."""
