"""Nothing runs with libraries of other versions than the parameters record."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from stages import params
from stages.core.errors import UserError
from stages.repro import preflight


def test_the_installed_libraries_are_those_of_the_parameters(root: Path) -> None:
    preflight.check(params.load())


def test_another_version_or_none_is_one_sentence(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    for version, installed in ((lambda name: "0.1", "0.1"), (missing, "missing")):
        monkeypatch.setattr(preflight, "version", version)
        expected = rf"^libraries\.\w+: params\.yaml records .*, installed is {installed}; install"
        with pytest.raises(UserError, match=expected):
            preflight.check(params.load())
