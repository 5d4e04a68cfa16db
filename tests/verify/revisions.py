"""A revision with invented results, as plain values."""

from __future__ import annotations

from typing import Any

from stages.verify.proof import blob
from stages.verify.recorded import Recorded, Revision

MD5 = "0123456789abcdef" * 2 + ".dir"


class Invented(Revision):
    """A revision whose files stand in a dict."""

    def __init__(self, *variants: str, texts: dict[str, str] | None = None, **values: Any) -> None:
        texts = texts or {}
        object.__setattr__(self, "texts", texts)
        super().__init__(
            values.get("commit", "c" * 40),
            values.get("recorded") or {n: Recorded(f"train@{n}", MD5, epochs=2) for n in variants},
            values.get("folders", {}),
            {path: blob(text.encode(), "a" * 40) for path, text in texts.items()},
            frozenset(values.get("outputs", ())),
        )

    def text(self, path: str) -> str | None:
        texts: dict[str, str] = self.__dict__["texts"]
        return texts.get(path)
