"""Show in MLflow what git and DVC hold: open the store, write runs, and link to their pages."""

import os

TRACKING = "BRANCHMARK_TRACKING"  # `branchmark verify` sets "off" for the programs it runs


def is_off() -> bool:
    """Return whether tracking is off, so that nothing is recorded."""
    return os.environ.get(TRACKING) == "off"


# Set before MLflow is imported: it sends no telemetry, and gives up soon on a server that does not
# answer, because a training must not wait for it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
BRIEF = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "4", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
LONG = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
for name, value in BRIEF.items():
    os.environ.setdefault(name, value)
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # else two lines per run


def wait_longer() -> None:
    """Raise MLflow's limits to what a server may need for a model, unless the user set others."""
    for name, value in LONG.items():
        if os.environ[name] == BRIEF[name]:
            os.environ[name] = value
