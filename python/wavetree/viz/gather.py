"""Records of all receivers of one event side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot

from wavetree.data.event_data import EventData
from wavetree.errors import unknown_name
from wavetree.survey.receiver.fields import FIELDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_gather"]


def plot_gather(data: EventData, receiver_field: str, component: str, plot_types: Sequence[str]) -> Figure:
    """Draw the records of all receivers that record a field; see `EventData.plot`.

    Raises
    ------
    ValueError
        If the field, component or a type is unknown.
    """
    for name in plot_types:
        if name not in _DRAW:
            raise unknown_name("plot type", name, _DRAW)
    times, values = data.get_data_cube(receiver_field, component)
    figure, axes = pyplot.subplots(
        1, len(plot_types), figsize=(6 * len(plot_types), 5), squeeze=False, layout="constrained"
    )
    title = f"{data.event_name}: {receiver_field}, {component} [{FIELDS[receiver_field].unit}]"
    for one, name in zip(axes[0], plot_types, strict=True):
        _DRAW[name](one, times, values)
        one.set(xlabel="receiver", ylabel="time [s]", title=title)
    return figure


def _draw_shotgather(axes: Axes, times: np.ndarray, values: np.ndarray) -> None:
    peak = np.abs(values).max(initial=0.0) or 1.0
    extent = (-0.5, values.shape[0] - 0.5, times[-1], times[0])
    image = axes.imshow(values.T, extent=extent, aspect="auto", cmap="RdBu_r", vmin=-peak, vmax=peak)
    axes.figure.colorbar(image, ax=axes, shrink=0.8)


def _draw_wiggles(axes: Axes, times: np.ndarray, values: np.ndarray) -> None:
    scale = 1.5 / (np.abs(values).max(initial=0.0) or 1.0)
    for number, record in enumerate(values):
        axes.plot(number + scale * record, times, color="black", linewidth=0.6)
    axes.invert_yaxis()
    axes.margins(x=0.02, y=0.0)


_DRAW = {"shotgather": _draw_shotgather, "wiggles": _draw_wiggles}
