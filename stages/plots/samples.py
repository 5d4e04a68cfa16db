"""Draw the data: the first samples of each class."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from stages.data.arrays import CLASSES, Split
from stages.plots.figures import png


def picture(split: Split, columns: int = 12) -> bytes:
    """Draw a row for each class with its first `columns` pictures, as PNG."""
    canvas = np.full((len(CLASSES) * 28, columns * 28), 255, dtype=np.uint8)
    for row in range(len(CLASSES)):
        for column, image in enumerate(split.images[split.labels == row][:columns]):
            place = np.s_[row * 28 : row * 28 + 28, column * 28 : column * 28 + 28]
            canvas[place] = 255 - image
    figure = Figure(figsize=(8, 6.2), layout=ConstrainedLayoutEngine(w_pad=0.12))
    axes = figure.subplots()
    axes.imshow(canvas, cmap="gray", vmin=0, vmax=255)
    axes.set_yticks(np.arange(len(CLASSES)) * 28 + 14, CLASSES)
    axes.set_xticks([])
    axes.set_title(f"Fashion-MNIST: the first {columns} training pictures of each class (inverted)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return png(figure)
