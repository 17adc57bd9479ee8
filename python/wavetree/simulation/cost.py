"""What a task will take, before it runs and without reading its mesh: a guess to plan with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import h5py

from wavetree.simulation.illumination_task import IlluminationTask
from wavetree.simulation.task import AdjointTask, ForwardTask

__all__ = ["Cost", "cost_of"]

# Element-node updates a second of one core in float32, and bytes for each element node, by dimension and
# medium; orders of magnitude of today's processors.
_UPDATES = {(2, "fluid"): 5e8, (2, "solid"): 2.5e8, (3, "fluid"): 3e8, (3, "solid"): 1e8}
_BYTES = {(2, "fluid"): 70, (2, "solid"): 90, (3, "fluid"): 90, (3, "solid"): 120}
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
    The time is the number of updates (elements × nodes of an element × time steps) by the rate of a core, the
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
    seconds = n_runs * n_nodes * forward.n_steps * width / _UPDATES[kind]
    stored = plan.memory_in_bytes if plan and not isinstance(task, IlluminationTask) else 0
    return Cost(seconds, n_nodes * width * _BYTES[kind] + stored)


@lru_cache(maxsize=8)
def _size(mesh_file: str, mesh_digest: str) -> tuple[int, tuple[int, str]]:
    """Element nodes of a mesh file, its dimension, and "fluid" or "solid"; only shapes are read."""
    with h5py.File(mesh_file, "r") as file:
        fields = file["arrays/element_nodal_fields"]
        n_nodes = max(field.size for field in fields.values())
        solid = not {"VP", "RHO"} >= set(fields) and not {"M0", "M1"} >= set(fields)
        return n_nodes, (file["arrays/points"].shape[1], "solid" if solid else "fluid")
