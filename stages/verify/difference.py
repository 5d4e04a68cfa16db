"""Find the first difference between two results, and describe it in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from stages.training.history import METRICS
from stages.verify.recorded import Rows


def of_histories(recorded: Rows, made: Rows) -> str | None:
    """Return the first seed, epoch and metric in which two histories differ, or None."""
    for key in sorted({*recorded, *made}, key=order):
        place = f"seed {key[0]}, epoch {key[1]}"
        if key not in made:
            return f"{place}: in git, but not trained here"
        if key not in recorded:
            return f"{place}: trained here, but not in git"
        for metric in METRICS:
            there, here = recorded[key].get(metric), made[key].get(metric)
            if not same(there, here):
                return f"{place}, {metric}: {short(there)} in git, {short(here)} here"
    return None


def order(key: tuple[str, str]) -> tuple[object, ...]:
    """Return a sort key that orders seeds and epochs as numbers, and other texts after them."""
    return tuple((not text.isdecimal(), len(text), text) for text in key)


def same(one: str | None, other: str | None) -> bool:
    """Return whether two texts are equal or the same number."""
    try:
        return one == other or float(one or "") == float(other or "")
    except ValueError:
        return False


def of_json(recorded: str, made: str) -> str | None:
    """Return the first value in which two JSON texts differ; None if their values are equal, or if
    one is not valid JSON.

    Values of seeds come first, because a mean differs whenever a seed's value does.
    """
    try:
        there, here = dict(leaves(json.loads(recorded))), dict(leaves(json.loads(made)))
    except (ValueError, RecursionError):
        return None
    missing = object()
    for place in sorted({**there, **here}, key=lambda place: not place.startswith("seeds.")):
        one, other = there.get(place, missing), here.get(place, missing)
        if one != other:
            words = ("nothing" if each is missing else short(each) for each in (one, other))
            return "{}: {} in git, {} here".format(place, *words)
    return None


def leaves(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value of nested lists and objects with its dotted place: `seeds.1.loss_gap`."""
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in pairs:
            yield from leaves(value, f"{place}.{key}" if place else str(key))
    else:
        yield place, content


def of_lines(recorded: str, made: str) -> str | None:
    """Return ``line 3``, the first line in which two texts differ; None if their lines agree."""
    lines = zip_longest(recorded.splitlines(), made.splitlines())
    number = next((n for n, (there, here) in enumerate(lines, 1) if there != here), None)
    return f"line {number}" if number else None


def of_folders(recorded: Mapping[str, str], made: Mapping[str, str]) -> str | None:
    """Return the first file in which two folders, given as hashes by path, differ, or None."""
    for path in sorted({**recorded, **made}):
        if path not in made:
            return f"{path}: not made here"
        if recorded.get(path) != made[path]:
            return f"{path}: different content here"
    return None


def short(value: object) -> str:
    """Return a value as text of at most 40 characters."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
