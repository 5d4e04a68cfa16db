"""What the pages and the lock say is what the project holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import pytest
from typer.main import get_command

from stages import params
from stages.cli import app
from stages.evaluation import tables

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a page, as lists of words: of its shell blocks, of its shown sessions, and
    those within a sentence. What is in brackets, or left out by dots, is a form and no command."""
    text = text.replace("\\\n", " ")
    lines = [
        line.removeprefix("$ ")
        for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)
        for line in block.splitlines()
        if (kind == "sh" and line[:1].strip()) or (not kind and line.startswith("$ "))
    ]
    lines += re.findall(r"`((?:branchmark|dvc|make|python -m) [^`]+)`", text)
    for line in lines:
        lexer = shlex.shlex(re.sub(r"\s+#.*", "", line), posix=True, punctuation_chars="|&;")
        lexer.whitespace_split, lexer.commenters = True, ""
        for operator, words in groupby(lexer, lambda word: not word.strip("|&;")):
            part = list(words)
            if not operator and not re.search(r"\[|\.\.\.|…|<", " ".join(part)):
                yield part


def test_the_lock_pins_the_versions_that_params_record_and_names_no_registry(root: Path) -> None:
    lock = Path("requirements.lock").read_text()
    for library, version in params.load().libraries.model_dump(by_alias=True).items():
        assert f"\n{library}=={version} \\" in lock
    assert "://" not in re.sub(r"#.*", "", lock)
    assert "--hash=sha256:" in lock


def test_the_page_of_results_shows_those_that_are_in_git(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results.md"
    copy.write_text(tables.PAGE.read_text())
    changed = tables.update(copy, tables.blocks(params.load()))
    assert not changed, "run `branchmark results`"


@page
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`((?:stages|tests|benchmarks)/[\w/]+(?:\.py|/)?)`", text):
        assert (ROOT / name).exists(), name


@page
def test_every_command_on_a_page_is_one_that_its_program_takes(page: Path) -> None:
    from dvc.cli.parser import get_main_parser

    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    branchmark, dvc = get_command(app), get_main_parser()
    for program, *words in commands(page.read_text()):
        said = shlex.join([program, *words])
        if program == "branchmark":
            name = words[0]
            assert name in branchmark.commands, said  # type: ignore[attr-defined]
            branchmark.commands[name].make_context(name, words[1:], obj=ROOT)  # type: ignore[attr-defined]
        elif program == "dvc":
            dvc.parse_args(words)
        elif program == "make":
            assert words[0] in targets, said
        elif program == "python" and words[0] == "-m":
            assert find_spec(words[1]), said


@page
def test_every_stage_that_a_page_names_is_in_params_or_is_made_by_the_page(page: Path) -> None:
    text = page.read_text()
    stages = {variant.stage for variant in params.load(ROOT / "params.yaml").variants()}
    stages |= {f"study@{name}" for name in re.findall(r"^  (\w+): \{study:", text, re.M)}
    assert set(re.findall(r"\b(?:train|study|reuse)@[\w.-]*\w", text)) <= stages


def test_commands_of_a_page_are_found_wherever_they_stand() -> None:
    text = "Try `dvc repro`.\n```sh\nmake a && b c  # why\n```\n"
    text += "```\n$ branchmark x 'y; z' | tail\nsaid\n```\n"
    assert list(commands(text)) == [
        ["make", "a"], ["b", "c"], ["branchmark", "x", "y; z"], ["tail"], ["dvc", "repro"],
    ]  # fmt: skip
    assert not list(commands("`branchmark repro [-j N]` and `branchmark verify …`"))


def test_the_readme_is_short_and_has_no_gaps() -> None:
    assert (ROOT / "README.md").stat().st_size <= 7 * 1024
    assert not re.findall(r"\b[A-Z]{4,}\d\b|TODO", (ROOT / "README.md").read_text())
