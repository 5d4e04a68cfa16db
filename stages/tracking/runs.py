"""What a run of this project says, whoever writes it: tags, parameters, metrics, dataset, model.

A live run and one that is restored from its outputs go through the same functions. They take plain
values, not today's types: the outputs of an old revision had other parameters.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, LoggedModelOutput, Metric, Param

from stages.data.arrays import Split
from stages.outputs.history import METRICS
from stages.tracking.revision import Revision
from stages.tracking.store import insisting

Summary = Mapping[str, Any]  # the content of runs/<variant>/summary.json


def tags(summary: Summary, tree: Revision, user: str) -> dict[str, str]:
    """The tags that every run has; `mlflow.*` are those that MLflow's own pages show."""
    found = {
        "variant": summary["variant"],
        "study": summary.get("study", ""),
        "dvc_stage": summary["stage"],
        "fingerprint": summary["fingerprint"],
        "data": summary["data"],
        "branch": tree.branch,
        "commit": tree.commit,
        "dvc_exp": tree.experiment,
        "dirty": str(tree.dirty).lower(),
        "mlflow.source.name": "stages/train.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.branch": tree.branch,
        "mlflow.source.git.commit": tree.commit,
        "mlflow.user": user,
    }
    return {key: value for key, value in found.items() if value}


def status_after(error: type[BaseException] | None) -> str:
    """How a run ends: KILLED by Ctrl-C and SIGTERM, FAILED by any other exception."""
    if error is None:
        return "FINISHED"
    return "KILLED" if issubclass(error, KeyboardInterrupt | SystemExit) else "FAILED"


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one, keys joined by dots: ``optimizer.learning_rate``."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def log_params(client: MlflowClient, run_id: str, summary: Summary, **more: Any) -> None:
    """Every resolved parameter of the variant, defaults included."""
    values = flat(summary["params"]) | more
    client.log_batch(run_id, params=[Param(k, str(v)) for k, v in values.items()])


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


def now() -> int:
    """The time as MLflow counts it, in milliseconds."""
    return int(time.time() * 1000)


def log_metrics(
    client: MlflowClient,
    run_id: str,
    values: Mapping[str, float],
    step: int = 0,
    model_id: str | None = None,
) -> None:
    """Several metrics of one step in one call; those of the history belong to the model as well."""
    at = now()
    metrics = [
        Metric(name, value, at, step, model_id=model_id if name in METRICS else None)
        for name, value in values.items()
    ]
    client.log_batch(run_id, metrics=metrics)


def log_mean_history(
    client: MlflowClient, run_id: str, history: Any, at: int | None = None
) -> None:
    """The mean over seeds of each epoch's metrics; `history` is a frame of
    `stages.outputs.history`."""
    mean = history.groupby("epoch")[list(METRICS)].mean().reset_index()
    log_history(client, run_id, mean, now() if at is None else at)


def log_history(
    client: MlflowClient, run_id: str, history: Any, at: int, model_id: str | None = None
) -> None:
    """The metrics of all epochs at once, all at the time `at`; `history` has a row an epoch."""
    metrics = [
        Metric(name, float(row[name]), at, int(row["epoch"]), model_id=model_id)
        for _, row in history.iterrows()
        for name in METRICS
    ]
    for i in range(0, len(metrics), 1000):  # as many as MLflow takes in one call
        client.log_batch(run_id, metrics=metrics[i : i + 1000])


def log_picture(client: MlflowClient, run_id: str, png: bytes, at: int | None = None) -> None:
    """The loss plot: as a file of the run, and in the chart view beside those of other runs."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGB")
    client.log_image(run_id, image, artifact_file="loss.png")
    client.log_image(run_id, image, key="loss_plot", step=0, timestamp=at, synchronous=True)


def create_model(client: MlflowClient, experiment: str, run_id: str, summary: Summary) -> str:
    """A model that waits for its weights, so that metrics can name it from the first epoch on."""
    name = summary["variant"].replace(".", "_")  # MLflow's names of models hold no dots
    model = client.create_logged_model(
        experiment, name=name, source_run_id=run_id, model_type="keras"
    )
    return str(model.model_id)


def input_example(train: Split) -> Any:
    """The first two pictures, as the network takes them."""
    return train.images[:2].astype(np.float32) / np.float32(255)


def log_model(
    client: MlflowClient,
    run_id: str,
    model_id: str,
    network: Any,
    train: Split,
    summary: Summary,
) -> None:
    """The network, with signature, input example and pinned requirements.

    The requirements are what a plain Keras model needs: it loads with
    `mlflow.pyfunc.load_model` where this project is not installed. Naming them, and the
    signature, saves MLflow the seconds that it takes to find them out.
    """
    import mlflow.tensorflow
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    pixels = TensorSpec(np.dtype(np.float32), (-1, 28, 28))
    probabilities = TensorSpec(np.dtype(np.float32), (-1, 10))
    libraries = {**summary["params"]["libraries"], "mlflow": mlflow.__version__}
    with tempfile.TemporaryDirectory() as folder:
        mlflow.tensorflow.save_model(
            network,
            f"{folder}/model",
            mlflow_model=Model(model_uuid=model_id, run_id=run_id, model_id=model_id),
            signature=ModelSignature(Schema([pixels]), Schema([probabilities])),
            input_example=input_example(train),
            pip_requirements=sorted(f"{name}=={version}" for name, version in libraries.items()),
        )
        client.log_model_artifacts(model_id, f"{folder}/model")
    client.finalize_logged_model(model_id, "READY")
    link_model(client, run_id, model_id, summary)


def link_model(client: MlflowClient, run_id: str, model_id: str, summary: Summary) -> None:
    """List a model among a run's outputs: a seed's also among those of its variant's run."""
    client.log_outputs(run_id, [LoggedModelOutput(model_id, summary["params"]["train"]["epochs"])])
