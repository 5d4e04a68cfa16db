"""Nothing inherited reaches TensorFlow and Keras: tried with empty stand-ins for both, in a moment;
that no bit changes is tried in test_bits.py."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.tracking import live
from stages.training import arithmetic

ROOT = Path(__file__).parents[2]
# Each of them can change a bit, the number of epochs, or which library computes.
INHERITED = {
    "CUDA_VISIBLE_DEVICES": "0",
    "DNNL_DEFAULT_FPMATH_MODE": "BF16",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "KERAS_BACKEND": "jax",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KMP_AFFINITY": "disabled",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "7",
    "ONEDNN_CPU_ISA_HINTS": "PREFER_YMM",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL": "UNSAFE_FORCE_ALL",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1",
    "TF_JIT_COMPILE_REWRITE": "1",
    "TF_NUM_INTEROP_THREADS": "5",
    "TF_NUM_INTRAOP_THREADS": "5",
    "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
    "TF_USE_LEGACY_KERAS": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    # These two are left alone: test_bits.py, which sets them too, shows that they change nothing.
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0",
    "TF2_BEHAVIOR": "0",
}
LEFT_ALONE = ("TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL", "TF2_BEHAVIOR")
STUBS = """
import json, os, sys
from unittest.mock import MagicMock
sys.modules["keras"] = MagicMock()
sys.modules["tensorflow"] = MagicMock()
import stages.training.arithmetic
print(json.dumps(dict(os.environ)))
"""


def keras_home(folder: Path) -> dict[str, str]:
    """Write a keras.json that wants everything else, where KERAS_HOME and HOME lead to it."""
    wanted = {
        "floatx": "float64",
        "epsilon": 0.1,
        "image_data_format": "channels_first",
        "backend": "tensorflow",
    }
    (folder / ".keras").mkdir()
    for place in (folder, folder / ".keras"):
        (place / "keras.json").write_text(json.dumps(wanted))
    return {"KERAS_HOME": str(folder)}


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What TensorFlow and Keras see of an environment that wants other bits."""
    env = os.environ | INHERITED | {"KERAS_HOME": "/elsewhere", "MLFLOW_TRACKING_URI": "kept"}
    command = [sys.executable, "-c", STUBS]
    result = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    seen: dict[str, str] = json.loads(result.stdout)
    return seen


@pytest.mark.parametrize("name", [*INHERITED, "KERAS_HOME"])
def test_an_inherited_variable_is_set_or_dropped(name: str, environment: dict[str, str]) -> None:
    if name not in LEFT_ALONE:
        assert environment.get(name) == arithmetic.FIXED.get(name)


def test_variables_of_others_stay(environment: dict[str, str]) -> None:
    assert environment["MLFLOW_TRACKING_URI"] == "kept"


def test_a_keras_json_decides_nothing() -> None:
    config = arithmetic.keras.config
    assert (config.floatx(), config.epsilon()) == ("float32", 1e-7)
    assert config.image_data_format() == "channels_last"
    assert config.dtype_policy().name == "float32"


def test_one_thread_computes_and_two_of_grapplers_optimizations_are_off() -> None:
    threading = arithmetic.tf.config.threading
    assert threading.get_intra_op_parallelism_threads() == 1
    assert threading.get_inter_op_parallelism_threads() == 1
    options = arithmetic.tf.config.optimizer.get_experimental_options()
    assert not options["arithmetic_optimization"]
    assert not options["constant_folding"]


def test_no_other_module_imports_tensorflow_or_keras() -> None:
    """Whoever did would decide their arithmetic before `arithmetic` can."""
    importing = set()
    for path in (ROOT / "stages").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if {name.partition(".")[0] for name in names} & {"keras", "tensorflow"}:
                importing.add(path.relative_to(ROOT / "stages").as_posix())
    assert importing == {"training/arithmetic.py"}


def test_batch_normalization_is_that_of_tensorflow_up_to_rounding() -> None:
    tf = arithmetic.tf
    x, mean, variance, offset, scale = (tf.random.uniform((4, 8), 1, 2, seed=i) for i in range(5))
    for shift, factor in ((offset, scale), (None, scale), (offset, None)):
        ours = arithmetic.batch_normalization(x, mean, variance, shift, factor, 1e-3)
        inverse = tf.math.rsqrt(variance + 1e-3) * (1.0 if factor is None else factor)
        theirs = (x - mean) * inverse + (0.0 if shift is None else shift)
        tf.debugging.assert_near(ours, theirs, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_its_square_root_is_the_right_one() -> None:
    tf = arithmetic.tf
    x = tf.constant([0.25, 1.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = arithmetic.inverse_square_root(x)
    assert tape.gradient(y, x).numpy().tolist() == [-4.0, -0.5, -0.0625]  # -x^(-3/2) / 2


@pytest.mark.parametrize(
    ("machine", "features", "why"),
    [
        ("x86_64", {"AVX2", "FMA3", "AVX512F"}, None),
        ("AMD64", {"AVX2", "FMA3"}, None),
        ("x86_64", {"AVX", "FMA3"}, "its CPU lacks AVX2"),
        ("x86_64", set(), "its CPU lacks AVX2 and FMA3"),
        ("aarch64", {"NEON"}, "it is not an x86-64 machine (aarch64)"),
        ("arm64", {"AVX2", "FMA3"}, "it is not an x86-64 machine (arm64)"),
    ],
)
def test_another_arithmetic_is_told(
    machine: str, features: set[str], why: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert arithmetic.another_arithmetic(features) == why


def test_a_training_on_another_arithmetic_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(live, "features", lambda: {"AVX2", "FMA3"})
    live.Lines({})
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(live, "features", lambda: {"SSE42"})
    live.Lines({})
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "its CPU lacks AVX2 and FMA3, so these results hold on this machine only" in err


def test_another_version_of_a_library_is_refused() -> None:
    with pytest.raises(UserError, match=r"libraries\.keras: the pipeline records 0\.1, installed"):
        arithmetic.check_libraries({"keras": "0.1"})
