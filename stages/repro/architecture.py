"""Check `dvc.yaml` and the code against a table: which rooms of `stages/` a stage depends on, and
which others it may import.

DVC runs a stage again when a room that it depends on changes. Importing another room is honest only
if that cannot change what the stage writes; the table says why it cannot.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stages.core.errors import UserError
from stages.vcs import dvc

# A room imports only those to its left. The programs that dvc.yaml runs are one room, "programs".
ROOMS = (
    "core", "data", "training", "params", "vcs", "evaluation", "plots", "tracking", "compare",
    "sync", "repro", "verify", "decide", "programs", "cli",
)  # fmt: skip
BELOW_TRAINING = {"core", "data", "training"}  # all that training may import

WORDS = "errors, signals and the writing of whole files: no value of an output comes from there"
CHECKED = "it refuses wrong parameters; what right ones mean is read from the values in dvc.lock"
SCHEMA = "the schema of params.yaml is there; the stage reads values, which are its parameters"
DIGESTS = "only what has the SHA-256 that the summary of data/prepared names is let through"
FINISHED = "a finished seed is taken over by its fingerprint, after its bytes have been checked"
LISTENERS = "they are told what happens and return nothing; equal bytes without them are tested"
TYPES = "names of types and files; models and histories are read as they are"


@dataclass(frozen=True)
class Program:
    """What a stage program reaches in `stages/`.

    Attributes:
        depends: the rooms that `dvc.yaml` names as its dependencies.
        imports: other rooms that it may import, each with the reason why that is honest.
    """

    depends: frozenset[str]
    imports: Mapping[str, str]


PROGRAMS = {
    "fetch": Program(
        frozenset({"data"}), {"core": WORDS, "params": CHECKED, "training": SCHEMA}
    ),
    "prepare": Program(
        frozenset({"data"}), {"core": WORDS, "params": CHECKED, "training": SCHEMA}
    ),
    "train": Program(
        frozenset({"training"}),
        {
            "core": WORDS,
            "data": DIGESTS,
            "params": CHECKED,
            "vcs": FINISHED,
            "tracking": LISTENERS,
            "plots": LISTENERS,
        },
    ),
    "evaluate": Program(
        frozenset({"evaluation", "training"}),
        {
            "core": WORDS,
            "data": DIGESTS,
            "params": CHECKED,
            "vcs": LISTENERS,
            "tracking": LISTENERS,
        },
    ),
    "plot": Program(
        frozenset({"evaluation", "plots"}),
        {"core": WORDS, "data": DIGESTS, "params": CHECKED, "training": TYPES},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Code:
    """Modules in `stages/` and what they import.

    Attributes:
        imports: for each module (a path), the project's modules that it imports.
    """

    imports: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, root: Path = Path(), programs: Iterable[str] | None = None) -> Code:
        """Read every module of a project, or those that these programs reach."""
        paths = [path.relative_to(root).as_posix() for path in (root / "stages").rglob("*.py")]
        known, found = frozenset(paths), dict[str, frozenset[str]]()
        first = known if programs is None else {f"stages/{name}.py" for name in programs}
        waiting = list(known & first)
        while waiting:
            module = waiting.pop()
            if module not in found:
                found[module] = imported(root / module, known)
                waiting += found[module]
        return cls(dict(sorted(found.items())))

    def reached(self, module: str) -> dict[str, str]:
        """Return the modules that one reaches, itself included, each with its chain of imports."""
        ways, waiting = {module: module}, [module]
        while waiting:
            here = waiting.pop()
            for other in sorted(self.imports.get(here, ())):
                if other not in ways:
                    ways[other] = f"{ways[here]} -> {other}"
                    waiting.append(other)
        return ways


def imported(module: Path, known: frozenset[str]) -> frozenset[str]:
    """Return the project's modules that a module imports, at its top or within functions.

    Raises:
        UserError: it is not Python, or has a relative import.
    """
    try:
        tree = ast.parse(module.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{module}: this is not valid Python: {error}") from None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise UserError(f"{module}:{node.lineno}: import by the full name, `stages. ...`")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(path for name in names for path in files(name)) & known


@cache
def files(name: str) -> frozenset[str]:
    """Return the files that may run when a name is imported, including its packages'."""
    parts = name.split(".")
    whole = [Path(*parts[:end]) for end in range(1, len(parts) + 1)]
    return frozenset(
        path.as_posix()
        for each in whole
        for path in (each.with_suffix(".py"), each / "__init__.py")
    )


def room(module: str) -> str:
    """Return the room of a module's path; "" for `stages/__init__.py`, which is in none."""
    parts = Path(module).parts
    if len(parts) > 2:
        return parts[1]
    name = Path(module).stem
    return "" if name == "__init__" else "cli" if name == "cli" else "programs"


def check(root: Path = Path(), *, everything: bool = True) -> None:
    """Raise UserError if the table, `dvc.yaml` and the code disagree.

    Args:
        root: the project's folder.
        everything: whether to read all modules, or just those that a stage reaches.
    """
    stages = dvc.pipeline(root / dvc.PIPELINE)
    run = {program for stage in stages.values() for program in programs(stage)}
    code = Code.read(root, None if everything else run)
    if complaints := [*of_rooms(code), *of_pipeline(stages, code)]:
        raise UserError("\n       ".join(dict.fromkeys(complaints)))


def of_rooms(code: Code) -> list[str]:
    """Return what is wrong with the imports of single modules."""
    complaints = []
    for module, others in code.imports.items():
        own = room(module)
        if own and own not in ROOMS:
            complaints.append(f"{module}: no known room; name {own} in {__name__}.ROOMS")
            continue
        for other in sorted(others):
            theirs = room(other)
            if not theirs or theirs == own or theirs not in ROOMS:
                continue
            if ROOMS.index(theirs) > ROOMS.index(own or "core"):
                complaints.append(
                    f"{module}: imports {other}, and {theirs} is above {own}; imports point down"
                )
            elif own == "training" and theirs not in BELOW_TRAINING:
                complaints.append(f"{module}: imports {other}; training knows core and data only")
    return complaints


def of_pipeline(stages: Mapping[str, dvc.Stage], code: Code) -> list[str]:
    """Return what is wrong with the stages that run one of the project's programs; leave a user's
    own stages alone."""
    complaints = []
    for name, stage in stages.items():
        for program in programs(stage):
            place, file = f"{dvc.PIPELINE}: stages.{name}.deps", f"stages/{program}.py"
            if (known := PROGRAMS.get(program)) is None:
                complaints.append(f"{place}: {file} is not in {__name__}.PROGRAMS; add it")
                continue
            needed = {file, *(f"stages/{each}" for each in known.depends)}
            listed = {dep.rstrip("/") for dep in stage.deps if dep.startswith("stages/")}
            complaints += [f"{place}: add {each}" for each in sorted(needed - listed)]
            complaints += [
                f"{place}: remove {each}, or name it in {__name__}.PROGRAMS"
                for each in sorted(listed - needed)
            ]
            complaints += [
                f"{file}: reaches the room {theirs} ({way}) and does not depend on it; add it to "
                f"dvc.yaml and {__name__}.PROGRAMS, or say there why it changes no output"
                for theirs, way in rooms(file, code).items()
                if theirs not in known.depends | known.imports.keys()
            ]
    return complaints


def rooms(program: str, code: Code) -> dict[str, str]:
    """Return the rooms that a program reaches, each with a chain of imports to it."""
    ways: dict[str, str] = {}
    for module, way in code.reached(program).items():
        if module != program and (theirs := room(module)):
            ways.setdefault(theirs, way)
    return ways


def programs(stage: dvc.Stage) -> list[str]:
    """Return the programs that a stage runs: `train` of ``python -m stages.train``."""
    return [name for text in stage.commands for name in re.findall(r"-m stages\.(\w+)", text)]
