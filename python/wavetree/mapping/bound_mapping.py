"""The map from the parameters of an inversion to the material, and its exact derivatives, about a prior."""

from __future__ import annotations

from collections.abc import Mapping as Fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from wavetree.mapping.bounds import Bounds
from wavetree.mapping.cutout import cutout_weights
from wavetree.mapping.interpolation import interpolation_matrix
from wavetree.mapping.nodes import node_positions, place_text
from wavetree.mapping.postprocessing import LinearPostprocessing, apply_function
from wavetree.mapping.region import Region, region_weights
from wavetree.mapping.ties import BoundTie, bind_tie, source_of
from wavetree.mapping.update import UpdateOperator
from wavetree.mesh import Mesh
from wavetree.mesh.dof_map import DofMap
from wavetree.model.parameters import UNITS, find_set, with_units
from wavetree.simulation.medium import find_fault, listed_values
from wavetree.user_function import UserFunction

if TYPE_CHECKING:
    from wavetree.mapping.configuration import Mapping

__all__ = ["BoundMapping"]

Positions = Fields[str, Any]
Factors = dict[str, np.ndarray | float]  # (nelem, n_nodes), or 1 for all

_DEFAULT_CHANGE = 0.01


class BoundMapping:
    """A mapping about a prior; works on flat vectors, one block of continuous nodal values a parameter.

    Parameters
    ----------
    mapping
        What is inverted for.
    prior
        Mesh with the prior material as element-nodal fields.
    positions
        Positions (n, dim) [m], or None, of ``"source"`` and ``"receiver"``.

    Attributes
    ----------
    parameters
        The parameters in the order of their blocks.
    changing
        The parameters of the material that change with them: these, and those tied to them.
    inversion_mesh
        The mesh on whose continuous nodes the parameters live.
    blocks
        Where each parameter lies in a flat vector.
    size
        Entries of a flat vector.

    Notes
    -----
    m = B(scaled(m_prior, E W P F (p − p_prior))): F the linear post-processing and P the interpolation from
    the inversion mesh to the continuous nodes of the simulation, W the weights of region and cut-outs, E the
    gathering to elements, B the bounds. Tied parameters follow pointwise.
    """

    def __init__(self, mapping: Mapping, prior: Mesh, positions: Positions | None = None) -> None:
        fields = prior.element_nodal_fields
        self._set = find_set(fields, prior.dim, "the prior has no element-nodal field")
        self.parameters = mapping.inversion_parameters
        self.changing = (*self.parameters, *mapping.tied_parameters)
        self._check_names("inversion_parameters", self.parameters)
        self._check_names("tied_parameters", tuple(mapping.tied_parameters))
        self._mapping, self._mesh = mapping, prior
        self._prior = {name: fields[name] for name in self._set.names}
        # A parameter of solids alone stays as it is in fluids, at the nodes that they share with solids too.
        solid = np.asarray(~self._set.is_fluid(self._prior).all(axis=1, keepdims=True))
        self._enters = {name: solid if name in self._set.solid_only else 1.0 for name in self._set.names}
        for name in self.changing:
            if not np.any(self._enters[name]):
                argument = "inversion_parameters" if name in self.parameters else "tied_parameters"
                raise ValueError(
                    f"{argument} names {name!r}, but the prior is fluid throughout, where {name} does not "
                    "enter; leave it out."
                )
        self._bounds = {name: Bounds(*limits) for name, limits in (mapping.bounds or {}).items()}
        self._check_bounds()
        self.inversion_mesh = mapping.inversion_mesh if isinstance(mapping.inversion_mesh, Mesh) else prior
        self._update = self._update_operator(dict(positions or {}))
        self._ties = {name: self._tie(name) for name in mapping.tied_parameters}
        n = self._nodes.n_dofs
        self.blocks = {name: slice(k * n, (k + 1) * n) for k, name in enumerate(self.parameters)}
        self.size = n * len(self.parameters)

    # -- the space of the parameters -----------------------------------------------------------

    @property
    def _dofs(self) -> DofMap:
        """The continuous nodes of the simulation."""
        return self._mesh.dof_map(self._mesh.tensor_order)

    @property
    def _nodes(self) -> DofMap:
        """The continuous nodes of the parameters."""
        return self.inversion_mesh.dof_map(self.inversion_mesh.tensor_order)

    @cached_property
    def mass(self) -> np.ndarray:
        """Lumped mass of the continuous nodes of the parameters (n_dofs,) [m^d]."""
        return self.inversion_mesh.get_mass_matrix()

    @cached_property
    def prior(self) -> np.ndarray:
        """The parameters at the prior (size,): see `average` for absolute scaling, else 0."""
        if self._mapping.scaling != "absolute":
            return np.zeros(self.size)
        return self.pack({name: self.average(self._prior[name]) for name in self.parameters})

    def average(self, element_nodal: np.ndarray) -> np.ndarray:
        """Return what a field of the simulation's mesh is about the nodes of the parameters.

        Parameters
        ----------
        element_nodal
            The field at element nodes (nelem, n_nodes); it may jump between elements.

        Returns
        -------
        numpy.ndarray
            Its averages (n_dofs,).

        Notes
        -----
        Σ_i |P_ij| M_i f_i / Σ_i |P_ij| M_i over the element nodes i of the simulation, M their mass and P the
        interpolation from the inversion mesh to them: a weighted mean, so that it stays within the range of
        the field. Without an inversion mesh it is the mass-weighted mean at shared nodes. At nodes of the
        inversion mesh that nothing depends on it is the mean of all.
        """
        total = self._dofs.assemble(self._mesh.mass_weights(self._mesh.tensor_order) * element_nodal)
        mass = self._mesh.get_mass_matrix()
        mean = total.sum() / mass.sum()
        if self._update.interpolation is not None:
            spread = abs(self._update.interpolation).T
            total, mass = spread @ total, spread @ mass
        return np.divide(total, mass, out=np.full(len(mass), mean), where=mass > 0.0)

    @cached_property
    def sizes(self) -> dict[str, float]:
        """How large each parameter is, in its own unit.

        Notes
        -----
        The mean absolute value, where the parameter enters, for absolute scaling, else 1.
        """
        if self._mapping.scaling != "absolute":
            return dict.fromkeys(self.parameters, 1.0)
        weights = self._mesh.mass_weights(self._mesh.tensor_order)
        found = {}
        for name in self.parameters:
            there = self._enters[name] * weights
            found[name] = float(np.sum(there * np.abs(self._prior[name])) / np.sum(there))
        return found

    def default_changes(self) -> dict[str, float]:
        """Return what each parameter may change at most in a first step: 1 % of its size."""
        return {name: _DEFAULT_CHANGE * size for name, size in self.sizes.items()}

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

    def postprocess(self, p: np.ndarray) -> np.ndarray:
        """Return the parameters (size,) that an accepted iterate goes on with.

        Parameters
        ----------
        p
            Inversion parameters (size,) of the accepted step.

        Returns
        -------
        numpy.ndarray
            p_prior + f(p − p_prior) with f the one function given as `postprocess_model_update`; `p` itself,
            the same object, if there is none or it is a pair, which is part of `forward`.
        """
        function = self._mapping.postprocess_model_update
        if function is None or isinstance(function, tuple):
            return p
        function = cast("UserFunction", function)
        update = apply_function(function, self.unpack(p - self.prior), node_positions(self.inversion_mesh))
        return self.prior + self.pack(update)

    # -- the map -------------------------------------------------------------------------------

    def forward(self, p: np.ndarray) -> dict[str, np.ndarray]:
        """Return the material (nelem, n_nodes) of all parameters for inversion parameters (size,).

        The material is not checked; see `refusal`.
        """
        return self._material(self._scaled(p))

    def tangent(self, p: np.ndarray, change: np.ndarray) -> dict[str, np.ndarray]:
        """Return the derivative of the material along a change of p.

        Parameters
        ----------
        p, change
            Inversion parameters and their change (size,).

        Returns
        -------
        dict
            (nelem, n_nodes) for every parameter that changes, see `changing`.
        """
        factors, slopes = self._factors(p)
        nodal = self._update.forward(self.unpack(change))
        found = {name: factors[name] * self._dofs.gather(nodal[name]) for name in self.parameters}
        for name, slope in slopes.items():
            found[name] = slope * found[self._ties[name].source]
        return found

    def adjoint(self, p: np.ndarray, raw: Fields[str, np.ndarray]) -> np.ndarray:
        """Return the derivative of a misfit by the inversion parameters; the transpose of `tangent`.

        Parameters
        ----------
        p
            Inversion parameters (size,).
        raw
            Derivative by the material (nelem, n_nodes) of each parameter that changes, see `changing`.

        Returns
        -------
        numpy.ndarray
            Raw derivative by the continuous nodal values (size,), misfit per unit of the parameter.
        """
        factors, slopes = self._factors(p)
        by_material = {name: raw[name] for name in self.parameters}
        for name, slope in slopes.items():
            source = self._ties[name].source
            by_material[source] = by_material[source] + slope * raw[name]
        nodal = {name: self._dofs.assemble(factors[name] * by_material[name]) for name in self.parameters}
        return self.pack(self._update.adjoint(nodal))

    def refusal(self, material: Fields[str, np.ndarray]) -> str | None:
        """Return why a material cannot be simulated, None if it can."""
        with np.errstate(over="ignore", invalid="ignore"):
            fault = find_fault(self._set, dict(material))
        if fault is None:
            return None
        element, node = (int(i) for i in np.argwhere(fault.bad)[0])
        return (
            f"{', '.join(fault.names)} would be {listed_values(material, fault.names, (element, node))} at "
            f"{self._place(element, node)} and {fault.problem} at {int(fault.bad.sum())} of {fault.bad.size} "
            "nodes"
        )

    def mesh(self, material: Fields[str, np.ndarray]) -> Mesh:
        """Return the prior's mesh with another material."""
        mesh = self._mesh.copy()
        for name, values in material.items():
            mesh.attach_field(name, values)
        return mesh

    def _scaled(self, p: np.ndarray) -> dict[str, np.ndarray]:
        """The inverted parameters of the material (nelem, n_nodes) before bounds."""
        nodal = self._update.forward(self.unpack(p - self.prior))
        found = {}
        for name in self.parameters:
            change, prior = self._enters[name] * self._dofs.gather(nodal[name]), self._prior[name]
            with np.errstate(over="ignore", invalid="ignore"):
                if self._mapping.scaling == "absolute":
                    found[name] = prior + change
                elif self._mapping.scaling == "logarithmic":
                    found[name] = prior * np.exp(change)
                else:
                    found[name] = prior * (1.0 + change)
        return found

    def _material(self, scaled: Fields[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All parameters of the material (nelem, n_nodes) from the inverted ones before bounds."""
        material = dict(self._prior)
        for name, values in scaled.items():
            material[name] = self._bounded(name, values)
        for name, tie in self._ties.items():
            material[name] = self._bounded(name, self._tied(name, tie, material))
        return material

    def _tied(self, name: str, tie: BoundTie, material: Fields[str, np.ndarray]) -> np.ndarray:
        values = tie.apply(material[tie.source])
        return np.asarray(np.where(self._enters[name], values, self._prior[name]))

    def _bounded(self, name: str, values: np.ndarray) -> np.ndarray:
        if name not in self._bounds:
            return values
        bounded = self._bounds[name].value(values, self._prior[name])
        return np.asarray(np.where(self._enters[name], bounded, self._prior[name]))

    def _factors(self, p: np.ndarray) -> tuple[Factors, Factors]:
        """Derivatives of the material by the update, and of tied parameters by what they follow."""
        scaled = self._scaled(p)
        factors: Factors = {}
        for name in self.parameters:
            by_update: dict[str, np.ndarray | float] = {
                "absolute": 1.0,
                "logarithmic": scaled[name],
                "relative_deviation_from_prior": self._prior[name],
            }
            slope = self._slope(name, scaled[name])
            factors[name] = self._enters[name] * by_update[self._mapping.scaling] * slope
        material = self._material(scaled) if self._ties else {}
        slopes: Factors = {}
        for name, tie in self._ties.items():
            bend = self._slope(name, self._tied(name, tie, material))
            slopes[name] = self._enters[name] * bend * tie.derivative(material[tie.source])
        return factors, slopes

    def _slope(self, name: str, unbounded: np.ndarray) -> np.ndarray | float:
        """The derivative of the bounds at every element node."""
        if name not in self._bounds:
            return 1.0
        return self._bounds[name].derivative(unbounded, self._prior[name])

    # -- its parts -----------------------------------------------------------------------------

    def _update_operator(self, positions: dict[str, Any]) -> UpdateOperator:
        mapping, postprocessing, matrix = self._mapping, None, None
        if isinstance(mapping.postprocess_model_update, tuple):
            functions = cast("tuple[UserFunction, UserFunction]", mapping.postprocess_model_update)
            postprocessing = LinearPostprocessing(functions, node_positions(self.inversion_mesh))
            postprocessing.check(self.parameters)
        if mapping.inversion_mesh is not None:
            matrix = interpolation_matrix(self.inversion_mesh, self._mesh)
        weights = []
        if mapping.region_of_interest is not None:
            weights.append(region_weights(cast("Region", mapping.region_of_interest), self._mesh))
        radii = {
            "source": mapping.source_cutout_radius_in_meters,
            "receiver": mapping.receiver_cutout_radius_in_meters,
        }
        for kind, radius in radii.items():
            if radius is not None:
                points = self._positions(kind, positions.get(kind))
                weights.append(cutout_weights(node_positions(self._mesh), points, radius))
        product = np.prod(weights, axis=0) if weights else None
        if product is not None and not product.any():
            raise ValueError(
                "region_of_interest and cut-outs leave no node of the mesh where the model could change; "
                "expected a larger region or smaller radii."
            )
        return UpdateOperator(postprocessing, matrix, product)

    def _positions(self, kind: str, given: Any) -> np.ndarray:
        argument = f"{kind}_cutout_radius_in_meters"
        if given is None:
            raise ValueError(
                f"{argument} is given, but {kind}s is None; expected their positions (n, {self._mesh.dim}) "
                "[m]."
            )
        points = np.asarray(given, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != self._mesh.dim or not np.isfinite(points).all():
            raise ValueError(
                f"{kind}s has shape {points.shape}; expected finite positions (n, {self._mesh.dim}) [m] for "
                f"{argument}."
            )
        return points

    def _tie(self, name: str) -> BoundTie:
        tie = self._mapping.tied_parameters[name]
        return bind_tie(name, tie, source_of(name, tie, self.parameters), self._prior)

    def _check_names(self, argument: str, names: tuple[str, ...]) -> None:
        for name in names:
            if name not in self._set.names:
                raise ValueError(
                    f"{argument} names {name!r}, but the prior is given as {with_units(self._set.names)}; "
                    "expected some of these."
                )

    def _check_bounds(self) -> None:
        for name, bounds in self._bounds.items():
            bad = bounds.outside(self._prior[name]) & np.asarray(self._enters[name], dtype=bool)
            if bad.any():
                element, node = (int(i) for i in np.argwhere(bad)[0])
                raise ValueError(
                    f"bounds of {name!r} are {bounds.text()} {UNITS[name]}, but the prior is "
                    f"{self._prior[name][element, node]:g} at {self._place(element, node)} and not inside at "
                    f"{int(bad.sum())} of {bad.size} nodes; expected a prior inside: widen the bounds or "
                    "change the prior."
                )

    def _place(self, element: int, node: int) -> str:
        return place_text(self._mesh.node_coordinates(self._mesh.tensor_order)[element, node])
