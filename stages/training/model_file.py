"""A model's `.keras` file: equal models give equal bytes, without dates and memory addresses."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from stages.training.arithmetic import keras

FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of the zip format


def save(network: Any, path: Path) -> None:
    """Save `network` in Keras' own format, with the same bytes each time.

    Keras writes the date into `metadata.json` and the zip's entries, and the addresses of shared
    objects into `config.json`. So Keras saves a file beside it, which is copied without them.
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
    """Return the JSON without the date, with shared objects numbered from 1 as they appear."""
    numbers: dict[int, int] = {}

    def each(entry: dict[str, Any]) -> dict[str, Any]:
        entry.pop("date_saved", None)
        if (address := entry.get("shared_object_id")) is not None:
            entry["shared_object_id"] = numbers.setdefault(address, len(numbers) + 1)
        return entry

    return json.dumps(json.loads(content, object_hook=each)).encode()


def load(path: Path) -> Any:
    """Return the network that `save` wrote to a file; Keras' safe mode runs no code from it."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
