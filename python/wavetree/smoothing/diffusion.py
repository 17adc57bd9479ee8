"""The smoothing operator: diffusion over unit pseudo-time with a tensor that may vary in space."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from wavetree import _core
from wavetree.mesh import Mesh
from wavetree.ranks import Ranks
from wavetree.simulation.core import default_instruction_set
from wavetree.simulation.share import SharedDofs, share_elements
from wavetree.smoothing.coarse_nodes import CoarseNodes

__all__ = ["Operator", "diagonal_covariance", "diffusion_operator"]

# Nodes a standard deviation in an element from which on its order suffices: there the operator differs by
# 4e-3 at order 2, 2e-3 at order 3 and less above from the one on finer nodes, in the norm of operators.
_NODES_PER_SIGMA = 2.5
_LOWEST_ORDER = 2
# Lumped masses of two orders differ in curved elements, by what varies inside them: smoothing takes most of
# that away, so that E, which makes up for the rest, stays within 2e-4 of 1.
_SAME_MASS = 0.05
_STEPS, _ROUNDING = 60, 1e-14


class Operator(Protocol):
    """A linear operator on continuous nodal fields."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the operator times a field (n_dofs,)."""


class _OnCoarseNodes:
    """P E S_n E P* with the smoothing S_n on the nodes of a lower order and the interpolation P from there.

    The diagonal E is near to 1 and so that constants are kept; being symmetric, integrals are then kept too.
    """

    def __init__(self, nodes: CoarseNodes, smoothing: Operator) -> None:
        self._nodes, self._smoothing = nodes, smoothing
        self._factor = np.ones_like(nodes.ones)
        # e S_n(e P*1) = 1 by the symmetric iteration of Sinkhorn and Knopp: the error halves in each step.
        for _ in range(_STEPS):
            found = self._factor * smoothing.apply(self._factor * nodes.ones)
            if np.abs(found - 1.0).max() <= _ROUNDING:
                break
            self._factor /= np.sqrt(found)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the operator times a field (n_dofs,)."""
        smoothed = self._smoothing.apply(self._factor * self._nodes.restrict(values))
        return self._nodes.interpolate(self._factor * smoothed)


def diagonal_covariance(sigma: np.ndarray) -> np.ndarray:
    """Return the upper triangle of diag(σ²) (dim (dim + 1) / 2, ...) of σ (dim, ...) [m]."""
    rows, columns = np.triu_indices(len(sigma))
    return np.stack(
        [
            np.square(sigma[i]) if i == j else np.zeros(sigma.shape[1:])
            for i, j in zip(rows, columns, strict=True)
        ]
    )


class _OverRanks:
    """The smoothing of elements that ranks share: every rank gives and gets the whole field."""

    def __init__(self, mesh: Mesh, order: int, covariance: np.ndarray, threads: int, ranks: Ranks) -> None:
        share = share_elements(mesh, ranks)
        connectivity = np.ascontiguousarray(mesh.connectivity[share.elements])
        tensor = np.ascontiguousarray(0.5 * covariance[:, share.own])
        self._compiled = _core.DiffusionOperator(
            mesh.points, connectivity, mesh.shape_order, order, tensor, default_instruction_set(), threads,
            share.compiled,
        )  # fmt: skip
        dofs, local = mesh.dof_map(order), np.asarray(self._compiled.element_dofs)
        self._dofs = SharedDofs(ranks, dofs.element_dofs, dofs.n_dofs, share.partition.rank, local)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the operator times a field (n_dofs,)."""
        return self._dofs.gather(np.asarray(self._compiled.apply(self._dofs.scatter(values))))


def diffusion_operator(
    mesh: Mesh, order: int, covariance: np.ndarray, threads: int = 1, ranks: Ranks | None = None
) -> Operator:
    """Return the smoothing operator with a covariance at every node.

    Parameters
    ----------
    mesh
        The mesh.
    order
        Order of the nodes.
    covariance
        Upper triangle of the symmetric, positive semidefinite Σ(x) (dim (dim + 1) / 2, nelem, n_nodes) [m²],
        row by row: xx, xy, yy or xx, xy, xz, yy, yz, zz.
    threads
        Number of threads; it does not change the result.
    ranks
        The ranks that share the elements, all of which must call and apply; None for this process alone.

    Notes
    -----
    Diffusion du/dt = ∇·(Σ/2 ∇u) over unit time with natural boundaries damps cos(k·x) by exp(−kᵀΣk/2) where Σ
    is constant, to O(|∇σ|) else. S = R², R the Chebyshev polynomial in G⁻¹K nearest to exp(−G⁻¹K/2), within
    1e-3, scaled to keep constants; G is the lumped mass. S is self-adjoint in G, positive semidefinite and
    keeps integrals.

    What smoothing leaves needs few nodes. Where σ is long enough in all elements, S works on the nodes of a
    lower order at the price of few and cheap steps: P E S_n E P* with P the interpolation in the elements, P*
    its transpose in the lumped masses and a diagonal E so that constants, and thereby integrals, are kept.
    """
    sigma = _shortest_sigma(mesh, covariance)
    for lower in range(_LOWEST_ORDER, order):
        if lower * sigma >= _NODES_PER_SIGMA:
            nodes = CoarseNodes(mesh, order, lower)
            if np.abs(nodes.ones - 1.0).max() <= _SAME_MASS:
                coarse = nodes.sample(covariance)
                return _OnCoarseNodes(nodes, _operator(mesh, lower, coarse, threads, ranks))
    return _operator(mesh, order, covariance, threads, ranks)


def _operator(mesh: Mesh, order: int, covariance: np.ndarray, threads: int, ranks: Ranks | None) -> Operator:
    if ranks is not None:
        return _OverRanks(mesh, order, covariance, threads, ranks)
    tensor = np.ascontiguousarray(0.5 * covariance)
    return _core.DiffusionOperator(
        mesh.points, mesh.connectivity, mesh.shape_order, order, tensor, default_instruction_set(), threads
    )


def _shortest_sigma(mesh: Mesh, covariance: np.ndarray) -> float:
    """The smallest standard deviation in any direction, in sizes of its element."""
    rows, columns = np.triu_indices(mesh.dim)
    if covariance[rows != columns].any():
        full = np.empty((*covariance.shape[1:], mesh.dim, mesh.dim))
        full[..., rows, columns] = full[..., columns, rows] = np.moveaxis(covariance, 0, -1)
        least = np.linalg.eigvalsh(full)[..., 0].min(axis=1)
    else:
        least = covariance[rows == columns].min(axis=(0, 2))
    return float(np.min(np.sqrt(np.maximum(least, 0.0)) / _sizes(mesh)))


def _sizes(mesh: Mesh) -> np.ndarray:
    """The longest edge of every element (nelem,) [m]."""
    corners = mesh.node_coordinates(1).reshape(mesh.nelem, *(2,) * mesh.dim, mesh.dim)
    longest = np.zeros(mesh.nelem)
    for axis in range(1, mesh.dim + 1):
        edges = np.linalg.norm(np.diff(corners, axis=axis), axis=-1)
        longest = np.maximum(longest, edges.reshape(mesh.nelem, -1).max(axis=1))
    return longest
