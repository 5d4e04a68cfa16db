"""Write the content of a run: tags, parameters, metrics, dataset, model.

Live runs and runs restored from outputs use the same functions. These take plain values, not
today's types, because the outputs of old revisions had other parameters.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, LoggedModelOutput, Metric, Param
from mlflow.exceptions import MlflowException

from stages.core.errors import say
from stages.core.redact import redacted
from stages.data.arrays import Split
from stages.tracking.store import insisting
from stages.tracking.training import Training
from stages.training import history, result
from stages.training.history import METRICS, Row
from stages.vcs.worktree import Tree

BATCH = 1000  # metrics that MLflow takes in one call
MODEL = "model"  # its folder in a run, on a server that does not know models


def tags(training: Training, tree: Tree) -> dict[str, str]:
    """Return the tags of every run; MLflow's own pages show those named `mlflow.*`."""
    found = {
        "variant": training.variant,
        "study": training.study,
        "dvc_stage": training.stage,
        "fingerprint": training.fingerprint,
        "data": training.data,
        "branch": tree.branch,
        "commit": tree.commit,
        "dvc_exp": tree.experiment,
        "dirty": tree.dirty,
        "mlflow.source.name": "stages/train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.branch": tree.branch,
        "mlflow.source.git.commit": tree.commit,
    }
    return {key: value for key, value in found.items() if value}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested sections into one, keys joined by dots: ``optimizer.learning_rate``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def log_params(client: MlflowClient, run_id: str, training: Training, **more: Any) -> None:
    """Log every resolved parameter of the variant, defaults included, and `more`."""
    values = flat(training.params) | more
    client.log_batch(run_id, params=[Param(k, redacted(str(v))) for k, v in values.items()])


def log_dataset(client: MlflowClient, run_id: str, train: Split, digest: str) -> None:
    """Log the training data as the run's input, under the digest of all of it.

    MLflow's own digest covers only the first 10,000 numbers, which are 13 pictures. Its field
    holds 36 characters.
    """
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import from_numpy

    dataset = from_numpy(
        train.images,
        source=CodeDatasetSource({"path": "data/prepared", "made by": "dvc repro prepare"}),
        targets=train.labels,
        name="fashion-mnist",
        digest=digest[:36],
    )
    context = InputTag("mlflow.data.context", "training")
    inputs = [DatasetInput(dataset._to_mlflow_entity(), [context])]
    insisting(client.log_inputs, run_id, inputs)


def hashes(model: Path, rows: Sequence[Row]) -> tuple[str, str]:
    """Return the SHA-256 hashes of a seed's model and of its history."""
    return result.sha256(model.read_bytes()), result.sha256(history.text(rows))


def numbers(hashes: Mapping[int, tuple[str, str]]) -> str:
    """Return one hash of all models and histories of a variant. If two results have the same
    fingerprint but different hashes, one of them is not what it claims to be."""
    return result.digest(result.canonical({str(seed): each for seed, each in hashes.items()}))


def now() -> int:
    """Return the time as MLflow counts it, in milliseconds since 1970."""
    return int(time.time() * 1000)


def log_metrics(client: MlflowClient, run_id: str, values: Mapping[str, float]) -> None:
    """Log metrics that have no step, all in one call."""
    at = now()
    client.log_batch(run_id, metrics=[Metric(k, v, at, 0) for k, v in values.items()])


def metrics_of(row: Row, model_id: str, at: int) -> list[Metric]:
    """Return the metrics of an epoch, which belong to the model too."""
    return [
        Metric(name, float(row[name]), at, row["epoch"], model_id=model_id or None)  # type: ignore[literal-required]
        for name in METRICS
    ]


def mean_history(rows: Sequence[Row]) -> list[Row]:
    """Return the mean over seeds of each epoch's metrics, as rows of seed 0."""
    epochs: dict[int, list[Row]] = {}
    for row in rows:
        epochs.setdefault(row["epoch"], []).append(row)
    return [
        cast(
            Row,
            {"seed": 0, "epoch": epoch}
            | {name: float(np.mean([row[name] for row in group])) for name in METRICS},  # type: ignore[literal-required]
        )
        for epoch, group in sorted(epochs.items())
    ]


def log_history(
    client: MlflowClient,
    run_id: str,
    rows: Sequence[Row],
    at: int | None = None,
    model_id: str = "",
) -> None:
    """Log the metrics of all epochs at once, with the time `at` in milliseconds, or now."""
    at = now() if at is None else at
    metrics = [metric for row in rows for metric in metrics_of(row, model_id, at)]
    for i in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[i : i + BATCH])


def log_picture(client: MlflowClient, run_id: str, png: bytes, at: int | None = None) -> None:
    """Log the loss plot as a file, and for the chart view, which shows it beside other runs'."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    client.log_image(run_id, image, artifact_file="loss.png")
    client.log_image(run_id, image, key="loss_plot", step=0, timestamp=at, synchronous=True)


def create_model(client: MlflowClient, experiment: str, run_id: str, training: Training) -> str:
    """Create a model before it has weights, so that metrics can name it from the first epoch on.
    Return its id, or "" if the server is too old for models: its files then go to the run."""
    name = training.variant.replace(".", "_")  # MLflow allows no dots in a model's name
    try:
        model = client.create_logged_model(
            experiment, name=name, source_run_id=run_id, model_type="keras"
        )
    except MlflowException as error:
        if not unknown(error):
            raise
        say_without_models()
        return ""
    return str(model.model_id)


def unknown(error: MlflowException) -> bool:
    """Return whether the server has no such address, because it is older than the client."""
    return error.error_code in ("ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


@cache
def say_without_models() -> None:
    """Say once that the server does not know models, and where they are instead."""
    say(
        "note: MLflow's server is older than MLflow 3 and knows no models: each is among the files "
        f"of its seed's run, in the folder `{MODEL}`"
    )


def input_example(train: Split) -> Any:
    """Return the first two pictures as the network takes them: shape (2, 28, 28), from 0 to 1."""
    return train.images[:2].astype(np.float32) / np.float32(255)


def log_model(
    client: MlflowClient,
    run_id: str,
    model_id: str,
    model: Path,
    train: Split,
    training: Training,
) -> None:
    """Log the network of a `.keras` file, with signature, input example and pinned requirements.

    The requirements are those of a plain Keras model, so `mlflow.pyfunc.load_model` loads it where
    this project is not installed. Giving them and the signature saves MLflow the seconds that it
    takes to infer them.
    """
    import mlflow.tensorflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec
    from mlflow.utils import requirements_utils

    from stages.training import model_file

    pixels = TensorSpec(np.dtype(np.float32), (-1, 28, 28))
    probabilities = TensorSpec(np.dtype(np.float32), (-1, 10))
    libraries = {**training.params["libraries"], "mlflow": mlflow.__version__}
    # To warn of version mismatches, MLflow would list the files of every installed package. That
    # takes a second or two, and no option turns it off
    requirements_utils._MODULES_TO_PACKAGES = requirements_utils._MODULES_TO_PACKAGES or {}
    named = {"model_uuid": model_id, "model_id": model_id} if model_id else {"artifact_path": MODEL}
    with tempfile.TemporaryDirectory() as folder:
        mlflow.tensorflow.save_model(
            model_file.load(model),
            f"{folder}/model",
            mlflow_model=Model(run_id=run_id, **named),
            signature=ModelSignature(Schema([pixels]), Schema([probabilities])),
            input_example=input_example(train),
            pip_requirements=sorted(f"{name}=={version}" for name, version in libraries.items()),
        )
        files = Path(folder, "model")
        for path in sorted(path for path in files.rglob("*") if path.is_file()):
            parent = path.parent.relative_to(files)  # one call a file: each has its own time limit
            if model_id:
                client.log_model_artifact(model_id, str(path), parent.as_posix().strip("."))
            else:
                client.log_artifact(run_id, str(path), (MODEL / parent).as_posix())
    if model_id:
        client.finalize_logged_model(model_id, "READY")
        link_model(client, run_id, model_id, training)


def link_model(client: MlflowClient, run_id: str, model_id: str, training: Training) -> None:
    """Add a model, if there is one, to a run's outputs. The variant's run gets the models of its
    seeds too."""
    if model_id:
        client.log_outputs(
            run_id, [LoggedModelOutput(model_id, training.params["train"]["epochs"])]
        )
