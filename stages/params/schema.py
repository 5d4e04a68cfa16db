"""`params.yaml` as typed values, and every complaint about it.

The schema is strict: an unknown key, a wrong type or a value out of range gives one sentence that
names the place, e.g. ``optimizers.adam.learning_rate: Input should be greater than 0``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from stages.core.errors import UserError
from stages.training.variants import Network, NotNegative, Section, Seed, Trainings, Variant

FILE = Path("params.yaml")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Files(Section):
    """SHA-256 of the four decompressed idx files."""

    train_images: Sha256 = Field(alias="train-images-idx3-ubyte")
    train_labels: Sha256 = Field(alias="train-labels-idx1-ubyte")
    test_images: Sha256 = Field(alias="t10k-images-idx3-ubyte")
    test_labels: Sha256 = Field(alias="t10k-labels-idx1-ubyte")


class Fetch(Section):
    """The hashes that the data must have, whichever source serves it."""

    sha256: Files


class Prepare(Section):
    """The split of the training set into training and validation."""

    validation_size: int = Field(ge=10)
    split_seed: Seed
    split: Literal["fixed", "per_seed"]


class Target(Section):
    """Epochs to target: the first epoch with at least this accuracy."""

    validation_accuracy: float = Field(gt=0, lt=1)


class Effects(Section):
    """The smallest difference that matters, for each metric."""

    validation_accuracy: NotNegative  # accuracy points: hundredths of accuracy
    validation_loss: NotNegative
    loss_gap: NotNegative
    epochs_to_target: NotNegative


class Compare(Section):
    """The confidence that a verdict needs, and the smallest differences that matter."""

    confidence: float = Field(gt=0.5, lt=1)
    min_effect: Effects


class Params(Trainings):
    """All of `params.yaml`."""

    fetch: Fetch
    prepare: Prepare
    target: Target
    compare: Compare

    def variant(self, stage: str) -> Variant:
        """Return the variant that a DVC stage trains.

        Raises:
            UserError: no stage of this name trains a variant of `params.yaml`.
        """
        variants = {variant.stage: variant for variant in self.variants()}
        if stage not in variants:
            raise UserError(f"{stage}: {FILE} has no such variant; it has {', '.join(variants)}")
        return variants[stage]


def load(file: Path = FILE) -> Params:
    """Read and check `params.yaml`, as DVC reads it (YAML 1.2).

    Raises:
        UserError: the file is missing, is not YAML, or holds a value that the schema refuses;
            one line per mistake.
    """
    return parse(read(file))


def read(file: Path) -> Any:
    """Read a YAML file as plain dicts and lists; raise UserError if it is missing or not YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run this in the project's root folder") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}" if mark else f"{file}"
        raise UserError(f"{place}: this is not valid YAML: {error.problem}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{file}:{line}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    except YAMLError as error:  # a character that YAML does not allow
        raise UserError(f"{file}: this is not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{file}: this is not valid YAML: it is nested too deeply") from None


def parse(content: Any) -> Params:
    """Return `content` (dicts and lists) as typed parameters; raise UserError as `load` does."""
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        complaints = dict(complaint(detail) for detail in error.errors())
        # pydantic also calls a list with wrong items too short; its items say more
        lines = [
            f"{place}: {text}"
            for place, text in complaints.items()
            if not any(other.startswith(f"{place}.") for other in complaints)
        ]
        raise UserError("\n       ".join(lines)) from None
    check_references(params)
    return params


def check_references(params: Params) -> None:
    """Raise UserError if a name is unknown, taken or circular, or if reused layers do not fit."""
    if params.base.optimizer not in params.optimizers:
        known = ", ".join(params.optimizers)
        raise UserError(f"base.optimizer: no {params.base.optimizer!r} among optimizers: {known}")
    for name in params.studies:
        if name in params.reuse:
            raise UserError(f"reuse.{name}: the name is taken by studies.{name}; choose another")
    for section, names in (("studies", params.studies), ("reuse", params.reuse)):
        if "champion" in names:
            raise UserError(f"{section}.champion: the reports use this name; choose another")
    variants = {variant.name: variant for variant in params.variants()}
    for name in params.reuse:
        chain = [name]
        while reuse := variants[chain[-1]].reuse:
            place = f"reuse.{chain[-1]}.source"
            if reuse.source not in variants:
                raise UserError(
                    f"{place}: no variant {reuse.source!r}; there are {', '.join(variants)}"
                )
            source, own = variants[reuse.source].network, variants[chain[-1]].network
            if reuse.source in chain:
                circle = " -> ".join([*chain[chain.index(reuse.source) :], reuse.source])
                raise UserError(f"{place}: {circle} is a cycle: each would wait for the other")
            same = source.batch_normalization == own.batch_normalization
            if not source.hidden or source.hidden != own.hidden or not same:
                raise UserError(
                    f"{place}: the hidden layers of {reuse.source} do not fit: {shape(source)} "
                    f"there, {shape(own)} here"
                )
            chain.append(reuse.source)


def shape(network: Network) -> str:
    """Return the hidden layers in words: ``[100] with batch normalization``."""
    return f"{list(network.hidden)}{' with batch normalization' * network.batch_normalization}"


def complaint(detail: Any) -> tuple[str, str]:
    """Return a pydantic error's place and what is wrong there."""
    parts = [str(part) for part in detail["loc"]]
    # pydantic's place names the chosen union member; the file has no such key
    union = next((i for i, part in enumerate(parts) if part in ("activation", "optimizer")), None)
    if parts and parts[0] == "optimizers":
        union = 1
    place = [part for i, part in enumerate(parts) if union is None or i != union + 1]
    if place and place[-1] in ("int", "float", "[key]"):
        place.pop()
    tag = "name" if "activation" in place else "class"
    text = detail["msg"]
    match detail["type"]:
        case "not_distinct":
            text = f"{detail['ctx']['value']} is listed twice"
        case "nesterov_alone":  # Keras accepts it and ignores it
            text = "nesterov changes nothing without momentum: set momentum above 0"
        case "extra_forbidden":
            text = "unknown key; is it misspelt?"
        case "missing":
            text = "this key is missing"
        case "string_pattern_mismatch" if detail["ctx"]["pattern"].startswith("^[a-z]"):
            text = "a name is lower-case letters, digits and _, and begins with a letter"
        case "union_tag_invalid":
            context = detail["ctx"]
            text = f"unknown {tag} {context['tag']!r}; known are {context['expected_tags']}"
        case "union_tag_not_found":
            text = f"the key `{tag}` is missing"
        case "model_type" | "dict_type" | "model_attributes_type":
            text = "expected a section with keys and values"
        case "tuple_type":
            text = "expected a list, e.g. [0.0, 0.3]"
        case "too_short":
            text = "this must not be empty"
    return ".".join(place) or str(FILE), text
