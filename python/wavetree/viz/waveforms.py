"""Records of events: gathers of all receivers, and single receivers compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis
from wavetree.survey.receiver.fields import FIELDS
from wavetree.viz.style import COLORS, Scale, add_colorbar, new_figure, prefixed, with_powers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_waveforms"]

_WIGGLES = 5  # receivers that are drawn as lines
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
    shown = events[:_EVENTS]
    figure = new_figure(max(7.0, 3.3 * (len(names) + (len(names) == 2)) + 0.8), 6.0 * len(shown) + 0.3)
    if len(events) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(events)} events")
    for part, records in zip(figure.subfigures(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        _draw_event(part, dict(zip(names, records, strict=True)), receiver_field, component)
    return figure


def _draw_event(figure: Any, records: dict[str, EventData], field: str, component: str) -> None:
    receivers = _common_receivers(list(records.values()), field)
    axis = _common_axis(list(records.values()))
    cubes = {name: _cube(event, receivers, field, component, axis) for name, event in records.items()}
    gathers = dict(cubes)
    limit = float(np.quantile(np.abs(np.stack(list(cubes.values()))), _COVERED)) or 1.0
    if len(cubes) == 2:
        first, second = cubes
        difference = cubes[second] - cubes[first]
        gain = _gain(float(np.quantile(np.abs(difference), _COVERED)), limit)
        gathers[f"{gain:g} × difference" if gain > 1.0 else "difference"] = gain * difference
    grid = figure.add_gridspec(2, len(gathers), height_ratios=[3.2, 2.6])
    row = [figure.add_subplot(grid[0, k]) for k in range(len(gathers))]
    scale = Scale(-limit, limit, "RdBu_r", _label(field, component), "both")
    for axes, (name, values) in zip(row, gathers.items(), strict=True):
        image = _draw_gather(axes, values, axis, limit)
        axes.set_title(name, fontsize="medium")
        if axes is not row[0]:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
    add_colorbar(image, row[-1], scale)
    figure.suptitle(next(iter(records.values())).event_name)
    _draw_wiggles(figure.add_subplot(grid[1, :]), cubes, axis)


def _label(field: str, component: str) -> str:
    unit = with_powers(FIELDS[field].unit)
    name = field if component == "A" else f"{field} {component}"
    return name if unit == "1" else f"{name} [{unit}]"


def _gain(size: float, limit: float) -> float:
    """A round number, at least 1, that makes values of a size fit to a limit."""
    room = limit / size if size > 0.0 else 1.0
    power = 10.0 ** np.floor(np.log10(max(room, 1.0)))
    return float(max(m for m in (1.0, 2.0, 5.0) if m * power <= max(room, 1.0)) * power)


def _common_receivers(records: Sequence[EventData], field: str) -> list[str]:
    """Names of the receivers that record a field in all data, in the order of the first."""
    first, *others = [event.get_receiver_names(field) for event in records]
    return [name for name in first if all(name in names for names in others)]


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
    place = {name: k for k, name in enumerate(event.get_receiver_names(field))}
    return event.interpolated(field, axis)[[place[name] for name in receivers], index]


def _draw_gather(axes: Axes, values: np.ndarray, axis: SampleAxis, limit: float) -> Any:
    factor, unit = prefixed(max(abs(axis.start_time_in_seconds), abs(axis.end_time_in_seconds)), "s")
    top, bottom = factor * axis.start_time_in_seconds, factor * axis.end_time_in_seconds
    image = axes.imshow(
        values.T, extent=(-0.5, values.shape[0] - 0.5, bottom, top), aspect="auto", cmap="RdBu_r",
        vmin=-limit, vmax=limit, interpolation="nearest",
    )  # fmt: skip
    axes.set(xlabel="receiver", ylabel=f"time [{unit}]")
    return image


def _draw_wiggles(axes: Axes, cubes: dict[str, Any], axis: SampleAxis) -> None:
    count = len(next(iter(cubes.values())))
    chosen = np.unique(np.linspace(0, count - 1, min(_WIGGLES + 2, count)).astype(int))
    chosen = chosen[1:-1] if len(chosen) > 2 else chosen
    factor, unit = prefixed(float(np.abs(axis.times).max()), "s")
    for style, (name, values) in zip(_styles(len(cubes)), cubes.items(), strict=True):
        for row, k in enumerate(chosen):
            peak = max(float(np.abs(v[k]).max()) for v in cubes.values()) or 1.0
            label = name if row == 0 else None
            axes.plot(factor * axis.times, row - 0.55 * values[k] / peak, label=label, **style)
    axes.set(xlabel=f"time [{unit}]", ylabel="receiver (each scaled)")
    axes.set_xlim(factor * axis.times[0], factor * axis.times[-1])
    axes.set_yticks(range(len(chosen)), [str(k) for k in chosen])
    axes.set_ylim(len(chosen) - 0.3, -1.3)
    axes.legend(loc="upper left", fontsize="small", frameon=False, ncols=len(cubes))


def _styles(number: int) -> list[dict[str, Any]]:
    """The first, usually observed data, as broad line that the others lie on."""
    rest = [{"color": COLORS[k % len(COLORS)], "linewidth": 1.1} for k in range(1, number)]
    return [{"color": "0.55", "linewidth": 2.2}, *rest]
