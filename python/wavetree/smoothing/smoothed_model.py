"""Models and gradients with smoothed fields."""

from __future__ import annotations

import numpy as np

from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.simulation.medium import fluid_elements, medium
from wavetree.smoothing.smoothing import Smoothing

__all__ = ["smooth_model"]


def smooth_model(model: Mesh, smoothing: Smoothing, threads: int = 1) -> Mesh:
    """Return a model or gradient with smoothed fields.

    Parameters
    ----------
    model
        Mesh with the fields, nodal, elemental or element-nodal.
    smoothing
        The lengths of the fields that are smoothed; the others stay as they are.
    threads
        Number of threads; it does not change the result.

    Returns
    -------
    Mesh
        With the smoothed fields as element-nodal ones, in each part continuous: jumps are averaged with the
        mass first. Fluid and solid are smoothed each by itself, so that the surface between them stays and
        fluids keep shear velocity 0; gradients, which belong to no medium, are smoothed throughout.

    Raises
    ------
    ValueError
        If the model has no field of a name, or is no medium.
    """
    fields = {**model.nodal_fields, **model.elemental_fields, **model.element_nodal_fields}
    for name in smoothing.lengths:
        if name not in fields:
            raise unknown_name(f"field in {smoothing.argument}", name, fields)
    result, order = model.copy(), model.tensor_order
    if "FemMassMatrix" in fields:
        parts = [np.ones(model.nelem, dtype=bool)]
    else:
        result = medium(model, order)
        fluid = fluid_elements(result)
        parts = [part for part in (fluid, ~fluid) if part.any()]
    for name in smoothing.lengths:
        values = np.array(result.element_nodal_fields[name])
        for part in parts:
            alone = Mesh(model.points, model.connectivity[part], model.shape_order)
            dofs = alone.dof_map(order)
            nodal = dofs.assemble(alone.mass_weights(order) * values[part]) / alone.get_mass_matrix(order)
            values[part] = dofs.gather(smoothing.operator(name, alone, order, threads).apply(nodal))
        result.attach_field(name, values)
    return result
