"""The map between the parameters of an inversion and the material of a simulation.

A parameter of the inversion is a continuous nodal field; the material is given per element and node and may
jump between elements. The jumps are those of the prior.
"""

from __future__ import annotations

from collections.abc import Mapping as Fields
from dataclasses import KW_ONLY
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import field_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.mesh.dof_map import DofMap
from wavetree.model.parameters import PARAMETERS, find_set, with_units
from wavetree.simulation.medium import find_fault, listed_values

__all__ = ["BoundMapping", "Mapping"]

_DEFAULT_CHANGE = 0.01


@configuration
class Mapping(Configuration):
    """What is inverted for, and in which scaling.

    Parameters
    ----------
    scaling
        ``"absolute"``: m = m_prior + (p − p_prior) with p_prior the continuous average of the prior;
        ``"relative_deviation_from_prior"``: m = m_prior (1 + p); ``"logarithmic"``: m = m_prior eᵖ.
    inversion_parameters
        Names of parameters of the prior's set, for example ``["VP", "RHO"]``; the others stay as in the
        prior.

    Raises
    ------
    ValueError
        If the scaling is unknown, or no parameter or one of them twice is named.
    """

    scaling: Literal["absolute", "relative_deviation_from_prior", "logarithmic"]
    _: KW_ONLY
    inversion_parameters: tuple[str, ...]

    @field_validator("inversion_parameters")
    @classmethod
    def _named_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(
                "inversion_parameters is empty; expected parameters of the prior, such as VP, RHO."
            )
        for name in value:
            if name not in PARAMETERS:
                raise unknown_name("inversion parameter", name, PARAMETERS)
            if value.count(name) > 1:
                raise ValueError(f"inversion_parameters names {name!r} more than once; name it once.")
        return value

    def bind(self, prior: Mesh) -> BoundMapping:
        """Return the mapping about a prior.

        Parameters
        ----------
        prior
            Mesh with the prior material as element-nodal fields.

        Raises
        ------
        ValueError
            If the mesh lacks a parameter of its set, or is given in other parameters than those named.
        """
        return BoundMapping(self, prior)


class BoundMapping:
    """A mapping about a prior; works on flat vectors, one block of continuous nodal values a parameter.

    Parameters
    ----------
    mapping
        What is inverted for.
    prior
        Mesh with the prior material as element-nodal fields.

    Attributes
    ----------
    parameters
        The parameters in the order of their blocks.
    blocks
        Where each parameter lies in a flat vector.
    size
        Entries of a flat vector.
    """

    def __init__(self, mapping: Mapping, prior: Mesh) -> None:
        fields = prior.element_nodal_fields
        self._set = find_set(fields, prior.dim, "the prior has no element-nodal field")
        self.parameters = mapping.inversion_parameters
        for name in self.parameters:
            if name not in self._set.names:
                raise ValueError(
                    f"inversion_parameters names {name!r}, but the prior is given as "
                    f"{with_units(self._set.names)}; expected some of these."
                )
        self._scaling = mapping.scaling
        self._mesh = prior
        self._prior = {name: fields[name] for name in self._set.names}
        # A parameter of solids alone stays as it is in fluids, at the nodes that they share with solids too.
        solid = np.asarray(~self._set.is_fluid(self._prior).all(axis=1, keepdims=True))
        self._enters = {name: solid if name in self._set.solid_only else 1.0 for name in self._set.names}
        for name in self.parameters:
            if not np.any(self._enters[name]):
                raise ValueError(
                    f"inversion_parameters names {name!r}, but the prior is fluid throughout, where {name} "
                    "does not enter; leave it out."
                )
        n = self._dofs.n_dofs
        self.blocks = {name: slice(k * n, (k + 1) * n) for k, name in enumerate(self.parameters)}
        self.size = n * len(self.parameters)

    @property
    def _dofs(self) -> DofMap:
        return self._mesh.dof_map(self._mesh.tensor_order)

    @cached_property
    def mass(self) -> np.ndarray:
        """Lumped mass of the continuous nodes (n_dofs,) [m^d]."""
        return self._mesh.get_mass_matrix()

    @cached_property
    def prior(self) -> np.ndarray:
        """The parameters at the prior (size,): its mass-weighted average at shared nodes, or 0."""
        if self._scaling != "absolute":
            return np.zeros(self.size)
        weights = self._mesh.mass_weights(self._mesh.tensor_order)
        return self.pack(
            {k: self._dofs.assemble(weights * self._prior[k]) / self.mass for k in self.parameters}
        )

    def default_changes(self) -> dict[str, float]:
        """Return what each parameter may change at most in a first step, in its own unit.

        Notes
        -----
        1 % of the mean absolute value, where the parameter enters, for absolute scaling, else 0.01.
        """
        if self._scaling != "absolute":
            return dict.fromkeys(self.parameters, _DEFAULT_CHANGE)
        weights = self._mesh.mass_weights(self._mesh.tensor_order)
        found = {}
        for name in self.parameters:
            there = self._enters[name] * weights
            found[name] = _DEFAULT_CHANGE * float(np.sum(there * np.abs(self._prior[name])) / np.sum(there))
        return found

    def pack(self, nodal: Fields[str, np.ndarray]) -> np.ndarray:
        """Return nodal fields (n_dofs,) by parameter as one flat vector (size,)."""
        return np.concatenate([nodal[name] for name in self.parameters])

    def unpack(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return the nodal fields (n_dofs,) of a flat vector (size,); the inverse of `pack`.

        Raises
        ------
        ValueError
            If the vector has another size.
        """
        if np.shape(flat) != (self.size,):
            raise ValueError(
                f"the vector has shape {np.shape(flat)}; expected ({self.size},): the nodal values of "
                f"{', '.join(self.parameters)} one after the other."
            )
        return {name: flat[block] for name, block in self.blocks.items()}

    def forward(self, p: np.ndarray) -> dict[str, np.ndarray]:
        """Return the material (nelem, n_nodes) of all parameters for inversion parameters (size,).

        The material is not checked; see `refusal`.
        """
        nodal = self.unpack(p - self.prior)
        change = {name: self._enters[name] * self._dofs.gather(values) for name, values in nodal.items()}
        material = dict(self._prior)
        for name, values in change.items():
            prior = self._prior[name]
            with np.errstate(over="ignore", invalid="ignore"):
                if self._scaling == "absolute":
                    material[name] = prior + values
                elif self._scaling == "logarithmic":
                    material[name] = prior * np.exp(values)
                else:
                    material[name] = prior * (1.0 + values)
        return material

    def tangent(self, p: np.ndarray, change: np.ndarray) -> dict[str, np.ndarray]:
        """Return the derivative of the material (nelem, n_nodes) at p along a change of p, both (size,)."""
        factors = self._factors(p)
        return {name: factors[name] * self._dofs.gather(nodal) for name, nodal in self.unpack(change).items()}

    def adjoint(self, p: np.ndarray, raw: Fields[str, np.ndarray]) -> np.ndarray:
        """Return the derivative of a misfit by the inversion parameters; the transpose of `tangent`.

        Parameters
        ----------
        p
            Inversion parameters (size,).
        raw
            Derivative by the material of each parameter (nelem, n_nodes).

        Returns
        -------
        numpy.ndarray
            Raw derivative by the continuous nodal values (size,), misfit per unit of the parameter.
        """
        factors = self._factors(p)
        return self.pack({k: self._dofs.assemble(factors[k] * raw[k]) for k in self.parameters})

    def refusal(self, material: Fields[str, np.ndarray]) -> str | None:
        """Return why a material cannot be simulated, None if it can."""
        with np.errstate(over="ignore", invalid="ignore"):
            fault = find_fault(self._set, dict(material))
        if fault is None:
            return None
        element, node = (int(i) for i in np.argwhere(fault.bad)[0])
        x = self._mesh.node_coordinates(self._mesh.tensor_order)[element, node]
        place = ", ".join(f"{c:g}" for c in x)
        return (
            f"{', '.join(fault.names)} would be {listed_values(material, fault.names, (element, node))} at "
            f"({place}) m and {fault.problem} at {int(fault.bad.sum())} of {fault.bad.size} nodes"
        )

    def mesh(self, material: Fields[str, np.ndarray]) -> Mesh:
        """Return the prior's mesh with another material."""
        mesh = self._mesh.copy()
        for name, values in material.items():
            mesh.attach_field(name, values)
        return mesh

    def _factors(self, p: np.ndarray) -> dict[str, np.ndarray | float]:
        """The derivative of the material by the parameter at every element node."""
        if self._scaling == "absolute":
            return {name: self._enters[name] for name in self.parameters}
        values = self.forward(p) if self._scaling == "logarithmic" else self._prior
        return {name: self._enters[name] * values[name] for name in self.parameters}
