"""Whatever others write, it is plain values of a known size, or one sentence."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest

from stages.core import untrusted
from stages.core.untrusted import Refused

DEEP = 50_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        "{" * DEEP,
        "- " * DEEP,
        "? " * DEEP,
        "- : " * DEEP,
        "# " + "]" * DEEP + "\n" + "[" * DEEP,  # what a count of brackets does not see
        "[ #]\n" * DEEP,
        "\r".join(" " * i + "a:" for i in range(2000)),
        "\n".join(" " * i + "- b:" for i in range(2000)),
        "[" * 900 + "]" * 900,
    ],
)
def test_yaml_that_is_nested_too_deeply_is_refused_and_ends_no_process(text: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(Refused):
        untrusted.yaml(text)
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [x]\nb: *a", "line 2: aliases are not read"),
        ("&a [*a]", "line 1: aliases are not read"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("? [1]\n: 2", "a key that is a list or a section"),
        ("a: [", "this is not valid YAML"),
        ("a: \x01", "this is not valid YAML"),
        ("a: 1" + "0" * 400, "a number of 401 digits"),
        ("- a\n" * (untrusted.MOST + 1), "more than 300000 values"),
        (b"a: \xff", "not UTF-8"),
        ("#" * (untrusted.LARGEST + 1), "larger than 8 MB"),
        ("a" * (untrusted.LONGEST + 1), "a text of 100001 characters"),
    ],
)
def test_yaml_that_holds_too_much_is_one_sentence(text: str | bytes, why: str) -> None:
    with pytest.raises(Refused, match=why) as error:
        untrusted.yaml(text, typed=True)
    assert str(error.value).isprintable()


def test_yaml_is_read_as_it_is_written_or_as_values() -> None:
    text = "a: 1\nb: [0.5, 1e-3, .inf, true, null, ~, '1', \"x\"]\nc: {d: , e: no, f: 0x10}\n"
    assert untrusted.yaml(text) == {
        "a": "1",
        "b": ["0.5", "1e-3", ".inf", "true", "null", "~", "1", "x"],
        "c": {"d": "", "e": "no", "f": "0x10"},
    }
    assert untrusted.yaml(text, typed=True) == {
        "a": 1,
        "b": [0.5, 0.001, math.inf, True, None, None, "1", "x"],
        "c": {"d": None, "e": "no", "f": "0x10"},
    }
    assert untrusted.yaml("") is None
    assert untrusted.yaml("a: {}\nb: []") == {"a": {}, "b": []}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * DEEP, "nested more than 100 levels deep"),
        ("[" * 101 + "]" * 101, "nested more than 100 levels deep"),
        ("[" + "1," * (untrusted.MOST + 1), "more than 300000 values"),
        ("1" * 5000, "a number of 5000 digits"),
        ("1" * 400, "a number of 400 digits"),
        ('["\\ud800"]', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("{\n  oops", "line 2: this is not valid JSON"),
        ("", "line 1: this is not valid JSON"),
    ],
)
def test_json_that_holds_too_much_is_one_sentence(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        untrusted.json(text)


def test_json_has_null_where_a_training_diverged() -> None:
    content = {"a": [1, -2.5, True, None, "x"], "b": {}}
    assert untrusted.json(json.dumps(content)) == content
    assert untrusted.json("[NaN, Infinity, -Infinity]") == [None, None, None]


@pytest.mark.parametrize("value", ["1", True, None, [1], {}, math.nan, math.inf, 10**20, -0.1])
def test_what_is_no_number_in_a_range_is_refused(value: Any) -> None:
    with pytest.raises(Refused, match=r"^here: "):
        untrusted.number(value, 0, 1, "here")


@pytest.mark.parametrize(
    "name", ["../x", "x\n", "x/y", "", "X", "é", "a" * 200, "x|y", "</details>", "@org", ".", "-x"]
)
def test_what_is_no_variant_is_refused_in_a_sentence_that_does_nothing(name: str) -> None:
    with pytest.raises(Refused, match="is no variant") as error:
        untrusted.text(name, untrusted.VARIANT, "variant", name)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "libraries",
    [{"evil-pkg": "1"}, {"numpy": "1; rm"}, {"numpy": "1 --index-url x"}, {"numpy": 1}, ["numpy"]],
)
def test_a_library_that_is_not_recorded_here_is_no_requirement(libraries: Any) -> None:
    with pytest.raises(Refused, match=r"^libraries"):
        untrusted.libraries(libraries)
