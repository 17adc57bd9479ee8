"""The nodes of a lower order in the same elements, and how fields get there and back."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import gll_points, lagrange_matrix

__all__ = ["CoarseNodes"]


class CoarseNodes:
    """Continuous nodes of a lower order of a mesh.

    Parameters
    ----------
    mesh
        The mesh.
    order, lower
        Order of the fields, and of the coarse nodes.

    Notes
    -----
    P interpolates in every element from the nodes of the lower order to those of the other; continuous fields
    stay so. In the lumped masses its transpose is G_n⁻¹ Pᵀ G.
    """

    def __init__(self, mesh: Mesh, order: int, lower: int) -> None:
        along = lagrange_matrix(lower, gll_points(order))
        self._matrix = _in_all_directions(along, mesh.dim)
        # Convex combinations: what was positive semidefinite at the nodes remains so.
        linear = [np.interp(gll_points(lower), gll_points(order), hat) for hat in np.eye(order + 1)]
        self._sampling = _in_all_directions(np.transpose(linear), mesh.dim)
        self._fine, self._coarse = mesh.dof_map(order), mesh.dof_map(lower)
        self._weights, self._mass = mesh.mass_weights(order), mesh.get_mass_matrix(lower)

    @cached_property
    def ones(self) -> np.ndarray:
        """What 1 becomes at the coarse nodes: 1 where both masses are exact for the elements' shapes."""
        return self.restrict(np.ones(self._fine.n_dofs))

    def restrict(self, values: np.ndarray) -> np.ndarray:
        """Return G_n⁻¹ Pᵀ G times a field (n_dofs,) at the coarse nodes."""
        weighted = self._weights * self._fine.gather(values)
        return self._coarse.assemble(_product(weighted, self._matrix)) / self._mass

    def interpolate(self, values: np.ndarray) -> np.ndarray:
        """Return P times a field at the coarse nodes (n_dofs,)."""
        result = np.empty(self._fine.n_dofs)
        # Elements that share a node compute the same there but for rounding: the last one is taken.
        result[self._fine.element_dofs] = _product(self._coarse.gather(values), self._matrix.T)
        return result

    def sample(self, values: np.ndarray) -> np.ndarray:
        """Return element-nodal values (..., nelem, n_nodes) at the coarse nodes, linear between nodes."""
        return np.asarray(values @ self._sampling.T)


def _product(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The matrix product, summed in the same order by any number of threads, which BLAS does not promise.

    Elements side by side: the sums then run through memory along them.
    """
    return np.einsum("ne,nm->me", np.ascontiguousarray(values.T), matrix).T


def _in_all_directions(along: np.ndarray, dim: int) -> np.ndarray:
    """The matrix that works along every axis of an element (new nodes, nodes), x fastest."""
    matrices: Sequence[np.ndarray] = [along] * dim
    return functools.reduce(np.kron, matrices)
