"""Derivatives of the map from reference to physical coordinates, at GLL nodes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wavetree.mesh.interpolation import gll_points, lagrange_derivative_matrix, lagrange_matrix

__all__ = ["jacobians", "tensor_product"]

_CHUNK = 2_000_000  # numbers that are held at a time


def tensor_product(matrices: list[np.ndarray]) -> np.ndarray:
    """Return the matrix that applies one matrix per axis to nodes numbered with x fastest."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = np.kron(matrix, result)
    return result


def jacobians(
    points: np.ndarray, connectivity: np.ndarray, shape_order: int, order: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield dx/dξ at the GLL nodes of an order, some elements at a time.

    Parameters
    ----------
    points
        Coordinates (n_points, dim) [m].
    connectivity
        Points of every element (nelem, (shape_order + 1)**dim), x fastest.
    shape_order
        Geometric order.
    order
        Order of the nodes at which the derivatives are taken.

    Yields
    ------
    elements, dx_dxi
        A range of elements, and their derivatives (n, (order + 1)**dim, dim, dim) [m]: row = coordinate,
        column = reference coordinate.
    """
    dim = points.shape[1]
    values = lagrange_matrix(shape_order, gll_points(order))
    slopes = lagrange_derivative_matrix(shape_order, gll_points(order))
    matrices = [
        tensor_product([slopes if axis == along else values for axis in range(dim)]) for along in range(dim)
    ]
    n_nodes = len(matrices[0])
    operator = np.concatenate(matrices)
    step = max(1, _CHUNK // (n_nodes * dim * dim))
    for start in range(0, len(connectivity), step):
        elements = slice(start, min(start + step, len(connectivity)))
        derivatives = operator @ points[connectivity[elements]]
        yield elements, derivatives.reshape(-1, dim, n_nodes, dim).transpose(0, 2, 3, 1)
