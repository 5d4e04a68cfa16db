"""What equal bits cost an epoch, with the recipe and without: `python -m benchmarks.recipe`.

Both ways take turns, each in a process of its own, on the prepared data. "Without" is
`stages/training/arithmetic.py` less the cap on oneDNN, the two optimizations that are off, and the
batch normalization without `rsqrt`.
"""

from __future__ import annotations

import subprocess
import sys
import time
import types
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

VARIANTS = ("adam-0.3", "rmsprop-0.3", "batch_normalization")
ROUNDS, EPOCHS = 3, 6
MODULE = "stages.training.arithmetic"
RECIPE = (  # lines that make bits equal, and what stands there without them
    ('"ONEDNN_MAX_CPU_ISA": "AVX2",', ""),
    ('{"arithmetic_optimization": False, "constant_folding": False}', "{}"),
    ("tf.nn.batch_normalization = batch_normalization", ""),
)


def without() -> None:
    """Load the module without the recipe."""
    spec = find_spec(MODULE)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    for line, instead in RECIPE:
        assert line in text, line
        text = text.replace(line, instead)
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    exec(compile(text, spec.origin, "exec"), module.__dict__)


def epoch(name: str) -> float:
    """Return the median seconds of an epoch of a variant, validation included, in this process."""
    from stages import params
    from stages.data import arrays
    from stages.training.trainer import Trainer

    (variant,) = (each for each in params.load().variants() if each.name == name)
    train = variant.train.model_copy(update={"epochs": EPOCHS})
    variant = variant.model_copy(update={"train": train})
    took: list[float] = []
    data = arrays.load(Path("data/prepared"))
    trainer = Trainer(variant, data)
    trainer.train(1, data, None, Path("/dev/null"), lambda row, seconds: took.append(seconds))
    return median(took[1:])


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 1:
        name, way = sys.argv[1:]
        if way == "without":
            without()
        print(epoch(name))
        return
    table = Table("an epoch, seconds", "without", "with the recipe", "ratio")
    for name in VARIANTS:
        took: dict[str, list[float]] = {"without": [], "with": []}
        for _ in range(ROUNDS):
            for way, seconds in took.items():
                begin = time.perf_counter()
                command = [sys.executable, "-m", "benchmarks.recipe", name, way]
                out = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds.append(float(out.stdout))
                print(f"{name} {way}: {seconds[-1]:.3f} ({time.perf_counter() - begin:.0f} s)")
        plain, ours = median(took["without"]), median(took["with"])
        table.add_row(name, f"{plain:.3f}", f"{ours:.3f}", f"{ours / plain:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
