"""What `dvc.yaml` must say, checked against the code and the environment."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stages.core.errors import UserError
from stages.params import schema as params

FILE = Path("dvc.yaml")


def check() -> None:
    """Raise UserError where a stage does not depend on a module that it imports, or where an
    installed library is not of the version that `params.yaml` records."""
    once = cache(imported)  # programs share modules
    for stage, content in stages().items():
        listed = {dep for dep in content["deps"] if dep.endswith(".py")}
        needed = modules(program(content["cmd"]), once)
        if missing := sorted(needed - listed):
            raise UserError(f"{FILE}: stages.{stage}.deps: add {', '.join(missing)}: imported")
        if unused := sorted(listed - needed):
            raise UserError(
                f"{FILE}: stages.{stage}.deps: remove {', '.join(unused)}: not imported"
            )
    for library, wanted in params.load().libraries.model_dump(by_alias=True).items():
        try:
            found = version(library)
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            raise UserError(
                f"libraries.{library}: params.yaml records {wanted}, installed is {found}; "
                "install requirements.lock with `make install`"
            )


def stages() -> dict[str, Any]:
    """The stages of `dvc.yaml` by name; of a group (`foreach`) what it does for each."""
    content = params.read(FILE)["stages"]
    return {name: stage.get("do", stage) for name, stage in content.items()}


def program(command: str) -> str:
    """The file that ``python -m stages.train`` runs."""
    return command.split()[2].replace(".", "/") + ".py"


def modules(program: str, imported: Callable[[Path], set[str]]) -> set[str]:
    """The project's own modules that `program` imports, itself and packages included, directly or
    through others; as paths. `imported` names those that one module imports."""
    found: set[str] = set()
    waiting = [Path(program)]
    while waiting:
        path = waiting.pop()
        if str(path) in found:
            continue
        found.add(str(path))
        for name in imported(path):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):  # the packages on the way run as well
                folder = Path(*parts[:end])
                waiting += [
                    p for p in (folder / "__init__.py", folder.with_suffix(".py")) if p.exists()
                ]
    return found


def imported(module: Path) -> set[str]:
    """Names below `stages` that a module imports, at its top or within functions; `from a import b`
    gives `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "stages"}
