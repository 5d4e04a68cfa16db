"""`dvc.lock`: what every stage read and left, by the hashes of files."""

from __future__ import annotations

from typing import Any


def stages(text: str) -> dict[str, Any]:
    """The stages of a `dvc.lock` by name, with every value as text, hashes above all.

    Read by libyaml where PyYAML has it: DVC's own parser takes seconds for hundreds of stages.

    Raises:
        ValueError: this is not what DVC writes.
    """
    import yaml

    try:
        content = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506
        return dict((content or {}).get("stages") or {})
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"not what DVC writes ({' '.join(str(error).split())[:80]})") from None
