"""Values of fields between the nodes of a mesh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wavetree.mesh.interpolation import basis_weights
from wavetree.mesh.mesh import Mesh

__all__ = ["evaluate"]

Fields = Mapping[str, np.ndarray]


def evaluate(mesh: Mesh, fields: Fields, positions: np.ndarray) -> dict[str, np.ndarray]:
    """Return the values of element-nodal fields at positions.

    Parameters
    ----------
    mesh
        The mesh.
    fields
        Values (nelem, n_nodes) by name, at the GLL nodes of one order, x fastest.
    positions
        Coordinates (n, dim) [m].

    Returns
    -------
    dict
        Values (n,) by name. Where the position lies on the side of several elements, one of them is taken.

    Raises
    ------
    ValueError
        If a position lies outside the mesh.

    Notes
    -----
    f(x) = Σ_j f_j l_j(ξ) with the Lagrange polynomials of the element's nodes: exact for the field as it is
    represented.
    """
    element, reference = mesh.locate(positions)
    n_nodes = next(iter(fields.values())).shape[1]
    order = round(n_nodes ** (1.0 / mesh.dim)) - 1
    weights = basis_weights(order, reference)
    return {name: np.einsum("pn,pn->p", weights, values[element]) for name, values in fields.items()}
