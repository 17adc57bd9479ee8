"""Fields of meshes on rectilinear grids."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from wavetree.errors import unknown_name
from wavetree.mesh.interpolation import lagrange_derivative_matrix, lagrange_matrix
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.side_sets import AXES

__all__ = ["extract_model_to_regular_grid"]

_CHUNK = 50_000  # pairs of an element and a point that are looked at together
_STEPS = 30  # of Newton's method; it takes about 5 in curved elements
_ARRIVED = 1e-12
_EDGE = 1e-9  # reference coordinates this far outside are on the element's boundary


def extract_model_to_regular_grid(
    mesh: Mesh, coordinates: xr.Dataset | Mapping[str, Any], fields: Iterable[str] | None = None
) -> xr.Dataset:
    """Return fields of a mesh at the nodes of a rectilinear grid.

    Parameters
    ----------
    mesh
        The mesh.
    coordinates
        A dataset or dictionary with the increasing coordinates ``x``, ``y`` and in 3-D ``z`` [m].
    fields
        Names of nodal, elemental or element-nodal fields; all when None.

    Returns
    -------
    xarray.Dataset
        The fields on (x, y) or (x, y, z), NaN at nodes outside the mesh.

    Raises
    ------
    ValueError
        If a field or coordinate is missing, or coordinates do not increase.

    Notes
    -----
    Fields are evaluated as the polynomials that they are, at the reference coordinates that Newton's method
    finds in the curved element. Where elements meet, the field is that of the one with the lowest index.
    """
    axes = tuple(AXES[: mesh.dim])
    grid = [_checked_axis(coordinates, axis, axes) for axis in axes]
    values = _checked_fields(mesh, fields)
    shape = tuple(len(axis) for axis in grid)
    found = {name: np.full(math.prod(shape), np.nan) for name in values}
    seen = np.zeros(math.prod(shape), dtype=bool)
    for elements, nodes in _candidates(mesh, grid):
        fresh = ~seen[nodes]
        elements, nodes = elements[fresh], nodes[fresh]
        points = np.stack(
            [axis[k] for axis, k in zip(grid, np.unravel_index(nodes, shape), strict=True)], axis=1
        )
        reference, inside = _reference(mesh, elements, points)
        # Of several elements at a node the first; `return_index` of sorted pairs keeps the lowest.
        kept = np.flatnonzero(inside)[np.unique(nodes[inside], return_index=True)[1]]
        for name, array in values.items():
            found[name][nodes[kept]] = _evaluate(array[elements[kept]], reference[kept])
        seen[nodes[kept]] = True
    return xr.Dataset(
        {name: (axes, array.reshape(shape)) for name, array in found.items()},
        coords=dict(zip(axes, grid, strict=True)),
    )


def _checked_axis(
    coordinates: xr.Dataset | Mapping[str, Any], axis: str, axes: tuple[str, ...]
) -> np.ndarray:
    if axis not in coordinates:
        raise ValueError(f"coordinates has {list(coordinates)}; expected {', '.join(axes)}: add {axis!r}.")
    positions = np.asarray(coordinates[axis], dtype=np.float64)
    if positions.ndim != 1 or not len(positions) or not np.isfinite(positions).all():
        raise ValueError(
            f"coordinate {axis!r} has shape {positions.shape}; expected (n,), finite numbers, at least one."
        )
    if not (np.diff(positions) > 0.0).all():
        raise ValueError(f"coordinate {axis!r} does not increase; expected sorted positions, each once.")
    return positions


def _checked_fields(mesh: Mesh, fields: Iterable[str] | None) -> dict[str, np.ndarray]:
    """Values at the nodes of every element (nelem, n) by name, one column of elemental fields."""
    known = {
        **{name: np.asarray(values)[:, None] for name, values in mesh.elemental_fields.items()},
        **{name: np.asarray(values)[mesh.connectivity] for name, values in mesh.nodal_fields.items()},
        **{name: np.asarray(values) for name, values in mesh.element_nodal_fields.items()},
    }
    chosen = list(known) if fields is None else [fields] if isinstance(fields, str) else list(fields)
    for name in chosen:
        if name not in known:
            raise unknown_name("field of the mesh", name, known)
    return {name: known[name] for name in chosen}


def _candidates(mesh: Mesh, grid: list[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield elements (n,) and flat numbers of grid nodes (n,) that lie in boxes around the elements."""
    corners = mesh.points[mesh.connectivity]
    low, high = corners.min(axis=1), corners.max(axis=1)
    # Polynomials leave the box of their nodes, straight elements do not.
    margin = (1e-9 if mesh.shape_order == 1 else 0.25) * (high - low)
    first = np.stack([np.searchsorted(x, low[:, k] - margin[:, k]) for k, x in enumerate(grid)], axis=1)
    last = np.stack(
        [np.searchsorted(x, high[:, k] + margin[:, k], side="right") for k, x in enumerate(grid)], axis=1
    )
    lengths = np.maximum(last - first, 0)
    counts = lengths.prod(axis=1)
    shape = [len(x) for x in grid]
    for begin, end in _ranges(counts):
        count = counts[begin:end]
        elements = np.repeat(np.arange(begin, end), count)
        rest = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        index = []
        for axis in reversed(range(mesh.dim)):
            length = lengths[elements, axis]
            index.append(first[elements, axis] + rest % length)
            rest = rest // length
        yield elements, np.ravel_multi_index(index[::-1], shape)


def _ranges(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield ranges of elements with about `_CHUNK` pairs, at least one element each."""
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(counts):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _CHUNK, side="right")))
        yield begin, end
        begin = end


def _reference(mesh: Mesh, elements: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reference coordinates (n, dim) of points in elements, and whether they lie inside (n,)."""
    reference = np.zeros_like(points)
    moving = np.arange(len(points))
    for _ in range(_STEPS):
        nodes = mesh.points[mesh.connectivity[elements[moving]]]
        place, slope = _map(nodes, mesh.shape_order, reference[moving])
        # Points far outside may meet singular maps; they are not inside anyway.
        slope[np.abs(np.linalg.det(slope)) == 0.0] = np.eye(mesh.dim)
        step = np.linalg.solve(slope, (points[moving] - place)[..., None])[..., 0]
        reference[moving] = np.clip(reference[moving] + step, -2.0, 2.0)
        moving = moving[np.abs(step).max(axis=1) > _ARRIVED]
        if not len(moving):
            break
    inside = (np.abs(reference) <= 1.0 + _EDGE).all(axis=1)
    inside[moving] = False
    return np.clip(reference, -1.0, 1.0), inside


def _map(nodes: np.ndarray, order: int, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, dim) and ∂x_i/∂ξ_j (n, dim, dim) of geometry nodes (n, n_nodes, dim) at (n, dim)."""
    dim = reference.shape[1]
    values = [lagrange_matrix(order, reference[:, k]) for k in range(dim)]
    slopes = [lagrange_derivative_matrix(order, reference[:, k]) for k in range(dim)]
    place = _contract(nodes, values)
    columns = [
        _contract(nodes, [slopes[k] if axis == k else values[axis] for axis in range(dim)])
        for k in range(dim)
    ]
    return place, np.stack(columns, axis=-1)


def _contract(values: np.ndarray, rows: list[np.ndarray]) -> np.ndarray:
    """Sum values (n, n_nodes, c), x fastest, with rows (n, order + 1) of every axis: (n, c)."""
    for row in rows:
        grid = values.reshape(len(values), -1, row.shape[1], values.shape[2])
        values = np.einsum("nokc,nk->noc", grid, row)
    return values[:, 0]


def _evaluate(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Values (n,) of polynomials given at the GLL nodes of elements (n, n_nodes)."""
    dim = reference.shape[1]
    order = round(values.shape[1] ** (1.0 / dim)) - 1
    if order == 0:
        return values[:, 0]
    return _contract(values[..., None], [lagrange_matrix(order, reference[:, k]) for k in range(dim)])[:, 0]
