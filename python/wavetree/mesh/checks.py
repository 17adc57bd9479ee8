"""Checks of what a mesh is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wavetree.mesh.fields import finite_array, read_only
from wavetree.mesh.interpolation import MAX_ORDER
from wavetree.mesh.side_sets import corner_indices

__all__ = [
    "MAX_SHAPE_ORDER",
    "checked_connectivity",
    "checked_element_nodal",
    "checked_order",
    "checked_points",
    "checked_shape_order",
    "checked_side_set",
    "checked_values",
    "element_nodal_shapes",
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


def checked_values(name: str, data: Any, count: str, expected: int) -> np.ndarray:
    """Return values, one each for things of a number, as read-only float64, or refuse them."""
    if np.shape(data) != (expected,):
        raise ValueError(f"{name} has shape {np.shape(data)}; expected ({count},) = ({expected},).")
    return finite_array(name, data)


def element_nodal_shapes(n_elements: int, dim: int) -> str:
    """Return the shapes that element-nodal fields may have, in words."""
    columns = "|".join(str((k + 1) ** dim) for k in range(1, MAX_ORDER + 1))
    return f"(nelem, (k + 1)**{dim}) = ({n_elements}, {columns})"


def checked_element_nodal(
    name: str, data: Any, n_elements: int, dim: int, present: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return an element-nodal field as read-only float64, or refuse it; all those present have its order."""
    shape = np.shape(data)
    order = order_of_columns(shape[1], dim) if len(shape) == 2 and shape[0] == n_elements else 0
    if not order:
        expected = element_nodal_shapes(n_elements, dim)
        raise ValueError(f"element-nodal field {name!r} has shape {shape}; expected {expected}.")
    others = sorted(set(present) - {name})
    if others and present[others[0]].shape[1] != shape[1]:
        columns = present[others[0]].shape[1]
        raise ValueError(
            f"element-nodal field {name!r} has {shape[1]} columns (order {order}); expected "
            f"{columns} (order {order_of_columns(columns, dim)}) as {others[0]!r}: "
            "delete that field first, or change its order with mesh.with_tensor_order."
        )
    return finite_array(f"element-nodal field {name!r}", data)


def checked_side_set(name: str, data: Any, n_elements: int, dim: int) -> np.ndarray:
    """Return [element, side] rows (n, 2) as read-only int64, or refuse them with a ValueError."""
    rows = np.asarray(data)
    if rows.dtype.kind not in "iu" or rows.ndim != 2 or rows.shape[1] != 2:
        raise ValueError(
            f"side set {name!r} has shape {rows.shape} and type {rows.dtype}; expected whole numbers "
            "(n, 2): rows of [element, side]."
        )
    bad = (rows < 0) | (rows >= np.array([n_elements, 2 * dim]))
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        raise ValueError(
            f"side set {name!r} has the row {rows[row].tolist()} at {row}; expected an element below "
            f"{n_elements} and a side below {2 * dim}."
        )
    if len(np.unique(rows.astype(np.int64) @ [2 * dim, 1])) != len(rows):
        raise ValueError(f"side set {name!r} names a facet twice; expected every [element, side] once.")
    return read_only(np.array(rows, dtype=np.int64, order="C"))


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
