"""What all figures have in common: names and units of fields, colours, axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import pyplot

from wavetree.model.parameters import UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLORS",
    "Scale",
    "add_colorbar",
    "figure_of",
    "label_space",
    "new_figure",
    "prefixed",
    "row_height",
    "scale_of",
    "stacked",
    "symmetric",
    "unit_of",
    "with_powers",
]

_PREFIXES = {-4: "p", -3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G"}
_SUPERSCRIPT = {"^2": "²", "^3": "³"}
_SEQUENTIAL, _DIVERGING = "viridis", "RdBu_r"
# Okabe & Ito (2008): told apart with any kind of colour vision.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Height of titles and labels of a row of panels [in].
_TITLES = 0.9
# Share of the values that a symmetric scale covers: a gradient peaks at sources and receivers.
_COVERED = 0.995


@dataclass(frozen=True)
class Scale:
    """Colours of a field.

    Attributes
    ----------
    low, high
        Values at the ends of the colour bar.
    colormap
        Name of the colour map.
    label
        What stands beside the colour bar, with the unit.
    extend
        At which ends values go beyond the bar: "neither", "min", "max" or "both".
    """

    low: float
    high: float
    colormap: str
    label: str
    extend: str = "neither"


def unit_of(field: str, dim: int = 2) -> str:
    """Return the unit of a field, empty if it has none or none is known; masses depend on the dimension."""
    return with_powers(f"m^{dim}" if field == "FemMassMatrix" else UNITS.get(field, ""))


def with_powers(unit: str) -> str:
    """Return a unit with its powers raised."""
    for plain, raised in _SUPERSCRIPT.items():
        unit = unit.replace(plain, raised)
    return unit


def scale_of(field: str, *values: np.ndarray, dim: int = 2) -> Scale:
    """Return the scale on which all values of a field can be compared."""
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    if high - low <= 1e-6 * max(abs(low), abs(high)):  # constant but for rounding
        margin = 0.01 * max(abs(low), abs(high)) or 1.0
        low, high = low - margin, high + margin
    unit = unit_of(field, dim)
    return Scale(low, high, _SEQUENTIAL, f"{field} [{unit}]" if unit else field)


def symmetric(label: str, *values: np.ndarray) -> Scale:
    """Return a scale around zero that covers nearly all values."""
    sizes = np.abs(np.concatenate([v.ravel() for v in values]))
    limit, largest = float(np.quantile(sizes, _COVERED)), float(sizes.max())
    limit = limit or largest or 1.0
    return Scale(-limit, limit, _DIVERGING, label, "both" if largest > limit * (1 + 1e-9) else "neither")


def prefixed(largest: float, unit: str) -> tuple[float, str]:
    """Return the number that takes values of a unit to a handy size, and the unit with its prefix.

    Parameters
    ----------
    largest
        Largest value that is shown.
    unit
        A unit without a prefix, for example "s".
    """
    power = int(np.clip(np.floor(np.log10(abs(largest)) / 3), -4, 3)) if largest else 0
    return 10.0 ** (-3 * power), f"{_PREFIXES[power]}{unit}"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches whose parts make room for each other."""
    return pyplot.figure(figsize=(width, height), layout="constrained")


def row_height(square: float, bounds: Iterable[tuple[float, float]]) -> float:
    """Return the height in inches of a row of panels that show a region.

    Parameters
    ----------
    square
        Height for square regions and cubes.
    bounds
        Smallest and largest coordinate per axis [m]; of three axes as slices side by side.
    """
    extent = [high - low for low, high in bounds]
    shape = (extent[-1] + (extent[1] if len(extent) == 3 else 0.0)) / (extent[0] + sum(extent[2:]))
    return _TITLES + (square - _TITLES) * float(np.clip(shape, 0.25, 1.6))


def stacked(figure: Any, upper: float, lower: float) -> tuple[Any, Any]:
    """Split a figure in two, one above the other, of heights in a proportion."""
    top, bottom = figure.subfigures(2, 1, height_ratios=[upper, lower])
    return top, bottom


def figure_of(axes: Axes | None, width: float = 6.0, height: float = 5.0) -> tuple[Figure, Axes]:
    """Return the figure of axes, and the axes; new ones when None."""
    if axes is not None:
        drawn: Any = axes.get_figure(root=True)
        return drawn, axes
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def add_colorbar(image: Any, axes: Axes, scale: Scale) -> None:
    """Put the colour bar of an image beside axes, as high as they are."""
    place = axes.inset_axes((1.04, 0.0, 0.05, 1.0))
    bar: Any = axes.figure.colorbar(image, cax=place, label=scale.label, extend=scale.extend)
    bar.formatter.set_powerlimits((-3, 5))
    bar.formatter.set_useOffset(False)


def label_space(axes: Axes, bounds: Iterable[tuple[float, float]], title: str = "") -> None:
    """Give axes the limits of a region [m], equal scales and labels."""
    (x0, x1), (y0, y1) = bounds
    axes.set(xlim=(x0, x1), ylim=(y0, y1), aspect="equal", xlabel="x [m]", ylabel="y [m]", title=title)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=int(np.clip(round(5 * ((y1 - y0) / (x1 - x0)) ** 0.5), 2, 5)))
