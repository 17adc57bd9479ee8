"""Boundary facets of quads and hexes, found from the connectivity."""

from __future__ import annotations

import itertools

import numpy as np

from wavetree.mesh.facets import facet_partners, sorted_facets

__all__ = ["AXES", "boundary_facets", "corner_indices", "facet_nodes", "named_side_sets"]

AXES = "xyz"


def corner_indices(dim: int, shape_order: int) -> np.ndarray:
    """Return the columns (2**dim,) of an element's corners in a connectivity row, x fastest."""
    strides = shape_order * (shape_order + 1) ** np.arange(dim)
    bits = np.array(list(itertools.product((0, 1), repeat=dim)))[:, ::-1]
    return np.asarray(bits @ strides)


def facet_nodes(dim: int, shape_order: int) -> np.ndarray:
    """Return the columns (2*dim, (shape_order + 1)**(dim - 1)) of every local side's nodes.

    Sides are numbered x=-1, x=+1, y=-1, y=+1, z=-1, z=+1 in reference coordinates.
    """
    grid = np.arange((shape_order + 1) ** dim).reshape((shape_order + 1,) * dim)
    return np.array(
        [np.take(grid, end, axis=dim - 1 - axis).ravel() for axis in range(dim) for end in (0, -1)]
    )


def boundary_facets(connectivity: np.ndarray, dim: int, shape_order: int) -> np.ndarray:
    """Return the facets that belong to one element only.

    Parameters
    ----------
    connectivity
        (nelem, (shape_order + 1)**dim), x fastest.
    dim, shape_order
        Space dimensions and geometric order.

    Returns
    -------
    numpy.ndarray
        [element, side] rows (n, 2) int64, by element, then side.

    Raises
    ------
    ValueError
        If more than two elements share a facet.
    """
    local = corner_indices(dim, shape_order)[facet_nodes(dim, 1)]
    rows = np.flatnonzero(facet_partners(sorted_facets(connectivity, local), 2 * dim) < 0)
    return np.stack([rows // (2 * dim), rows % (2 * dim)], axis=1).astype(np.int64)


def named_side_sets(points: np.ndarray, connectivity: np.ndarray, shape_order: int) -> dict[str, np.ndarray]:
    """Sort the boundary facets into x0, x1, y0, ... (planes of the bounding box) and surface.

    Parameters
    ----------
    points
        Coordinates (n_points, dim) [m].
    connectivity
        (nelem, (shape_order + 1)**dim), x fastest.
    shape_order
        Geometric order.

    Returns
    -------
    dict
        Non-empty sets of [element, side] rows (n, 2); a facet lies in a plane if all its nodes do,
        to 1e-8 of the largest extent.
    """
    dim = points.shape[1]
    facets = boundary_facets(connectivity, dim, shape_order)
    nodes = connectivity[facets[:, :1], facet_nodes(dim, shape_order)[facets[:, 1]]]
    positions = points[nodes]
    low, high = points[connectivity].min(axis=(0, 1)), points[connectivity].max(axis=(0, 1))
    tolerance = 1e-8 * (high - low).max()
    free = np.ones(len(facets), dtype=bool)
    found: dict[str, np.ndarray] = {}
    for axis in range(dim):
        for end, plane in enumerate((low[axis], high[axis])):
            inside = free & (np.abs(positions[:, :, axis] - plane) <= tolerance).all(axis=1)
            found[f"{AXES[axis]}{end}"] = facets[inside]
            free &= ~inside
    found["surface"] = facets[free]
    return {name: rows for name, rows in found.items() if len(rows)}
