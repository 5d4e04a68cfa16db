"""Check what must hold before anything runs: the architecture and the library versions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from stages.core.errors import UserError
from stages.params.schema import Params
from stages.repro import architecture


def check(settings: Params, *, everything: bool = True) -> None:
    """Raise UserError if `dvc.yaml` and the code (`everything`, or what the stages reach) disagree,
    or if an installed library does not have the version that `params.yaml` records."""
    architecture.check(everything=everything)
    for library, wanted in settings.libraries.model_dump(by_alias=True).items():
        try:
            installed = version(library)
        except PackageNotFoundError:
            installed = "missing"
        if installed != wanted:
            raise UserError(
                f"libraries.{library}: params.yaml records {wanted}, installed is {installed}; "
                "install requirements.lock with `make install`"
            )
