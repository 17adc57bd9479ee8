"""Interpolation of nodal fields from one mesh to another."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from wavetree.mapping.nodes import node_positions
from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import basis_weights

__all__ = ["interpolation_matrix"]


def interpolation_matrix(inversion_mesh: Mesh, mesh: Mesh) -> csr_array:
    """Return the interpolation from the continuous nodes of one mesh to those of another.

    Parameters
    ----------
    inversion_mesh
        The mesh with the values; they belong to the GLL nodes of its `tensor_order`.
    mesh
        The mesh at whose nodes they are wanted, of the same number of dimensions.

    Returns
    -------
    scipy.sparse.csr_array
        P (n_dofs of the mesh, n_dofs of the inversion mesh); its rows sum to 1.

    Raises
    ------
    ValueError
        If the inversion mesh does not cover the other one, or has another number of dimensions.

    Notes
    -----
    P_ij = l_j(ξ(x_i)) with the Lagrange polynomials of the element that holds the node x_i. On a face between
    elements all of them give the same value, for the field is continuous.
    """
    if inversion_mesh.dim != mesh.dim:
        raise ValueError(
            f"inversion_mesh has {inversion_mesh.dim} dimensions; expected {mesh.dim}, those of the prior's "
            "mesh."
        )
    positions = node_positions(mesh)
    try:
        element, reference = inversion_mesh.locate(positions)
    except ValueError as error:
        raise ValueError(
            f"inversion_mesh does not cover the mesh of the prior: {error} Make it larger, and leave out "
            "parts of the medium with region_of_interest."
        ) from error
    order = inversion_mesh.tensor_order
    weights = basis_weights(order, reference)
    dofs = inversion_mesh.dof_map(order)
    columns = dofs.element_dofs[element]
    starts = np.arange(len(element) + 1) * columns.shape[1]
    matrix = csr_array((weights.ravel(), columns.ravel(), starts), shape=(len(element), dofs.n_dofs))
    matrix.eliminate_zeros()
    return matrix
