"""Models that vary inside elements, averaged over the volume of every node."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from wavetree import _core
from wavetree.mesh.interpolation import lagrange_derivative_matrix, lagrange_matrix
from wavetree.mesh.jacobian import jacobians
from wavetree.mesh.mesh import Mesh

__all__ = ["AveragedMedium", "average_model"]

# Of positions at which the model is asked for at a time.
_CHUNK = 1_000_000
_LEAST = 2  # parts of a subcell along each axis
_MOST = 64


@runtime_checkable
class AveragedMedium(Protocol):
    """What a model has to offer to be averaged."""

    def spacing(self, dim: int) -> np.ndarray:
        """Return the smallest distance over which the model changes, per axis (dim,) [m]; inf if unknown."""

    def average(self, coordinates: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return parameters (...,) of volumes, from positions (..., n_samples, dim) and their weights."""


def average_model(mesh: Mesh, order: int, model: AveragedMedium) -> Mapping[str, np.ndarray]:
    """Return the parameters of a model, averaged over the subcell of every node.

    Parameters
    ----------
    mesh
        The mesh.
    order
        Order of the nodes.
    model
        The model.

    Returns
    -------
    dict
        By name (nelem, (order + 1)**dim).

    Notes
    -----
    The subcell of node j is the interval of the reference axis from −1 + Σ_{k<j} ω_k to −1 + Σ_{k≤j} ω_k, ω
    the GLL weights, and the product of such intervals in 2-D and 3-D: node j lies in it and its volume is the
    node's mass. So Σ_j mass_j m̄_j is the integral of m over the element where det J is constant, and m̄ stays
    between the smallest and the largest value. Each subcell is cut into parts no longer than the model's
    spacing, at least 2 and at most 64 along each axis, with two Gauss points each: the integral of a
    multilinear model is exact but for the parts in which it has a kink. Nodes lie off the middle of their
    subcells, so of smooth models the value is of first order in the element size, where sampling at the nodes
    is of the order of the elements.
    """
    parts = _parts(mesh, order, model.spacing(mesh.dim))
    points, weights = zip(*(_subcells(order, n) for n in parts), strict=True)
    per_element = math.prod(p.size for p in points)
    size = max(1, _CHUNK // per_element)
    geometry = mesh.points[mesh.connectivity]
    chunks = []
    for begin in range(0, mesh.nelem, size):
        nodes = geometry[begin : begin + size]
        coordinates, share = _samples(nodes, mesh.shape_order, points, weights)
        chunks.append(model.average(coordinates, share))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _parts(mesh: Mesh, order: int, spacing: np.ndarray) -> list[int]:
    """Parts of every subcell along each reference axis, so many that none is longer than the spacing."""
    chunks = jacobians(mesh.points, mesh.connectivity, mesh.shape_order, order)
    lengths = np.max([np.abs(part).max(axis=(0, 1)) for _, part in chunks], axis=0)  # (dim, dim) per unit ξ
    largest = float(np.max(_core.gll(order)[1]))
    wanted = np.ceil(largest * lengths / spacing[:, None] * (1.0 - 1e-9)).max(axis=0)
    return [int(np.clip(n, _LEAST, _MOST)) for n in wanted]


def _subcells(order: int, n_parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights (order + 1, 2 n_parts) of the subcells of one reference axis."""
    edges = -1.0 + np.concatenate([[0.0], np.cumsum(_core.gll(order)[1])])
    cuts = np.linspace(0.0, 1.0, n_parts + 1)
    gauss = 0.5 + np.array([-0.5, 0.5]) / math.sqrt(3.0)
    within = (cuts[:-1, None] + gauss / n_parts).ravel()
    length = np.diff(edges)[:, None]
    return edges[:-1, None] + length * within, np.broadcast_to(length / within.size, (order + 1, within.size))


def _samples(
    nodes: np.ndarray, shape_order: int, points: tuple[np.ndarray, ...], weights: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, n_nodes, n_samples, dim) [m] and volumes (n, n_nodes, n_samples) of samples."""
    dim = nodes.shape[2]
    values = [lagrange_matrix(shape_order, p.ravel()) for p in points]
    slopes = [lagrange_derivative_matrix(shape_order, p.ravel()) for p in points]
    coordinates = _apply(nodes, values)
    columns = [
        _apply(nodes, [slopes[k] if axis == k else values[axis] for axis in range(dim)]) for k in range(dim)
    ]
    volume = np.linalg.det(np.stack(columns, axis=-1))
    for axis, weight in enumerate(weights):
        inner = math.prod(p.size for p in points[:axis])
        volume = (volume.reshape(len(nodes), -1, weight.size, inner) * weight.ravel()[:, None]).reshape(
            len(nodes), -1
        )
    # The axes are (z, its samples, y, its samples, x, its samples); nodes first, samples last.
    shape = [length for p in reversed(points) for length in p.shape]
    order = [0, *range(1, 2 * dim, 2), *range(2, 2 * dim + 1, 2)]
    shares = volume.reshape(len(nodes), *shape).transpose(order)
    places = coordinates.reshape(len(nodes), *shape, dim).transpose([*order, 2 * dim + 1])
    n_nodes = math.prod(p.shape[0] for p in points)
    return places.reshape(len(nodes), n_nodes, -1, dim), shares.reshape(len(nodes), n_nodes, -1)


def _apply(values: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Apply a matrix (m_k, n_k) along each reference axis of values (n, n_0 n_1 ..., c), x fastest."""
    dim, components = len(matrices), values.shape[2]
    grid = values.reshape(len(values), *(matrix.shape[1] for matrix in reversed(matrices)), components)
    for axis, matrix in enumerate(matrices):
        grid = np.moveaxis(np.tensordot(grid, matrix, axes=([dim - axis], [1])), -1, dim - axis)
    return np.ascontiguousarray(grid).reshape(len(values), -1, components)
