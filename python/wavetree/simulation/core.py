"""The compiled simulation of a mesh with its boundary conditions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from wavetree import _core
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.simulation.boundary import Absorbing, BoundaryCondition
from wavetree.simulation.sponge import ExtendedMesh, extend

__all__ = [
    "PARAMETERS",
    "PRECISIONS",
    "UNITS",
    "default_instruction_set",
    "instruction_sets",
    "make_core",
    "make_store",
]

PARAMETERS: tuple[str, ...] = _core.acoustic_parameters
UNITS: dict[str, str] = dict(zip(PARAMETERS, _core.acoustic_units, strict=True))
PRECISIONS = ("float32", "float64")

_SIMULATIONS = {"float32": _core.AcousticSimulation2DFloat32, "float64": _core.AcousticSimulation2DFloat64}
_STORES = {"float32": _core.WavefieldStoreFloat32, "float64": _core.WavefieldStoreFloat64}


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


def make_core(
    mesh: Mesh,
    conditions: Sequence[BoundaryCondition],
    precision: str,
    threads: int,
    instruction_set: str | None = None,
) -> tuple[Any, ExtendedMesh]:
    """Return the compiled simulation of a mesh with VP and RHO, and the mesh with its sponge.

    Raises
    ------
    ValueError
        If a parameter is missing, a side set unknown or an element inverted.
    """
    for name in PARAMETERS:
        if name not in mesh.element_nodal_fields:
            raise ValueError(
                f"the mesh has no field {name!r} per element and node, only "
                f"{sorted(mesh.element_nodal_fields)}; "
                f"attach VP [m/s] and RHO [kg/m^3], arrays (nelem, (order + 1)**{mesh.dim})."
            )
    for condition in conditions:
        for name in condition.side_sets:
            if name not in mesh.side_sets:
                raise unknown_name("side set", name, mesh.side_sets)
            if len(mesh.side_sets[name]) == 0:
                raise ValueError(f"side set {name!r} is empty; expected sides that a condition can hold on.")
    order = mesh.tensor_order
    extended = extend(mesh, conditions, order)
    material = np.stack([extended.spread(mesh.element_nodal_fields[name]) for name in PARAMETERS])
    core = _SIMULATIONS[precision](
        extended.mesh.points,
        extended.mesh.connectivity,
        mesh.shape_order,
        order,
        material,
        extended.rate(),
        _sides(extended.mesh, conditions, absorbing=True),
        _sides(extended.mesh, conditions, absorbing=False),
        instruction_set or default_instruction_set(),
        threads,
    )
    return core, extended


def make_store(precision: str, steps: np.ndarray, weights: np.ndarray, snapshots: np.ndarray) -> Any:
    """Return the compiled view of stored snapshots (n_stored, n_dofs) at time steps (n_stored,)."""
    return _STORES[precision](steps, weights, snapshots)


def _sides(mesh: Mesh, conditions: Sequence[BoundaryCondition], absorbing: bool) -> np.ndarray:
    chosen = [
        mesh.side_sets[name]
        for condition in conditions
        if isinstance(condition, Absorbing) == absorbing
        for name in condition.side_sets
    ]
    return np.ascontiguousarray(np.concatenate([np.zeros((0, 2), dtype=np.int64), *chosen]), dtype=np.int64)
