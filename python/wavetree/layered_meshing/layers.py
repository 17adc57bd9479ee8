"""What of layers decides on their elements: how thick they are, and how long and fast their waves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavetree.layered_meshing.interface import Interface
from wavetree.layered_meshing.model import Bounds
from wavetree.mesh import MeshResolution
from wavetree.mesh.from_domain import Medium
from wavetree.mesh.side_sets import AXES
from wavetree.model.parameters import SETS, find_set

__all__ = ["Layer", "measure_layers"]

_MAX_NODES = 2**31 - 1
_SAMPLES = 17  # along every axis, to find the fastest wave


@dataclass(frozen=True)
class Layer:
    """What of a layer decides on its elements.

    Parameters
    ----------
    size
        Largest edge that elements may have [m].
    thickest, thinnest
        Its largest and smallest thickness [m].
    fastest
        Velocity of its fastest wave [m/s].
    place
        Where it is thinnest, in words.
    """

    size: float
    thickest: float
    thinnest: float
    fastest: float
    place: str = ""


def measure_layers(
    media: Sequence[Medium], interfaces: Sequence[Interface], bounds: Bounds, resolution: MeshResolution
) -> list[Layer]:
    """Return what decides on the elements of layers.

    Parameters
    ----------
    media
        The materials of the layers, from top to bottom.
    interfaces
        Top, interfaces and bottom, one more.
    bounds
        (smallest, largest) coordinate per axis of the domain [m].
    resolution
        How fine the mesh has to be.

    Raises
    ------
    ValueError
        If interfaces cross or touch, or there would be more nodes than can be numbered.

    Notes
    -----
    Thickness is looked at in steps of half an element or less. The slowest wave is that of the box around
    the layer, in which a material may be slower than in the layer itself. The fastest is that along an axis,
    found on a grid: time steps are estimated with it.
    """
    coarse = _grid(bounds[:-1], [64] * (len(bounds) - 1))
    heights = [interface.elevation(coarse) for interface in interfaces]
    spans = [_span(m, bounds, *pair) for m, pair in zip(media, itertools.pairwise(heights), strict=True)]
    per_metre = resolution.reference_frequency * resolution.elements_per_wavelength
    sizes = [medium.slowest_velocity(span) / per_metre for medium, span in zip(media, spans, strict=True)]
    mean = [max(0.0, float((t - b).mean())) for t, b in itertools.pairwise(heights)]
    _refuse_too_many(sizes, mean, bounds, resolution)
    steps = max(2, resolution.model_order)
    counts = [max(1, math.ceil((high - low) / min(sizes))) * steps for low, high in bounds[:-1]]
    fine = _grid(bounds[:-1], counts)
    heights = [interface.elevation(fine) for interface in interfaces]
    layers = []
    for k, (medium, span) in enumerate(zip(media, spans, strict=True)):
        thickness = heights[k] - heights[k + 1]
        worst = int(np.argmin(thickness))
        place = ", ".join(f"{axis} = {x:g}" for axis, x in zip(AXES, fine[worst], strict=False))
        low, high = float(thickness[worst]), float(thickness.max())
        if low <= 0.0:
            raise ValueError(
                f"the lower interface of layer {k} lies {-low:g} m above the upper one at {place} m; "
                "expected interfaces that neither cross nor touch: move one of them."
            )
        layers.append(Layer(sizes[k], high, low, _fastest(medium, span), place))
    return layers


def _grid(bounds: Bounds, steps: Sequence[int]) -> np.ndarray:
    """Positions (n, dim - 1) of a regular grid."""
    axes = [np.linspace(low, high, n + 1) for (low, high), n in zip(bounds, steps, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)


def _span(
    medium: Medium, bounds: Bounds, top: np.ndarray, bottom: np.ndarray
) -> tuple[tuple[float, float], ...]:
    """The box around a layer, as far as its material has values; what is missing sampling will say."""
    box = [*bounds[:-1], (float(bottom.min()), float(top.max()))]
    limits = getattr(medium, "bounds", box)
    return tuple((max(lo, a), min(hi, b)) for (lo, hi), (a, b) in zip(box, limits, strict=True))


def _fastest(medium: Medium, span: Bounds) -> float:
    axes = [np.linspace(low, high, _SAMPLES) for low, high in span]
    values = medium.evaluate(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
    dim = len(span)
    tensor = find_set(values, dim).convert(values, SETS[dim][-1])
    stiffest = np.max([tensor[f"C{k}{k}"] for k in range(1, dim + 1)], axis=0)
    return float(np.sqrt(stiffest / tensor["RHO"]).max())


def _refuse_too_many(
    sizes: Sequence[float], thickness: Sequence[float], bounds: Bounds, resolution: MeshResolution
) -> None:
    order, nodes = resolution.model_order, 0.0
    for size, mean in zip(sizes, thickness, strict=True):
        counts = [(high - low) / size for low, high in bounds[:-1]]
        nodes += math.prod(counts) * mean / size * order ** len(bounds)
    if nodes > _MAX_NODES:
        raise ValueError(
            f"reference_frequency {resolution.reference_frequency:g} Hz and "
            f"{resolution.elements_per_wavelength:g} elements per wavelength ask for elements of "
            f"{min(sizes):g} m: about {nodes:.2g} nodes; expected at most {_MAX_NODES}: look for wrong "
            "units, or lower the frequency."
        )
