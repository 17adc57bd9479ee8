"""What is inverted for, and how it becomes the material."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, field, replace
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import BeforeValidator, FiniteFloat, PositiveFloat, field_validator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.mapping.bound_mapping import BoundMapping
from wavetree.mapping.postprocessing import as_functions
from wavetree.mapping.region import Region, as_region
from wavetree.mapping.ties import Tie, as_tie, source_of
from wavetree.mesh import Mesh
from wavetree.model.parameters import PARAMETERS
from wavetree.simulation.configuration import MeshReference
from wavetree.user_function import UserFunction

__all__ = ["Mapping"]

Limits = tuple[FiniteFloat | None, FiniteFloat | None]
Function = Callable[..., Any]


def _as_ties(given: Any) -> Any:
    return {name: as_tie(tie) for name, tie in given.items()} if isinstance(given, dict) else given


@configuration
class Mapping(Configuration):
    """What is inverted for, and how it becomes the material.

    The update of the parameters goes, in this order, through `postprocess_model_update` (if it is a pair),
    the interpolation from the inversion mesh, the region of interest and the cut-outs, the scaling, the
    bounds and the ties. All of it is in the gradient.

    Parameters
    ----------
    scaling
        ``"absolute"``: m = m_prior + (p − p_prior) with p_prior the continuous average of the prior;
        ``"relative_deviation_from_prior"``: m = m_prior (1 + p); ``"logarithmic"``: m = m_prior eᵖ.
    inversion_parameters
        Names of parameters of the prior's set, for example ``["VP", "RHO"]``; the others stay as in the
        prior.
    region_of_interest
        Weights in [0, 1] that multiply the update: the name of a field of the prior's mesh; an array in the
        shape of one, (n_points,), (nelem,) or (nelem, n_nodes); a function of coordinates (n, dim) [m] that
        returns (n,); or an xarray.DataArray on x, y (and z) [m], linear between its nodes and 0 outside.
        Where elements at a node differ, the smallest weight counts. None is everywhere.
    source_cutout_radius_in_meters, receiver_cutout_radius_in_meters
        The update is multiplied by weights that rise smoothly from 0 at sources or receivers to 1 at this
        distance [m]; see `wavetree.mapping.cutout`.
    bounds
        Smallest and largest value of parameters of the material in their units, ``{"VP": (1400, 1600)}``;
        None for an open end. See `wavetree.mapping.bounds`.
    tied_parameters
        Parameters that follow an inverted one: ``{"RHO": "gardner"}`` with the name of a relation of
        `wavetree.model.relations`, or functions (value, derivative) of the inverted parameter in SI units,
        or ("VP", value, derivative) where several are inverted. RHO = RHO_prior + f(VP) − f(VP_prior).
    inversion_mesh
        Mesh on whose continuous nodes the parameters live, usually a coarser one; it has to cover the prior's
        mesh, and its nodes are those of its `tensor_order`. None is the prior's mesh. A copy is kept; what is
        written as JSON names it by its digest.
    postprocess_model_update
        Either a pair (forward, adjoint) of linear functions f(update, coordinates) -> update, which is part
        of the map; update is a dictionary of nodal values (n_dofs,) of p − p_prior at coordinates (n_dofs,
        dim) [m] of the inversion mesh, and the adjoint is the transpose without weights. Or one such
        function, not necessarily linear, that is applied after a step was accepted.

    Raises
    ------
    ValueError
        For unknown names, parameters that are both inverted and tied, bounds of parameters that do not
        change, and whatever else is not as said above.
    """

    scaling: Literal["absolute", "relative_deviation_from_prior", "logarithmic"]
    _: KW_ONLY
    inversion_parameters: tuple[str, ...]
    region_of_interest: Annotated[
        Region | Function | np.ndarray | xr.DataArray | None, BeforeValidator(as_region)
    ] = None
    source_cutout_radius_in_meters: PositiveFloat | None = None
    receiver_cutout_radius_in_meters: PositiveFloat | None = None
    bounds: dict[str, Limits] | None = None
    tied_parameters: Annotated[dict[str, str | Tie | Any], BeforeValidator(_as_ties)] = field(
        default_factory=dict
    )
    inversion_mesh: Mesh | MeshReference | None = None
    postprocess_model_update: Annotated[
        UserFunction | tuple[UserFunction, UserFunction] | Function | tuple[Function, Function] | None,
        BeforeValidator(as_functions),
    ] = None

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

    @field_validator("bounds")
    @classmethod
    def _ordered(cls, value: dict[str, Limits] | None) -> dict[str, Limits] | None:
        for name, (low, high) in (value or {}).items():
            if low is not None and high is not None and not low < high:
                raise ValueError(
                    f"bounds of {name!r} are {low:g} and {high:g}; expected the smallest value first, or "
                    "None for an open end."
                )
        return value

    @field_validator("inversion_mesh")
    @classmethod
    def _own_copy(cls, value: Mesh | MeshReference | None) -> Mesh | MeshReference | None:
        return value.copy() if isinstance(value, Mesh) else value

    @model_validator(mode="after")
    def _fitting_names(self) -> Mapping:
        inverted = self.inversion_parameters
        for name, tie in self.tied_parameters.items():
            if name not in PARAMETERS:
                raise unknown_name("parameter in tied_parameters", name, PARAMETERS)
            if name in inverted:
                raise ValueError(
                    f"tied_parameters names {name!r}, which is inverted for too; name it in one of them."
                )
            source_of(name, tie, inverted)
        changing = (*inverted, *self.tied_parameters)
        for name in self.bounds or {}:
            if name not in changing:
                raise unknown_name("parameter in bounds, for it is not one that changes,", name, changing)
        return self

    @property
    def needs_positions(self) -> bool:
        """Whether `bind` needs positions of sources or receivers."""
        radii = (self.source_cutout_radius_in_meters, self.receiver_cutout_radius_in_meters)
        return any(radius is not None for radius in radii)

    def with_inversion_mesh(self, mesh: Mesh) -> Mapping:
        """Return the mapping with the mesh that it refers to.

        Raises
        ------
        ValueError
            If it is another mesh.
        """
        expected = self._mesh_digest()
        if mesh.digest() != expected:
            raise ValueError(
                f"mesh has the digest {mesh.digest()[:12]}; expected {str(expected)[:12]}, the one that the "
                "mapping refers to as inversion_mesh."
            )
        return replace(self, inversion_mesh=mesh)

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON-serialisable dictionary, the inversion mesh as `MeshReference`."""
        digest = self._mesh_digest()
        mesh = None if digest is None else MeshReference(digest).to_dict()
        return {**super().to_dict(), "inversion_mesh": mesh}

    def bind(
        self, prior: Mesh, sources: np.ndarray | None = None, receivers: np.ndarray | None = None
    ) -> BoundMapping:
        """Return the mapping about a prior.

        Parameters
        ----------
        prior
            Mesh with the prior material as element-nodal fields.
        sources, receivers
            Positions (n, dim) [m] for the cut-outs; not needed without them.

        Raises
        ------
        ValueError
            If the mesh lacks a parameter of its set, is given in other parameters than those named, or lies
            outside the bounds or the inversion mesh, and for a region, relation or pair of functions that
            does not fit.
        WavetreeError
            If a function of the user was not given again after loading.
        """
        if isinstance(self.inversion_mesh, MeshReference):
            raise ValueError(
                f"inversion_mesh is a reference to mesh {self.inversion_mesh.mesh_digest[:12]}; expected the "
                "mesh itself: read it and call with_inversion_mesh."
            )
        return BoundMapping(self, prior, {"source": sources, "receiver": receivers})

    def _mesh_digest(self) -> str | None:
        mesh = self.inversion_mesh
        return mesh.digest() if isinstance(mesh, Mesh) else mesh.mesh_digest if mesh is not None else None
