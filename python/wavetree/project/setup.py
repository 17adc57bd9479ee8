"""A simulation made ready to run: mesh, boundaries and time axis fixed, tasks for its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavetree.config import content_digest
from wavetree.mesh import Mesh
from wavetree.project.store import Store
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.configuration import EventConfiguration, WavefieldCompression
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.task import ForwardTask
from wavetree.simulation.time_axis import TimeAxis, resolve
from wavetree.survey.event import Event

__all__ = ["MeshFiles", "SimulationSetup", "resolve_time_axis", "sampling_interval"]

# Raised by hand when meshes or time axes of the same input change.
SETUP_VERSION = 1
_DEFAULT_WAVEFIELD_BYTES = 2 * 2**30
_BYTES_PER_VALUE = {"float32": 4, "float64": 8}


@dataclass(frozen=True)
class SimulationSetup:
    """Everything about a simulation but its events.

    Attributes
    ----------
    name
        What users read in labels; not part of any digest.
    mesh_file, mesh_digest
        File with the mesh and the medium on it, and the mesh's digest.
    event_configuration
        Wavelet and waveform simulation configuration.
    boundary_conditions
        The conditions on all sides, absorbing ones included.
    time_axis
        The time steps.
    """

    name: str
    mesh_file: Path
    mesh_digest: str
    event_configuration: EventConfiguration
    boundary_conditions: tuple[BoundaryCondition, ...]
    time_axis: TimeAxis

    def forward_task(
        self,
        event: Event,
        wavefield_sampling_interval: int | None = None,
        output: OutputConfiguration | None = None,
    ) -> ForwardTask:
        """Return the task that simulates an event.

        Parameters
        ----------
        event
            The event.
        wavefield_sampling_interval
            Store the wavefield at every n-th time step for a gradient; None stores none.
        output
            Fields of volumes and surfaces that are written besides the records.
        """
        return ForwardTask(
            mesh_file=str(self.mesh_file),
            mesh_digest=self.mesh_digest,
            event=event,
            wavelet=self.event_configuration.wavelets,
            waveform_simulation_configuration=self.event_configuration.waveform_simulation_configuration,
            boundary_conditions=self.boundary_conditions,
            start_time_in_seconds=self.time_axis.start,
            time_step_in_seconds=self.time_axis.dt,
            n_steps=self.time_axis.n_steps,
            simulation_name=self.name,
            wavefield_sampling_interval=wavefield_sampling_interval,
            output=output,
        )


class MeshFiles:
    """Meshes in a folder, each in a file named by its digest.

    Parameters
    ----------
    folder
        The folder.
    """

    _KEPT = 4

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._meshes: dict[str, Mesh] = {}

    def path(self, digest: str) -> Path:
        """Return the file of a mesh."""
        return self._folder / f"{digest}.h5"

    def put(self, mesh: Mesh, xdmf: bool = True) -> str:
        """Store a mesh unless it is there already, for ParaView too if asked, and return its digest."""
        digest = mesh.digest()
        path = self.path(digest)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            mesh.write_h5(path, xdmf=xdmf)
        self._keep(digest, mesh)
        return digest

    def get(self, digest: str) -> Mesh:
        """Return a copy of a stored mesh; ValueError if its file is missing or damaged."""
        if digest not in self._meshes:
            self._keep(digest, Mesh.from_h5(self.path(digest)))
        return self._meshes[digest].copy()

    def _keep(self, digest: str, mesh: Mesh) -> None:
        self._meshes.pop(digest, None)
        self._meshes[digest] = mesh.copy()
        while len(self._meshes) > self._KEPT:
            del self._meshes[next(iter(self._meshes))]


def resolve_time_axis(
    store: Store,
    meshes: MeshFiles,
    mesh_digest: str,
    event_configuration: EventConfiguration,
    boundary_conditions: Iterable[BoundaryCondition],
    events: Iterable[Event],
) -> TimeAxis:
    """Return the time axis of a simulation; what was found once is kept in the store.

    It starts early enough for the wavelet and for the source time functions of all events' sources.
    """
    conditions = tuple(boundary_conditions)
    waveforms = event_configuration.waveform_simulation_configuration
    functions: list[Any] = list(event_configuration.wavelets)
    own = {source.source_time_function for event in events for source in event.sources}
    functions += sorted((stf for stf in own if stf is not None), key=lambda stf: stf.digest())
    digests = [item.digest() for item in (waveforms, *functions, *conditions)]
    key = f"time_axis/{content_digest([SETUP_VERSION, mesh_digest, *digests])}"
    known = store.get_note(key)
    if known is None:
        axis = resolve(meshes.get(mesh_digest), tuple(functions), waveforms, conditions)
        known = {"start": axis.start, "dt": axis.dt, "n_steps": axis.n_steps}
        store.set_note(key, known)
    return TimeAxis(**known)


def sampling_interval(compression: WavefieldCompression | None, setup: SimulationSetup, mesh: Mesh) -> int:
    """Return at which time steps a wavefield is stored: every n-th.

    Notes
    -----
    What an event's wavefield may take is given or 2 GiB, a fixed number: the interval is part of what a
    gradient depends on and must not change with the machine.
    """
    compression = compression or WavefieldCompression()
    if compression.forward_wavefield_sampling_interval is not None:
        return compression.forward_wavefield_sampling_interval
    precision = setup.event_configuration.waveform_simulation_configuration.precision
    snapshot = mesh.dof_map(mesh.tensor_order).n_dofs * _BYTES_PER_VALUE[precision]
    snapshots = (compression.memory_in_bytes or _DEFAULT_WAVEFIELD_BYTES) // snapshot
    if snapshots < 2:
        raise ValueError(
            f"memory_in_bytes={compression.memory_in_bytes} holds {snapshots} snapshots of {snapshot} bytes; "
            f"expected room for at least 2, {2 * snapshot} bytes."
        )
    return max(1, -(-setup.time_axis.n_steps // (snapshots - 1)))
