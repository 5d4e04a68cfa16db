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
    outs: [{{path: runs/no_hash}}, {{path: reports/x, md5: {MD5}}}]
  nothing: {{cmd: echo}}
"""


def test_outputs_have_their_stage_their_data_and_the_variant_that_they_reuse() -> None:
    lock = lockfile.read(LOCK)
    (output,) = lock.outputs
    assert output == Output("reuse@tuned", "tuned", MD5, MD5, "adam-0.0")
    assert output.folder == "runs/tuned"
    assert (len(lock.stages), lock.refused) == (3, ())
    assert lockfile.read("") == lockfile.read("once: {cmd: the format of old}")
    assert lockfile.read("") == lockfile.Lock({}, (), ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("runs/tuned", "runs/../../../../proc/self/cwd/stages/."), "is no variant"),
        (("runs/tuned", "runs/tuned/.."), "is no variant"),
        (("runs/tuned", "runs/Tuned"), "'Tuned' is no variant"),
        (("runs/tuned", '"runs/tuned\\n"'), "is no path"),
        ((f"runs/tuned, md5: {MD5}", "runs/tuned, md5: ../../x.dir"), "is no hash of DVC's"),
        ((f"runs/tuned, md5: {MD5}", "runs/tuned, md5: [1]"), "a list is no hash of DVC's"),
        (("reuse@tuned", "'reuse; touch x'"), "is no stage of a variant"),
        (("reuse@tuned", "--help"), "is no stage of a variant"),
        ((f"- {{path: runs/tuned, md5: {MD5}}}", "- 5"), "expected a section"),
        (("    outs:\n    - {path: runs/t", "    outs: 5\n    x:\n    - {path: runs/t"), "a list"),
        (("runs/adam-0.0", "runs/.."), "is no variant"),
    ],
)
def test_a_stage_that_dvc_did_not_write_is_one_sentence_and_the_others_are_read(
    change: tuple[str, str], why: str
) -> None:
    assert change[0] in LOCK
    other = f"  train@sgd-0.3: {{outs: [{{path: runs/sgd-0.3, md5: {MD5}}}]}}\n"
    lock = lockfile.read(LOCK.replace(*change) + other)
    assert [output.variant for output in lock.outputs] == ["sgd-0.3"]
    (sentence,) = lock.refused
    assert sentence.startswith("not what DVC writes (stages.")
    assert why in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "text",
    ["stages: " + "[" * 50_000, "stages: " + "[a," * 900, "- " * 50_000, "<<<<<<< HEAD\na: [\n",
     "stages: 5", "\n".join(" " * i + "a:" for i in range(3000)),
     b"stages: \xff", "a: 1\n---\nb: 2"],
)  # fmt: skip
def test_what_is_nested_too_deeply_or_is_no_lock_file_is_an_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not what DVC writes"):
        lockfile.read(text)
