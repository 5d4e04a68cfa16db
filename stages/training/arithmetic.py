"""Import TensorFlow and Keras, set up so that every x86-64 CPU gives the same bits.

Other modules import `keras` and `tf` from here. Each setting below removes a difference that was
seen between two CPUs, or that an inherited environment variable can cause; docs/reproducibility.md
says how they were found. "Every CPU" means every one with AVX2 and FMA (see `another_arithmetic`).
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from stages.core import messages
from stages.core.errors import UserError

FIXED = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # AVX-512 kernels add in another order
    "TF_ENABLE_ONEDNN_OPTS": "1",  # by default TensorFlow turns it on for some CPUs only
    "OMP_NUM_THREADS": "1",  # the number of threads decides how a sum is split
    "CUDA_VISIBLE_DEVICES": "-1",  # a GPU adds in another order
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# Other variables that these libraries read: they select other kernels, lower precision, XLA,
# deterministic kernels with other values, another Keras, fewer epochs.
OTHERS = ("TF_", "ONEDNN_", "DNNL_", "MKL_", "OMP_", "KMP_", "XLA_", "KERAS_")

for name in [name for name in os.environ if name.startswith(OTHERS)]:
    del os.environ[name]
os.environ.update(FIXED)


@contextmanager
def silent() -> Iterator[None]:
    """Discard stderr: TensorFlow's C++ code writes to it before any log level takes effect."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Make imports of these modules fail, except of those already loaded."""
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# Garbage collection that finds nothing takes a third of the import's time. Nearly half goes to
# libraries that Keras imports if they are installed, for tables, pictures and wrappers.
gc.disable()
with silent(), hidden("matplotlib", "pandas", "sklearn"):
    import keras
    import tensorflow as tf

gc.freeze()
gc.set_threshold(100_000)  # it finds little in MLflow, too: saves 0.5 s a stage
gc.enable()

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
# Grappler turns x / sqrt(y) into x * rsqrt(y), and x / constant into x * reciprocal(constant), in
# RMSprop, Adagrad and batch normalization. The CPU instructions for both (rsqrtps, rcpps) start
# from an approximation that differs between vendors.
tf.config.optimizer.set_experimental_options(
    {"arithmetic_optimization": False, "constant_folding": False}
)
keras.config.set_floatx("float32")  # ~/.keras/keras.json may set others
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")
keras.config.disable_interactive_logging()  # no progress bar for each `predict`


# TensorFlow's own gradient of sqrt uses the vendor's approximation as well.
@tf.custom_gradient  # type: ignore[untyped-decorator]
def inverse_square_root(x: tf.Tensor) -> tuple[tf.Tensor, object]:
    """Return 1 / sqrt(x) by IEEE square root and division; its gradient only multiplies."""
    y = 1.0 / tf.sqrt(x)
    return y, lambda error: error * -0.5 * y * y * y


def batch_normalization(
    x: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    offset: tf.Tensor | None,
    scale: tf.Tensor | None,
    variance_epsilon: float,
    name: str | None = None,
) -> tf.Tensor:
    """Do what `tf.nn.batch_normalization` does, without `rsqrt`: Keras calls it by that name."""
    inverse = inverse_square_root(variance + variance_epsilon)
    if scale is not None:
        inverse *= scale
    shift = -mean * inverse if offset is None else offset - mean * inverse
    return x * inverse + shift


tf.nn.batch_normalization = batch_normalization

__all__ = ["another_arithmetic", "check_libraries", "keras", "tf"]


def check_libraries(recorded: dict[str, str]) -> None:
    """Raise UserError unless each library is installed in its version in `recorded`."""
    for library, wanted in recorded.items():
        if (installed := version(library)) != wanted:
            raise UserError(messages.LIBRARY.format(library, wanted, installed))


def another_arithmetic(features: set[str]) -> str | None:
    """Return why this machine may give other bits; None for an x86-64 CPU with AVX2 and FMA.

    Args:
        features: the CPU's features, by NumPy's names.
    """
    if (machine := platform.machine().lower()) not in ("x86_64", "amd64"):
        return f"it is not an x86-64 machine ({machine})"
    missing = {"AVX2", "FMA3"} - features
    return f"its CPU lacks {' and '.join(sorted(missing))}" if missing else None
