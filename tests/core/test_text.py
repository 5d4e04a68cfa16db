"""What a branch writes is shown, and does nothing."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from stages.core import text as escape

HOSTILE = ("</details><script>alert(1)</script>", "a|b\n# forged", "\x1b[2J\x9b2J", "\u202egnp.exe")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_control_character_reaches_a_terminal_or_a_page(text: str) -> None:
    for made in (escape.line(text), escape.markdown(text), escape.html(text)):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c == "\u202e" for c in made)


def test_no_markup_link_or_mention_is_left_in_markdown() -> None:
    made = escape.markdown("[x](https://a.b) <b> @org/team #12 www.a.b | `c` *d* ![i](u)")
    assert "<b>" not in made
    for each in ("@org", "#12", "://", "www."):
        assert each not in made
    for mark in "[]|`*":
        assert made.count(mark) == made.count(f"\\{mark}")


@pytest.mark.parametrize("name", ["adam-0.0", "two_hidden_layers", "+0.66 [+0.13, +1.18]", "0.001"])
def test_a_name_of_ours_reads_as_it_is(name: str) -> None:
    assert escape.markdown(name).replace("\\", "") == name
    assert escape.line(name) == name


def test_html_has_no_tag_but_ours() -> None:
    class Tags(HTMLParser):
        found: tuple[str, ...] = ()

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.found += (tag,)

    parser = Tags()
    parser.feed(f"<p title='{escape.html(chr(39).join(HOSTILE))}'>{escape.html(HOSTILE[0])}</p>")
    assert parser.found == ("p",)


def test_an_error_keeps_its_lines() -> None:
    assert escape.plain("one\n  two\r\x1b[2J") == "one\n  two��[2J"
