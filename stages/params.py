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
    negative_slope: float = Field(ge=0, le=1)


class ELU(Section):
    """x where x >= 0, alpha * (exp(x) - 1) below."""

    name: Literal["elu"]
    alpha: NotNegative


Hidden = tuple[Annotated[int, Field(ge=1)], ...]
AnyActivation = Annotated[Activation | LeakyReLU | ELU, Field(discriminator="name")]
Initializer = Literal["glorot_uniform", "he_normal"]


class Network(Section):
    """Flatten, the hidden layers, Dropout, Dense 10 softmax."""

    hidden: Hidden = Field(strict=False)
    activation: AnyActivation
    initializer: Initializer
    batch_normalization: bool


class NetworkChanges(Network):
    """Any of `network`'s keys. The defaults are never read: only what is written counts."""

    hidden: Hidden = Field(default=(), strict=False)
    activation: AnyActivation = Activation(name="linear")
    initializer: Initializer = "glorot_uniform"
    batch_normalization: bool = False


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


# int | float: DVC names a stage as the number is written, so 0 must not become 0.0
Dropout = Annotated[int | float, Field(ge=0, lt=1)]


class Base(Section):
    """What studies start from, with `network` and `train`."""

    optimizer: Name  # a key of `optimizers`
    dropout: Dropout


class Study(Section):
    """A variant of a study: the base, but for what is written here. As in `NetworkChanges`, the
    defaults are never read."""

    study: Name
    network: NetworkChanges = NetworkChanges()
    dropout: Dropout = 0
    optimizer: AnyOptimizer = SGD.model_validate({"class": "SGD", "learning_rate": 1.0})


class Reusing(Study):
    """A variant whose hidden layers begin as those of a trained one, seed by seed."""

    source: str  # a variant's name
    trainable: bool  # false: they stay as they are


class Target(Section):
    """Epochs to target: the first epoch with at least this accuracy."""

    validation_accuracy: float = Field(gt=0, lt=1)


class Compare(Section):
    """How sure a verdict must be, and from what size on a difference matters."""

    confidence: float = Field(gt=0.5, lt=1)
    min_effect: NotNegative  # accuracy points: hundredths of accuracy


class Reuse(Section):
    """The variant whose hidden layers are taken over, and whether they go on learning."""

    source: str
    trainable: bool


class Variant(Section):
    """One thing to train, with everything resolved: what a DVC stage and an MLflow run are of."""

    name: str
    stage: str
    study: str
    network: Network
    dropout: int | float
    optimizer: AnyOptimizer
    train: Train
    libraries: dict[str, str]
    reuse: Reuse | None = None

    def values(self) -> dict[str, Any]:
        """All that is resolved, by the names of `params.yaml`, without what it is called."""
        names = {"name", "stage", "study"}
        return self.model_dump(mode="json", by_alias=True, exclude=names, exclude_none=True)

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
    dropouts: Annotated[tuple[Dropout, ...], AfterValidator(distinct)] = Field(
        min_length=1, strict=False
    )
    base: Base
    studies: dict[Name, Study]
    reuse: dict[Name, Reusing]
    target: Target
    compare: Compare

    def variants(self) -> list[Variant]:
        """Every variant of the pipeline: the grid, then the studies, as `params.yaml` has them."""
        grid = [self.grid(o, d) for o in self.optimizers for d in self.dropouts]
        studies = [self.changed(name, study) for name, study in self.studies.items()]
        return grid + studies + [self.changed(name, study) for name, study in self.reuse.items()]

    def variant(self, stage: str) -> Variant:
        """The variant that a DVC stage trains.

        Raises:
            UserError: no stage of this name trains a variant of `params.yaml`.
        """
        variants = {variant.stage: variant for variant in self.variants()}
        if stage not in variants:
            raise UserError(f"{stage}: {FILE} has no such variant; it has {', '.join(variants)}")
        return variants[stage]

    def grid(self, optimizer: str, dropout: float) -> Variant:
        """The variant of one of `optimizers` and one of `dropouts`."""
        name = f"{optimizer}-{dropout}"
        return self.resolved(
            name=name,
            stage=f"train@{name}",
            study="grid",
            network=self.network,
            dropout=dropout,
            optimizer=self.optimizers[optimizer],
        )

    def changed(self, name: str, study: Study) -> Variant:
        """The base with the changes of a study's variant."""
        written = study.model_fields_set
        reuse = None
        if isinstance(study, Reusing):
            reuse = Reuse(source=study.source, trainable=study.trainable)
        changes = {key: getattr(study.network, key) for key in study.network.model_fields_set}
        base = self.optimizers[self.base.optimizer]
        return self.resolved(
            name=name,
            stage=f"{'reuse' if reuse else 'study'}@{name}",
            study=study.study,
            network=self.network.model_copy(update=changes),
            dropout=study.dropout if "dropout" in written else self.base.dropout,
            optimizer=study.optimizer if "optimizer" in written else base,
            reuse=reuse,
        )

    def resolved(self, **values: Any) -> Variant:
        """A variant with what is the same for all."""
        libraries = self.libraries.model_dump(by_alias=True, exclude={"scikit_learn"})
        return Variant(train=self.train, libraries=libraries, **values)


def load(file: Path = FILE) -> Params:
    """Read and check `params.yaml`, as DVC reads it (YAML 1.2).

    Raises:
        UserError: the file is missing, is not YAML, or holds a value that the schema refuses;
            one line a mistake.
    """
    return parse(read(file))


def read(file: Path) -> Any:
    """A YAML file as plain dicts and lists; raises UserError where it is missing or not YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; run this in the project's root folder") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}" if mark else f"{file}"
        raise UserError(f"{place}: this is not valid YAML: {error.problem}") from None


def parse(content: Any) -> Params:
    """`content` (plain dicts and lists) as typed parameters; raises UserError as `load` does."""
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        complaints = dict(complaint(detail) for detail in error.errors())
        # a list whose items are wrong counts as too short as well: the items say more
        lines = [
            f"{place}: {text}"
            for place, text in complaints.items()
            if not any(other.startswith(f"{place}.") for other in complaints)
        ]
        raise UserError("\n       ".join(lines)) from None
    check_references(params)
    return params


def check_references(params: Params) -> None:
    """Raise UserError where a value names something that is not there, or goes round in circles."""
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
                raise UserError(
                    f"{place}: {circle} goes round in a circle: each would wait for the other"
                )
            same = source.batch_normalization == own.batch_normalization
            if not source.hidden or source.hidden != own.hidden or not same:
                raise UserError(
                    f"{place}: the hidden layers of {reuse.source} do not fit: {shape(source)} "
                    f"there, {shape(own)} here"
                )
            chain.append(reuse.source)


def shape(network: Network) -> str:
    """The hidden layers in words: ``[100] with batch normalization``."""
    return f"{list(network.hidden)}{' with batch normalization' * network.batch_normalization}"


def complaint(detail: Any) -> tuple[str, str]:
    """One of pydantic's errors as the place and what is wrong there."""
    parts = [str(part) for part in detail["loc"]]
    # pydantic adds the branch of a union that it took; the file has no such key
    union = next((i for i, part in enumerate(parts) if part in ("activation", "optimizer")), None)
    if parts and parts[0] == "optimizers":
        union = 1
    place = [part for i, part in enumerate(parts) if union is None or i != union + 1]
    if place and place[-1] in ("int", "float", "[key]"):
        place.pop()
    tag = "name" if "activation" in place else "class"
    text = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
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
            text = "here belongs a section with keys and values"
        case "tuple_type":
            text = "here belongs a list, e.g. [0.0, 0.3]"
        case "too_short":
            text = "this must not be empty"
    return ".".join(place) or str(FILE), text
