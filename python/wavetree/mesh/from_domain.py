"""Meshes that resolve the waves of a model inside a domain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Protocol

import numpy as np
from pydantic import Field, PositiveFloat

from wavetree.config import Configuration, configuration
from wavetree.mesh.averaging import AveragedMedium, average_model
from wavetree.mesh.box import box_mesh
from wavetree.mesh.checks import MAX_SHAPE_ORDER
from wavetree.mesh.interpolation import MAX_ORDER
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.side_sets import corner_indices

__all__ = [
    "POINTS_PER_WAVELENGTH",
    "Medium",
    "MeshResolution",
    "mesh_from_domain",
    "points_per_wavelength",
    "resolved_frequency",
]

POINTS_PER_WAVELENGTH = 5.0
"""Along the shortest wave that a mesh resolves (Komatitsch & Vilotte 1998, BSSA 88)."""
_MAX_NODES = 2**31 - 1
# Of the way to the middle of an element: more than the tolerance with which models have their edges, and too
# little to be seen in their values.
_INWARDS = 1e-5

Bounds = tuple[tuple[float, float], ...]


class Box(Protocol):
    """What a domain has to offer to be meshed."""

    @property
    def bounds(self) -> Bounds:
        """Smallest and largest coordinate per axis [m]."""


class Medium(Protocol):
    """What a model has to offer to be sampled on a mesh."""

    def evaluate(self, coordinates: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return parameters of the medium by name, shape (...,), at coordinates (..., dim) [m]."""

    def slowest_velocity(self, bounds: Bounds) -> float:
        """Return the smallest wave velocity [m/s] inside a box."""


@configuration
class MeshResolution(Configuration):
    """How fine a mesh is.

    Parameters
    ----------
    reference_frequency
        Frequency of the shortest wave [Hz].
    elements_per_wavelength
        Elements along the shortest wave.
    model_order
        Order of the nodes on which the model is sampled, 1 to 8; the geometric order is
        min(model_order, 4).
    """

    reference_frequency: PositiveFloat
    _: KW_ONLY
    elements_per_wavelength: PositiveFloat = 2.0
    model_order: Annotated[int, Field(ge=1, le=MAX_ORDER)] = 1


def mesh_from_domain(
    domain: Box, model: Medium, mesh_resolution: MeshResolution, *, averaging: bool = False
) -> Mesh:
    """Mesh a box so that the slowest wave of a model is resolved, and sample the model on it.

    Parameters
    ----------
    domain
        A box.
    model
        A background or volume model.
    mesh_resolution
        How fine the mesh has to be.
    averaging
        Give nodes the average of the volume around them, see `wavetree.mesh.averaging`; a volume model or an
        `OverlaidModel` is needed for that.

    Returns
    -------
    Mesh
        With the model's parameters as element-nodal fields and the side sets of the box.

    Raises
    ------
    ValueError
        If the mesh would have more nodes than can be numbered, or the model cannot be averaged.

    Notes
    -----
    Element size h = v_min / (f elements_per_wavelength), v_min the slowest wave of the model inside
    the domain; counts are rounded up, so elements are at most that large. The model is sampled a hair inside
    every element: where it jumps on faces of elements, it jumps between them.
    """
    bounds = domain.bounds
    v_min = model.slowest_velocity(bounds)
    frequency, per_wavelength = mesh_resolution.reference_frequency, mesh_resolution.elements_per_wavelength
    size = v_min / (frequency * per_wavelength)
    order = mesh_resolution.model_order
    # The slack keeps a count that is whole but for rounding from growing by one.
    wanted = [(hi - lo) / size for lo, hi in bounds]
    if math.prod(n * order + 1 for n in wanted) > _MAX_NODES:
        raise ValueError(
            f"reference_frequency {frequency:g} Hz, {per_wavelength:g} elements per wavelength and the "
            "slowest "
            f"wave of {v_min:g} m/s ask for elements of {size:g} m in a domain of "
            f"{' x '.join(f'{hi - lo:g}' for lo, hi in bounds)} m: more than {_MAX_NODES} nodes; "
            "look for wrong units, or lower the frequency."
        )
    counts = [max(1, math.ceil(n * (1.0 - 1e-9))) for n in wanted]
    mesh = box_mesh(bounds, counts, shape_order=min(order, MAX_SHAPE_ORDER))
    for name, values in _sampled(mesh, order, model, averaging).items():
        mesh.element_nodal_fields[name] = values
    return mesh


def _sampled(mesh: Mesh, order: int, model: Medium, averaging: bool) -> Mapping[str, np.ndarray]:
    if not averaging:
        return model.evaluate(_inside(mesh, order))
    if not isinstance(model, AveragedMedium):
        raise ValueError(
            f"model is a {type(model).__name__} and averaging True; expected a model that varies in space, "
            "or an OverlaidModel."
        )
    return average_model(mesh, order, model)


def _inside(mesh: Mesh, order: int) -> np.ndarray:
    """Nodes (nelem, n_nodes, dim), moved towards the middle of their element."""
    nodes = mesh.node_coordinates(order)
    return np.asarray(nodes + _INWARDS * (mesh.get_element_centroid()[:, None] - nodes))


def points_per_wavelength(mesh: Mesh, slowest_velocity: np.ndarray, frequency: float) -> np.ndarray:
    """Return how many nodes each element has along the shortest wave of a frequency (nelem,).

    Parameters
    ----------
    mesh
        A mesh whose `tensor_order` is that of the wavefield.
    slowest_velocity
        Velocity of the slowest wave in every element (nelem,) [m/s].
    frequency
        The frequency [Hz].

    Notes
    -----
    v k / (f h): k element orders, h the longest edge and v the slowest wave of the element.
    """
    corners = mesh.points[mesh.connectivity[:, corner_indices(mesh.dim, mesh.shape_order)]]
    grid = corners.reshape((mesh.nelem,) + (2,) * mesh.dim + (mesh.dim,))
    edges = [np.diff(grid, axis=axis).reshape(mesh.nelem, -1, mesh.dim) for axis in range(1, mesh.dim + 1)]
    longest = np.max([np.linalg.norm(edge, axis=2).max(axis=1) for edge in edges], axis=0)
    return np.asarray(slowest_velocity * mesh.tensor_order / (frequency * longest))


def resolved_frequency(mesh: Mesh, slowest_velocity: np.ndarray) -> float:
    """Return the highest frequency [Hz] that a mesh resolves: with at least five nodes along every wave.

    Parameters
    ----------
    mesh, slowest_velocity
        As for `points_per_wavelength`.
    """
    return float(points_per_wavelength(mesh, slowest_velocity, POINTS_PER_WAVELENGTH).min())
