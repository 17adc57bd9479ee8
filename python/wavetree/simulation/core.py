"""The compiled simulation of a mesh with its boundary conditions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np

from wavetree import _core
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.ranks import Ranks, warn_if_bound
from wavetree.simulation.boundary import (
    Absorbing,
    BoundaryCondition,
    FreeSurface,
    HomogeneousDirichlet,
    RigidWall,
)
from wavetree.simulation.medium import MediumPart, collect, parameter_values, split
from wavetree.simulation.share import PartShare, Share, SharedDofs, share_out
from wavetree.simulation.sponge import ExtendedMesh, extend

__all__ = [
    "PRECISIONS",
    "Core",
    "default_instruction_set",
    "instruction_sets",
    "make_core",
    "make_core_over_ranks",
    "n_lanes",
]

T = TypeVar("T")
PRECISIONS = ("float32", "float64")

_SIMULATIONS = {"float32": _core.SimulationFloat32, "float64": _core.SimulationFloat64}
_STORES = {"float32": _core.WavefieldStoreFloat32, "float64": _core.WavefieldStoreFloat64}
# Numbers in float32 of a vector register, by kernel set; the others have no kernels for events in lanes.
_LANES = {"v3": 8, "v4": 16}
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


def n_lanes(instruction_set: str) -> int:
    """Return how many events a kernel set can step at a time in float32; 1 where it has no such kernels."""
    return _LANES.get(instruction_set, 1)


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
    share
        What this rank has of `medium_mesh`; None where there is one rank. The other attributes are those of
        the whole, but for `compiled`.
    lane
        The field whose rows and gradient are meant where `compiled` has several.
    """

    mesh: Mesh
    extended: ExtendedMesh
    medium_mesh: Mesh
    parts: tuple[MediumPart, ...]
    compiled: Any
    precision: str
    share: Share | None = None
    lane: int = 0

    @property
    def ranks(self) -> Ranks | None:
        """The ranks of the run; None where there is one."""
        return None if self.share is None else self.share.ranks

    @property
    def lanes(self) -> tuple[Core, ...]:
        """The same compiled simulation for each of the events that it runs at a time."""
        return tuple(replace(self, lane=lane) for lane in range(self.compiled.n_fields))

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
        if part not in self._locators:
            mesh = self.medium_mesh
            connectivity = np.ascontiguousarray(mesh.connectivity[self.parts[part].elements])
            self._locators[part] = _core.Locator(mesh.points, connectivity, mesh.shape_order)
        elements, reference = self._locators[part].locate(positions)
        return np.asarray(elements), np.asarray(reference)

    @cached_property
    def _locators(self) -> dict[int, _core.Locator]:
        return {}

    @cached_property
    def _part_shares(self) -> list[PartShare]:
        assert self.share is not None
        return [self.share.of_part(part) for part in self.parts]

    def local_elements(self, part: int, elements: np.ndarray) -> np.ndarray:
        """Return how the core numbers elements (n,) of a part, -1 for those of other ranks."""
        return elements if self.share is None else self._part_shares[part].number(elements)

    @cached_property
    def n_values(self) -> int:
        """Number of values of a field, of all ranks together."""
        return int(self.over_ranks(np.array([self.compiled.n_values]))[0])

    def by_first_rank(self, make: Callable[[], T]) -> T:
        """Return what the first rank makes, on all of them; a failure there is one of all."""
        if self.ranks is None:
            return make()
        with self.ranks.together():
            made = make() if self.ranks.rank == 0 else None
        return cast(T, self.ranks.share(made))

    def over_ranks(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over ranks of an array."""
        return values if self.ranks is None else self.ranks.sum(values)

    def gradient(self, state: Any, part: int) -> np.ndarray:
        """Return the derivative by the coefficients of a part, (n_coefficients, n_elements, n_nodes)."""
        found = np.asarray(self.compiled.gradient(state, part, self.lane))
        if self.ranks is None:
            return found
        result = np.zeros(self.parts[part].coefficients.shape)
        result[:, self._part_shares[part].own] = found
        return self.ranks.sum(result)

    # -- fields --------------------------------------------------------------------------------

    @cached_property
    def _part_dofs(self) -> dict[int, SharedDofs]:
        return {}

    def _dofs(self, part: int) -> SharedDofs:
        assert self.share is not None
        if part not in self._part_dofs:
            mesh, elements = self.medium_mesh, self.parts[part].elements
            sizes = mesh.dim, mesh.shape_order, mesh.tensor_order
            dofs, n_dofs = _core.dof_map(np.ascontiguousarray(mesh.connectivity[elements]), *sizes)
            rank, local = self.share.partition.rank[elements], np.asarray(self.compiled.element_dofs(part))
            self._part_dofs[part] = SharedDofs(self.share.ranks, np.asarray(dofs), int(n_dofs), rank, local)
        return self._part_dofs[part]

    def element_dofs(self, part: int) -> np.ndarray:
        """Return the degrees of freedom of a whole part, (n_elements, n_nodes)."""
        return (
            np.asarray(self.compiled.element_dofs(part))
            if self.share is None
            else self._dofs(part).element_dofs
        )

    def gather(self, part: int, values: np.ndarray) -> np.ndarray:
        """Return values at the degrees of freedom of a whole part, from those of the core (n_dofs, ...)."""
        return values if self.share is None else self._dofs(part).gather(values)

    # -- arrays --------------------------------------------------------------------------------

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


@dataclass(frozen=True)
class _Execution:
    """How a core works."""

    precision: str
    threads: int
    instruction_set: str | None
    events_in_lanes: bool = False
    ranks: Ranks | None = None


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
    return _compile(mesh, tuple(conditions), _Execution(precision, threads, instruction_set, events_in_lanes))


def make_core_over_ranks(
    mesh: Mesh,
    conditions: Iterable[BoundaryCondition],
    precision: str,
    threads: int,
    instruction_set: str | None,
    ranks: Ranks | None,
) -> Core:
    """Compile this rank's share of a simulation; see `make_core`.

    Parameters
    ----------
    mesh, conditions, precision, threads, instruction_set
        What is simulated, and how; the same on every rank.
    ranks
        The ranks that share the elements, all of which must call; None for this process alone.
    """
    if ranks is not None:
        warn_if_bound(threads)
    return _compile(mesh, tuple(conditions), _Execution(precision, threads, instruction_set, False, ranks))


def _compile(mesh: Mesh, conditions: tuple[BoundaryCondition, ...], execution: _Execution) -> Core:
    _check_side_sets(mesh, conditions)
    order, precision = mesh.tensor_order, execution.precision
    extended = extend(mesh, conditions, order)
    medium_mesh = extended.mesh.copy()  # a copy keeps what is known of the geometry
    for fields in (medium_mesh.nodal_fields, medium_mesh.elemental_fields, medium_mesh.element_nodal_fields):
        fields.clear()
    for name, values in parameter_values(mesh).items():
        medium_mesh.attach_field(name, extended.spread(values))
    parts = tuple(split(medium_mesh))
    share = None if execution.ranks is None else share_out(medium_mesh, parts, execution.ranks)
    connectivity = medium_mesh.connectivity
    compiled = _SIMULATIONS[precision](
        medium_mesh.points,
        connectivity if share is None else np.ascontiguousarray(connectivity[share.elements]),
        mesh.shape_order,
        order,
        _media(medium_mesh, parts, extended.rate(), conditions, share),
        execution.instruction_set or default_instruction_set(),
        execution.threads,
        execution.events_in_lanes,
        None if share is None else share.compiled,
    )
    return Core(mesh, extended, medium_mesh, parts, compiled, precision, share)


def _media(
    mesh: Mesh,
    parts: Sequence[MediumPart],
    rate: np.ndarray,
    conditions: Sequence[BoundaryCondition],
    share: Share | None,
) -> list[Any]:
    """The parts with the sponge's rate (nelem, n_nodes), or none, and the sides with a condition."""
    media = []
    for part in parts:
        elements, coefficients, ghosts = part.elements, part.coefficients, np.zeros(0, dtype=np.int64)
        of_part = rate[elements] if len(rate) else rate
        absorbing = _sides(mesh, part, conditions, (Absorbing,))
        zero = _sides(mesh, part, conditions, _ZERO[part.medium])
        if share is not None:
            own = share.of_part(part)
            elements, ghosts = own.elements, own.ghosts
            coefficients = np.ascontiguousarray(coefficients[:, own.own])
            of_part = of_part[own.own] if len(rate) else rate
            absorbing, zero = own.sides(absorbing), own.sides(zero)
        of_part = np.ascontiguousarray(of_part)
        media.append(_core.Medium(part.physics, elements, coefficients, of_part, absorbing, zero, ghosts))
    return media


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
