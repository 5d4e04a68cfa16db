"""`params.yaml`: read, checked, and every complaint about it in one sentence."""

from stages.params.schema import FILE, Params, load, parse, read

__all__ = ["FILE", "Params", "load", "parse", "read"]
