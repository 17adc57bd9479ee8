"""Quality of meshes: a histogram and a map of every figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.mesh.quality import FIGURES, MeshQuality
from wavetree.viz.mesh import draw_field
from wavetree.viz.style import COLORS, Scale, new_figure, prefixed, row_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_quality"]

_DRAWN = ("scaled_jacobian", "condition", "size_ratio", "crossing_time")
_BINS = 40


def plot_quality(quality: MeshQuality) -> Figure:
    """Draw scaled Jacobian, condition, size ratio and crossing time, dark where they are bad.

    Parameters
    ----------
    quality
        What was measured.

    Returns
    -------
    matplotlib.figure.Figure
        A row for each figure: how many elements have which value, and where they are; of hexes three slices.
    """
    names = [name for name in _DRAWN if name in quality.figures()]
    figure = new_figure(9.0, row_height(3.2, quality.mesh.bounds) * len(names))
    grid = figure.subplots(len(names), 2, squeeze=False, width_ratios=(1.0, 1.4))
    for (left, right), name in zip(grid, names, strict=True):
        values, label = _shown(name, quality.figures()[name])
        scale = _scale(name, values, label)
        _draw_histogram(left, values, label, FIGURES[name].best_is_high)
        draw_field(right, quality.mesh, values[:, None], scale, FIGURES[name].title)
    return figure


def _shown(name: str, values: np.ndarray) -> tuple[np.ndarray, str]:
    """Values in a handy unit, and their label."""
    title, unit = FIGURES[name].title, FIGURES[name].unit
    if not unit:
        return values, title
    factor, unit = prefixed(float(values.max()), unit)
    return factor * values, f"{title} [{unit}]"


def _scale(name: str, values: np.ndarray, label: str) -> Scale:
    """Colours from bad, dark, to good."""
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = low - 0.01 * abs(low), high + 0.01 * abs(high)
    return Scale(low, high, "viridis" if FIGURES[name].best_is_high else "viridis_r", label)


def _draw_histogram(axes: Axes, values: np.ndarray, label: str, best_is_high: bool) -> None:
    low, high = float(values.min()), float(values.max())
    margin = max(0.5 * (high - low) / _BINS, 1e-2 * abs(high))
    edges = np.linspace(low - margin, high + margin, _BINS + 1)
    # Few bad elements matter as much as many good ones, so counts are drawn on a logarithmic axis.
    count, _, _ = axes.hist(values, bins=edges.tolist(), color=COLORS[0])
    worst: Any = low if best_is_high else high
    axes.axvline(worst, color=COLORS[1], linewidth=1.0)
    unit = f" {label.split('[')[1].rstrip(']')}" if "[" in label else ""
    axes.set(xlabel=label, ylabel="elements", yscale="log", title=f"worst {worst:.3g}{unit}")
    axes.set_ylim(0.7, 2.0 * float(np.max(count)))
