"""MLflow as a view of what git and DVC hold: where the store is, what a run says, what links it."""

import os

TRACKING = "BRANCHMARK_TRACKING"  # "off" for programs that `branchmark verify` runs


def is_off() -> bool:
    """Whether nothing is to be recorded."""
    return os.environ.get(TRACKING) == "off"


# Before MLflow is imported: nothing is sent anywhere, and a server that does not answer is left
# soon, because a training must not wait for it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
BRIEF = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "4", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
LONG = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
for name, value in BRIEF.items():
    os.environ.setdefault(name, value)
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a run


def wait_longer() -> None:
    """Give a server the time that it may take over a model, unless a person has said how long."""
    for name, value in LONG.items():
        if os.environ[name] == BRIEF[name]:
            os.environ[name] = value
