"""Repairs of what mesh files hold: points listed twice or for nothing, mirrored elements, missing nodes."""

from __future__ import annotations

import itertools

import numpy as np
import scipy

from wavetree.mesh.cell_types import CellType
from wavetree.mesh.jacobian import jacobians
from wavetree.mesh.quality import determinants
from wavetree.mesh.side_sets import corner_indices

__all__ = ["MERGED", "complete_nodes", "merged_points", "mirrored", "refuse_inverted", "smallest_edge"]

MERGED = 1e-4
"""Points nearer than this part of the shortest edge are one point."""
_FLAT = 1e-12  # Jacobian determinant, over the product of an element's extents, that is but rounding
_NAMED = 5  # elements that a message names


def smallest_edge(points: np.ndarray, corners: np.ndarray) -> float:
    """Return the shortest distance of neighbouring corners [m], of those that are more than rounding.

    Parameters
    ----------
    points
        Coordinates (n_points, dim) [m].
    corners
        Points (nelem, 2**dim) at the corners of elements, x fastest.
    """
    dim = corners.shape[1].bit_length() - 1
    pairs = [
        (k, k | 1 << axis) for k, axis in itertools.product(range(2**dim), range(dim)) if not k & 1 << axis
    ]
    first, second = np.array(pairs).T
    lengths = np.linalg.norm(points[corners[:, second]] - points[corners[:, first]], axis=2)
    # Edges of no length belong to collapsed elements, which are refused later.
    return float(lengths.min(initial=np.inf, where=lengths > 1e-10 * lengths.max()))


def merged_points(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Return for every point the first of those that lie in its place (n_points,).

    Parameters
    ----------
    points
        Coordinates (n_points, dim) [m].
    tolerance
        Points nearer than this are one [m].
    """
    pairs = scipy.spatial.cKDTree(points).query_pairs(tolerance, output_type="ndarray")
    if not len(pairs):
        return np.arange(len(points))
    graph = scipy.sparse.coo_array((np.ones(len(pairs), dtype=bool), pairs.T), shape=(len(points),) * 2)
    _, group = scipy.sparse.csgraph.connected_components(graph, directed=False)
    _, first = np.unique(group, return_index=True)
    return np.asarray(first[group])


def complete_nodes(nodes: np.ndarray, cell: CellType, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return elements in tensor order, with the nodes that serendipity elements leave out.

    Parameters
    ----------
    nodes
        Points (nelem, n_nodes) as the file numbers them.
    cell
        Type of the elements.
    values
        Coordinates and fields (n_points, n) of the points.

    Returns
    -------
    connectivity, values
        Points (nelem, (order + 1)**dim), x fastest, and the values with those of the new points appended.
        Neighbours share the new points on their common side.
    """
    connectivity = nodes[:, cell.columns]
    missing = cell.missing()
    # What the middle of a side follows from is the same for the two elements at the side, but for the order.
    for n_sources in sorted({len(sources) for _, sources, _ in missing}):
        alike = [one for one in missing if len(one[1]) == n_sources]
        sources = np.stack([nodes[:, one[1]] for one in alike], axis=1).reshape(-1, n_sources)
        weights = np.tile([one[2] for one in alike], (len(nodes), 1))
        _, first, number = np.unique(np.sort(sources, axis=1), axis=0, return_index=True, return_inverse=True)
        connectivity[:, [one[0] for one in alike]] = len(values) + number.reshape(len(nodes), -1)
        values = np.concatenate([values, np.einsum("nk,nkv->nv", weights[first], values[sources[first]])])
    return connectivity, values


def mirrored(points: np.ndarray, connectivity: np.ndarray, shape_order: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn left-handed elements into right-handed ones by reversing their first reference axis.

    Returns
    -------
    connectivity, flipped
        Points (nelem, n_nodes), and which elements were turned (nelem,).
    """
    highest = np.concatenate(
        [
            determinants(dx_dxi).max(axis=1)
            for _, dx_dxi in jacobians(points, connectivity, shape_order, shape_order)
        ]
    )
    flipped = highest < 0.0
    turned = connectivity[flipped].reshape(-1, shape_order + 1)[:, ::-1]
    connectivity = connectivity.copy()
    connectivity[flipped] = turned.reshape(-1, connectivity.shape[1])
    return connectivity, flipped


def refuse_inverted(points: np.ndarray, connectivity: np.ndarray, shape_order: int) -> None:
    """Refuse elements that are inverted or degenerate with a ValueError that says which and where.

    Parameters
    ----------
    points, connectivity, shape_order
        The mesh; (n_points, dim) [m] and (nelem, (shape_order + 1)**dim).
    """
    lowest = np.concatenate(
        [
            determinants(dx_dxi).min(axis=1)
            for _, dx_dxi in jacobians(points, connectivity, shape_order, 2 * shape_order)
        ]
    )
    nodes = points[connectivity]
    dim = points.shape[1]
    size = np.ptp(nodes, axis=1).max(axis=1)
    bad = np.flatnonzero(lowest <= _FLAT * size**dim)
    if not len(bad):
        return
    corners = nodes[bad[:_NAMED]][:, corner_indices(dim, shape_order)]
    named = "; ".join(
        f"element {element} with the corners {', '.join(str(tuple(map(float, x))) for x in places)}"
        for element, places in zip(bad.tolist(), corners, strict=False)
    )
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    raise ValueError(
        f"{len(bad)} of {len(connectivity)} elements are inverted or degenerate (their Jacobian determinant "
        f"is not positive everywhere): {named}{more}; expected corners that span a volume and edges that do "
        "not fold: repair or remove these elements where the mesh was made."
    )
