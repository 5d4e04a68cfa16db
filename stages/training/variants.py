"""The values of `params.yaml` that a training reads: typed, resolved, with every default.

They are part of the fingerprint, and a default can change a bit, so they belong to this room.
`stages.params` has the rest of `params.yaml` and the messages about mistakes in it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

T = TypeVar("T")


def distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return `values`; raise an error if two are equal (0 and 0.0 are)."""
    for i, value in enumerate(values):
        if value in values[:i]:
            raise PydanticCustomError("not_distinct", "{value} twice", {"value": value})
    return values


Name = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*$")
]  # safe in a shell and as the name of a folder
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A section of `params.yaml`: no unknown keys, no conversions, no changes after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class Libraries(Section):
    """Versions of the libraries whose arithmetic determines a result."""

    tensorflow: str
    keras: str
    numpy: str
    scikit_learn: str = Field(alias="scikit-learn")


class Activation(Section):
    """An activation without parameters."""

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
    """Any of the keys of `network`. Only written keys count: the defaults are never read."""

    hidden: Hidden = Field(default=(), strict=False)
    activation: AnyActivation = Activation(name="linear")
    initializer: Initializer = "glorot_uniform"
    batch_normalization: bool = False


class Train(Section):
    """Epochs, batch size and seeds, the same for all variants."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    seeds: Annotated[tuple[Seed, ...], AfterValidator(distinct)] = Field(min_length=1, strict=False)


class Optimizer(Section):
    """The value that every optimizer has. The subclasses repeat Keras' defaults, so that a run's
    parameters are complete and do not change with Keras; a test compares the two."""

    learning_rate: Rate


class SGD(Optimizer):
    """Gradient descent, optionally with momentum and Nesterov's variant of it."""

    kind: Literal["SGD"] = Field(alias="class")
    momentum: Fraction = 0.0
    nesterov: bool = False

    @model_validator(mode="after")
    def nesterov_needs_momentum(self) -> SGD:
        """Refuse `nesterov` without momentum, which Keras accepts and ignores."""
        if self.nesterov and self.momentum == 0:
            raise PydanticCustomError("nesterov_alone", "nesterov without momentum")
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
    """The optimizer and dropout that studies start from, besides `network`."""

    optimizer: Name  # a key of `optimizers`
    dropout: Dropout


class Study(Section):
    """A variant of a study: the base with the changes written here. As in `NetworkChanges`, the
    defaults are never read."""

    study: Name
    network: NetworkChanges = NetworkChanges()
    dropout: Dropout = 0
    optimizer: AnyOptimizer = SGD.model_validate({"class": "SGD", "learning_rate": 1.0})


class Reusing(Study):
    """A variant whose hidden layers start from those of a trained variant, seed by seed."""

    source: str  # a variant's name
    trainable: bool  # false: they stay frozen


class Reuse(Section):
    """The variant whose hidden layers are reused, and whether they are trained further."""

    source: str
    trainable: bool


class Variant(Section):
    """A variant with every value resolved; it has one DVC stage and one MLflow run."""

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
        """Return all resolved values by the names of `params.yaml`, without the variant's name."""
        names = {"name", "stage", "study"}
        return self.model_dump(mode="json", by_alias=True, exclude=names, exclude_none=True)


class Trainings(Section):
    """The sections of `params.yaml` that trainings read."""

    libraries: Libraries
    network: Network
    train: Train
    optimizers: dict[Name, AnyOptimizer] = Field(min_length=1)
    dropouts: Annotated[tuple[Dropout, ...], AfterValidator(distinct)] = Field(
        min_length=1, strict=False
    )
    base: Base
    studies: dict[Name, Study]
    reuse: dict[Name, Reusing]

    def variants(self) -> list[Variant]:
        """Return every variant of the pipeline: the grid, then the studies, in the file's order."""
        grid = [self.grid(o, d) for o in self.optimizers for d in self.dropouts]
        studies = [self.changed(name, study) for name, study in self.studies.items()]
        return grid + studies + [self.changed(name, study) for name, study in self.reuse.items()]

    def grid(self, optimizer: str, dropout: float) -> Variant:
        """Return the variant of one of `optimizers` and one of `dropouts`."""
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
        """Return a study's variant: the base with its changes."""
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
        """Return a variant, adding the values that all variants share."""
        libraries = self.libraries.model_dump(by_alias=True, exclude={"scikit_learn"})
        return Variant(train=self.train, libraries=libraries, **values)
