"""MLflow as a view of what git and DVC hold: where the store is, what a run says, what links it."""
