"""Fields of a wavefield at the nodes of elements: derivatives in space, element by element."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from wavetree.mesh.interpolation import derivative_matrix, gll_points, lagrange_matrix
from wavetree.simulation.core import Core
from wavetree.simulation.rows import symmetric_pairs
from wavetree.survey.receiver.fields import FIELDS

__all__ = ["ElementFields"]

_BLOCK = 2**18  # element nodes worked on at a time
_SLOPES = ("gradient-of-phi", "gradient-of-displacement", "strain", "stress")


class ElementFields:
    """Fields at the GLL nodes of elements of one medium.

    Parameters
    ----------
    core
        The compiled simulation.
    part
        Number of the medium.
    elements
        Elements (n,), numbered within the medium.

    Notes
    -----
    ∂u/∂x_d = Σ_r ∂ξ_r/∂x_d Σ_j D_ij u_j along the reference axes r, in every element for itself: at nodes
    that elements share each has its own value. Stress is C:ε with the element's own C at the node.
    """

    def __init__(self, core: Core, part: int, elements: np.ndarray) -> None:
        self._mesh, self._part = core.medium_mesh, core.parts[part]
        self._dim, self._order = core.mesh.dim, core.mesh.tensor_order
        self._elements = elements
        self._dofs = core.element_dofs(part)[elements]

    def evaluate(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return a field of the elements.

        Parameters
        ----------
        name
            Name of a receiver field of this medium.
        values
            The wavefield (n_dofs, n_components), differentiated by time as the field wants it.

        Returns
        -------
        np.ndarray
            Shape (n_elements, n_nodes, n_components), float32, nodes x fastest.
        """
        count = len(FIELDS[name].components(self._dim))
        result = np.empty((*self._dofs.shape, count), dtype=np.float32)
        size = max(1, _BLOCK // self._dofs.shape[1])
        for first in range(0, len(result), size):
            block = slice(first, first + size)
            at_nodes = values[self._dofs[block]].astype(np.float64)
            result[block] = self._slopes(name, at_nodes, block) if name in _SLOPES else at_nodes
        return -result if name == "pressure" else result

    def _slopes(self, name: str, at_nodes: np.ndarray, block: slice) -> np.ndarray:
        gradient = self._gradient(at_nodes, block)
        if name.startswith("gradient"):
            return gradient.reshape(*gradient.shape[:2], -1)
        pairs = symmetric_pairs(self._dim)
        strain = np.stack([0.5 * (gradient[..., i, j] + gradient[..., j, i]) for i, j in pairs], axis=-1)
        if name == "strain":
            return strain
        coefficients = self._part.coefficients[:, self._elements[block]]
        return _stress(self._part.physics, coefficients, strain, self._dim)

    def _gradient(self, at_nodes: np.ndarray, block: slice) -> np.ndarray:
        """Derivatives (n, n_nodes, n_components, dim) by the coordinates."""
        along = derivative_matrix(self._order)
        grid = self._grid(at_nodes, self._order)
        by_reference = [_contract(along, grid, self._dim - axis) for axis in range(self._dim)]
        stacked = np.stack(by_reference, axis=-1).reshape(*at_nodes.shape, self._dim)
        return np.asarray(stacked @ self._dxi_dx[block])

    @cached_property
    def _dxi_dx(self) -> np.ndarray:
        """Inverse Jacobians (n, n_nodes, reference axis, coordinate)."""
        mesh, order, dim = self._mesh, self._mesh.shape_order, self._dim
        points = gll_points(self._order)
        value = lagrange_matrix(order, points)
        slope = value @ derivative_matrix(order)
        shape = self._grid(mesh.points[mesh.connectivity[self._part.elements[self._elements]]], order)
        columns = []
        for axis in range(dim):
            grid = shape
            for other in range(dim):
                grid = _contract(slope if other == axis else value, grid, dim - other)
            columns.append(grid.reshape(len(shape), -1, dim))
        return np.linalg.inv(np.stack(columns, axis=-1))

    def _grid(self, at_nodes: np.ndarray, order: int) -> np.ndarray:
        """Nodal values with an axis for every direction, x last but the components."""
        return at_nodes.reshape(len(at_nodes), *(order + 1,) * self._dim, -1)


def _contract(matrix: np.ndarray, grid: np.ndarray, axis: int) -> np.ndarray:
    """Apply a matrix along one axis."""
    return np.moveaxis(np.tensordot(grid, matrix, axes=([axis], [1])), -1, axis)


def _stress(physics: str, coefficients: np.ndarray, strain: np.ndarray, dim: int) -> np.ndarray:
    """C:ε of coefficients (n_coefficients, n, n_nodes) and strains ε (n, n_nodes, n_voigt)."""
    if physics == "elastic":
        _, first, shear = coefficients[..., None]
        stress = 2.0 * shear * strain
        stress[..., :dim] += first * strain[..., :dim].sum(axis=-1, keepdims=True)
        return np.asarray(stress)
    stress = np.zeros_like(strain)
    count = strain.shape[-1]
    # C multiplies 2ε of shear.
    engineering = strain * np.where(np.arange(count) < dim, 1.0, 2.0)
    for row, column, stiffness in zip(*np.triu_indices(count), coefficients[1:], strict=True):
        stress[..., row] += stiffness * engineering[..., column]
        if row != column:
            stress[..., column] += stiffness * engineering[..., row]
    return stress
