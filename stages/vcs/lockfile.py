"""`dvc.lock`: what every stage read and wrote, by the hashes of files.

It may come from any branch, so only names and hashes in the form that DVC and this project write
are accepted. A stage with anything else is refused; the others are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.core import untrusted
from stages.core.untrusted import FOLDER, HASH, PATH, STAGE, VARIANT, Refused

RUNS, PREPARED = "runs/", "data/prepared"

Stage = Mapping[str, Any]


@dataclass(frozen=True)
class Output:
    """What a stage of a revision wrote to `runs/`, by the hashes in its `dvc.lock`.

    Attributes:
        stage: e.g. ``train@adam-0.3``; older revisions may use other names.
        variant: e.g. ``adam-0.3``.
        md5: the hash of DVC's list of the folder's files.
        data: the same for the prepared data that the stage read, or "".
        source: the variant whose layers it took over, or "".
    """

    stage: str
    variant: str
    md5: str
    data: str
    source: str

    @property
    def folder(self) -> str:
        """Return its folder, e.g. ``runs/adam-0.3``."""
        return RUNS + self.variant


@dataclass(frozen=True)
class Lock:
    """The content of a `dvc.lock`.

    Attributes:
        stages: by name, each with `deps` and `outs`, lists of `path` and `md5` ("" if it has none),
            and `params`, values by file and key, all as text.
        outputs: what they wrote to `runs/`.
        refused: a sentence for each stage that is not as DVC writes it, and thus not in `stages`.
    """

    stages: Mapping[str, Stage]
    outputs: tuple[Output, ...]
    refused: tuple[str, ...]


def read(content: bytes | str) -> Lock:
    """Read a `dvc.lock`; raise Refused if it is not what DVC writes."""
    try:
        file = untrusted.mapping(untrusted.yaml(content))
        entries = untrusted.mapping(file.get("stages"), "stages")
    except Refused as error:
        raise Refused(f"not what DVC writes ({error})") from None
    stages: dict[str, Stage] = {}
    outputs: list[Output] = []
    refused: list[str] = []
    for name, entry in entries.items():
        try:
            stage = checked(entry)
            outputs += left(name, stage)
            stages[name] = stage
        except Refused as error:
            place = untrusted.refused(f"stages.{name}", str(error))
            refused.append(f"not what DVC writes ({place})")
    return Lock(stages, tuple(outputs), tuple(refused))


def checked(entry: Any) -> Stage:
    """Return the parts of a stage that are used; raise Refused if one has another form."""
    entry = untrusted.mapping(entry)
    files = {kind: [each(file, kind) for file in listed(entry, kind)] for kind in ("deps", "outs")}
    params = {
        path: untrusted.mapping(values, f"params.{path}")
        for path, values in untrusted.mapping(entry.get("params"), "params").items()
    }
    return {**files, "params": params}


def listed(entry: Mapping[str, Any], kind: str) -> list[Any]:
    """Return the dependencies or outputs of a stage."""
    return untrusted.sequence(entry.get(kind), kind)


def each(file: Any, kind: str) -> dict[str, str]:
    """Return the path and the hash of a dependency or an output."""
    file = untrusted.mapping(file, kind)
    path = untrusted.text(file.get("path"), PATH, "path", f"{kind}.path")
    md5 = file.get("md5") or ""
    return {"path": path, "md5": md5 and untrusted.text(md5, HASH, "hash of DVC's", path)}


def left(name: str, stage: Stage) -> list[Output]:
    """Return what a stage wrote to `runs/`; raise Refused if no variant can have written it."""
    found = []
    for out in stage["outs"]:
        if out["path"].startswith(RUNS) and out["md5"].endswith(".dir"):
            own = variant(out["path"])
            untrusted.text(name, STAGE, "stage of a variant")
            deps = {dep["path"]: dep["md5"] for dep in stage["deps"]}
            data = deps.get(PREPARED) or ""
            if data:
                untrusted.text(data, FOLDER, "hash of a folder", PREPARED)
            sources = [variant(path) for path in deps if path.startswith(RUNS)]
            found.append(Output(name, own, out["md5"], data, next(iter(sources), "")))
    return found


def variant(path: str) -> str:
    """Return the variant whose folder this is; raise Refused if it is anything else."""
    name = path.removeprefix(RUNS)
    return untrusted.text(name, VARIANT, "variant", path)
