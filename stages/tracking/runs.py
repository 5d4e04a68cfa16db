"""What a run of this project says, whoever writes it: tags, parameters, metrics, dataset, model.

A live run and one that is restored from its outputs go through the same functions. They take plain
values, not today's types: the outputs of an old revision had other parameters.
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
MODEL = "model"  # the folder of a run in which a server that does not know models has it


def tags(training: Training, tree: Tree) -> dict[str, str]:
    """Return the tags that every run has; `mlflow.*` are those that MLflow's own pages show."""
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
    """Nested sections as one, keys joined by dots: ``optimizer.learning_rate``."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def log_params(client: MlflowClient, run_id: str, training: Training, **more: Any) -> None:
    """Every resolved parameter of the variant, defaults included."""
    values = flat(training.params) | more
    client.log_batch(run_id, params=[Param(k, redacted(str(v))) for k, v in values.items()])


def log_dataset(client: MlflowClient, run_id: str, train: Split, digest: str) -> None:
    """The training data as the run's input, by the digest of all of it.

    MLflow's own digest covers the first 10,000 numbers, which are 13 pictures; its field holds
    36 characters.
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
    """Return the SHA-256 of a seed's model and of its history."""
    return result.sha256(model.read_bytes()), result.sha256(history.text(rows))


def numbers(hashes: Mapping[int, tuple[str, str]]) -> str:
    """Return the hash of all models and histories of a variant, by seed: of two results with the
    same fingerprint it is the same, or one of them is not what it says."""
    return result.digest(result.canonical({str(seed): each for seed, each in hashes.items()}))


def now() -> int:
    """The time as MLflow counts it, in milliseconds."""
    return int(time.time() * 1000)


def log_metrics(client: MlflowClient, run_id: str, values: Mapping[str, float]) -> None:
    """Log several metrics that have no step in one call."""
    at = now()
    client.log_batch(run_id, metrics=[Metric(k, v, at, 0) for k, v in values.items()])


def metrics_of(row: Row, timings: Mapping[str, float], model_id: str) -> list[Metric]:
    """Return the metrics of an epoch; those of the history belong to the model as well."""
    at = now()
    found = [
        Metric(name, float(row[name]), at, row["epoch"], model_id=model_id or None)  # type: ignore[literal-required]
        for name in METRICS
    ]
    return found + [Metric(name, value, at, row["epoch"]) for name, value in timings.items()]


def mean_history(rows: Sequence[Row]) -> list[Row]:
    """Return the mean over seeds of each epoch's metrics."""
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
    model_id: str | None = None,
) -> None:
    """Log the metrics of all epochs at once, all at the time `at`, by default the present."""
    at = now() if at is None else at
    metrics = [
        Metric(name, float(row[name]), at, row["epoch"], model_id=model_id or None)  # type: ignore[literal-required]
        for row in rows
        for name in METRICS
    ]
    for i in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[i : i + BATCH])


def log_picture(client: MlflowClient, run_id: str, png: bytes, at: int | None = None) -> None:
    """The loss plot: as a file of the run, and in the chart view beside those of other runs."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    client.log_image(run_id, image, artifact_file="loss.png")
    client.log_image(run_id, image, key="loss_plot", step=0, timestamp=at, synchronous=True)


def create_model(client: MlflowClient, experiment: str, run_id: str, training: Training) -> str:
    """A model that waits for its weights, so that metrics can name it from the first epoch on; ""
    where the server is too old to know models: it will be files of the run."""
    name = training.variant.replace(".", "_")  # MLflow's names of models hold no dots
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
    """Whether a server says that it has no such address: it is older than MLflow's client."""
    return error.error_code in ("ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


@cache
def say_without_models() -> None:
    """Say once what such a server lacks."""
    say(
        "note: MLflow's server does not know models, which came with MLflow 3: each is among the "
        f"files of its seed's run, in the folder `{MODEL}`"
    )


def input_example(train: Split) -> Any:
    """The first two pictures, as the network takes them."""
    return train.images[:2].astype(np.float32) / np.float32(255)


def log_model(
    client: MlflowClient,
    run_id: str,
    model_id: str,
    model: Path,
    train: Split,
    training: Training,
) -> None:
    """The network of a `.keras` file, with signature, input example and pinned requirements.

    The requirements are what a plain Keras model needs: it loads with
    `mlflow.pyfunc.load_model` where this project is not installed. Naming them, and the
    signature, saves MLflow the seconds that it takes to find them out.
    """
    import mlflow.tensorflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec
    from mlflow.utils import requirements_utils

    from stages.training import model_file

    pixels = TensorSpec(np.dtype(np.float32), (-1, 28, 28))
    probabilities = TensorSpec(np.dtype(np.float32), (-1, 10))
    libraries = {**training.params["libraries"], "mlflow": mlflow.__version__}
    # To warn of other versions than the installed ones, MLflow would list the files of all that is
    # installed, which takes a second or two, and no option of it says not to
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
            parent = path.parent.relative_to(files)  # a call a file: each is waited for by itself
            if model_id:
                client.log_model_artifact(model_id, str(path), parent.as_posix().strip("."))
            else:
                client.log_artifact(run_id, str(path), (MODEL / parent).as_posix())
    if model_id:
        client.finalize_logged_model(model_id, "READY")
        link_model(client, run_id, model_id, training)


def link_model(client: MlflowClient, run_id: str, model_id: str, training: Training) -> None:
    """List a model, if it is one, among a run's outputs: a seed's also among those of its variant's
    run."""
    if model_id:
        client.log_outputs(
            run_id, [LoggedModelOutput(model_id, training.params["train"]["epochs"])]
        )
