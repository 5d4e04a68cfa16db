"""What differs between the inputs of two revisions: parameters, data, modules, libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.compare.snapshot import Side

ABSENT = "—"


@dataclass(frozen=True)
class Changes:
    """Empty where nothing of a kind differs.

    Attributes:
        params: by place (``optimizers.adam.learning_rate``), the values of base and head.
        libraries: the same of the recorded versions.
        modules: paths of the project's modules that a stage uses.
        data: the digests of the prepared data, or None where they are equal.
    """

    params: dict[str, tuple[str, str]]
    libraries: dict[str, tuple[str, str]]
    modules: list[str]
    data: tuple[str, str] | None


def changes(base: Side, head: Side) -> Changes:
    """What a reviewer must know before the numbers."""
    before, after = flat(base.params), flat(head.params)
    differing = {
        place: (show(before.get(place, ABSENT)), show(after.get(place, ABSENT)))
        for place in dict.fromkeys([*after, *before])
        if before.get(place, ABSENT) != after.get(place, ABSENT)
    }
    libraries = {place: pair for place, pair in differing.items() if place.startswith("libraries.")}
    old, new = modules(base), modules(head)
    data = digest(base), digest(head)
    return Changes(
        params={place: pair for place, pair in differing.items() if place not in libraries},
        libraries=libraries,
        modules=sorted(path for path in {*old, *new} if old.get(path) != new.get(path)),
        data=data if data[0] != data[1] else None,
    )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one, keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def show(value: Any) -> str:
    """A value as `params.yaml` has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def modules(side: Side) -> dict[str, str]:
    """The hash of each module that some stage of `dvc.lock` depends on."""
    deps = [dep for stage in side.lock.values() for dep in stage.get("deps", [])]
    return {dep["path"]: dep.get("md5", "") for dep in deps if dep["path"].endswith(".py")}


def digest(side: Side) -> str:
    """The hash of the prepared data in `dvc.lock`, shortened."""
    outs = side.lock.get("prepare", {}).get("outs", [])
    return next((str(out.get("md5", ""))[:12] for out in outs), ABSENT)
