"""What a simulation will do and need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wavetree.simulation.core import Core
from wavetree.simulation.medium import parameter_set
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.time_axis import TimeAxis

__all__ = ["SimulationPlan", "core_bytes"]


@dataclass(frozen=True)
class SimulationPlan:
    """What a simulation will do and need.

    Attributes
    ----------
    n_elements, n_values, order
        Elements of the mesh with its absorbing layers, values of the wavefield, polynomial order.
    time_axis
        The time axis of the records.
    n_steps
        Time steps that are computed: those of the time axis, and a few more that the filter of the records
        needs at their end.
    maximum_time_step
        Largest stable time step [s].
    memory_in_bytes
        Working memory of a forward run without stored wavefields.
    gradient_in_bytes
        Working memory of an adjoint run beside that.
    snapshot_in_bytes
        One stored snapshot of the wavefield.
    point_updates
        Element-node updates of one forward run.
    storage
        How a gradient's forward wavefield would be kept.
    """

    n_elements: int
    n_values: int
    order: int
    time_axis: TimeAxis
    n_steps: int
    maximum_time_step: float
    memory_in_bytes: int
    gradient_in_bytes: int
    snapshot_in_bytes: int
    point_updates: int
    storage: StoragePlan

    def __str__(self) -> str:
        axis = self.time_axis
        return "\n".join(
            [
                "SimulationPlan",
                f"    {self.n_elements} elements of order {self.order}, {self.n_values} values",
                (
                    f"    {self.n_steps} steps of {axis.dt:.4g} s "
                    f"(stable up to {self.maximum_time_step:.4g} s), {axis.start:.4g} to {axis.end:.4g} s"
                ),
                (
                    f"    {self.memory_in_bytes / 2**20:.1f} MiB, "
                    f"{self.snapshot_in_bytes / 2**20:.2f} MiB a snapshot"
                ),
                f"    {self.point_updates / 1e6:.4g} million element-node updates",
                f"    for a gradient: {self.storage}",
            ]
        )


def core_bytes(core: Core) -> dict[str, int]:
    """Return the memory that a compiled simulation and its runs take, by the names of `SimulationPlan`.

    Notes
    -----
    Beside the compiled part a core keeps its medium, the coefficients of the equations, and where the sponge
    has its medium from. An adjoint run keeps two more fields and sums the derivative by the coefficients, by
    the density in two numbers per degree of freedom; at its end they are numbers of 8 bytes, and turned into
    derivatives by the parameters.
    """
    size = np.dtype(core.precision).itemsize
    coefficients = [part.coefficients for part in core.parts]
    kept = [core.extended.source, *core.medium_mesh.to_arrays().values(), *coefficients]
    parameters = len(parameter_set(core.mesh).names) * core.extended.source.size
    n_values, n_coefficients = core.n_values, sum(array.size for array in coefficients)
    # Every rank keeps the arrays of the whole.
    n_bytes = core.compiled.memory_in_bytes + sum(array.nbytes for array in kept)
    own = [n_bytes, sum(core.compiled.n_dofs(part) for part in range(len(core.parts)))]
    memory, n_dofs = core.over_ranks(np.array(own)).tolist()
    sums = size * (n_coefficients - core.extended.source.size) + 16 * n_dofs + 2 * size * n_values
    return {
        "memory_in_bytes": memory,
        "gradient_in_bytes": sums + 8 * (2 * n_coefficients + 3 * parameters),
        "snapshot_in_bytes": size * n_values,
    }
