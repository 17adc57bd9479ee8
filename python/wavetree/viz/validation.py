"""Checks of a simulation as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from wavetree.mesh import Mesh
from wavetree.simulation.medium import fluid_elements
from wavetree.survey.event import Event
from wavetree.viz.domain import draw_positions
from wavetree.viz.mesh import draw_field
from wavetree.viz.slices import views
from wavetree.viz.style import COLORS, Scale, add_colorbar, figure_of, new_figure, prefixed, row_height

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wavetree.simulation.validation import GeometryReport, MemoryForecast, Resolution, TimeStepLimits

__all__ = ["plot_geometry", "plot_memory", "plot_resolution", "plot_time_step"]

_WORST = 20  # elements that are marked
_WIDE = 1.6  # times the height: maps so wide stand above their distribution


def plot_resolution(resolution: Resolution) -> Figure:
    """Draw points per wavelength on the mesh, and how many elements have how many.

    Parameters
    ----------
    resolution
        What `wavetree.simulation.validation.check_resolution` returned.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; elements with too few points are marked by crosses.
    """
    values = resolution.points_per_wavelength
    label = "points per wavelength"
    title = f"{resolution.name} at {_frequency(resolution.frequency)}"
    figure, left, right = _map_and_histogram(resolution.mesh, values, label, title)
    right.axvline(
        resolution.expected, color=COLORS[1], linestyle="--", label=f"expected: {resolution.expected:g}"
    )
    right.legend(frameon=False, fontsize="small")
    _mark(left, resolution.mesh, resolution.coarse[:_WORST])
    return figure


def plot_time_step(limits: TimeStepLimits) -> Figure:
    """Draw the elements' own largest stable steps on the mesh, and their distribution.

    Parameters
    ----------
    limits
        What `wavetree.simulation.validation.check_time_step` returned.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; elements that set the time step are marked by crosses.
    """
    factor, unit = prefixed(float(limits.limits.max()), "s")
    figure, left, right = _map_and_histogram(
        limits.mesh, factor * limits.limits, f"stable step of the element [{unit}]", limits.name
    )
    lines = (("step", limits.time_axis.dt, "-"), ("largest stable step", limits.maximum_time_step, "--"))
    for label, value, style in lines:
        text = f"{label}: {factor * value:.3g} {unit}"
        right.axvline(factor * value, color=COLORS[1], linestyle=style, label=text)
    right.legend(frameon=False, fontsize="small")
    setting = limits.setting
    if setting.size < limits.mesh.nelem:  # all alike need no marks
        _mark(left, limits.mesh, setting[:_WORST])
    return figure


def plot_memory(forecast: MemoryForecast) -> Figure:
    """Draw what memory and disk space are taken by.

    Parameters
    ----------
    forecast
        What `wavetree.simulation.validation.forecast_memory` returned.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    n = forecast.n_events
    parts = {
        "mesh": (forecast.mesh, forecast.mesh),
        "wave equation": (forecast.plan.memory_in_bytes, 0),
        "stored wavefield": (forecast.storage.memory_in_bytes, n * forecast.storage.memory_in_bytes),
        "records": (forecast.records, n * forecast.records),
        "gradient": (forecast.plan.gradient_in_bytes, n * forecast.gradient),
    }
    totals = (forecast.gradient_memory, forecast.gradient_disk)
    figure = new_figure(8.0, 2.9)
    titles = ("memory of one gradient", f"disk, {n} gradient{'s' if n > 1 else ''}")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column, total, title in zip(panels, (0, 1), totals, titles, strict=True):
        factor, unit = _bytes(total)
        sizes = [factor * part[column] for part in parts.values()]
        bars = axes.barh(list(parts), sizes, color=COLORS[0])
        axes.bar_label(bars, [f"{size:.3g}" if size else "" for size in sizes], padding=3, fontsize="small")
        axes.set(title=f"{title}: {factor * total:.3g} {unit}", xlabel=unit)
        axes.margins(x=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].invert_yaxis()
    figure.suptitle(f"{forecast.name}: {forecast.storage.scheme} wavefield", fontsize="medium")
    return figure


def plot_geometry(report: GeometryReport) -> Figure:
    """Draw fluid and solid with all sources and receivers; rings are around those that do not fit.

    Parameters
    ----------
    report
        What `wavetree.simulation.validation.check_geometry` returned.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    mesh, fluid = report.mesh, fluid_elements(report.mesh)
    figure, axes = figure_of(None, 7.0, row_height(5.0, mesh.bounds))
    palette = {"solid": (0.87, 0.80, 0.68), "fluid": to_rgb("#cfe3f2")}
    colors = LinearSegmentedColormap.from_list("media", [palette["solid"], palette["fluid"]])
    scale = Scale(0.0, 1.0, colors, "")  # type: ignore[arg-type]
    draw_field(axes, mesh, fluid.astype(float)[:, None], scale, report.name, colorbar=False)
    draw_positions(axes, [_resolved(event, mesh) for event in report.events])
    problems = [point.location for point in report.problems]
    for view, (right, up) in views(axes):
        if problems:
            along = np.array(problems).T
            view.scatter(
                along[right], along[up], s=160, facecolors="none", edgecolors="red", linewidths=1.5, zorder=4,
                clip_on=False, label=f"{len(problems)} cannot be simulated" if view is axes else None,
            )  # fmt: skip
    for name, there in (("fluid", fluid.any()), ("solid", not fluid.all())):
        if there:
            axes.fill([], [], color=palette[name], label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def _resolved(event: Event, mesh: Mesh) -> Event:
    try:
        return event.resolve(mesh)
    except ValueError:  # one of them misses its side set
        return event


def _map_and_histogram(mesh: Mesh, values: np.ndarray, label: str, title: str) -> tuple[Figure, Axes, Axes]:
    (x0, x1), (y0, y1) = mesh.bounds[:2]
    if mesh.dim == 2 and x1 - x0 > _WIDE * (y1 - y0):
        upper = row_height(8.0, mesh.bounds)
        figure = new_figure(8.0, upper + 2.3)
        left, right = figure.subplots(2, 1, height_ratios=[upper, 2.3])
    else:
        figure = new_figure(10.0, row_height(4.2, mesh.bounds))
        left, right = figure.subplots(1, 2, width_ratios=[1.6, 1.0])
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-6 * high:
        low, high = 0.95 * low, 1.05 * high
    scale = Scale(low, high, "viridis", label)
    image = draw_field(left, mesh, values[:, None], scale, title, colorbar=False)
    add_colorbar(image, left, scale)
    right.hist(values, bins=np.linspace(low, high, 31).tolist(), color=COLORS[0])
    right.set(xlabel=label, ylabel="elements", title="distribution")
    right.margins(y=0.3)  # room for the legend
    right.grid(alpha=0.3)
    return figure, left, right


def _mark(axes: Axes, mesh: Mesh, elements: np.ndarray) -> None:
    """Crosses in the middle of elements."""
    if not len(elements):
        return
    along = mesh.get_element_centroid()[elements].T
    for view, (right, up) in views(axes):
        view.plot(along[right], along[up], "x", color=COLORS[1], markersize=5, zorder=4)


def _frequency(frequency: float) -> str:
    factor, unit = prefixed(frequency, "Hz")
    return f"{factor * frequency:.4g} {unit}"


def _bytes(largest: float) -> tuple[float, str]:
    power = int(np.clip(np.log(max(largest, 1.0)) // np.log(1024.0), 0, 3))
    return 1024.0**-power, ("B", "KiB", "MiB", "GiB")[power]
