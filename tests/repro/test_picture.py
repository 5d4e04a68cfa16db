"""The picture of the rooms is what the code imports, without the arrows that follow from others."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.repro import picture
from stages.repro.architecture import ROOMS, Code


def code(**imports: tuple[str, ...]) -> Code:
    """Rooms of one module each, by what they import."""
    return Code(
        {
            f"stages/{name}/it.py": frozenset(f"stages/{other}/it.py" for other in others)
            for name, others in imports.items()
        }
    )


def test_the_page_shows_the_rooms_as_the_code_imports_them(root: Path) -> None:
    text = picture.PAGE.read_text()
    drawn = picture.mermaid(picture.arrows(Code.read()), picture.purposes())
    assert picture.page(text, drawn) == text, "run `branchmark check --picture`"


def test_an_arrow_that_follows_from_two_others_is_left_out() -> None:
    direct = picture.arrows(
        code(data=("core",), training=("core", "data"), vcs=("core",), sync=("vcs", "data"))
    )
    assert direct["training"] == {"core", "data"}
    left = picture.reduced(direct)
    assert left["data"] == {"core"}
    assert left["training"] == {"data"}
    assert left["sync"] == {"vcs", "data"}


def test_the_picture_has_every_room_with_its_purpose_and_an_arrow_a_line() -> None:
    direct = picture.arrows(code(data=("core",)))
    purposes = dict.fromkeys(ROOMS, "") | {"core": "whole folders"}
    lines = picture.mermaid(direct, purposes).splitlines()
    assert '    core["<b>core</b><br>whole folders"]' in lines
    assert [line for line in lines if "-->" in line] == ["    data --> core"]
    assert sum("[" in line for line in lines) == len(ROOMS)


def test_every_room_says_what_it_is_for(root: Path) -> None:
    assert all(picture.purposes().values())


def test_a_page_without_a_place_for_it_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"docs/architecture\.md: .* is missing; put it back"):
        picture.page("# Architecture\n", "")
