"""What this machine's CPU can do."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stages.tracking import machine


def test_a_level_of_x86_64_stands_for_all_that_belongs_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simd = {"SIMD Extensions": {"baseline": ["X86_V2"], "found": ["X86_V3"]}}
    monkeypatch.setattr(np, "show_config", lambda mode: simd)
    assert {"AVX2", "FMA3"} <= machine.features()
    assert "AVX512F" not in machine.features()


@pytest.mark.skipif(not machine.CPUINFO.exists(), reason="no /proc/cpuinfo")
@pytest.mark.parametrize(
    ("flag", "feature"), [("avx2", "AVX2"), ("fma", "FMA3"), ("avx512f", "AVX512F")]
)
def test_what_the_kernel_says_of_the_cpu_is_said_here(flag: str, feature: str) -> None:
    if re.search(rf"^flags\s*:.*\b{flag}\b", machine.CPUINFO.read_text(), re.M):
        assert feature in machine.features()
