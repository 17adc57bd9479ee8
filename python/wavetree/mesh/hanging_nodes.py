"""Points that lie on the side of an element without belonging to it: there the mesh is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

from wavetree.mesh.projection import facet_basis
from wavetree.mesh.side_sets import boundary_facets, facet_nodes

if TYPE_CHECKING:
    from wavetree.mesh.mesh import Mesh

__all__ = ["NEAR", "hanging_nodes"]

NEAR = 1e-3
"""Distance from a side, over the size of the side, below which a point lies on it."""
_STEPS = 12
_CHUNK = 20_000  # sides at a time


def hanging_nodes(mesh: Mesh) -> np.ndarray:
    """Return the points that lie on a side of an element but are not among its nodes.

    Parameters
    ----------
    mesh
        The mesh.

    Returns
    -------
    numpy.ndarray
        Numbers of the points (n,), ascending; two points in one place are both found.

    Notes
    -----
    Elements that meet without sharing nodes have sides with no neighbour, so only points and sides of the
    boundary are compared. The nearest place of a side to a point is found by Gauss-Newton steps that stay
    within the side; a point counts if it is nearer than `NEAR` of the side's size.
    """
    rows = boundary_facets(mesh.connectivity, mesh.dim, mesh.shape_order)
    sides = mesh.connectivity[rows[:, :1], facet_nodes(mesh.dim, mesh.shape_order)[rows[:, 1]]]
    numbers = np.unique(sides)
    tree = scipy.spatial.cKDTree(mesh.points[numbers])
    found = []
    for start in range(0, len(sides), _CHUNK):
        part = slice(start, start + _CHUNK)
        nodes = mesh.points[sides[part]]
        size = np.linalg.norm(np.ptp(nodes, axis=1), axis=1)
        near = tree.query_ball_point(nodes.mean(axis=1), size)
        counts = [len(one) for one in near]
        side = np.repeat(np.arange(len(nodes)), counts)
        point = numbers[np.concatenate([*map(np.asarray, near)]).astype(np.int64)]
        # Curved sides leave the box of their nodes, but by little.
        margin = (0.2 if mesh.shape_order > 1 else NEAR) * size[:, None]
        low, high = nodes.min(axis=1) - margin, nodes.max(axis=1) + margin
        place = mesh.points[point]
        inside = ((place >= low[side]) & (place <= high[side])).all(axis=1)
        element = rows[part][side, 0]
        foreign = inside & (mesh.connectivity[element] != point[:, None]).all(axis=1)
        side, point, place = side[foreign], point[foreign], place[foreign]
        distance = _distances(nodes[side], place, mesh.shape_order)
        found.append(point[distance <= NEAR * size[side]])
    return np.unique(np.concatenate(found))


def _distances(sides: np.ndarray, places: np.ndarray, shape_order: int) -> np.ndarray:
    """Distance (n,) of places (n, dim) from sides with the nodes (n, nodes, dim)."""
    dim = places.shape[1]
    reference = np.zeros((len(places), dim - 1))
    for _ in range(_STEPS):
        values, slopes = facet_basis(shape_order, reference)
        gap = np.einsum("kn,knd->kd", values, sides) - places
        tangents = np.einsum("knm,knd->kdm", slopes, sides)
        step = np.einsum("kmd,kd->km", np.linalg.pinv(tangents), gap) if len(gap) else reference
        reference = np.clip(reference - step, -1.0, 1.0)
    values, _ = facet_basis(shape_order, reference)
    return np.asarray(np.linalg.norm(np.einsum("kn,knd->kd", values, sides) - places, axis=1))
