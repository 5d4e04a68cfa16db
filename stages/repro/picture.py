"""Draw the picture of the rooms in docs/architecture.md from what the code imports."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from stages.core.errors import UserError
from stages.core.folders import write
from stages.repro.architecture import ROOMS, Code, room

PAGE = Path("docs/architecture.md")
BEGIN, END = "<!-- rooms: written by `branchmark check --picture` -->\n", "<!-- /rooms -->"
Arrows = Mapping[str, frozenset[str]]  # for each room, those that it imports


def arrows(code: Code) -> dict[str, frozenset[str]]:
    """Return which rooms each room imports, in the order of `ROOMS`."""
    found: dict[str, set[str]] = {name: set() for name in ROOMS}
    for module, others in code.imports.items():
        if (own := room(module)) in found:
            found[own] |= {room(other) for other in others} & found.keys() - {own}
    return {name: frozenset(others) for name, others in found.items()}


def reduced(direct: Arrows) -> dict[str, frozenset[str]]:
    """Return the arrows without those that follow from others: a -> b -> c drops a -> c.

    Imports point down, so there is no cycle and the result is unique.
    """
    reached: dict[str, frozenset[str]] = {}
    for name in ROOMS:  # from the bottom: a room comes after all that it imports
        known = (reached.get(other, frozenset()) for other in direct[name])
        reached[name] = direct[name].union(*known)
    return {
        name: frozenset(
            other for other in others if not any(other in reached[each] for each in others)
        )
        for name, others in direct.items()
    }


def mermaid(direct: Arrows, purposes: Mapping[str, str]) -> str:
    """Return the rooms as a Mermaid flowchart, which GitHub draws, the uppermost room first."""
    lines = ["```mermaid", "flowchart TD"]
    for name in reversed(ROOMS):
        text = f"<b>{name}</b><br>{purposes[name]}" if purposes[name] else f"<b>{name}</b>"
        lines.append(f'    {name}["{text}"]')
    for name, others in reversed(reduced(direct).items()):
        lines += [f"    {name} --> {other}" for other in sorted(others, key=ROOMS.index)[::-1]]
    return "\n".join([*lines, "```"]) + "\n"


def purposes(root: Path = Path()) -> dict[str, str]:
    """Return what each room is for: the first sentence of its package's docstring."""
    found = {"programs": "fetch, prepare, train, evaluate, plot: what dvc.yaml runs"}
    for name in ROOMS:
        package = root / "stages" / name / "__init__.py"
        module = package if package.exists() else root / "stages" / f"{name}.py"
        if module.exists():
            text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
            found[name] = text.split(".\n")[0].split("\n\n")[0].replace("\n", " ").rstrip(".")
        found.setdefault(name, "")
    return {name: text.replace("`", "").replace('"', "'") for name, text in found.items()}


def page(text: str, picture: str) -> str:
    """Return the page's text with this picture between its markers.

    Raises:
        UserError: a marker is missing.
    """
    if text.count(BEGIN) != 1 or END not in text.partition(BEGIN)[2]:
        raise UserError(f"{PAGE}: {BEGIN.strip()!r} or {END!r} is missing; put it back")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{picture}\n{END}{rest.partition(END)[2]}"


def update(root: Path = Path()) -> bool:
    """Redraw the rooms in docs/architecture.md; return whether that changed the page."""
    old = (root / PAGE).read_text(encoding="utf-8")
    new = page(old, mermaid(arrows(Code.read(root)), purposes(root)))
    if new != old:
        write(root / PAGE, new)
    return new != old
