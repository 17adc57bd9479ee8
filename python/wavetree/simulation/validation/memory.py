"""What simulations and gradients will take of memory and disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree.simulation.medium import parameter_set
from wavetree.simulation.sampling import RecordSampling
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.simulation_plan import SimulationPlan
from wavetree.simulation.storage_plan import StoragePlan, in_bytes
from wavetree.survey.receiver.fields import FIELDS

__all__ = ["MemoryForecast", "forecast_memory"]


@dataclass(frozen=True)
class MemoryForecast:
    """What simulations and gradients will take, in bytes.

    Attributes
    ----------
    name
        Name of the simulation.
    n_events
        Number of events.
    plan
        What the run of one event does and needs.
    storage
        How the forward wavefield of one event is kept for its gradient.
    mesh
        The mesh with its medium, in memory and on disk.
    records
        Records of one event on disk.
    gradient
        Gradient of one event on disk.
    """

    name: str
    n_events: int
    plan: SimulationPlan
    storage: StoragePlan
    mesh: int
    records: int
    gradient: int

    @property
    def forward_memory(self) -> int:
        """Memory of the forward run of an event."""
        return self.mesh + self.plan.memory_in_bytes + self.records

    @property
    def gradient_memory(self) -> int:
        """Memory of the gradient of an event: the same with the stored wavefield and what sums it up."""
        return self.forward_memory + self.storage.memory_in_bytes + self.plan.gradient_in_bytes

    @property
    def forward_disk(self) -> int:
        """Disk space of the forward runs of all events."""
        return self.mesh + self.n_events * self.records

    @property
    def gradient_disk(self) -> int:
        """Disk space of the gradients of all events, with their wavefields, which are kept for re-use."""
        return self.forward_disk + self.n_events * (self.storage.memory_in_bytes + self.gradient)

    def __str__(self) -> str:
        plan, n = self.plan, self.n_events
        return "\n".join(
            [
                f"Memory of {self.name!r} with {n} event{'s' if n != 1 else ''}",
                (
                    f"    {plan.n_elements} elements of order {plan.order} (absorbing layers among them), "
                    f"{plan.n_values} values, {plan.n_steps} steps"
                ),
                (
                    f"    forward run: {in_bytes(self.forward_memory)} of memory each, "
                    f"{in_bytes(self.forward_disk)} of disk in all"
                ),
                (
                    f"    gradient: {in_bytes(self.gradient_memory)} of memory each, "
                    f"{in_bytes(self.gradient_disk)} of disk in all"
                ),
                f"    {self.storage}",
            ]
        )

    def plot(self) -> Any:
        """Draw what memory and disk space are taken by, and return the figure."""
        from wavetree.viz.validation import plot_memory

        return plot_memory(self)


def forecast_memory(
    simulation: Simulation, storage: StoragePlan | None = None, n_events: int = 1, name: str = "simulation"
) -> MemoryForecast:
    """Return what events like that of a simulation will take.

    Parameters
    ----------
    simulation
        The simulation of one event.
    storage
        How the forward wavefield is kept for a gradient; None leaves it to the planner.
    n_events
        Number of events.
    name
        Name of the simulation.

    Notes
    -----
    Counted are arrays that grow with the problem: geometry, fields, records, wavefields and gradients; not
    the interpreter and its libraries (some 200 MiB), nor what building the mesh takes for a moment.
    """
    mesh = simulation.mesh
    size = np.dtype(simulation.precision).itemsize
    samples = RecordSampling.of(simulation.configuration, simulation.time_axis).axis.npts
    records = (
        size
        * samples
        * sum(len(FIELDS[field].components(mesh.dim)) for r in simulation.receivers for field in r.fields)
    )
    gradient = 8 * mesh.nelem * (mesh.tensor_order + 1) ** mesh.dim * len(parameter_set(mesh).names)
    plan = simulation.plan()
    return MemoryForecast(
        name=name,
        n_events=n_events,
        plan=plan,
        storage=storage or plan.storage,
        mesh=sum(array.nbytes for array in mesh.to_arrays().values()),
        records=records,
        gradient=gradient,
    )
