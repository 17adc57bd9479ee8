"""Domains with the sources and receivers in them, and wavelets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.domain import BoxDomain2D
from wavetree.survey.event import Event
from wavetree.survey.stf import SourceTimeFunction
from wavetree.viz.style import COLORS, figure_of, label_space, prefixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_positions", "draw_spectra", "draw_wavelets", "plot_domain"]

_MARGIN = 0.05  # of the extent, so that the domain's edge is seen


def plot_domain(domain: BoxDomain2D, ax: Axes | None = None, events: Sequence[Event] = ()) -> Figure:
    """Draw a domain with the sources and receivers of events.

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
    (x0, x1), (y0, y1) = domain.bounds
    axes.fill([x0, x1, x1, x0], [y0, y0, y1, y1], facecolor="0.95", edgecolor="0.3", label="domain")
    label_space(axes, [(lo - _MARGIN * (hi - lo), hi + _MARGIN * (hi - lo)) for lo, hi in domain.bounds])
    draw_positions(axes, events)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def draw_positions(axes: Axes, events: Iterable[Event]) -> None:
    """Draw receivers as dots and sources as stars; those of several events once."""
    events = list(events)
    places = {
        "receivers": {r.location: None for event in events for r in event.receivers},
        "sources": {s.location: None for event in events for s in event.sources},
    }
    looks: dict[str, Any] = {
        "receivers": {"marker": "o", "s": 9, "color": COLORS[0], "edgecolors": "white", "linewidths": 0.3},
        "sources": {"marker": "*", "s": 130, "color": COLORS[1], "edgecolors": "white", "linewidths": 0.6},
    }
    for kind, found in places.items():
        if found:
            x, y = zip(*found, strict=True)
            name = f"{len(found)} {kind if len(found) > 1 else kind[:-1]}"
            axes.scatter(x, y, label=name, zorder=3, clip_on=False, **looks[kind])


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
