"""Structured box meshes, optionally perturbed and deformed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wavetree.mesh.checks import checked_shape_order
from wavetree.mesh.interpolation import gll_points
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.side_sets import AXES

__all__ = ["box_mesh"]


def box_mesh(
    bounds: Sequence[tuple[float, float]],
    counts: Sequence[int],
    *,
    shape_order: int = 1,
    deformation: Callable[[np.ndarray], np.ndarray] | None = None,
    perturbation: float = 0.0,
    generator: np.random.Generator | None = None,
) -> Mesh:
    """Make a box of equal elements, numbered with x fastest.

    Parameters
    ----------
    bounds
        (smallest, largest) coordinate per axis [m]; two or three axes.
    counts
        Number of elements per axis.
    shape_order
        Geometric order, 1 to 4.
    deformation
        Smooth map of points (n, dim) to points (n, dim), applied last.
    perturbation
        Largest random shift of inner corners as a fraction of the element size, 0 to below 0.25;
        corners on the boundary slide in it.
    generator
        Source of the random shifts; needed with ``perturbation``.

    Returns
    -------
    Mesh
        With the side sets x0, x1, y0, y1 (z0, z1), named before the deformation.

    Raises
    ------
    ValueError
        For an empty box, counts below 1, or a deformation that inverts elements.
    """
    limits = _checked_limits(bounds, counts)
    order = checked_shape_order(shape_order)
    dim = len(limits)
    edges = [np.linspace(lo, hi, n + 1) for (lo, hi), n in zip(limits, counts, strict=True)]
    refined = [_refined(edge, order) for edge in edges]
    # Arrays are indexed [z, y, x], so that ravelling them numbers x fastest.
    axes = np.meshgrid(*refined[::-1], indexing="ij")[::-1]
    points = np.stack([axis.ravel() for axis in axes], axis=1)
    if perturbation:
        points = points + _random_shifts(edges, refined, perturbation, generator)
    if deformation is not None:
        points = np.asarray(deformation(points), dtype=np.float64)
        if points.shape != (len(axes[0].ravel()), dim):
            raise ValueError(
                f"deformation returned shape {points.shape}; expected ({len(axes[0].ravel())}, {dim}): "
                "one point each."
            )
    return Mesh(points, _connectivity(counts, order), order, _side_sets(counts))


def _checked_limits(
    bounds: Sequence[tuple[float, float]], counts: Sequence[int]
) -> list[tuple[float, float]]:
    limits = [(float(lo), float(hi)) for lo, hi in bounds]
    if len(limits) not in (2, 3) or len(counts) != len(limits):
        raise ValueError(
            f"bounds has {len(limits)} axes and counts {len(counts)}; expected two or three of both."
        )
    for axis, (lo, hi), n in zip(AXES, limits, counts, strict=False):
        if not (np.isfinite([lo, hi]).all() and lo < hi):
            raise ValueError(
                f"bounds of {axis} are {lo} and {hi}; expected finite numbers, the smaller one first."
            )
        if n < 1 or n != int(n):
            raise ValueError(f"counts of {axis} is {n}; expected a whole number of elements, at least 1.")
    return limits


def _refined(edges: np.ndarray, order: int) -> np.ndarray:
    """Return the GLL nodes of all intervals; shared ones once, edges exactly."""
    fractions = 0.5 * (gll_points(order)[:-1] + 1.0)
    inner = edges[:-1, None] + fractions * np.diff(edges)[:, None]
    return np.append(inner.ravel(), edges[-1])


def _random_shifts(
    edges: list[np.ndarray],
    refined: list[np.ndarray],
    perturbation: float,
    generator: np.random.Generator | None,
) -> np.ndarray:
    """Return shifts (n_points, dim) [m]: random at corners, multilinear inside the elements."""
    if not 0.0 <= perturbation < 0.25:
        raise ValueError(
            f"perturbation is {perturbation}; expected 0 to below 0.25 of the element size, so that no "
            "element inverts."
        )
    if generator is None:
        raise ValueError("generator is None; expected a numpy.random.Generator for the perturbation.")
    dim = len(edges)
    shifts = []
    for axis in range(dim):
        shape = [len(edge) for edge in edges[::-1]]
        shift = generator.uniform(-1.0, 1.0, shape) * perturbation * np.diff(edges[axis])[0]
        place = dim - 1 - axis
        np.moveaxis(shift, place, 0)[[0, -1]] = 0.0
        for along in range(dim):
            matrix = _hat_functions(edges[along], refined[along])
            shift = np.moveaxis(np.tensordot(matrix, shift, axes=(1, dim - 1 - along)), 0, dim - 1 - along)
        shifts.append(shift.ravel())
    return np.stack(shifts, axis=1)


def _hat_functions(edges: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Matrix (n_positions, n_edges) of piecewise linear interpolation."""
    return np.stack([np.interp(positions, edges, row) for row in np.eye(len(edges))], axis=1)


def _connectivity(counts: Sequence[int], order: int) -> np.ndarray:
    sizes = np.array(counts) * order + 1
    strides = np.concatenate([[1], np.cumprod(sizes[:-1])])
    first = _grid_indices(counts) * order @ strides
    local = _grid_indices([order + 1] * len(counts)) @ strides
    return np.asarray(first[:, None] + local)


def _side_sets(counts: Sequence[int]) -> dict[str, np.ndarray]:
    index = _grid_indices(counts)
    sets = {}
    for axis, n in enumerate(counts):
        for end in (0, 1):
            elements = np.flatnonzero(index[:, axis] == end * (n - 1))
            sides = np.full(len(elements), 2 * axis + end)
            sets[f"{AXES[axis]}{end}"] = np.stack([elements, sides], axis=1)
    return sets


def _grid_indices(counts: Sequence[int]) -> np.ndarray:
    """Multi-indices (n, dim) of a grid, x fastest."""
    grids = np.meshgrid(*[np.arange(n) for n in counts[::-1]], indexing="ij")[::-1]
    return np.stack([grid.ravel() for grid in grids], axis=1)
