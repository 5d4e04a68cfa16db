"""`dvc.lock`: what every stage read and left, by the hashes of files.

It comes from any branch: only names and hashes of the form that DVC and this project write are
taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

RUNS, PREPARED = "runs/", "data/prepared"
VARIANT = re.compile(r"runs/([a-z][a-z0-9_]*(?:-[0-9][0-9.e-]*)?)")
FOLDER = re.compile(r"[0-9a-f]{32}\.dir")
DEEPEST = 100  # levels; libyaml calls itself for each, and thousands of them end the process
DEEP = re.compile(rf"^ {{{DEEPEST}}}|(?:[-?] +){{{DEEPEST}}}", re.M)


@dataclass(frozen=True)
class Output:
    """What a stage of a revision left in `runs/`, by the hashes in its `dvc.lock`.

    Attributes:
        stage: e.g. ``train@adam-0.3``; older revisions may have had other names.
        variant: e.g. ``adam-0.3``.
        md5: of DVC's list of the folder's files.
        data: the same of the prepared data that the stage read, or "".
        source: the variant whose layers it took over, or "".
    """

    stage: str
    variant: str
    md5: str
    data: str
    source: str

    @property
    def folder(self) -> str:
        """Its folder: ``runs/adam-0.3``."""
        return RUNS + self.variant


def plain(text: str) -> Any:
    """Return YAML with every value as text.

    Read by libyaml where PyYAML has it: DVC's own parser takes seconds for hundreds of stages.

    Raises:
        ValueError: this is not YAML, or nested too deeply.
    """
    import yaml

    brackets = accumulate(1 if each in "[{" else -1 for each in re.findall(r"[\[\]{}]", text))
    if DEEP.search(text) or max(brackets, default=0) > DEEPEST:
        raise ValueError("not what DVC writes (nested too deeply)")
    try:
        return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise unreadable(error) from None


def stages(text: str) -> dict[str, Any]:
    """Return the stages of a `dvc.lock` by name; raise ValueError where it is not what DVC
    writes."""
    content = plain(text)
    try:
        return dict((content or {}).get("stages") or {})
    except (AttributeError, TypeError, ValueError) as error:
        raise unreadable(error) from None


def outputs(text: str) -> Iterator[Output]:
    """Go through what the stages of a `dvc.lock` left in `runs/`.

    Raises:
        ValueError: it is not what DVC writes, or names a folder that no variant can have.
    """
    for stage, entry in stages(text).items():
        try:
            deps = [(dep["path"], dep.get("md5", "")) for dep in entry.get("deps") or ()]
            outs = [(out["path"], out.get("md5", "")) for out in entry.get("outs") or ()]
            for path, md5 in outs:
                if path.startswith(RUNS) and md5.endswith(".dir"):
                    data = next((md5 for path, md5 in deps if path == PREPARED), "")
                    sources = (path for path, _ in deps if path.startswith(RUNS))
                    source = next(sources, RUNS).removeprefix(RUNS)
                    yield checked(stage, path, md5, data, source)
        except (AttributeError, KeyError, TypeError) as error:
            raise unreadable(error) from None


def checked(stage: str, path: str, md5: str, data: str, source: str) -> Output:
    """Return an output whose names and hashes may be used as paths; raise ValueError otherwise."""
    name = VARIANT.fullmatch(path)
    if not name:
        raise ValueError(f"an output {path[:80]!r}, which no variant has")
    if not FOLDER.fullmatch(md5) or (data and not FOLDER.fullmatch(data)):
        raise ValueError(f"the hash {md5[:80]!r} of {path}, which is none of DVC's")
    if not re.fullmatch(r"[\w@.-]{1,200}", stage):
        raise ValueError(f"a stage {stage[:80]!r}, which no variant has")
    return Output(stage, name[1], md5, data, source)


def unreadable(error: Exception) -> ValueError:
    """Return the error of a `dvc.lock` that says nothing."""
    return ValueError(f"not what DVC writes ({' '.join(str(error).split())[:80]})")
