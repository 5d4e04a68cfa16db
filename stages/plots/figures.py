"""Provide what all pictures share.

They are drawn without pyplot and without dates, so that the same numbers give the same bytes.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

mpl.rcdefaults()  # a user's matplotlibrc must not change an output


def png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes, without Matplotlib's name and version in them."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def band(axes: Any, history: pd.DataFrame, metric: str, opacity: float = 0.2, **how: Any) -> None:
    """Draw a metric's mean over seeds by epoch, with a band of one standard deviation around it."""
    by_epoch = history.groupby("epoch")[metric]
    mean, deviation = by_epoch.mean(), by_epoch.std()
    (line,) = axes.plot(mean.index, mean, markersize=4, **how)
    if history["seed"].nunique() > 1:
        low, high = mean - deviation, mean + deviation
        axes.fill_between(mean.index, low, high, color=line.get_color(), alpha=opacity, lw=0)
