"""The output of a training in `runs/<variant>/`: models, history, and what determines them.

Equal results have equal bytes: no file names the variant, the machine or the time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.training import history
from stages.training.history import Row

HISTORY, SUMMARY = "history.csv", "summary.json"


def canonical(content: Mapping[str, Any]) -> str:
    """Return the canonical JSON of these values: sorted keys, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a text."""
    return sha256(text)[:16]


def sha256(content: str | bytes) -> str:
    """Return the SHA-256 of a text or of bytes."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def of_variant(fingerprints: Mapping[int, str]) -> str:
    """Return a variant's fingerprint, which follows from those of its seeds in any order."""
    return digest(canonical({str(seed): fingerprint for seed, fingerprint in fingerprints.items()}))


def model_name(seed: int) -> str:
    """Return the name of a seed's model file."""
    return f"seed-{seed}.keras"


@dataclass(frozen=True)
class Seed:
    """The result of one seed, as `summary.json` describes it.

    Attributes:
        fingerprint: hash of `identity`.
        identity: canonical JSON of all that determines the result.
        model, history: SHA-256 of the model file and of this seed's rows as CSV.
    """

    fingerprint: str
    identity: str
    model: str
    history: str


@dataclass(frozen=True)
class Summary:
    """The content of `summary.json`: the variant's fingerprint and, by seed, the results."""

    fingerprint: str
    seeds: dict[int, Seed]

    @property
    def fingerprints(self) -> dict[int, str]:
        """The fingerprint of each seed."""
        return {number: seed.fingerprint for number, seed in self.seeds.items()}

    def text(self) -> str:
        """Return the file's content, seeds in the order of their numbers."""
        seeds = {str(number): asdict(self.seeds[number]) for number in sorted(self.seeds)}
        return json.dumps({"fingerprint": self.fingerprint, "seeds": seeds}, indent=2) + "\n"

    @classmethod
    def parse(cls, text: str | bytes) -> Summary:
        """Parse what `text` returned.

        Raises:
            ValueError: it is not a summary.
        """
        try:
            content = json.loads(text)
            seeds = {int(number): Seed(**seed) for number, seed in content["seeds"].items()}
            return cls(content["fingerprint"], seeds)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a summary of a training ({error})") from None

    @classmethod
    def read(cls, path: Path) -> Summary:
        """Read a file; raises FileNotFoundError, and ValueError as `parse` does."""
        return cls.parse(path.read_bytes())


def describe(identity: str, model: Path, rows: Sequence[Row]) -> Seed:
    """Return the description of a seed's result."""
    files = sha256(model.read_bytes()), sha256(history.text(rows))
    return Seed(digest(identity), identity, *files)


def write(folder: Path, seeds: Mapping[int, Seed], rows: Mapping[int, Sequence[Row]]) -> None:
    """Write summary and history of a variant, by seed, into the `folder` that has its models."""
    fingerprint = of_variant({number: seed.fingerprint for number, seed in seeds.items()})
    summary = Summary(fingerprint, dict(seeds))
    (folder / SUMMARY).write_text(summary.text(), encoding="utf-8")
    ordered = [row for number in sorted(rows) for row in rows[number]]
    (folder / HISTORY).write_text(history.text(ordered), encoding="utf-8")
