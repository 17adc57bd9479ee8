"""Derivatives by element-nodal values, as fields that can be looked at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wavetree.mesh.mesh import Mesh

__all__ = ["density_mesh", "gradient_mesh"]


def gradient_mesh(mesh: Mesh, derivative: Mapping[str, np.ndarray]) -> Mesh:
    """Return a derivative as a mesh whose fields are densities.

    Parameters
    ----------
    mesh
        The domain.
    derivative
        Derivative by element-nodal values, parameter name to (nelem, n_nodes).

    Returns
    -------
    Mesh
        Per parameter the L2 Riesz density, continuous, unit: misfit per unit of the parameter per m^dim;
        ``FemMassMatrix`` the assembled mass [m^dim] and ``Valence`` the number of elements at a node, so that
        Σ FemMassMatrix / Valence · field · change is the change of the misfit.
    """
    order = mesh.tensor_order
    dofs, mass = mesh.dof_map(order), mesh.get_mass_matrix(order)
    return density_mesh(mesh, {name: dofs.assemble(raw) / mass for name, raw in derivative.items()})


def density_mesh(mesh: Mesh, densities: Mapping[str, np.ndarray]) -> Mesh:
    """Return continuous nodal fields (n_dofs,) as a mesh, with FemMassMatrix and Valence beside them."""
    order = mesh.tensor_order
    dofs = mesh.dof_map(order)
    result = Mesh(mesh.points, mesh.connectivity, mesh.shape_order, dict(mesh.side_sets))
    for name, nodal in densities.items():
        result.attach_field(name, dofs.gather(nodal))
    result.attach_field("FemMassMatrix", dofs.gather(mesh.get_mass_matrix(order)))
    result.attach_field("Valence", dofs.gather(dofs.valence.astype(np.float64)))
    return result
