"""Read and write the scores of a variant: each score of each seed, with mean and deviation.

`reports/results/<variant>.json` holds all scores, for programs. `reports/metrics/<variant>.json`
holds the headline, for `dvc metrics`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.core import untrusted
from stages.core.untrusted import FINGERPRINT, Refused

Scores = Mapping[str, float | None]  # of one seed, by name: test_accuracy, loss_gap, ...
HEADLINE = (
    "validation_accuracy", "test_accuracy", "validation_loss", "loss_gap", "epochs_to_target",
)  # fmt: skip
GREATEST = 7e38  # a loss is at most the difference of two logits, which are 32-bit floats
MAY_LACK = ("epochs_to_target",)  # even a training that went well may never reach the target


def finite(value: float) -> float | None:
    """Return the value, or None if it is not finite, as after divergence: JSON has no NaN."""
    return value if math.isfinite(value) else None


def diverged(scores: Scores) -> bool:
    """Return whether a training diverged: it lacks a score that every other training has."""
    return any(value is None and name not in MAY_LACK for name, value in scores.items())


def checked(seeds: Any, place: str = "seeds") -> tuple[dict[int, Scores], dict[int, str]]:
    """Return scores and fingerprints by seed number.

    Raises:
        Refused: a seed, a score or a fingerprint is not valid.
    """
    scores: dict[int, Scores] = {}
    fingerprints: dict[int, str] = {}
    for text, entry in untrusted.mapping(seeds, place).items():
        untrusted.text(text, untrusted.SEED, "seed", place)
        own = dict(untrusted.mapping(entry, f"{place}.{text}"))
        if "fingerprint" in own:
            fingerprint = own.pop("fingerprint")
            fingerprints[int(text)] = untrusted.text(
                fingerprint, untrusted.FINGERPRINT, "fingerprint", f"{place}.{text}"
            )
        scores[int(text)] = {
            name: score(name, value, f"{place}.{text}") for name, value in own.items()
        }
    return scores, fingerprints


def score(name: str, value: Any, place: str) -> float | None:
    """Return a score; raise Refused if it is not a number or outside the range of this score."""
    untrusted.text(name, untrusted.WORD, "score", place)
    if value is None:
        return None
    low, high = -GREATEST, GREATEST
    if name.endswith("accuracy"):
        low, high = 0.0, 1.0
    elif name in MAY_LACK:
        low, high = 1.0, untrusted.EPOCHS
    return untrusted.number(value, low, high, f"{place}.{name}")


@dataclass(frozen=True)
class Result:
    """The scores of a variant.

    Attributes:
        fingerprint: the variant's.
        seeds: the scores of each seed.
        fingerprints: each seed's; empty for an old revision that had none.
    """

    fingerprint: str
    seeds: Mapping[int, Scores]
    fingerprints: Mapping[int, str]

    def values(self, score: str) -> list[float | None]:
        """Return a score of every seed, in the order of their numbers; empty if a seed lacks it."""
        ordered = [self.seeds[seed] for seed in sorted(self.seeds)]
        return [scores[score] for scores in ordered] if all(score in s for s in ordered) else []

    def mean(self, score: str) -> float | None:
        """Return the mean over seeds; None if a seed has no value, because the mean of the others
        would look too good."""
        known = self.numbers(score)
        return None if known is None else round(float(np.mean(known)), 6)

    def deviation(self, score: str) -> float | None:
        """Return the sample standard deviation over seeds, 0 for one; None where `mean` is."""
        known = self.numbers(score)
        if known is None:
            return None
        return round(float(np.std(known, ddof=1)), 6) if len(known) > 1 else 0.0

    def numbers(self, score: str) -> list[float] | None:
        """Return the value of every seed; None if a seed has no value."""
        values = self.values(score)
        known = [value for value in values if value is not None]
        return known if known and len(known) == len(values) else None

    @property
    def diverged(self) -> list[int]:
        """Return the seeds whose training diverged, in the order of their numbers."""
        return [seed for seed in sorted(self.seeds) if diverged(self.seeds[seed])]

    @property
    def names(self) -> list[str]:
        """Return the names of the scores."""
        return list(next(iter(self.seeds.values()), {}))

    def text(self) -> str:
        """Return the content of `reports/results/<variant>.json`."""
        seeds = {
            str(seed): {"fingerprint": self.fingerprints[seed], **self.seeds[seed]}
            for seed in sorted(self.seeds)
        }
        content = {
            "fingerprint": self.fingerprint,
            **({"diverged": self.diverged} if self.diverged else {}),
            "mean": {name: self.mean(name) for name in self.names},
            "deviation": {name: self.deviation(name) for name in self.names},
            "seeds": seeds,
        }
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def headline(self) -> str:
        """Return the content of `reports/metrics/<variant>.json`, with how many seeds diverged."""
        content: dict[str, float | None] = {name: self.mean(name) for name in HEADLINE}
        if self.diverged:
            content["diverged"] = len(self.diverged)
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    @classmethod
    def parse(cls, text: bytes | str) -> Result:
        """Read what `text` returned; raise ValueError if it is anything else."""
        content = untrusted.mapping(untrusted.json(text))
        own = untrusted.text(content.get("fingerprint"), FINGERPRINT, "fingerprint", "fingerprint")
        seeds, fingerprints = checked(content.get("seeds"))
        if fingerprints.keys() != seeds.keys() or not seeds:
            raise Refused("seeds: there must be at least one, each with a fingerprint")
        return cls(own, seeds, fingerprints)


def parse_old(text: bytes | str, seeds: Sequence[int]) -> tuple[dict[str, Result], dict[str, str]]:
    """Read `reports/metrics.json` of a revision older than `reports/results`.

    Args:
        text: scores by variant, with `mean`, `std` and `seeds`, some nested under a split.
        seeds: the numbers of the seeds, from `params.yaml`.

    Returns:
        The results by variant, and for other variants the reason why there are none.

    Raises:
        ValueError: the text is anything else.
    """
    found: dict[str, Result] = {}
    refused: dict[str, str] = {}
    for key, entry in untrusted.mapping(untrusted.json(text)).items():
        if isinstance(entry, dict) and "fingerprint" not in entry:  # the champion
            continue
        name = untrusted.text(old_name(key), untrusted.VARIANT, "variant")
        try:
            found[name] = of_old(untrusted.mapping(entry), seeds)
        except Refused as error:
            refused[name] = str(error)
    return found, refused


def numbers(seeds: Any) -> list[int]:
    """Return the numbers of the seeds in an old `params.yaml`, given as text or as integers; raise
    Refused if they are not valid."""
    place = "params.yaml: train.seeds"
    return [
        int(untrusted.text(str(seed), untrusted.SEED, "seed", place))
        for seed in untrusted.sequence(seeds, place)
    ]


def of_old(entry: Mapping[str, Any], seeds: Sequence[int]) -> Result:
    """Read an entry of `reports/metrics.json`; raise Refused if it is not valid."""
    values: dict[str, list[Any]] = {}
    for name, section in entry.items():
        if isinstance(section, dict):
            scores = {"": section} if "seeds" in section else section
            for key, spread in scores.items():
                each = untrusted.sequence(untrusted.mapping(spread, key).get("seeds"), key)
                if len(each) != len(seeds):
                    raise untrusted.refused(name, f"{len(each)} values of {len(seeds)} seeds")
                values[f"{name}_{key}" if key else name] = each
    by_seed = {
        str(seed): {name: each[i] for name, each in values.items()} for i, seed in enumerate(seeds)
    }
    own = untrusted.text(entry.get("fingerprint"), FINGERPRINT, "fingerprint", "fingerprint")
    return Result(own, checked(by_seed)[0], {})


def old_name(key: str) -> str:
    """Return the variant for a key, in which DVC allows no dots: ``sgd-0.3`` for ``sgd-0_3``. Only
    variants of the grid have a hyphen, and no dot before it."""
    optimizer, hyphen, dropout = key.partition("-")
    return optimizer + hyphen + dropout.replace("_", ".")


def read(folder: Path) -> dict[str, Result]:
    """Read the results of every variant from `reports/results`."""
    return {path.stem: Result.parse(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
