"""Draw the activation functions and how fast they change."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from stages.plots import formulas
from stages.plots.figures import png
from stages.plots.palette import COLOURS, DASHES

NAMES = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU, slope 0.1",
    "elu": "ELU, alpha 1",
}


def picture() -> bytes:
    """Draw all five over the notebook's range, with their derivatives beside them, as PNG."""
    x = np.linspace(-5, 5, 2001)
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for i, (name, function) in enumerate(reversed(formulas.ALL.items())):
        # later lines are thinner, so that equal ones below them remain visible
        style = {"color": COLOURS[i], "linestyle": DASHES[i % 3], "linewidth": max(5 - i, 2)}
        slope = np.gradient(function(x), x)
        slope[x == 0] = np.nan  # ReLU's derivative jumps there: draw no line
        left.plot(x, function(x), label=NAMES[name], **style)
        right.plot(x, slope, label=NAMES[name], **style)
    left.set_ylim(-1.6, 2.6)
    left.set_title("activation")
    left.set_ylabel("output of the unit")
    left.legend(loc="upper left")
    right.set_title("derivative: how much error passes back")
    right.set_ylabel("derivative of the output")
    for axes in (left, right):
        axes.set_xlabel("input of the unit (a weighted sum)")
        axes.grid(alpha=0.4)
    return png(figure)
