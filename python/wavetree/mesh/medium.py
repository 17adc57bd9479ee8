"""The medium of a mesh: material fields checked and brought to the order of the wavefield."""

from __future__ import annotations

import numpy as np

from wavetree.mesh.interpolation import change_order
from wavetree.mesh.mesh import Mesh

__all__ = ["acoustic_medium"]

_PARAMETERS = {"VP": "m/s", "RHO": "kg/m^3"}


def acoustic_medium(mesh: Mesh, tensor_order: int) -> Mesh:
    """Return the mesh with VP and RHO as element-nodal fields of the wavefield's order.

    Parameters
    ----------
    mesh
        With VP [m/s] and RHO [kg/m^3] as nodal, elemental or element-nodal fields.
    tensor_order
        Order of the wavefield, 1 to 8.

    Raises
    ------
    ValueError
        If a field is missing or not positive, or a field VS says that the medium is solid.
    """
    everything = {**mesh.nodal_fields, **mesh.elemental_fields, **mesh.element_nodal_fields}
    # Zero is the value that says fluid; refusing it would refuse meshes written by others.
    if np.any(everything.get("VS", 0.0)):
        raise ValueError(
            f"field 'VS' of the mesh is up to {np.max(everything['VS']):g} m/s, a solid; expected a "
            "fluid: remove "
            "the field VS or set it to 0."
        )
    medium = mesh.with_tensor_order(tensor_order)
    for name, unit in _PARAMETERS.items():
        if name not in everything:
            raise ValueError(
                f"the mesh has no field {name!r}, only {sorted(everything)}; expected VP [m/s] and RHO "
                "[kg/m^3]: "
                f"add it with mesh.attach_field({name!r}, values)."
            )
        if name in mesh.elemental_fields:
            n_nodes = (tensor_order + 1) ** mesh.dim
            medium.attach_field(name, np.repeat(mesh.elemental_fields[name][:, None], n_nodes, axis=1))
        elif name in mesh.nodal_fields:
            at_nodes = mesh.nodal_fields[name][mesh.connectivity]
            medium.attach_field(name, change_order(at_nodes, mesh.dim, mesh.shape_order, tensor_order))
        _check_positive(name, unit, medium)
    return medium


def _check_positive(name: str, unit: str, medium: Mesh) -> None:
    values = medium.element_nodal_fields[name]
    bad = values <= 0.0
    if bad.any():
        element, node = (int(i) for i in np.argwhere(bad)[0])
        place = ", ".join(f"{x:g}" for x in medium.get_element_nodes()[element, node])
        raise ValueError(
            f"field {name!r} of the mesh is {values[element, node]:g} {unit} in element {element} at "
            f"({place}) m and not "
            f"positive at {int(bad.sum())} of {bad.size} nodes; expected positive values."
        )
