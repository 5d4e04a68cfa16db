"""What the code imports is declared in pyproject.toml, and what is declared is needed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

OWN = {"benchmarks", "stages", "tests"}
# Declared and never imported: programs, plug-ins, types, and what pyproject.toml says of them.
PROGRAMS = {"check-jsonschema", "mypy", "pre-commit", "pytest-cov", "pytest-xdist", "ruff", "uv"}
PLUGINS = {"flask-wtf", "ruamel-yaml-clib", "tqdm"}


def normal(name: str) -> str:
    """The name of a distribution as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """The distributions that pyproject.toml names, of the project itself and of these extras."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    lines += [line for extra in extras for line in project["optional-dependencies"][extra]]
    return {normal(re.split(r"[\[<>=]", line)[0]) for line in lines}


def imported(*folders: str) -> dict[str, str]:
    """The top-level modules that Python files import, each with a file that does."""
    found: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted(Path(folder).rglob("*.py"))):
        for name in names(ast.parse(path.read_text())):
            found.setdefault(name, str(path))
    foreign = found.keys() - OWN - sys.stdlib_module_names
    return {name: found[name] for name in foreign}


def names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        (("stages",), ("cluster",)),
        (("stages", "tests", "benchmarks"), ("cluster", "dev", "server")),
    ],
    ids=["stages", "all"],
)
def test_whatever_is_imported_is_declared(
    root: Path, folders: tuple[str, ...], extras: tuple[str, ...]
) -> None:
    known, distributions = declared(*extras), packages_distributions()
    undeclared = {
        f"{file}: import {module}"
        for module, file in imported(*folders).items()
        if not {normal(each) for each in distributions.get(module, [])} & known
    }
    assert not undeclared, "add them to pyproject.toml"


def test_whatever_is_declared_is_imported_or_known_to_be_used_otherwise(root: Path) -> None:
    modules, distributions = imported("stages", "tests", "benchmarks"), packages_distributions()
    used = {normal(each) for module in modules for each in distributions.get(module, [])}
    types = {name for name in declared("dev") if name.startswith("types-") or "stubs" in name}
    known = declared("cluster", "dev", "server")
    assert known >= PROGRAMS | PLUGINS
    assert known - used - types <= PROGRAMS | PLUGINS


def test_every_dependency_has_its_reason_in_its_line(root: Path) -> None:
    text = Path("pyproject.toml").read_text().partition("[project.scripts]")[0]
    lines = [line for line in text.splitlines() if re.match(r'    "', line)]
    assert len(lines) > 20
    assert [line for line in lines if not re.search(r'",\s+# \S.+', line)] == []
