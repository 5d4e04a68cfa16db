"""Text of a branch on its way to a terminal or a page: it says something there and does nothing."""

from __future__ import annotations

import re
import unicodedata
from html import escape as entities

LONGEST = 120  # characters of a value


def cut(text: str) -> str:
    """Return at most `LONGEST` characters of a value."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def line(text: str) -> str:
    """Return one line: control characters and those that turn the direction of writing, which can
    repaint a terminal or forge a line, as �."""
    return "".join("�" if unicodedata.category(c)[0] in "CZ" and c != " " else c for c in text)


def plain(text: str) -> str:
    """Return the same lines, each as `line` returns it."""
    return "\n".join(map(line, text.split("\n")))


def markdown(text: str) -> str:
    """Return one line that GitHub's Markdown shows as it is: no markup, table, link or mention."""
    # A zero-width space after these keeps GitHub from making a mention, a reference or a link
    broken = re.sub(r"([@#]|:(?=//)|\bwww|\bGH(?=-))", "\\1\u200b", line(text))
    markup = r"[\\`*{}\[\]|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    return re.sub(markup, r"\\\g<0>", entities(broken, quote=False))


def html(text: str) -> str:
    """Return one line for an HTML page, also within an attribute."""
    return entities(line(text))
