"""TensorFlow and Keras, imported once and fixed so that every x86-64 CPU gives the same bits.

Whoever needs `keras` or `tf` imports them from here. Each line below stands for a difference that
was seen between two CPUs, or that an inherited variable can make; docs/reproducibility.md tells
how they were found. "Every CPU" is every one with AVX2 and FMA: `another_arithmetic` tells others.
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
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # kernels for AVX-512 add in another order
    "TF_ENABLE_ONEDNN_OPTS": "1",  # TensorFlow turns it on for some CPUs only
    "OMP_NUM_THREADS": "1",  # the number of threads decides how sums are split
    "CUDA_VISIBLE_DEVICES": "-1",  # a GPU adds in another order
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
# Whatever else these libraries read from the environment: other kernels, lower precision, XLA,
# determinism that changes the values, another Keras, fewer epochs.
OTHERS = ("TF_", "ONEDNN_", "DNNL_", "MKL_", "OMP_", "KMP_", "XLA_", "KERAS_")

for name in [name for name in os.environ if name.startswith(OTHERS)]:
    del os.environ[name]
os.environ.update(FIXED)


@contextmanager
def silent() -> Iterator[None]:
    """Send stderr to nowhere: TensorFlow's C++ parts greet there before any log level counts."""
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
    """Let imports of these modules fail, but for those that are loaded already."""
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# A third of the import's time is garbage collection that finds nothing; another are two libraries
# that Keras imports, where they are installed, for wrappers and pictures that are not used here.
gc.disable()
with silent(), hidden("sklearn", "matplotlib"):
    import keras
    import tensorflow as tf

gc.freeze()
gc.set_threshold(100_000)  # nor does it find much while MLflow is imported and used: 0.5 s a stage
gc.enable()

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
# Grappler turns x / sqrt(y) into x * rsqrt(y), and x / constant into x * reciprocal(constant):
# RMSprop, Adagrad, batch normalization. The CPU's instructions for both (rsqrtps, rcpps) begin
# with a guess that is each vendor's own.
tf.config.optimizer.set_experimental_options(
    {"arithmetic_optimization": False, "constant_folding": False}
)
keras.config.set_floatx("float32")  # ~/.keras/keras.json may say otherwise
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")
keras.config.disable_interactive_logging()  # no progress bar for each `predict`


# The gradient of sqrt divides by the vendor's guess as well.
@tf.custom_gradient  # type: ignore[untyped-decorator]
def inverse_square_root(x: tf.Tensor) -> tuple[tf.Tensor, object]:
    """1 / sqrt(x) by IEEE's own square root and division, with a gradient of multiplications."""
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
    """`tf.nn.batch_normalization`, which Keras calls, without its `rsqrt`."""
    inverse = inverse_square_root(variance + variance_epsilon)
    if scale is not None:
        inverse *= scale
    shift = -mean * inverse if offset is None else offset - mean * inverse
    return x * inverse + shift


tf.nn.batch_normalization = batch_normalization

__all__ = ["another_arithmetic", "check_libraries", "keras", "tf"]


def check_libraries(recorded: dict[str, str]) -> None:
    """Raise UserError unless the installed libraries are the versions that `recorded` names."""
    for library, wanted in recorded.items():
        if (installed := version(library)) != wanted:
            raise UserError(messages.LIBRARY.format(library, wanted, installed))


def another_arithmetic(features: set[str]) -> str | None:
    """Return why this machine's bits may be its own; None on an x86-64 CPU with AVX2 and FMA.

    Args:
        features: what the CPU can do, by NumPy's names.
    """
    if (machine := platform.machine().lower()) not in ("x86_64", "amd64"):
        return f"it is no x86-64 machine ({machine})"
    missing = {"AVX2", "FMA3"} - features
    return f"its CPU lacks {' and '.join(sorted(missing))}" if missing else None
