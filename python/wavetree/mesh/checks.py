"""Checks of what a mesh is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from wavetree.mesh.fields import finite_array, read_only
from wavetree.mesh.interpolation import MAX_ORDER
from wavetree.mesh.side_sets import corner_indices

__all__ = [
    "MAX_SHAPE_ORDER",
    "checked_connectivity",
    "checked_order",
    "checked_points",
    "checked_shape_order",
    "order_of_columns",
    "refuse_flat_elements",
]

MAX_SHAPE_ORDER = 4


def order_of_columns(columns: int, dim: int) -> int:
    """Return the order whose elements have that many nodes, 0 if there is none."""
    return next((k for k in range(1, MAX_ORDER + 1) if (k + 1) ** dim == columns), 0)


def checked_order(order: int) -> int:
    """Return the order of a basis, or refuse it with a ValueError."""
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"order is {order}; expected a whole number from 1 to {MAX_ORDER}.")
    return int(order)


def checked_shape_order(shape_order: int) -> int:
    """Return the geometric order, or refuse it with a ValueError."""
    if shape_order not in range(1, MAX_SHAPE_ORDER + 1):
        raise ValueError(
            f"shape_order is {shape_order!r}; expected a whole number from 1 to {MAX_SHAPE_ORDER}."
        )
    return int(shape_order)


def checked_points(points: Any) -> np.ndarray:
    """Return coordinates (n_points, dim) as read-only float64, or refuse them with a ValueError."""
    array = finite_array("points", points)
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise ValueError(f"points has shape {array.shape}; expected (n_points, 2) or (n_points, 3).")
    return array


def checked_connectivity(connectivity: Any, points: np.ndarray, shape_order: int) -> np.ndarray:
    """Return a connectivity as read-only int64, or refuse it with a ValueError."""
    array = np.asarray(connectivity)
    columns = (shape_order + 1) ** points.shape[1]
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != columns or not len(array):
        raise ValueError(
            f"connectivity has shape {array.shape} and type {array.dtype}; expected whole numbers "
            f"(nelem, {columns}) "
            f"for elements of shape order {shape_order} in {points.shape[1]} dimensions."
        )
    bad = (array < 0) | (array >= len(points))
    if bad.any():
        element, column = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"connectivity of element {element} names point {int(array[element, column])}; expected 0 to "
            f"{len(points) - 1}, for there are {len(points)} points."
        )
    return read_only(np.array(array, dtype=np.int64, order="C"))


def refuse_flat_elements(
    points: np.ndarray, connectivity: np.ndarray, shape_order: int, weights: np.ndarray
) -> None:
    """Refuse elements whose volume is nothing but rounding, with a ValueError.

    Parameters
    ----------
    points, connectivity, shape_order
        The mesh; (n_points, dim) [m] and (nelem, (shape_order + 1)**dim).
    weights
        Quadrature weight times det J (nelem, n_nodes) [m^dim], positive.
    """
    # The core refuses det J <= 0; collapsed corners of turned or shifted elements leave a positive rest.
    dim = points.shape[1]
    nodes = points[connectivity]
    size = np.ptp(nodes, axis=1).max(axis=1)
    rounding = 1e-12 + 1e-15 * np.abs(nodes).max(axis=(1, 2)) / size
    flat = weights.min(axis=1) < rounding * size**dim * _end_weight(weights.shape[1], dim)
    if flat.any():
        element = int(np.argmax(flat))
        corners = ", ".join(
            str(tuple(map(float, x))) for x in nodes[element, corner_indices(dim, shape_order)]
        )
        raise ValueError(
            f"element {element} is degenerate (a Jacobian determinant is zero but for rounding); its "
            "corners are "
            f"{corners}; expected corners that span an area: repair or remove the element."
        )


def _end_weight(n_nodes: int, dim: int) -> float:
    """Return the smallest weight of the GLL rule on a unit cube with that many nodes.

    Notes
    -----
    The weight at the ends of [-1, 1] is 2 / (N (N + 1)).
    """
    order = order_of_columns(n_nodes, dim)
    return (1.0 / (order * (order + 1))) ** dim
