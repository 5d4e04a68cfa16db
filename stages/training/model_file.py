"""A model's `.keras` file: the same bytes whenever it is saved, no dates, no memory addresses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from stages.training.arithmetic import keras

FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of the zip format


def save(network: Any, path: Path) -> None:
    """Save `network` in Keras' own format, byte for byte the same at every time and place.

    Keras writes the date into `metadata.json` and into the zip's entries, and the addresses of
    shared objects into `config.json`. Its own file is saved beside and taken over without them.
    """
    dated = path.with_name(f"dated-{path.name}")
    keras.saving.save_model(network, dated)
    with zipfile.ZipFile(dated) as saved, zipfile.ZipFile(path, "w") as dateless:
        for name in sorted(saved.namelist()):
            content = saved.read(name)
            if name.endswith(".json"):
                content = steady(content)
            dateless.writestr(zipfile.ZipInfo(name, FIRST_DATE), content)
    dated.unlink()


def steady(content: bytes) -> bytes:
    """The same JSON without the date, shared objects numbered from 1 in order of appearance."""
    numbers: dict[int, int] = {}

    def each(entry: dict[str, Any]) -> dict[str, Any]:
        entry.pop("date_saved", None)
        if (address := entry.get("shared_object_id")) is not None:
            entry["shared_object_id"] = numbers.setdefault(address, len(numbers) + 1)
        return entry

    return json.dumps(json.loads(content, object_hook=each)).encode()


def load(path: Path) -> Any:
    """The network of a file that `save` wrote; Keras' safe mode runs no code from it."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
