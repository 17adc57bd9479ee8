"""What a task will take, before it runs and without reading its mesh: a guess to plan with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py

from wavetree.simulation.core import n_lanes
from wavetree.simulation.illumination_task import IlluminationTask
from wavetree.simulation.speeds import DEFAULT_SPEEDS
from wavetree.simulation.task import AdjointTask, ForwardTask

__all__ = ["Cost", "cost_of", "kind_of"]

# Bytes for each element node.
_BYTES = {"2-D fluid": 70, "2-D solid": 90, "3-D fluid": 90, "3-D solid": 120}
# Of the speeds in `DEFAULT_SPEEDS`, as machines are shared and meshes not all boxes.
_SHARE = 0.6
# An adjoint run with the sum of the gradient, in forward runs.
_ADJOINT_RUNS = 2.0


@dataclass(frozen=True)
class Cost:
    """What a task will take.

    Attributes
    ----------
    core_seconds
        Time [s] on one core.
    memory_in_bytes
        Memory, with stored wavefields.
    """

    core_seconds: float = 0.0
    memory_in_bytes: int = 0

    def seconds(self, threads: int) -> float:
        """Return the time [s] on some cores."""
        return self.core_seconds / threads


def cost_of(task: Any) -> Cost:
    """Return what a task will take; nothing for tasks of other kinds, of which nothing is known.

    Notes
    -----
    The time is the number of updates (elements × nodes of an element × time steps) by the rate of a core, for
    an event in lanes that of all lanes, whatever is beside it; the
    memory that of the compiled simulation and of the stored wavefield. Where fluid and solid meet, all counts
    as solid.
    """
    forward = task.forward if isinstance(task, (AdjointTask, IlluminationTask)) else task
    if not isinstance(forward, ForwardTask):
        return Cost()
    n_nodes, kind = _size(forward.mesh_file, forward.mesh_digest)
    width = 2 if forward.waveform_simulation_configuration.precision == "float64" else 1
    plan, n_runs = forward.storage, 1.0
    if isinstance(task, AdjointTask):
        n_runs = _ADJOINT_RUNS
        n_runs += plan.extra_forward_steps / forward.n_steps if plan else 0.0
    lanes = n_lanes(forward.instruction_set) if forward.events_in_lanes else 1
    rate = _SHARE * DEFAULT_SPEEDS.speed(kind, forward.events_in_lanes).steps
    seconds = n_runs * n_nodes * forward.n_steps * width * lanes / rate
    stored = plan.memory_in_bytes if plan and not isinstance(task, IlluminationTask) else 0
    return Cost(seconds, n_nodes * width * _BYTES[kind] + stored)


def kind_of(mesh_file: str | Path, mesh_digest: str) -> str:
    """Return what there is to simulate on a mesh, one of `wavetree.simulation.speeds.KINDS`."""
    return _size(str(mesh_file), mesh_digest)[1]


@lru_cache(maxsize=8)
def _size(mesh_file: str, mesh_digest: str) -> tuple[int, str]:
    """Element nodes of a mesh file and what there is to simulate, one of `KINDS`; only shapes are read."""
    with h5py.File(mesh_file, "r") as file:
        fields = file["arrays/element_nodal_fields"]
        n_nodes = max(field.size for field in fields.values())
        solid = not {"VP", "RHO"} >= set(fields) and not {"M0", "M1"} >= set(fields)
        return n_nodes, f"{file['arrays/points'].shape[1]}-D {'solid' if solid else 'fluid'}"
