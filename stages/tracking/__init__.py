"""MLflow as a view of what git and DVC hold: where the store is, what a run says, what links it."""

import os

TRACKING = "BRANCHMARK_TRACKING"  # "off" for programs that `branchmark verify` runs


def is_off() -> bool:
    """Whether nothing is to be recorded."""
    return os.environ.get(TRACKING) == "off"


# Before MLflow is imported: nothing is sent anywhere, and a server that does not answer is left
# soon, because a training must not wait for it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "4")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a run
