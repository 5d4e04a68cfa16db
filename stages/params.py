"""`params.yaml` as typed values, and every complaint about it.

The schema is strict: an unknown key, a wrong type or a value out of range is one sentence that
names the place, e.g. ``optimizers.adam.learning_rate: Input should be greater than 0``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.errors import UserError

FILE = Path("params.yaml")
T = TypeVar("T")


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """The same values, if no two are equal (0 and 0.0 are)."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise ValueError(f"{value} stands there twice")
    return values


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # safe in a shell and as a folder
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A section of `params.yaml`: nothing unknown, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Libraries(Section):
    """Versions of the libraries whose arithmetic ends up in a result."""

    tensorflow: str
    keras: str
    numpy: str
    scikit_learn: str = Field(alias="scikit-learn")


class Files(Section):
    """SHA-256 of the four decompressed idx files."""

    train_images: Sha256 = Field(alias="train-images-idx3-ubyte")
    train_labels: Sha256 = Field(alias="train-labels-idx1-ubyte")
    test_images: Sha256 = Field(alias="t10k-images-idx3-ubyte")
    test_labels: Sha256 = Field(alias="t10k-labels-idx1-ubyte")


class Fetch(Section):
    """What the data must be, whichever source serves it."""

    sha256: Files


class Prepare(Section):
    """The split of the training set into training and validation."""

    validation_size: int = Field(ge=10)
    split_seed: Seed


class Activation(Section):
    """Sigmoid, tanh, ReLU, or linear: an activation without parameters."""

    name: Literal["linear", "sigmoid", "tanh", "relu"]


class LeakyReLU(Section):
    """max(x, negative_slope * x)."""

    name: Literal["leaky_relu"]
    negative_slope: float = Field(0.1, ge=0, le=1)


class ELU(Section):
    """x where x >= 0, alpha * (exp(x) - 1) below."""

    name: Literal["elu"]
    alpha: NotNegative = 1.0


class Network(Section):
    """Flatten, the hidden layers, Dropout, Dense 10 softmax."""

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(strict=False)
    activation: Activation | LeakyReLU | ELU = Field(discriminator="name")
    initializer: Literal["glorot_uniform", "he_normal"]
    batch_normalization: bool


class Train(Section):
    """How long, in which steps, and how often each variant is trained."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    seeds: Annotated[tuple[Seed, ...], AfterValidator(distinct)] = Field(min_length=1, strict=False)


class Optimizer(Section):
    """What all of Keras' optimizers have. The subclasses spell out Keras' defaults, so that a
    run's parameters are complete and do not change with Keras; a test compares the two."""

    learning_rate: Rate


class SGD(Optimizer):
    """Gradient descent; with momentum, and Nesterov's look ahead."""

    kind: Literal["SGD"] = Field(alias="class")
    momentum: Fraction = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def nesterov_needs_momentum(self) -> SGD:
        """Keras takes `nesterov` without momentum and does nothing with it."""
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov changes nothing without momentum: set momentum above 0")
        return self


class Adagrad(Optimizer):
    """Duchi, Hazan, Singer 2011."""

    kind: Literal["Adagrad"] = Field(alias="class")
    initial_accumulator_value: NotNegative = 0.1
    epsilon: Rate = 1e-7


class RMSprop(Optimizer):
    """Tieleman, Hinton 2012."""

    kind: Literal["RMSprop"] = Field(alias="class")
    rho: Fraction = 0.9
    momentum: Fraction = 0.0
    epsilon: Rate = 1e-7
    centered: bool = False


class Adam(Optimizer):
    """Kingma, Ba 2014."""

    kind: Literal["Adam"] = Field(alias="class")
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Rate = 1e-7
    amsgrad: bool = False


class Nadam(Optimizer):
    """Dozat 2016."""

    kind: Literal["Nadam"] = Field(alias="class")
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Rate = 1e-7


AnyOptimizer = Annotated[SGD | Adagrad | RMSprop | Adam | Nadam, Field(discriminator="kind")]


class Variant(Section):
    """One thing to train, with everything resolved: what a DVC stage and an MLflow run are of."""

    name: str
    network: Network
    dropout: int | float
    optimizer: AnyOptimizer
    train: Train
    libraries: dict[str, str]

    @property
    def key(self) -> str:
        """The name without dots, which DVC's metrics and MLflow's model names cannot hold."""
        return self.name.replace(".", "_")


class Params(Section):
    """The whole of `params.yaml`."""

    libraries: Libraries
    fetch: Fetch
    prepare: Prepare
    network: Network
    train: Train
    optimizers: dict[Name, AnyOptimizer] = Field(min_length=1)
    # int | float: DVC names a stage as the number is written, so 0 must not become 0.0
    dropouts: Annotated[
        tuple[Annotated[int | float, Field(ge=0, lt=1)], ...], AfterValidator(distinct)
    ] = Field(min_length=1, strict=False)

    def variants(self) -> list[Variant]:
        """Every variant of the pipeline, in the order of `params.yaml`."""
        return [self.grid(o, d) for o in self.optimizers for d in self.dropouts]

    def grid(self, optimizer: str, dropout: float) -> Variant:
        """The variant of one optimizer and one dropout.

        Raises:
            UserError: `params.yaml` has no such optimizer or dropout.
        """
        if optimizer not in self.optimizers or dropout not in self.dropouts:
            raise UserError(
                f"--optimizer {optimizer} --dropout {dropout}: {FILE} has no such variant; "
                f"optimizers: {', '.join(self.optimizers)}; "
                f"dropouts: {', '.join(map(str, self.dropouts))}"
            )
        written = self.dropouts[self.dropouts.index(dropout)]
        return Variant(
            name=f"{optimizer}-{written}",
            network=self.network,
            dropout=written,
            optimizer=self.optimizers[optimizer],
            train=self.train,
            libraries=self.libraries.model_dump(by_alias=True, exclude={"scikit_learn"}),
        )


def load(file: Path = FILE) -> Params:
    """Read and check `params.yaml`, as DVC reads it (YAML 1.2).

    Raises:
        UserError: the file is missing, is not YAML, or holds a value that the schema refuses;
            one line a mistake.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        content = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run this in the project's root folder") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}" if mark else f"{file}"
        raise UserError(f"{place}: this is not valid YAML: {error.problem}") from None
    return parse(content)


def parse(content: Any) -> Params:
    """`content` (plain dicts and lists) as typed parameters; raises UserError as `load` does."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        complaints = dict(complaint(detail) for detail in error.errors())
        # a list whose items are wrong counts as too short as well: the items say more
        lines = [
            f"{place}: {text}"
            for place, text in complaints.items()
            if not any(other.startswith(f"{place}.") for other in complaints)
        ]
        raise UserError("\n       ".join(lines)) from None


def complaint(detail: Any) -> tuple[str, str]:
    """One of pydantic's errors as the place and what is wrong there."""
    parts = [str(part) for part in detail["loc"]]
    # pydantic adds the branch of a union that it took; the file has no such key
    union = parts[0] == "optimizers" or parts[:2] == ["network", "activation"] if parts else False
    place = [part for i, part in enumerate(parts) if not (union and i == 2)]
    if place and place[-1] in ("int", "float", "[key]"):
        place.pop()
    tag = "class" if place[:1] == ["optimizers"] else "name"
    text = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            text = "unknown key; is it misspelt?"
        case "missing":
            text = "this key is missing"
        case "string_pattern_mismatch" if parts[-1] == "[key]":
            text = "a name is lower-case letters, digits and _, and begins with a letter"
        case "union_tag_invalid":
            context = detail["ctx"]
            text = f"unknown {tag} {context['tag']!r}; known are {context['expected_tags']}"
        case "union_tag_not_found":
            text = f"the key `{tag}` is missing"
        case "model_type" | "dict_type" | "model_attributes_type":
            text = "here belongs a section with keys and values"
        case "tuple_type":
            text = "here belongs a list, e.g. [0.0, 0.3]"
        case "too_short":
            text = "this must not be empty"
    return ".".join(place) or str(FILE), text
