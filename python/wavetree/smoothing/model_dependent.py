"""Smoothing with lengths in local wavelengths of a reference model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from wavetree.config import configuration
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.mesh.evaluation import evaluate
from wavetree.mesh.interpolation import change_order
from wavetree.smoothing.diffusion import Operator, diagonal_covariance, diffusion_operator
from wavetree.smoothing.smoothing import Lengths, Smoothing, length_by_axis

__all__ = ["ModelDependentSmoothing"]

# So much of the way to its element's centre is a node moved, so that at a jump it sees its own side.
_INWARDS = 1e-6


@configuration
class ModelDependentSmoothing(Smoothing):
    """Smoothing with a standard deviation in proportion to the local wavelength.

    Parameters
    ----------
    smoothing_lengths_in_wavelengths
        Per parameter the standard deviation in wavelengths, or one per axis; 0 leaves the field as it is.
    reference_frequency_in_hertz
        Frequency f [Hz] of the wavelength.
    reference_model
        Name of a simulation configuration of the project, or a mesh with its fields.
    reference_velocities
        Per parameter the field of the reference model that is its velocity v [m/s], for example
        ``{"VP": "VP", "RHO": "VP"}``.

    Raises
    ------
    ValueError
        If a parameter has a length and no velocity, or a velocity and no length.

    Notes
    -----
    σ(x) = length · v(x) / f. Where v is 0, as VS in fluids, fields stay as they are.
    """

    argument: ClassVar[str] = "smoothing_lengths_in_wavelengths"

    smoothing_lengths_in_wavelengths: Lengths
    _: KW_ONLY
    reference_frequency_in_hertz: PositiveFloat
    reference_model: Annotated[str, Field(min_length=1)] | Mesh
    reference_velocities: dict[str, str]

    @model_validator(mode="after")
    def _same_parameters(self) -> ModelDependentSmoothing:
        for name in self.reference_velocities:
            if name not in self.lengths:
                raise unknown_name("parameter in reference_velocities", name, self.lengths)
        for name in self.lengths:
            if name not in self.reference_velocities:
                raise ValueError(
                    f"reference_velocities has no velocity for {name!r}, which has a smoothing length; "
                    f'expected the name of a field of the reference model, such as {{"{name}": "VP"}}.'
                )
        return self

    def resolve(self, get_mesh: Callable[[str], Mesh]) -> ModelDependentSmoothing:
        """Return the smoothing with the mesh of the reference model in place of its name.

        Parameters
        ----------
        get_mesh
            Returns the mesh of a simulation configuration by its name.
        """
        if isinstance(self.reference_model, Mesh):
            return self
        return replace(self, reference_model=get_mesh(self.reference_model))

    def operator(self, name: str, mesh: Mesh, order: int, threads: int = 1) -> Operator:
        """Return the operator of one parameter on the continuous nodes of an order of a mesh.

        Raises
        ------
        ValueError
            If the reference model is known by its name alone, lacks the field or does not cover the mesh.
        """
        wavelength = self._velocity(name, mesh, order) / self.reference_frequency_in_hertz
        lengths = length_by_axis(self.lengths[name], mesh.dim)
        sigma = lengths[:, None, None] * wavelength
        return diffusion_operator(mesh, order, diagonal_covariance(sigma), threads)

    def _velocity(self, name: str, mesh: Mesh, order: int) -> np.ndarray:
        """The velocity (nelem, n_nodes) [m/s] at the nodes of a mesh."""
        reference, field = self.reference_model, self.reference_velocities[name]
        if not isinstance(reference, Mesh):
            raise ValueError(
                f"reference_model is the name {reference!r}; expected a mesh outside of a project: give one, "
                "or call resolve with what returns the mesh of that name."
            )
        velocity = _at_nodes(reference, _element_nodal(reference, field), mesh, order)
        if velocity.min() < 0.0:
            raise ValueError(
                f"field {field!r} of reference_model is {velocity.min():g} m/s at some node; expected a "
                "velocity, nowhere below 0."
            )
        return velocity


def _element_nodal(mesh: Mesh, name: str) -> np.ndarray:
    """A field of a mesh at the nodes of its elements (nelem, n_nodes)."""
    fields = {**mesh.nodal_fields, **mesh.elemental_fields, **mesh.element_nodal_fields}
    if name not in fields:
        raise unknown_name("field of reference_model", name, fields)
    if name in mesh.element_nodal_fields:
        return np.asarray(fields[name])
    if name in mesh.nodal_fields:
        return np.asarray(fields[name][mesh.connectivity])
    return np.repeat(fields[name][:, None], mesh.connectivity.shape[1], axis=1)


def _at_nodes(reference: Mesh, values: np.ndarray, mesh: Mesh, order: int) -> np.ndarray:
    """Values (nelem, n_nodes) of a mesh's elements at the nodes of another mesh."""
    if _same_elements(reference, mesh):
        given = round(values.shape[1] ** (1.0 / mesh.dim)) - 1
        return change_order(values, mesh.dim, given, order)
    nodes = mesh.node_coordinates(order)
    nodes = nodes + _INWARDS * (mesh.get_element_centroid()[:, None] - nodes)
    try:
        found = evaluate(reference, {"v": values}, nodes.reshape(-1, mesh.dim))["v"]
    except ValueError as error:
        raise ValueError(f"reference_model does not cover the mesh: {error}") from error
    return found.reshape(nodes.shape[:2])


def _same_elements(one: Mesh, other: Mesh) -> bool:
    return (
        one.shape_order == other.shape_order
        and np.array_equal(one.connectivity, other.connectivity)
        and np.array_equal(one.points, other.points)
    )
