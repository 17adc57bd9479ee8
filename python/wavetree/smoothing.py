"""Smoothing of nodal fields by diffusion, the preconditioner of inversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, NonNegativeFloat

from wavetree import _core
from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.simulation.core import default_instruction_set
from wavetree.simulation.medium import fluid_elements, medium

__all__ = ["ConstantSmoothing", "SmoothingOperator", "smooth_model", "smoother"]

Length = (
    NonNegativeFloat
    | tuple[NonNegativeFloat, NonNegativeFloat]
    | tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat]
)
Operator = _core.DiffusionOperator


def _not_empty(lengths: dict[str, Length]) -> dict[str, Length]:
    if not lengths:
        raise ValueError('smoothing_lengths_in_meters is empty; expected lengths such as {"VP": 0.01}.')
    return lengths


@configuration
class ConstantSmoothing(Configuration):
    """Smoothing with the same standard deviation everywhere.

    Parameters
    ----------
    smoothing_lengths_in_meters
        Per parameter the standard deviation σ [m] of the Gaussian, or one per axis ``(σ_x, σ_y)``,
        ``(σ_x, σ_y, σ_z)`` in three dimensions; 0 leaves the field as it is.
    """

    smoothing_lengths_in_meters: Annotated[dict[str, Length], AfterValidator(_not_empty)]
    _: KW_ONLY

    def build(self, mesh: Mesh, order: int, threads: int = 1) -> SmoothingOperator:
        """Return the operator on the continuous nodes of a mesh; see `SmoothingOperator`."""
        return SmoothingOperator(
            {
                name: smoother(mesh, order, length, threads)
                for name, length in self.smoothing_lengths_in_meters.items()
            }
        )


@dataclass(frozen=True)
class SmoothingOperator:
    """Smoothing of one nodal field per parameter.

    Attributes
    ----------
    operators
        The compiled operator of each parameter.
    """

    operators: Mapping[str, Operator]

    def apply(self, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the smoothed fields.

        Parameters
        ----------
        fields
            Parameter name to continuous nodal field (n_dofs,).

        Raises
        ------
        ValueError
            If no smoothing length was given for a parameter.
        """
        for name in fields:
            if name not in self.operators:
                raise unknown_name("parameter in smoothing_lengths_in_meters", name, self.operators)
        return {
            name: self.operators[name].apply(np.ascontiguousarray(values, dtype=np.float64))
            for name, values in fields.items()
        }


def smoother(mesh: Mesh, order: int, length: Length, threads: int = 1) -> Operator:
    """Return the smoothing operator of one standard deviation on the continuous nodes of a mesh.

    Parameters
    ----------
    mesh
        The mesh.
    order
        Order of the nodes.
    length
        Standard deviation σ [m], or one per axis of the mesh.
    threads
        Number of threads; it does not change the result.

    Raises
    ------
    ValueError
        If there are not as many lengths as the mesh has axes.

    Notes
    -----
    Diffusion du/dt = ∇·(T∇u) over unit time with T = diag(σ²)/2 and natural boundaries damps cos(kx) by
    exp(−k²σ²/2). S = R², R the Chebyshev polynomial in G⁻¹K nearest to exp(−G⁻¹K/2), within 1e-3, scaled to
    keep constants; G is the lumped mass. S is self-adjoint in G, positive semidefinite and keeps integrals.
    """
    dim = mesh.dim
    lengths = length if isinstance(length, tuple) else (length,) * dim
    if len(lengths) != dim:
        raise ValueError(
            f"smoothing length is {length}; expected one number, or {dim} for the axes of a mesh in {dim} "
            "dimensions."
        )
    rows, columns = np.triu_indices(dim)
    diagonal = np.where(rows == columns, 0.5 * np.square(lengths)[rows], 0.0)
    tensor = np.repeat(diagonal, mesh.nelem * (order + 1) ** dim).reshape(len(rows), mesh.nelem, -1)
    return Operator(
        mesh.points, mesh.connectivity, mesh.shape_order, order, tensor, default_instruction_set(), threads
    )


def smooth_model(model: Mesh, smoothing: ConstantSmoothing, threads: int = 1) -> Mesh:
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
    for name in smoothing.smoothing_lengths_in_meters:
        if name not in fields:
            raise unknown_name("field in smoothing_lengths_in_meters", name, fields)
    result, order = model.copy(), model.tensor_order
    if "FemMassMatrix" in fields:
        parts = [np.ones(model.nelem, dtype=bool)]
    else:
        result = medium(model, order)
        fluid = fluid_elements(result)
        parts = [part for part in (fluid, ~fluid) if part.any()]
    for name, length in smoothing.smoothing_lengths_in_meters.items():
        values = np.array(result.element_nodal_fields[name])
        for part in parts:
            values[part] = _smooth_part(model, part, values[part], (order, length, threads))
        result.attach_field(name, values)
    return result


def _smooth_part(
    mesh: Mesh, part: np.ndarray, values: np.ndarray, how: tuple[int, Length, int]
) -> np.ndarray:
    """Smooth values (n, n_nodes) of some elements of a mesh as if they were alone."""
    order, length, threads = how
    alone = Mesh(mesh.points, mesh.connectivity[part], mesh.shape_order)
    dofs = alone.dof_map(order)
    nodal = dofs.assemble(alone.mass_weights(order) * values) / alone.get_mass_matrix(order)
    return dofs.gather(smoother(alone, order, length, threads).apply(nodal))
