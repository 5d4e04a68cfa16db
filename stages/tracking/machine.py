"""Describe the CPU that a training runs on, for MLflow's runs and never for an output."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import numpy as np

CPUINFO = Path("/proc/cpuinfo")
FIELDS = ("model name", "cpu family", "model")
LEVELS = {  # of x86-64: NumPy 2.4 names a level instead of the features in it
    "X86_V3": {"AVX2", "FMA3"},
    "X86_V4": {"AVX2", "FMA3", "AVX512F"},
}


def features() -> set[str]:
    """Return the CPU's SIMD features by NumPy's names: AVX2, FMA3, AVX512F, ..."""
    simd: Any = np.show_config(mode="dicts")
    named = {*simd["SIMD Extensions"]["baseline"], *simd["SIMD Extensions"]["found"]}
    return named.union(*(LEVELS.get(name, ()) for name in named))


def cpu() -> str:
    """Return the CPU's name, model, widest vectors: ``AMD EPYC, family 25 model 17, AVX512F``."""
    try:
        text = CPUINFO.read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = dict(re.findall(r"^([\w ]+?)\s*: *(.*)$", text.partition("\n\n")[0], re.M))
    name, family, model = (found.get(field, "") for field in FIELDS)
    kind = f"{name}, family {family} model {model}" if name else platform.processor()
    widest = next((each for each in ("AVX512F", "AVX2") if each in features()), "")
    return ", ".join(filter(None, (kind or platform.machine(), widest)))
