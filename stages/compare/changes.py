"""Find what differs in the inputs of two revisions: parameters, libraries, code, data."""

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
    """The differences in the inputs; empty for each kind without one.

    Attributes:
        params: the values in base and head, by dotted key (``optimizers.adam.learning_rate``).
        libraries: the recorded versions in base and head, by dotted key.
        code: "edited", "added" or "removed", by folder or program that a stage depends on.
        data: the digests of the prepared data in base and head; None if they are equal.
    """

    params: dict[str, tuple[str, str]]
    libraries: dict[str, tuple[str, str]]
    code: dict[str, str]
    data: tuple[str, str] | None


def changes(base: Snapshot, head: Snapshot) -> Changes:
    """Return the input changes that a reviewer must know before reading the numbers."""
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
    """Return nested sections as one flat dict with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def show(value: Any) -> str:
    """Return a value as text: booleans as in YAML, credentials redacted."""
    if isinstance(value, bool):
        return str(value).lower()
    return redacted(str(value))


def code(snapshot: Snapshot) -> dict[str, Hashes]:
    """Return the code that stages depend on in `dvc.lock`, grouped by folder or program.

    New locks name folders (`stages/training`) and programs (`stages/train.py`). Old locks name
    modules, which are grouped under their folders.
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
    """Return 12 characters of the prepared data's hash in `dvc.lock`; `ABSENT` if it has none."""
    outs = snapshot.lock.get("prepare", {}).get("outs", [])
    return next((str(out.get("md5", ""))[:12] for out in outs), ABSENT)
