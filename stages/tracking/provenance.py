"""The fingerprint: a hash of everything that determines a result, and of nothing else.

It stands in `runs/<variant>/summary.json` and in the tags of the MLflow runs, and so links an
output to its runs without a random id. The CPU is not in it: it may change the last digits, and
is recorded beside (`stages.network.backend.settings`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages import LOADED
from stages.errors import UserError
from stages.params import Variant, read

PIPELINE = Path("dvc.yaml")


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    Attributes:
        variant: the resolved parameters.
        data: the digest of `data/prepared`.
        code: SHA-256 by path, of every module that the stage depends on.
        source: the fingerprint of the variant whose layers it takes over, or "".
    """

    variant: Variant
    data: str
    code: Mapping[str, str]
    source: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with whatever changes the result."""
        everything = {
            "params": self.variant.model_dump(mode="json"),
            "data": self.data,
            "code": dict(self.code),
            "source": self.source,
        }
        canonical = json.dumps(everything, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def summary(self) -> dict[str, Any]:
        """All of it, for `runs/<variant>/summary.json`."""
        return {
            "stage": self.variant.stage,
            "study": self.variant.study,
            "variant": self.variant.name,
            "params": self.variant.values(),
            "data": self.data,
            "code": dict(self.code),
            "source": self.source,
            "fingerprint": self.fingerprint,
        }

    def check_unchanged(self, now: Provenance) -> None:
        """Raise UserError if something that determines the result is another than at the start.

        DVC hashes dependencies, and reads parameters, when a stage ends (treeverse/dvc 11058):
        without this, an edit during a training would be recorded as what was run.

        Args:
            now: the same of the files as they are now.
        """
        code = self.code.items() ^ now.code.items()
        code |= {(path, now.code[path]) for path in now.code if edited(path, now.code[path])}
        changed = sorted(path for path, _ in code)
        if self.variant != now.variant:
            changed.append("params.yaml")
        if self.data != now.data:
            changed.append("data/prepared")
        if self.source != now.source:
            changed.append("runs")
        if changed:
            raise UserError(
                f"{changed[0]}: edited while {self.variant.stage} was training, so the result "
                f"belongs to neither version; run `dvc repro {self.variant.stage}` again"
            )


def edited(path: str, sha256: str) -> bool:
    """Whether a module is another than the one that this program was loaded from."""
    return LOADED.get(path, sha256) != sha256


def code_of(stage: str) -> dict[str, str]:
    """SHA-256 of each module that `dvc.yaml` lists among the stage's dependencies."""
    content = read(PIPELINE)["stages"][stage.split("@")[0]]
    deps = content.get("do", content)["deps"]
    modules = [path for path in deps if str(path).endswith(".py")]
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in modules}


def source_of(variant: Variant) -> str:
    """The fingerprint of the variant whose layers `variant` takes over; "" where there is none.

    Raises:
        UserError: it has not been trained.
    """
    if variant.reuse is None:
        return ""
    path = Path("runs") / variant.reuse.source / "summary.json"
    if not path.exists():
        raise UserError(f"{path}: missing; run `dvc repro {variant.stage}`, which makes it first")
    return str(json.loads(path.read_text())["fingerprint"])
