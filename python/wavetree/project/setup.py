"""A simulation made ready to run: mesh, boundaries and time axis fixed, tasks for its events."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wavetree.config import content_digest, load
from wavetree.mesh import Mesh
from wavetree.project.store import Store
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.configuration import EventConfiguration, WavefieldCompression
from wavetree.simulation.core import default_instruction_set, make_core
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.receivers import differentiations
from wavetree.simulation.sources import sample_functions
from wavetree.simulation.storage_plan import StoragePlan, plan_storage, stored_run
from wavetree.simulation.task import ForwardTask
from wavetree.simulation.time_axis import TimeAxis, computed_steps, resolve
from wavetree.survey.event import Event

__all__ = [
    "MeshFiles",
    "SimulationSetup",
    "resolve_instruction_set",
    "resolve_storage",
    "resolve_time_axis",
]

# Raised by hand when meshes or time axes of the same input change.
SETUP_VERSION = 2
_INSTRUCTION_SET = "instruction_set"


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
    instruction_set
        The kernel set; see `resolve_instruction_set`.
    """

    name: str
    mesh_file: Path
    mesh_digest: str
    event_configuration: EventConfiguration
    boundary_conditions: tuple[BoundaryCondition, ...]
    time_axis: TimeAxis
    instruction_set: str = field(default_factory=default_instruction_set)

    def forward_task(
        self, event: Event, storage: StoragePlan | None = None, output: OutputConfiguration | None = None
    ) -> ForwardTask:
        """Return the task that simulates an event.

        Parameters
        ----------
        event
            The event.
        storage
            How the wavefield is kept for a gradient; None keeps none.
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
            storage=storage,
            output=output,
            instruction_set=self.instruction_set,
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


def resolve_instruction_set(store: Store) -> str:
    """Return the kernel set of a project's simulations, that of the machine that the project was begun on.

    Results are named by it, for the last bits depend on it: a project that goes on elsewhere must find them.
    WAVETREE_ISA decides otherwise where it is set.
    """
    known = store.get_note(_INSTRUCTION_SET)
    if known is None:
        known = default_instruction_set()
        store.set_note(_INSTRUCTION_SET, known)
    return default_instruction_set() if os.environ.get("WAVETREE_ISA") else str(known)


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
    functions = _functions(event_configuration, events)
    digests = [item.digest() for item in (waveforms, *functions, *conditions)]
    key = f"time_axis/{content_digest([SETUP_VERSION, mesh_digest, *digests])}"
    known = store.get_note(key)
    if known is None:
        axis = resolve(meshes.get(mesh_digest), tuple(functions), waveforms, conditions)
        known = {"start": axis.start, "dt": axis.dt, "n_steps": axis.n_steps}
        store.set_note(key, known)
    return TimeAxis(**known)


def resolve_storage(
    store: Store,
    meshes: MeshFiles,
    setup: SimulationSetup,
    events: Iterable[Event],
    compression: WavefieldCompression | None,
) -> StoragePlan:
    """Return how the forward wavefields of a simulation's events are kept for gradients.

    What was found once is kept in the store: results depend on it, so it must not change with the machine.

    Raises
    ------
    ValueError
        If the bytes that may be used are too few.
    """
    events, compression = tuple(events), compression or WavefieldCompression()
    functions = _functions(setup.event_configuration, events)
    derivatives = differentiations(f for event in events for r in event.receivers for f in r.fields)
    waveforms, axis = setup.event_configuration.waveform_simulation_configuration, setup.time_axis
    items = (waveforms, compression, *functions, *setup.boundary_conditions)
    content = [SETUP_VERSION, setup.mesh_digest, [axis.start, axis.dt, axis.n_steps], derivatives]
    key = f"storage/{content_digest([*content, *(item.digest() for item in items)])}"
    known = store.get_note(key)
    if known is None:
        filtered = waveforms.temporal_dispersion_correction
        n_steps = computed_steps(axis, filtered)
        core = make_core(
            meshes.get(setup.mesh_digest), setup.boundary_conditions, waveforms.precision, threads=1
        )
        samples = sample_functions(functions, axis, (n_steps, 2 * n_steps), filtered)
        known = plan_storage(stored_run(core, n_steps, samples, derivatives), compression).to_dict()
        store.set_note(key, known)
    plan: StoragePlan = load(known)
    return plan


def _functions(event_configuration: EventConfiguration, events: Iterable[Event]) -> list[Any]:
    """The source time functions of all events."""
    own = {source.source_time_function for event in events for source in event.sources}
    return [
        *event_configuration.wavelets,
        *sorted((stf for stf in own if stf is not None), key=lambda stf: stf.digest()),
    ]
