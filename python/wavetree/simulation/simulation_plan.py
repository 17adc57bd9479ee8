"""What a simulation will do and need."""

from __future__ import annotations

from dataclasses import dataclass

from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.time_axis import TimeAxis

__all__ = ["SimulationPlan"]


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
        Working memory without stored wavefields.
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
