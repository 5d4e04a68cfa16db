"""The same bits on every x86-64 CPU with AVX2, whatever is inherited: hashes of one machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages import params
from stages.tracking.machine import cpu, features
from stages.training.arithmetic import another_arithmetic
from tests.training import bits
from tests.training.test_arithmetic import INHERITED, keras_home

ROOT = Path(__file__).parents[2]
QEMU = "qemu-x86_64"
# An Intel CPU without AVX-512, with other caches (L2 4 MB, L3 16 MB) than the AMD ones in bits.json
EMULATED = "Haswell-noTSX"
CRASHES = "tanh"  # the emulator with SIGILL, natively it runs: a fault of the emulator, not of bits
# Emulated, a kind takes seconds. These have each operation in which CPUs were seen to differ:
# matrix products, softmax, x / sqrt(y), x / constant, batch normalization. EVERY_KIND=1 tries all,
# as the weekly workflow does.
TELLING = ("adagrad", "centered", "elu", "nadam", "batch_normalization-dropout")

own = another_arithmetic(features())
pytestmark = pytest.mark.skipif(own is not None, reason=f"{own}: its bits are its own")


def assert_recorded(hashes: bits.Hashes) -> None:
    """Every hash is the recorded one, or the first other one of each network is named."""
    record = bits.record()
    if apart := bits.differences(record["hashes"], hashes):
        pytest.fail(
            f"other bits than on {record['seen_on'][0]}, here on {cpu()} with "
            f"{os.confstr('CS_GNU_LIBC_VERSION')}, first at:\n" + "\n".join(apart)
        )


def run(command: list[str], env: dict[str, str]) -> bits.Hashes:
    """Run the program and return its hashes; it must come to its end."""
    result = subprocess.run(command, env=os.environ | env, cwd=ROOT, capture_output=True, text=True)
    hashes = bits.parse(result.stdout)
    last = list(hashes)[-1:] or "the first network"
    assert result.returncode == 0, f"died after {last}\n{result.stderr[-2000:]}"
    return hashes


def test_every_kind_of_network_has_the_recorded_bits() -> None:
    hashes = bits.trained([])
    assert hashes.keys() == bits.record()["hashes"].keys()
    assert_recorded(hashes)


def test_inherited_variables_and_a_keras_json_change_no_bit(tmp_path: Path) -> None:
    kinds = ["adam-dropout", "rmsprop", "batch_normalization", "two_hidden_layers"]
    env = INHERITED | keras_home(tmp_path) | {"HOME": str(tmp_path)}
    assert_recorded(run([sys.executable, "-m", "tests.training.bits", *kinds], env))


def test_another_vendors_cpu_without_avx512_gives_the_recorded_bits() -> None:
    if not (qemu := shutil.which(QEMU)):
        assert not os.environ.get("CI"), f"{QEMU} is missing; .ci/run installs it"
        pytest.skip(f"no {QEMU}; Debian has it in qemu-user")
    kinds = [kind for kind in bits.kinds() if kind != CRASHES]
    if not os.environ.get("EVERY_KIND"):
        kinds = [kind for kind in kinds if kind in TELLING]
    command = [qemu, "-cpu", EMULATED, sys.executable, "-m", "tests.training.bits", *kinds]
    hashes = run(command, {})
    assert list(hashes) == kinds
    assert_recorded(hashes)


def test_a_bit_that_comes_apart_names_the_network_and_the_layer() -> None:
    expected = {"adam": {"hidden_1 weights": "1", "optimizer": "1"}, "sgd": {"history": "1"}}
    got = {"adam": {"hidden_1 weights": "2", "optimizer": "2"}, "sgd": {"history": "1"}}
    assert bits.differences(expected, got) == ["adam: hidden_1 weights"]


def test_hashes_are_of_the_libraries_that_params_yaml_records() -> None:
    """After an update: `python -m tests.training.bits --write`, and everything is retrained."""
    assert bits.record()["libraries"] == bits.libraries()


def test_every_variant_of_the_pipeline_is_of_a_kind_with_recorded_bits() -> None:
    kinds = list(bits.kinds().values())
    optimizers = {(type(each.optimizer), each.dropout > 0) for each in kinds}
    optimizers |= {(kind, True) for kind, _ in optimizers}  # Dropout comes before any of them
    for variant in params.load(ROOT / "params.yaml").variants():
        network = variant.network
        assert (type(variant.optimizer), variant.dropout > 0) in optimizers
        assert network.activation.name in {each.network.activation.name for each in kinds}
        assert network.initializer in {each.network.initializer for each in kinds}
        assert min(len(network.hidden), 2) in {len(each.network.hidden) for each in kinds}
        reused = variant.reuse.trainable if variant.reuse else None
        normalized = network.batch_normalization
        assert (reused, normalized) in {
            (each.reuse.trainable if each.reuse else None, each.network.batch_normalization)
            for each in kinds
        }


def test_the_page_lists_every_cpu_on_which_the_hashes_were_seen() -> None:
    page = (ROOT / "docs/reproducibility.md").read_text(encoding="utf-8")
    for seen in bits.record()["seen_on"]:
        assert seen.split(",")[0] in page
    assert json.loads(bits.RECORD.read_text())["seen_on"]
