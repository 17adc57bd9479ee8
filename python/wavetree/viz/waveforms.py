"""Records of events: gathers of all receivers, and single receivers compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis
from wavetree.viz.style import COLORS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_waveforms"]

_WIGGLES = 8  # receivers that are drawn as lines
_EVENTS = 6  # rows of a figure; more are not legible
_COVERED = 0.998  # share of the samples within the colour scale


def plot_waveforms(data: Mapping[str, Sequence[EventData]], receiver_field: str, component: str) -> Figure:
    """Draw the records of events, one row an event.

    Parameters
    ----------
    data
        By data name the records of the same events in the same order. All are shown at the sampling rate
        of the last data and over the time that all cover; of two the difference is shown too.
    receiver_field, component
        What is shown.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; of more than 6 events the first 6 are in it.
    """
    names, events = list(data), list(zip(*data.values(), strict=True))
    columns = len(names) + (len(names) == 2) + 1
    shown = events[:_EVENTS]
    figure = new_figure(4.0 * columns, 3.6 * len(shown) + 0.4)
    if len(events) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(events)} events")
    grid = figure.subplots(len(shown), columns, squeeze=False)
    for row, records in zip(grid, shown, strict=True):
        _draw_event(row, dict(zip(names, records, strict=True)), receiver_field, component)
    return figure


def _draw_event(row: Sequence[Axes], records: dict[str, EventData], field: str, component: str) -> None:
    receivers, axis = _common_receivers(list(records.values())), _common_axis(list(records.values()))
    cubes = {name: _cube(event, receivers, field, component, axis) for name, event in records.items()}
    gathers = dict(cubes)
    if len(cubes) == 2:
        first, second = cubes
        gathers[f"{second} − {first}"] = cubes[second] - cubes[first]
    sizes = np.concatenate([np.abs(values).ravel() for values in cubes.values()])
    limit = float(np.quantile(sizes, _COVERED)) or 1.0
    event = next(iter(records.values())).event_name
    for axes, (name, values) in zip(row, gathers.items(), strict=False):
        image = _draw_gather(axes, values, axis, limit)
        axes.set_title(f"{event}\n{name}", fontsize="medium")
    bar = row[0].figure.colorbar(image, ax=list(row[: len(gathers)]), extend="both", pad=0.01, shrink=0.9)
    bar.set_label(f"{field} {component}")
    bar.formatter.set_powerlimits((-2, 3))
    _draw_wiggles(row[-1], cubes, axis, receivers)


def _common_receivers(records: Sequence[EventData]) -> list[str]:
    """Names of the receivers that all data have, in the order of the first."""
    others = [set(event.receiver_names) for event in records[1:]]
    return [name for name in records[0].receiver_names if all(name in names for names in others)]


def _common_axis(records: Sequence[EventData]) -> SampleAxis:
    """The time that all records cover, at the sampling rate of the last."""
    last = records[-1].axis
    first_time = max(event.axis.start_time_in_seconds for event in records)
    last_time = min(event.axis.end_time_in_seconds for event in records)
    if last_time <= first_time:
        raise ValueError("data: the records have no time in common; show them one by one.")
    # The slack keeps a count that is whole but for rounding from losing one.
    count = int((last_time - first_time) * last.sampling_rate_in_hertz + 1e-7) + 1
    return SampleAxis(first_time, last.sampling_rate_in_hertz, count)


def _cube(event: EventData, receivers: list[str], field: str, component: str, axis: SampleAxis) -> Any:
    """Values (n_receivers, n_samples) on a time axis."""
    event.get_data_cube(field, component)  # refuses names that are unknown
    index = event.components(field).index(component)
    place = {name: k for k, name in enumerate(event.receiver_names)}
    return event.interpolated(field, axis)[[place[name] for name in receivers], index]


def _draw_gather(axes: Axes, values: np.ndarray, axis: SampleAxis, limit: float) -> Any:
    extent = (-0.5, values.shape[0] - 0.5, axis.end_time_in_seconds, axis.start_time_in_seconds)
    image = axes.imshow(
        values.T, extent=extent, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    axes.set(xlabel="receiver", ylabel="time [s]")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    return image


def _draw_wiggles(axes: Axes, cubes: dict[str, Any], axis: SampleAxis, receivers: list[str]) -> None:
    chosen = np.unique(np.linspace(0, len(receivers) - 1, _WIGGLES).astype(int))
    peaks = {k: max(float(np.abs(v[k]).max()) for v in cubes.values()) or 1.0 for k in chosen}
    for color, (name, values) in zip(COLORS, cubes.items(), strict=False):
        for row, k in enumerate(chosen):
            line = row - 0.45 * values[k] / peaks[k]
            axes.plot(axis.times, line, color=color, linewidth=1.0, label=name if row == 0 else None)
    axes.set(xlabel="time [s]", ylabel="receiver (each scaled)", xlim=(axis.times[0], axis.times[-1]))
    axes.set_yticks(range(len(chosen)), [str(k) for k in chosen])
    axes.set_ylim(len(chosen) - 0.3, -1.6)
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))
    axes.legend(loc="upper left", fontsize="small", frameon=False, ncols=len(cubes))
