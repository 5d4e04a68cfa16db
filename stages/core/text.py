"""Make text from a branch safe for a terminal or a page, which show it but never act on it."""

from __future__ import annotations

import re
import unicodedata
from html import escape as entities

LONGEST = 120  # characters of a value


def cut(text: str) -> str:
    """Return at most `LONGEST` characters of a value."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def line(text: str) -> str:
    """Return one line with � for control characters and those that change the direction of writing:
    they can repaint a terminal or forge a line."""
    return "".join("�" if unicodedata.category(c)[0] in "CZ" and c != " " else c for c in text)


def plain(text: str) -> str:
    """Return the text with each line as `line` returns it."""
    return "\n".join(map(line, text.split("\n")))


def markdown(text: str) -> str:
    """Return one line that GitHub's Markdown shows verbatim: no markup, table, link or mention."""
    # A zero-width space after these keeps GitHub from making a mention, a reference or a link
    broken = re.sub(r"([@#]|:(?=//)|\bwww|\bGH(?=-))", "\\1\u200b", line(text))
    markup = r"[\\`*{}\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    return re.sub(markup, r"\\\g<0>", entities(broken, quote=False))


def html(text: str) -> str:
    """Return one line escaped for HTML, attributes included."""
    return entities(line(text))
