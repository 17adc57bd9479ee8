"""Misfits of events as bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from wavetree.viz.style import COLORS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_misfits", "plot_misfits"]

_NAMES = 12  # more names of events below bars overlap


def plot_misfits(misfits: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Draw misfits by simulation and event.

    Parameters
    ----------
    misfits
        Misfits by name of the simulation, then of the event.
    title
        Name of the misfit.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    events = list(dict.fromkeys(name for one in misfits.values() for name in one))
    figure = new_figure(min(max(5.0, 2.0 + 0.8 * len(events)), 14.0), 4.0)
    axes = figure.add_subplot()
    draw_misfits(axes, misfits)
    axes.set_title(title)
    return figure


def draw_misfits(axes: Axes, misfits: Mapping[str, Mapping[str, float]]) -> None:
    """Draw misfits by series and event, the bars of an event side by side."""
    events = list(dict.fromkeys(name for one in misfits.values() for name in one))
    width = 0.8 / len(misfits)
    for k, (label, one) in enumerate(misfits.items()):
        place = np.arange(len(events)) + (k + 0.5) * width - 0.4
        heights = [one.get(name, np.nan) for name in events]
        axes.bar(place, heights, width, label=label, color=COLORS[k % len(COLORS)])
    axes.set(xlabel="event", ylabel="misfit χ")
    if len(events) <= _NAMES:
        axes.set_xticks(range(len(events)), events, rotation=30, ha="right", rotation_mode="anchor")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 4))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
