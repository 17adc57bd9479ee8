"""The compiled simulation of a mesh with its boundary conditions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wavetree import _core
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.simulation.boundary import (
    Absorbing,
    BoundaryCondition,
    FreeSurface,
    HomogeneousDirichlet,
    RigidWall,
)
from wavetree.simulation.medium import MediumPart, collect, parameter_values, split
from wavetree.simulation.sponge import ExtendedMesh, extend

__all__ = ["PRECISIONS", "Core", "default_instruction_set", "instruction_sets", "make_core"]

PRECISIONS = ("float32", "float64")

_SIMULATIONS = {"float32": _core.SimulationFloat32, "float64": _core.SimulationFloat64}
_STORES = {"float32": _core.WavefieldStoreFloat32, "float64": _core.WavefieldStoreFloat64}
# Conditions that hold the field at zero: the others are natural there, φ's rigid and u's free.
_ZERO = {"fluid": (HomogeneousDirichlet, FreeSurface), "solid": (HomogeneousDirichlet, RigidWall)}


def instruction_sets() -> tuple[str, ...]:
    """Return the kernel sets that this build has and this processor runs, best first."""
    return tuple(_core.instruction_sets())


def default_instruction_set() -> str:
    """Return the kernel set that runs use: the best one, or the one named by WAVETREE_ISA.

    Raises
    ------
    ValueError
        If WAVETREE_ISA names a set that is not there.
    """
    name = os.environ.get("WAVETREE_ISA", "")
    known = instruction_sets()
    if name and name not in known:
        raise unknown_name("instruction set in WAVETREE_ISA", name, known)
    return name or known[0]


@dataclass(frozen=True)
class Core:
    """A compiled simulation and how its arrays belong to the mesh.

    Attributes
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    extended
        The domain with its sponge.
    medium_mesh
        The mesh of `extended` with the medium continued into the sponge.
    parts
        Fluid and solid elements of `medium_mesh`, in the order of the compiled media.
    compiled
        ``_core.SimulationFloat32`` or ``_core.SimulationFloat64``.
    precision
        ``"float32"`` or ``"float64"``.
    """

    mesh: Mesh
    extended: ExtendedMesh
    medium_mesh: Mesh
    parts: tuple[MediumPart, ...]
    compiled: Any
    precision: str

    @property
    def media(self) -> tuple[str, ...]:
        """What is there of "fluid" and "solid", in the order of the parts."""
        return tuple(part.medium for part in self.parts)

    @cached_property
    def part_of_element(self) -> np.ndarray:
        """Index of the part that every element of the domain belongs to (nelem,)."""
        index = np.zeros(self.medium_mesh.nelem, dtype=np.int64)
        for k, part in enumerate(self.parts):
            index[part.elements] = k
        return index[: self.mesh.nelem]

    def locate(self, part: int, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return element (n,) within a part and reference coordinates (n, dim) of positions (n, dim) [m].

        Raises
        ------
        ValueError
            If a position lies outside the part.
        """
        mesh = self.medium_mesh
        connectivity = np.ascontiguousarray(mesh.connectivity[self.parts[part].elements])
        elements, reference = _core.locate(mesh.points, connectivity, mesh.shape_order, positions)
        return np.asarray(elements), np.asarray(reference)

    def store(self, steps: np.ndarray, weights: np.ndarray, snapshots: np.ndarray) -> Any:
        """Return the compiled view of snapshots (n_stored, n_values) at time steps (n_stored,)."""
        return _STORES[self.precision](steps, weights, snapshots)

    def derivative(self, by_coefficient: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return the derivative by the domain's parameters, (nelem, n_nodes) by name.

        Parameters
        ----------
        by_coefficient
            Derivative by the coefficients of every part, (n_coefficients, n, n_nodes).
        """
        by_parameter = collect(self.medium_mesh, by_coefficient)
        return {name: self.extended.collect(values) for name, values in by_parameter.items()}


def make_core(
    mesh: Mesh,
    conditions: Iterable[BoundaryCondition],
    precision: str,
    threads: int,
    instruction_set: str | None = None,
    events_in_lanes: bool = False,
) -> Core:
    """Compile the simulation of a mesh that `wavetree.simulation.medium.medium` returned.

    Parameters
    ----------
    mesh, conditions, precision, threads, instruction_set
        What is simulated, and how.
    events_in_lanes
        As many fields as a vector register has numbers are stepped at a time, for as many events; for
        float32, orders 3 to 5 and isotropic media of one kind.

    Raises
    ------
    ValueError
        If a side set is unknown or empty, or an element inverted.
    """
    conditions = tuple(conditions)
    _check_side_sets(mesh, conditions)
    order = mesh.tensor_order
    extended = extend(mesh, conditions, order)
    medium_mesh = extended.mesh.copy()  # a copy keeps what is known of the geometry
    for fields in (medium_mesh.nodal_fields, medium_mesh.elemental_fields, medium_mesh.element_nodal_fields):
        fields.clear()
    for name, values in parameter_values(mesh).items():
        medium_mesh.attach_field(name, extended.spread(values))
    parts = tuple(split(medium_mesh))
    media = _media(medium_mesh, parts, extended.rate(), conditions)
    compiled = _SIMULATIONS[precision](
        medium_mesh.points,
        medium_mesh.connectivity,
        mesh.shape_order,
        order,
        media,
        instruction_set or default_instruction_set(),
        threads,
        events_in_lanes,
    )
    return Core(mesh, extended, medium_mesh, parts, compiled, precision)


def _media(
    mesh: Mesh, parts: Sequence[MediumPart], rate: np.ndarray, conditions: Sequence[BoundaryCondition]
) -> list[Any]:
    """The parts with the sponge's rate (nelem, n_nodes), or none, and the sides with a condition."""
    return [
        _core.Medium(
            part.physics,
            part.elements,
            part.coefficients,
            np.ascontiguousarray(rate[part.elements]) if len(rate) else rate,
            _sides(mesh, part, conditions, (Absorbing,)),
            _sides(mesh, part, conditions, _ZERO[part.medium]),
        )
        for part in parts
    ]


def _check_side_sets(mesh: Mesh, conditions: Sequence[BoundaryCondition]) -> None:
    for condition in conditions:
        for name in condition.side_sets:
            if name not in mesh.side_sets:
                raise unknown_name("side set", name, mesh.side_sets)
            if len(mesh.side_sets[name]) == 0:
                raise ValueError(f"side set {name!r} is empty; expected sides that a condition can hold on.")


def _sides(
    mesh: Mesh, part: MediumPart, conditions: Sequence[BoundaryCondition], kinds: tuple[type, ...]
) -> np.ndarray:
    """Sides (n, 2) of a part with a condition of these kinds, elements numbered within the part."""
    chosen = [
        mesh.side_sets[name]
        for condition in conditions
        if isinstance(condition, kinds)
        for name in condition.side_sets
    ]
    sides = np.concatenate([np.zeros((0, 2), dtype=np.int64), *chosen])
    number = np.full(mesh.nelem, -1, dtype=np.int64)
    number[part.elements] = np.arange(len(part.elements))
    numbered = np.stack([number[sides[:, 0]], sides[:, 1]], axis=1)
    return np.ascontiguousarray(numbered[numbered[:, 0] >= 0], dtype=np.int64)
