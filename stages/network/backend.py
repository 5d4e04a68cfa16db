"""TensorFlow and Keras, imported once and fixed: one thread, no XLA, no GPU, 32-bit floats.

What a result's last digits depend on is fixed here where it can be, and recorded by
`settings()` where it cannot. Whoever needs `keras` or `tf` imports them from this module.
"""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from stages.errors import UserError

FIXED = {
    "CUDA_VISIBLE_DEVICES": "-1",  # a GPU adds in another order
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # on where TensorFlow turns it on by itself, and elsewhere too
    "TF_XLA_FLAGS": "",
}
os.environ.update(FIXED)
for name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):  # they would cut a training short
    os.environ.pop(name, None)


@contextmanager
def silent() -> Iterator[None]:
    """Nothing on stderr: TensorFlow's C++ parts greet there before any log level counts."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


gc.disable()  # a third of the import's time is garbage collection that finds nothing
with silent():
    import keras
    import numpy as np
    import tensorflow as tf

gc.freeze()
gc.set_threshold(100_000)  # nor does it find much while MLflow is imported and used: 0.5 s a stage
gc.enable()

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
keras.config.set_floatx("float32")  # ~/.keras/keras.json may say otherwise
keras.config.disable_interactive_logging()  # no progress bar for each `predict`

__all__ = ["check_libraries", "keras", "settings", "tf"]


def check_libraries(recorded: dict[str, str]) -> None:
    """Raise UserError unless the installed libraries are the versions that `recorded` names."""
    for library, wanted in recorded.items():
        if (found := version(library)) != wanted:
            raise UserError(
                f"libraries.{library}: the pipeline records {wanted}, installed is {found}; "
                "install requirements.lock (`make install`), or record the new version in "
                "params.yaml and retrain"
            )


def settings() -> dict[str, Any]:
    """What the bits of a result depend on beside its inputs: what is fixed, and this CPU's kind."""
    simd: Any = np.show_config(mode="dicts")
    extensions = simd["SIMD Extensions"]
    return {
        "threads": 1,
        "onednn": True,
        "xla": False,
        "dtype": keras.config.floatx(),
        "machine": platform.machine(),
        "cpu_features": sorted({*extensions["baseline"], *extensions["found"]}),
    }
