"""Read what others wrote: a branch, a cache or a remote may hold anything.

`json` and `yaml` return plain values within limits of size, depth and number, and convert nothing
that only looks like a number. `text`, `number`, `mapping` and `sequence` then check the form of
each value. The error is one sentence that names the place of what does not fit.
"""

from __future__ import annotations

import json as parser
import re
from collections.abc import Iterator
from typing import Any

from stages.core.text import cut, line

LARGEST = 8 * 2**20  # bytes of a file; a dvc.lock of 26 variants has 60,000
MOST = 300_000  # values in a file
DEEPEST = 100  # levels of nesting
LONGEST = 100_000  # characters of a value
DIGITS = 20  # characters of a whole number

# ASCII and `fullmatch` exclude look-alike letters and a trailing line break
VARIANT = re.compile(r"[a-z][a-z0-9_]{0,99}(?:-[0-9][0-9.e-]{0,29})?")
STAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_@.-]{0,199}")  # not an option of a program
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
PATH = re.compile(r"[^\x00-\x1f\x7f]{1,1000}")
HASH = re.compile(r"[0-9a-f]{32}(?:\.dir)?")  # DVC's hash of a file or a folder
FOLDER = re.compile(r"[0-9a-f]{32}\.dir")
SHA256 = re.compile(r"[0-9a-f]{64}")
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
VERSION = re.compile(r"[0-9][0-9A-Za-z.+!]{0,49}")
LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn")
SEED = re.compile(r"[0-9]{1,10}")
SEEDS, EPOCHS = 2**32 - 1, 100_000  # the largest seed, and the most epochs

NULL, TRUE, FALSE = ("", "~", "null", "Null", "NULL"), ("true", "True"), ("false", "False")
WHOLE = re.compile(r"[-+]?[0-9]+")
REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?|[-+]?\.inf|\.nan")


class Refused(ValueError):
    """Something that others wrote does not fit; the message says where and why."""


# Files


def decoded(content: bytes | str, largest: int = LARGEST) -> str:
    """Return the text of a file; raise Refused if it is too large or not UTF-8."""
    if len(content) > largest:
        raise Refused(f"larger than {largest >> 20} MB")
    try:
        return content.decode("utf-8") if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8 ({error.reason} at byte {error.start})") from None


def json(content: bytes | str) -> Any:
    """Return the plain values of a JSON text. ``NaN`` and ``Infinity``, which a training that
    diverged leaves, become None.

    Raises:
        Refused: it is not JSON, or exceeds a limit.
    """
    text = decoded(content)
    if sum(map(text.count, ",[{")) > MOST:  # before any are built
        raise Refused(f"more than {MOST} values")
    try:
        found = parser.loads(text, parse_constant=lambda _: None, parse_int=whole)
    except RecursionError:
        raise Refused(f"nested more than {DEEPEST} levels deep") from None
    except parser.JSONDecodeError as error:
        raise Refused(f"line {error.lineno}: this is not valid JSON: {error.msg}") from None
    return bounded(found)


def yaml(content: bytes | str, typed: bool = False) -> Any:
    """Return the plain values of a YAML text, all as text, or with `typed` as YAML 1.2 has them.

    Use PyYAML's parser, on libyaml if it has it: DVC's own takes seconds for hundreds of stages.
    Build the values here from its events: PyYAML's constructor recurses at each level, and a few
    thousand levels crash the process.

    Raises:
        Refused: it is not YAML, exceeds a limit, or has aliases, which can multiply values.
    """
    import yaml as library

    result: list[Any] = []
    # The lists and sections that are still open, and whether each is a section
    open_: list[tuple[list[Any], bool]] = [(result, False)]
    try:
        events = library.parse(
            decoded(content), Loader=getattr(library, "CBaseLoader", library.BaseLoader)
        )
        for count, event in enumerate(events):
            value: Any
            match event:
                case library.ScalarEvent():
                    value = scalar(event.value) if typed and event.implicit[0] else event.value
                case library.SequenceStartEvent() | library.MappingStartEvent():
                    if len(open_) > DEEPEST:
                        raise Refused(f"nested more than {DEEPEST} levels deep")
                    open_.append(([], isinstance(event, library.MappingStartEvent)))
                    continue
                case library.SequenceEndEvent() | library.MappingEndEvent():
                    items, section = open_.pop()
                    value = pairs(items) if section else items
                case library.AliasEvent():
                    mark = event.start_mark
                    raise Refused(f"line {mark.line + 1 if mark else 1}: aliases are not read")
                case _:
                    continue
            if count > 2 * MOST:
                raise Refused(f"more than {MOST} values")
            open_[-1][0].append(value)
    except library.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        why = getattr(error, "problem", None) or " ".join(str(error).split())
        raise Refused(f"{place}this is not valid YAML: {cut(line(why))}") from None
    if len(result) > 1:
        raise Refused("more than one document")
    return bounded(result[0]) if result else None


def pairs(items: list[Any]) -> dict[str, Any]:
    """Return alternating keys and values as a section."""
    if any(isinstance(key, list | dict) for key in items[::2]):
        raise Refused("a key that is a list or a section")
    return {str(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def scalar(text: str) -> Any:
    """Return the value of a plain scalar in YAML 1.2."""
    if text in NULL:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if WHOLE.fullmatch(text):
        return whole(text)
    return (
        float(text.replace(".inf", "inf").replace(".nan", "nan")) if REAL.fullmatch(text) else text
    )


def whole(text: str) -> int:
    """Return a whole number; raise Refused if it has too many digits."""
    if len(text) > DIGITS:
        raise Refused(f"a number of {len(text)} digits")
    return int(text)


def bounded(content: Any) -> Any:
    """Return the same values; raise Refused if they are too deep, too many or too long, or hold
    half a character (a surrogate), which cannot be shown or stored."""
    waiting, count = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        texts: Iterator[str] | tuple[str, ...] = ()
        if isinstance(value, dict | list):
            if depth >= DEEPEST:
                raise Refused(f"nested more than {DEEPEST} levels deep")
            texts = iter(value) if isinstance(value, dict) else ()
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(each, depth + 1) for each in inner]
        elif isinstance(value, str):
            texts = (value,)
        for text in texts:
            if len(text) > LONGEST:
                raise Refused(f"a text of {len(text)} characters")
            if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
                raise Refused("a text with half a character")
        if count > MOST:
            raise Refused(f"more than {MOST} values")
    return content


# Values


def mapping(value: Any, place: str = "") -> dict[str, Any]:
    """Return a section, an empty one for None; raise Refused for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(place, "expected a section with keys and values")
    return value


def sequence(value: Any, place: str = "") -> list[Any]:
    """Return a list, an empty one for None; raise Refused for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise refused(place, "expected a list")
    return value


def text(value: Any, form: re.Pattern[str], what: str, place: str = "") -> str:
    """Return a text that matches `form`; raise Refused, which names `what`, for anything else."""
    if not isinstance(value, str) or not form.fullmatch(value):
        raise refused(place, f"{shown(value)} is no {what}")
    return value


def number(
    value: Any, low: float, high: float, place: str = "", integer: bool = False
) -> int | float:
    """Return a number from `low` to `high`; raise Refused for anything else."""
    kinds = (int,) if integer else (int, float)
    if type(value) not in kinds:
        raise refused(place, f"{shown(value)} is no {'whole number' if integer else 'number'}")
    if not low <= value <= high:
        raise refused(place, f"{shown(value)} is not between {low:g} and {high:g}")
    return value  # type: ignore[no-any-return]


def libraries(value: Any, place: str = "libraries") -> dict[str, str]:
    """Return versions by library; raise Refused for one that this project never records."""
    found = mapping(value, place)
    for name in found:
        if name not in LIBRARIES:
            raise refused(place, f"{shown(name)} is none of {', '.join(LIBRARIES)}")
    return {
        name: text(version, VERSION, "version", f"{place}.{name}")
        for name, version in found.items()
    }


def refused(place: str, why: str) -> Refused:
    """Return an error that says what does not fit, and where."""
    return Refused(f"{cut(line(place))}: {why}" if place else why)


def shown(value: Any) -> str:
    """Return a value in at most 60 characters, safe for a terminal."""
    if isinstance(value, dict | list):
        return "a section" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    words = repr(value) if isinstance(value, str) else str(value)
    return line(words if len(words) <= 60 else f"{words[:59]}…")
