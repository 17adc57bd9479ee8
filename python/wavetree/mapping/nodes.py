"""The continuous nodes of a mesh: where they are, and what fields are worth there."""

from __future__ import annotations

import numpy as np

from wavetree.mesh import Mesh

__all__ = ["nodal_minimum", "node_positions", "place_text"]


def node_positions(mesh: Mesh) -> np.ndarray:
    """Return the coordinates of the continuous nodes of a mesh (n_dofs, dim) [m]."""
    order = mesh.tensor_order
    dofs = mesh.dof_map(order)
    positions = np.empty((dofs.n_dofs, mesh.dim))
    positions[dofs.element_dofs.ravel()] = mesh.node_coordinates(order).reshape(-1, mesh.dim)
    return positions


def nodal_minimum(mesh: Mesh, element_nodal: np.ndarray) -> np.ndarray:
    """Return the smallest value (n_dofs,) that the elements at a node have there, of (nelem, n_nodes)."""
    dofs = mesh.dof_map(mesh.tensor_order)
    nodal = np.full(dofs.n_dofs, np.inf)
    np.minimum.at(nodal, dofs.element_dofs.ravel(), np.asarray(element_nodal, dtype=np.float64).ravel())
    return nodal


def place_text(position: np.ndarray) -> str:
    """Return a position (dim,) [m] as messages have it."""
    return f"({', '.join(f'{x:g}' for x in position)}) m"
