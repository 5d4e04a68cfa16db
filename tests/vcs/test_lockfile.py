"""What is taken from a `dvc.lock`, and what is refused: it may be anybody's."""

from __future__ import annotations

import pytest

from stages.vcs import lockfile
from stages.vcs.lockfile import Output

MD5 = "0123456789abcdef0123456789abcdef.dir"
LOCK = f"""
schema: '2.0'
stages:
  reuse@tuned:
    deps:
    - {{path: data/prepared, md5: {MD5}}}
    - {{path: runs/adam-0.0, md5: {MD5}}}
    - {{path: params.yaml}}
    outs:
    - {{path: runs/tuned, md5: {MD5}}}
  uncached:
    outs: [{{path: runs/no_hash}}, {{path: reports/x, md5: fed.dir}}]
  nothing: {{cmd: echo}}
"""


def test_outputs_have_their_stage_their_data_and_the_variant_that_they_reuse() -> None:
    (output,) = lockfile.outputs(LOCK)
    assert output == Output("reuse@tuned", "tuned", MD5, MD5, "adam-0.0")
    assert output.folder == "runs/tuned"
    assert list(lockfile.outputs("")) == []
    assert list(lockfile.outputs("once: {cmd: the format of old}")) == []


@pytest.mark.parametrize(
    "change",
    [
        ("runs/tuned", "runs/../../../../proc/self/cwd/stages/."),
        ("runs/tuned", "runs/tuned/.."),
        ("runs/tuned", "runs/Tuned"),
        (f"runs/tuned, md5: {MD5}", "runs/tuned, md5: ../../x.dir"),
        ("reuse@tuned", "'reuse; touch x'"),
        (f"- {{path: runs/tuned, md5: {MD5}}}", "- 5"),
        ("outs:", "outs: 5\n    x:"),
        (f"runs/tuned, md5: {MD5}", "runs/tuned, md5: [1]"),
    ],
)
def test_names_and_hashes_that_dvc_does_not_write_are_refused(change: tuple[str, str]) -> None:
    assert change[0] in LOCK
    with pytest.raises(ValueError, match=r"no variant has|none of DVC's|not what DVC writes"):
        list(lockfile.outputs(LOCK.replace(*change)))


@pytest.mark.parametrize(
    "text",
    ["stages: " + "[" * 50_000, "stages: " + "[a," * 900, "- " * 50_000, "<<<<<<< HEAD\na: [\n",
     "stages: 5", "\n".join(" " * i + "a:" for i in range(3000))],
)  # fmt: skip
def test_what_is_nested_too_deeply_or_is_no_lock_file_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not what DVC writes"):
        lockfile.stages(text)
