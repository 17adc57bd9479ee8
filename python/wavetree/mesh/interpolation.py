"""Interpolation between the Gauss-Lobatto-Legendre (GLL) nodes of two orders."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from wavetree import _core

__all__ = [
    "MAX_ORDER",
    "basis_weights",
    "change_order",
    "derivative_matrix",
    "gll_points",
    "lagrange_derivative_matrix",
    "lagrange_matrix",
]

MAX_ORDER = 8
"""Highest order of the basis that the core is compiled for."""


@lru_cache(maxsize=MAX_ORDER)
def gll_points(order: int) -> np.ndarray:
    """Return the GLL points of an order.

    Parameters
    ----------
    order
        Polynomial order, 1 to 8.

    Returns
    -------
    numpy.ndarray
        Points (order + 1,) on [-1, 1], increasing, read-only.

    Raises
    ------
    ValueError
        If the order is not between 1 and 8.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"order is {order}; expected a whole number from 1 to {MAX_ORDER}.")
    points = np.array(_core.gll(order)[0], dtype=np.float64)
    points.setflags(write=False)
    return points


def lagrange_matrix(order: int, positions: np.ndarray) -> np.ndarray:
    """Evaluate the Lagrange polynomials on the GLL points of an order.

    Parameters
    ----------
    order
        Polynomial order, 1 to 8.
    positions
        Reference coordinates (n,).

    Returns
    -------
    numpy.ndarray
        Matrix (n, order + 1): row = position, column = polynomial; exactly 0 and 1 at the points.

    Notes
    -----
    l_j(t) = prod_{k != j} (t - x_k) / (x_j - x_k); at order <= 8 the products lose no digits.
    """
    points = gll_points(order)
    others = ~np.eye(order + 1, dtype=bool)
    t = np.asarray(positions, dtype=np.float64)[:, None, None]
    factors = (t - points) / np.where(others, points[:, None] - points, 1.0)
    return np.asarray(np.where(others, factors, 1.0).prod(axis=2))


def basis_weights(order: int, reference: np.ndarray) -> np.ndarray:
    """Evaluate the basis of an element at places in it.

    Parameters
    ----------
    order
        Polynomial order, 1 to 8.
    reference
        Reference coordinates (n, dim).

    Returns
    -------
    numpy.ndarray
        Values (n, (order + 1)**dim), x fastest: the weights of nodal values in the value at each place.
    """
    weights = np.ones((len(reference), 1))
    for axis in range(reference.shape[1]):
        along = lagrange_matrix(order, reference[:, axis])
        weights = (along[:, :, None] * weights[:, None, :]).reshape(len(reference), -1)
    return weights


@lru_cache(maxsize=MAX_ORDER)
def derivative_matrix(order: int) -> np.ndarray:
    """Return the derivatives of the Lagrange polynomials at the GLL points of an order.

    Parameters
    ----------
    order
        Polynomial order, 1 to 8.

    Returns
    -------
    numpy.ndarray
        D (order + 1, order + 1): row = point, column = polynomial, read-only.

    Notes
    -----
    D_ij = w_j / (w_i (x_i - x_j)) with w_j = 1 / prod_{k != j} (x_j - x_k), and D_ii so that rows sum to zero
    (Berrut & Trefethen 2004, SIAM Review 46, eq. 9.4 and 9.5).
    """
    points = gll_points(order)
    distance = points[:, None] - points + np.eye(order + 1)
    weights = 1.0 / distance.prod(axis=1)
    matrix = weights / (weights[:, None] * distance)
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    matrix.setflags(write=False)
    return matrix


def lagrange_derivative_matrix(order: int, positions: np.ndarray) -> np.ndarray:
    """Evaluate the derivatives of the Lagrange polynomials on the GLL points of an order.

    Parameters
    ----------
    order
        Polynomial order, 1 to 8.
    positions
        Reference coordinates (n,).

    Returns
    -------
    numpy.ndarray
        Matrix (n, order + 1): row = position, column = polynomial.
    """
    # l_j' is a polynomial of the same order, and so the interpolation of its own values at the points.
    return np.asarray(lagrange_matrix(order, positions) @ derivative_matrix(order))


def change_order(values: np.ndarray, dim: int, order: int, new_order: int) -> np.ndarray:
    """Interpolate element-nodal values to the GLL nodes of another order.

    Parameters
    ----------
    values
        (nelem, (order + 1)**dim), x fastest.
    dim
        Number of space dimensions.
    order, new_order
        Order of the given nodes and of the wanted ones.

    Returns
    -------
    numpy.ndarray
        (nelem, (new_order + 1)**dim); exact if ``new_order >= order``, else sampled at the nodes.
    """
    if order == new_order:
        return values
    matrix = lagrange_matrix(order, gll_points(new_order))
    grid = values.reshape((len(values),) + (order + 1,) * dim)
    # Contracting axis 1 and appending the new one at the end visits every axis once and leaves
    # the axes in their old sequence.
    for _ in range(dim):
        grid = np.tensordot(grid, matrix, axes=([1], [1]))
    return np.ascontiguousarray(grid.reshape(len(values), -1))
