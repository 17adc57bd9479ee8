"""Domains with the sources and receivers in them, and wavelets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.domain import BoxDomain
from wavetree.survey.event import Event
from wavetree.survey.receiver.receiver import PointReceiver, Receiver, SideSetReceiver
from wavetree.survey.source.source import PointSource, SideSetSource, Source
from wavetree.survey.stf import SourceTimeFunction
from wavetree.viz.slices import panels, views
from wavetree.viz.style import COLORS, figure_of, label_space, prefixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_positions", "draw_spectra", "draw_wavelets", "plot_domain"]

_MARGIN = 0.05  # of the extent, so that the domain's edge is seen


def plot_domain(domain: BoxDomain, ax: Axes | None = None, events: Sequence[Event] = ()) -> Figure:
    """Draw a domain with the sources and receivers of events; in three dimensions seen along the axes.

    Parameters
    ----------
    domain
        The domain.
    ax
        Axes to draw into; a new figure when None.
    events
        Events whose sources and receivers are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure, axes = figure_of(ax)
    bounds = [(lo - _MARGIN * (hi - lo), hi + _MARGIN * (hi - lo)) for lo, hi in domain.bounds]
    look: dict[str, Any] = {"facecolor": "0.95", "edgecolor": "0.3"}
    if domain.dim == 3:
        panels(axes, bounds)
        axes.fill([], [], label="domain", **look)
    else:
        label_space(axes, bounds)
    for view, (right, up) in views(axes):
        (x0, x1), (y0, y1) = domain.bounds[right], domain.bounds[up]
        label = "domain" if view is axes else None
        view.fill([x0, x1, x1, x0], [y0, y0, y1, y1], label=label, **look)
    draw_positions(axes, events)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def draw_positions(axes: Axes, events: Iterable[Event]) -> None:
    """Draw receivers as dots and sources by their kind, forces with an arrow; those of several events once.

    What stands on a side set is drawn where it was given; `Event.resolve` moves it to its place.
    """
    events = list(events)
    receivers = {_place(receiver): None for event in events for receiver in event.points}
    dot = {"marker": "o", "s": 9, "color": COLORS[0], "edgecolors": "white", "linewidths": 0.3}
    _draw_places(axes, list(receivers), "receiver", dot)
    sources = {(_place(s), *s.amplitudes.ravel().tolist()): s for event in events for s in event.sources}
    for kind, (name, marker, size) in _SOURCES.items():
        found = [source for source in sources.values() if source.spatial_type == kind]
        look = {"marker": marker, "s": size, "color": COLORS[1], "edgecolors": "white", "linewidths": 0.6}
        # Scalar sources of other amplitude are not seen to be others.
        places = list(dict.fromkeys(map(_place, found))) if kind == "scalar" else list(map(_place, found))
        _draw_places(axes, places, name, look)
        if kind in ("vector", "scalar_gradient"):
            _draw_arrows(axes, places, [source.amplitudes for source in found])


_SOURCES = {
    "scalar": ("source", "*", 130),
    "scalar_gradient": ("scalar gradient", "^", 40),
    "vector": ("force", "o", 24),
    "moment_tensor": ("moment tensor", "P", 70),
}
"""By kind of source what it is called, its marker and the marker's size."""


def _place(point: Source | Receiver) -> tuple[float, ...]:
    if isinstance(point, (PointSource, PointReceiver)):
        return point.location
    assert isinstance(point, (SideSetSource, SideSetReceiver))
    return point.point


def _draw_places(axes: Axes, places: Sequence[tuple[float, ...]], name: str, look: dict[str, Any]) -> None:
    if places:
        label = f"{len(places)} {name}{'s' if len(places) > 1 else ''}"
        along, panel = np.array(places).T, views(axes)
        if panel[0][0] is not axes:
            axes.scatter([], [], label=label, **look)  # the legend belongs to all panels
        for view, (right, up) in panel:
            view.scatter(along[right], along[up], label=label, zorder=3, clip_on=False, **look)


def _draw_arrows(axes: Axes, places: Sequence[tuple[float, ...]], vectors: Sequence[np.ndarray]) -> None:
    """Arrows of a third of an inch; how strong the vectors are is not drawn."""
    for view, (right, up) in views(axes):
        seen = [(p, v[[right, up]]) for p, v in zip(places, vectors, strict=True)]
        drawn = [(p, v / np.linalg.norm(v)) for p, v in seen if np.any(v)]
        if drawn:
            start, unit = (np.array(part).T for part in zip(*drawn, strict=True))
            arrows = view.quiver(
                start[right], start[up], *unit, color=COLORS[1], angles="xy", scale=3.0, scale_units="inches",
                units="inches", width=0.03, zorder=3, clip_on=False,
            )  # fmt: skip
            arrows.set_in_layout(False)  # before they are drawn their size is that of another scale


def draw_wavelets(axes: Axes, wavelets: Sequence[SourceTimeFunction], times: np.ndarray) -> None:
    """Draw source time functions at times [s]."""
    factor, unit = prefixed(float(np.abs(times).max()), "s")
    for wavelet, color in zip(wavelets, _cycle(len(wavelets)), strict=True):
        axes.plot(factor * times, wavelet.evaluate(times), color=color)
    axes.set(xlabel=f"time [{unit}]", ylabel="amplitude", title=_names(wavelets))
    axes.set_xlim(factor * times[0], factor * times[-1])
    axes.grid(alpha=0.3)


def draw_spectra(
    axes: Axes, wavelets: Sequence[SourceTimeFunction], times: np.ndarray, mesh_frequency: float | None = None
) -> None:
    """Draw amplitude spectra of source time functions, relative to their peaks.

    Parameters
    ----------
    axes
        Where to draw.
    wavelets
        The source time functions.
    times
        Evenly spaced times on which they are sampled [s].
    mesh_frequency
        Frequency up to which the mesh resolves waves [Hz], drawn as line.
    """
    step, size = times[1] - times[0], 16 * times.size
    frequencies = np.fft.rfftfreq(size, step)
    highest = 1.2 * max([w.maximum_frequency() or 0.5 / step for w in wavelets] + [mesh_frequency or 0.0])
    factor, unit = prefixed(highest, "Hz")
    shown = frequencies <= highest
    for wavelet, color in zip(wavelets, _cycle(len(wavelets)), strict=True):
        spectrum = np.abs(np.fft.rfft(wavelet.evaluate(times), size))
        axes.plot(factor * frequencies[shown], (spectrum / (spectrum.max() or 1.0))[shown], color=color)
    if mesh_frequency is not None:
        axes.axvline(factor * mesh_frequency, color="0.4", linestyle="--")
        axes.annotate(
            "limit of the mesh", (factor * mesh_frequency, 1.0), (-3.0, 0.0), textcoords="offset points",
            rotation=90, ha="right", va="top", fontsize="small", color="0.3",
        )  # fmt: skip
    axes.set(xlabel=f"frequency [{unit}]", ylabel="relative amplitude", title="spectrum")
    axes.set_xlim(0.0, factor * highest)
    axes.grid(alpha=0.3)


def _names(wavelets: Sequence[SourceTimeFunction]) -> str:
    return ", ".join(dict.fromkeys(type(wavelet).__name__ for wavelet in wavelets))


def _cycle(number: int) -> list[str]:
    return [COLORS[k % len(COLORS)] for k in range(number)]
