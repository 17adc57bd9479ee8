"""Where straight lines meet the curved facets of a side set."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from wavetree.mesh.fields import finite_array
from wavetree.mesh.interpolation import lagrange_derivative_matrix, lagrange_matrix

__all__ = ["facet_basis", "project_along"]

_STEPS = 40  # of Newton's method; it takes about 5, and more only from starts that lead nowhere
_NEAR = 1e-12  # distance from the line, relative to the facet, at which the method has arrived
_FLAT = 1e-8  # determinant, relative to the facet, below which the line lies in the facet or touches it
_EDGE = 1e-9  # reference coordinates this far outside are on the facet's edge


def project_along(
    facets: np.ndarray, shape_order: int, point: Sequence[float], direction: Sequence[float]
) -> np.ndarray:
    """Return where a line meets facets, nearest to the point that it goes through.

    Parameters
    ----------
    facets
        Geometry nodes (n_facets, (shape_order + 1)**(dim - 1), dim) [m], at GLL points.
    shape_order
        Geometric order.
    point
        A point of the line (dim,) [m].
    direction
        Direction of the line (dim,), of any length; it goes on to both sides.

    Returns
    -------
    numpy.ndarray
        Position (dim,) [m]. It is the given point plus a multiple of the direction, so that coordinates
        across an axis stay what they are. Where the line lies in a facet or touches it is no crossing.

    Raises
    ------
    ValueError
        If there are no facets or the line misses them all; the message names the nearest place.

    Notes
    -----
    With the line p + t d and an orthonormal basis Q of what is perpendicular to d, Newton's method solves
    Q (X(ξ) − p) = 0 for the reference coordinates ξ of the facet X, from several ξ on each facet so that
    every crossing of a folded facet is found; then t = d·(X(ξ) − p).
    """
    dim = facets.shape[2]
    p, d = (finite_array(n, v) for n, v in (("point", point), ("direction", direction)))
    if p.shape != (dim,) or d.shape != (dim,) or not d.any():
        raise ValueError(
            f"point is {p.tolist()} and direction {d.tolist()}; expected {dim} coordinates and a vector of "
            f"{dim} components that is not zero."
        )
    if not len(facets):
        raise ValueError("the side set is empty; expected one with sides.")
    d = d / np.linalg.norm(d)
    across = _perpendicular(d)
    candidates = facets[_may_meet((facets - p) @ across.T)] - p
    along = _crossings(candidates @ across.T, candidates @ d, shape_order)
    if not along.size:
        raise ValueError(_miss(facets, shape_order, p, d))
    return p + along[np.argmin(np.abs(along))] * d


def _perpendicular(direction: np.ndarray) -> np.ndarray:
    """Return orthonormal rows (dim - 1, dim) perpendicular to a unit vector; exact for axes."""
    axis = int(np.argmax(np.abs(direction)))
    others = np.delete(np.eye(len(direction)), axis, axis=0)
    rows: list[np.ndarray] = []
    for row in others:
        for known in (direction, *rows):
            row = row - (row @ known) * known
        rows.append(row / np.linalg.norm(row))
    return np.array(rows)


def _may_meet(across: np.ndarray) -> np.ndarray:
    """Return the numbers of the facets whose nodes, (n, nodes, dim - 1) across the line, lie around it."""
    low, high = across.min(axis=1), across.max(axis=1)
    # Polynomials leave the box of their nodes, but by less than its size.
    margin = (high - low).max(axis=1, keepdims=True)
    return np.flatnonzero(((low - margin <= 0.0) & (high + margin >= 0.0)).all(axis=1))


def _crossings(across: np.ndarray, along: np.ndarray, shape_order: int) -> np.ndarray:
    """Return where the line crosses facets, as distances along it (n_crossings,).

    Parameters
    ----------
    across, along
        Coordinates of the facets' nodes perpendicular to the line (n, nodes, dim - 1), and along it
        (n, nodes).
    shape_order
        Geometric order.
    """
    n_across = across.shape[2]
    starts = np.linspace(-1.0, 1.0, 2 * shape_order + 1)
    reference = np.array(list(itertools.product(starts, repeat=n_across)))
    facet = np.repeat(np.arange(len(across)), len(reference))
    reference = np.tile(reference, (len(across), 1))
    size = np.ptp(across, axis=1).max(axis=1)[facet] + np.ptp(along, axis=1)[facet]
    for _ in range(_STEPS):
        values, derivatives = facet_basis(shape_order, reference)
        residual = np.einsum("kn,kna->ka", values, across[facet])
        jacobian = np.einsum("knb,kna->kab", derivatives, across[facet])
        step = _solve(jacobian, residual, size)
        # Bounded, for a Newton step near a fold leads anywhere.
        reference = np.clip(reference - np.clip(step, -0.5, 0.5), -1.5, 1.5)
    on_facet = np.clip(reference, -1.0, 1.0)
    values, _ = facet_basis(shape_order, on_facet)
    distance = np.abs(np.einsum("kn,kna->ka", values, across[facet])).max(axis=1, initial=0.0)
    inside = (np.abs(reference) <= 1.0 + _EDGE).all(axis=1)
    # On a clipped coordinate the distance is up to that of the edge's tolerance.
    crosses = np.abs(_determinant(jacobian)) > _FLAT * size**n_across
    found = inside & crosses & (distance <= (_NEAR + _EDGE) * size)
    return np.einsum("kn,kn->k", values[found], along[facet[found]])


def _determinant(matrices: np.ndarray) -> np.ndarray:
    """Return the determinants (k,) of matrices (k, m, m), m 1 or 2."""
    if matrices.shape[1] == 1:
        return matrices[:, 0, 0]
    return np.asarray(matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0])


def _solve(matrices: np.ndarray, right: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Solve systems (k, m, m) of one or two equations; where they are singular, return a large step."""
    adjugate = np.ones_like(matrices)
    if matrices.shape[1] == 2:
        adjugate = matrices[:, ::-1, ::-1].swapaxes(1, 2) * np.array([[1.0, -1.0], [-1.0, 1.0]])
    determinant, floor = _determinant(matrices), 1e-14 * size ** matrices.shape[1]
    determinant = np.where(np.abs(determinant) > floor, determinant, floor)
    return np.asarray(np.einsum("kab,kb->ka", adjugate, right) / determinant[:, None])


def facet_basis(shape_order: int, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Lagrange polynomials of facets, and their derivatives.

    Parameters
    ----------
    shape_order
        Geometric order.
    reference
        Reference coordinates (k, m), m 1 or 2.

    Returns
    -------
    values, slopes
        (k, nodes) and (k, nodes, m), x fastest.
    """
    values = [lagrange_matrix(shape_order, x) for x in reference.T]
    slopes = [lagrange_derivative_matrix(shape_order, x) for x in reference.T]
    if len(values) == 1:
        return values[0], slopes[0][:, :, None]
    (x, y), (dx, dy) = values, slopes
    shape = (len(reference), (shape_order + 1) ** 2)
    # x runs fastest: the last axis before flattening.
    product = [np.einsum("kj,ki->kji", b, a).reshape(shape) for a, b in ((x, y), (dx, y), (x, dy))]
    return product[0], np.stack(product[1:], axis=2)


def _miss(facets: np.ndarray, shape_order: int, point: np.ndarray, direction: np.ndarray) -> str:
    """Say how far a line passes from the facets, as seen at a grid of places on those around it."""
    gaps = np.linalg.norm(_across(facets - point, direction), axis=2).min(axis=1)
    nearest = facets[np.argsort(gaps)[:16]]
    grid = np.linspace(-1.0, 1.0, 65)
    values, _ = facet_basis(shape_order, np.array(list(itertools.product(grid, repeat=len(point) - 1))))
    places = np.einsum("kn,fna->fka", values, nearest).reshape(-1, len(point))
    gaps = np.linalg.norm(_across(places - point, direction), axis=1)
    where = ", ".join(f"{x:g}" for x in places[np.argmin(gaps)])
    if gaps.min() <= 1e-9 * np.ptp(nearest, axis=(0, 1)).max():
        return f"the line through it only touches it, or lies in it, at ({where}); change the direction."
    return (
        f"the line through it along ({', '.join(f'{x:g}' for x in direction)}) passes {gaps.min():.4g} m "
        f"from it, nearest at ({where}); move the point or change the direction."
    )


def _across(vectors: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return the part of vectors (..., dim) that is perpendicular to a unit vector."""
    return np.asarray(vectors - (vectors @ direction)[..., None] * direction)
