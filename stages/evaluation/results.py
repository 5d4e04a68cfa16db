"""What an evaluation says of a variant: each score of each seed, with mean and deviation.

`reports/results/<variant>.json` holds all of it, for programs; `reports/metrics/<variant>.json` the
headline, for `dvc metrics`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Scores = Mapping[str, float | None]  # of one seed, by name: test_accuracy, loss_gap, ...
HEADLINE = (
    "validation_accuracy", "test_accuracy", "validation_loss", "loss_gap", "epochs_to_target",
)  # fmt: skip


MAY_LACK = ("epochs_to_target",)  # also a training that went well may never reach the target


def finite(value: float) -> float | None:
    """Return a number that JSON knows: None for those of a training that diverged."""
    return value if math.isfinite(value) else None


def loaded(text: str) -> Any:
    """Read JSON; ``NaN`` and ``Infinity``, which it does not know and Python writes, as null."""
    return json.loads(text, parse_constant=lambda _: None)


def checked(seeds: dict[int, dict[str, Any]]) -> dict[int, Scores]:
    """Return the same scores; raises ValueError where one is no number that a float can hold."""
    for seed, scores in seeds.items():
        for name, value in scores.items():
            if value is not None and type(value) not in (int, float):
                raise ValueError(f"{name} of seed {seed} is no number")
            if value is not None and not abs(value) < 1e300:
                raise ValueError(f"{name} of seed {seed} is no finite number")
    return dict(seeds)


@dataclass(frozen=True)
class Result:
    """The scores of a variant.

    Attributes:
        fingerprint: of the variant.
        seeds: the scores of each seed.
        fingerprints: of each seed; empty where an old revision had none.
    """

    fingerprint: str
    seeds: Mapping[int, Scores]
    fingerprints: Mapping[int, str]

    def values(self, score: str) -> list[float | None]:
        """Return a score of every seed, in the order of their numbers; empty if it is unknown."""
        ordered = [self.seeds[seed] for seed in sorted(self.seeds)]
        return [scores[score] for scores in ordered] if all(score in s for s in ordered) else []

    def mean(self, score: str) -> float | None:
        """Return the mean over seeds; None where a seed has no value: that of the others would
        look better than it is."""
        known = self.numbers(score)
        return None if known is None else round(float(np.mean(known)), 6)

    def deviation(self, score: str) -> float | None:
        """Return the sample standard deviation over seeds, 0 for a single one; None as `mean`."""
        known = self.numbers(score)
        if known is None:
            return None
        return round(float(np.std(known, ddof=1)), 6) if len(known) > 1 else 0.0

    def numbers(self, score: str) -> list[float] | None:
        """Return the values of every seed; None where one has none."""
        values = self.values(score)
        known = [value for value in values if value is not None]
        return known if known and len(known) == len(values) else None

    @property
    def diverged(self) -> list[int]:
        """The seeds whose training diverged, in their order: a score of theirs is no number."""
        return [
            seed
            for seed in sorted(self.seeds)
            if any(v is None and name not in MAY_LACK for name, v in self.seeds[seed].items())
        ]

    @property
    def names(self) -> list[str]:
        """The scores that there are."""
        return list(next(iter(self.seeds.values()), {}))

    def text(self) -> str:
        """Return the content of `reports/results/<variant>.json`."""
        seeds = {
            str(seed): {"fingerprint": self.fingerprints[seed], **self.seeds[seed]}
            for seed in sorted(self.seeds)
        }
        content = {
            "fingerprint": self.fingerprint,
            "mean": {name: self.mean(name) for name in self.names},
            "deviation": {name: self.deviation(name) for name in self.names},
            "seeds": seeds,
        }
        return json.dumps(content, indent=2) + "\n"

    def headline(self) -> str:
        """Return the content of `reports/metrics/<variant>.json`."""
        return json.dumps({name: self.mean(name) for name in HEADLINE}, indent=2) + "\n"

    @classmethod
    def parse(cls, text: str) -> Result:
        """Read what `text` returned.

        Raises:
            ValueError: it is something else.
        """
        try:
            content: dict[str, Any] = loaded(text)
            seeds = {int(seed): dict(scores) for seed, scores in content["seeds"].items()}
            fingerprints = {seed: str(each.pop("fingerprint")) for seed, each in seeds.items()}
            return cls(str(content["fingerprint"]), checked(seeds), fingerprints)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no result of an evaluation ({error!r})") from None

    @classmethod
    def of_old(cls, entry: Mapping[str, Any], seeds: list[int]) -> Result:
        """Read an entry of `reports/metrics.json`, which revisions had before there were `results`.

        Args:
            entry: of a variant: scores with `mean`, `std` and `seeds`, some within a split's.
            seeds: the numbers of the seeds, from `params.yaml`.
        """
        values: dict[str, list[float | None]] = {}
        for name, section in entry.items():
            if not isinstance(section, Mapping):
                continue
            nested = (
                {name: section}
                if "seeds" in section
                else {f"{name}_{key}": value for key, value in section.items()}
            )
            values |= {score: spread["seeds"] for score, spread in nested.items()}
        by_seed = {
            seed: {name: each[i] for name, each in values.items()} for i, seed in enumerate(seeds)
        }
        return cls(str(entry["fingerprint"]), checked(by_seed), {})


def parse_old(text: str, seeds: list[int]) -> dict[str, Result]:
    """Read `reports/metrics.json` of a revision from before there were `results`, by variant.

    Raises:
        ValueError: it is something else.
    """
    try:
        entries = loaded(text).items()
        return {
            old_name(key): Result.of_old(entry, seeds)
            for key, entry in entries
            if "fingerprint" in entry
        }
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"no metrics of an evaluation ({error!r})") from None


def old_name(key: str) -> str:
    """Return the variant of a key in which DVC wanted no dots: ``sgd-0.3`` of ``sgd-0_3``. Only
    those of the grid have a hyphen, and before it no dot."""
    optimizer, hyphen, dropout = key.partition("-")
    return optimizer + hyphen + dropout.replace("_", ".")


def read(folder: Path) -> dict[str, Result]:
    """Read the results of every variant from `reports/results`."""
    return {
        path.stem: Result.parse(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }
