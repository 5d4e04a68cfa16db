"""What differs between the inputs of two revisions: parameters, libraries, code, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.compare.snapshot import Snapshot
from stages.core.redact import redacted

ABSENT = "—"
Hashes = dict[str, str]  # by path


@dataclass(frozen=True)
class Changes:
    """Empty where nothing of a kind differs.

    Attributes:
        params: by place (``optimizers.adam.learning_rate``), the values of base and head.
        libraries: the same of the recorded versions.
        code: by folder or program that a stage depends on: edited, added or removed.
        data: the digests of the prepared data, or None where they are equal.
    """

    params: dict[str, tuple[str, str]]
    libraries: dict[str, tuple[str, str]]
    code: dict[str, str]
    data: tuple[str, str] | None


def changes(base: Snapshot, head: Snapshot) -> Changes:
    """Return what a reviewer must know before the numbers."""
    before, after = flat(base.params), flat(head.params)
    differing = {
        key: (show(before.get(key, ABSENT)), show(after.get(key, ABSENT)))
        for key in dict.fromkeys([*after, *before])
        if before.get(key, ABSENT) != after.get(key, ABSENT)
    }
    libraries = {key: pair for key, pair in differing.items() if key.startswith("libraries.")}
    old, new = code(base), code(head)
    data = digest(base), digest(head)
    return Changes(
        params={key: pair for key, pair in differing.items() if key not in libraries},
        libraries=libraries,
        code={
            path: "edited" if path in old and path in new else "added" if path in new else "removed"
            for path in sorted({*old, *new})
            if old.get(path) != new.get(path)
        },
        data=data if data[0] != data[1] else None,
    )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as one, keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def show(value: Any) -> str:
    """Return a value as `params.yaml` has it, without credentials."""
    if isinstance(value, bool):
        return str(value).lower()
    return redacted(str(value))


def code(snapshot: Snapshot) -> dict[str, Hashes]:
    """Return what the stages of `dvc.lock` depend on of the code, by folder or program.

    New locks name folders (`stages/training`) and programs (`stages/train.py`), old ones modules,
    which belong to their folders here.
    """
    found: dict[str, Hashes] = {}
    for stage in snapshot.lock.values():
        for dep in stage.get("deps", []):
            path = str(dep["path"])
            if path.startswith("stages/"):
                owner = "/".join(path.split("/")[:2])
                found.setdefault(owner, {})[path] = str(dep.get("md5", ""))
    return found


def digest(snapshot: Snapshot) -> str:
    """Return the hash of the prepared data in `dvc.lock`, shortened."""
    outs = snapshot.lock.get("prepare", {}).get("outs", [])
    return next((str(out.get("md5", ""))[:12] for out in outs), ABSENT)
