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
from wavetree.simulation.core import default_instruction_set, make_core, n_lanes
from wavetree.simulation.cost import kind_of
from wavetree.simulation.medium import medium
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.receivers import differentiations
from wavetree.simulation.sources import sample_functions
from wavetree.simulation.speeds import Load, SpeedTable, read_speeds
from wavetree.simulation.storage_plan import StoragePlan, plan_storage, stored_run
from wavetree.simulation.task import ForwardTask
from wavetree.simulation.time_axis import TimeAxis, computed_steps, resolve
from wavetree.sites.local import usable_cores
from wavetree.survey.event import Event

__all__ = [
    "MeshFiles",
    "SimulationSetup",
    "keep_speeds",
    "resolve_instruction_set",
    "resolve_lanes",
    "resolve_speeds",
    "resolve_storage",
    "resolve_time_axis",
]

# Raised by hand when meshes or time axes of the same input change.
SETUP_VERSION = 2
_INSTRUCTION_SET = "instruction_set"
_SPEEDS = "speeds"


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
    events_in_lanes
        Events run in lanes; see `resolve_lanes`.
    """

    name: str
    mesh_file: Path
    mesh_digest: str
    event_configuration: EventConfiguration
    boundary_conditions: tuple[BoundaryCondition, ...]
    time_axis: TimeAxis
    instruction_set: str = field(default_factory=default_instruction_set)
    events_in_lanes: bool = False

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

        Raises
        ------
        ValueError
            If a transducer's delay is longer than the records.
        """
        task = ForwardTask(
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
            events_in_lanes=self.events_in_lanes,
        )
        task.records()
        return task


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


def resolve_lanes(
    store: Store, meshes: MeshFiles, setup: SimulationSetup, n_events: int, plan: StoragePlan | None = None
) -> bool:
    """Return whether a simulation's events are to run in lanes, by the project's table of speeds.

    The table, `wavetree.simulation.speeds.read_speeds` when the project is begun, is kept in the store, and
    so is the choice: results are named by it.

    Parameters
    ----------
    store, meshes
        Those of the project.
    setup
        The simulation.
    n_events
        How many there are to run at a time.
    plan
        How wavefields are kept for gradients. When None that is not known: lanes are to pay for forward runs
        and for gradients that are summed over every step.
    """
    axis, waveforms = setup.time_axis, setup.event_configuration.waveform_simulation_configuration
    items = (waveforms, *setup.boundary_conditions, *([] if plan is None else [plan]))
    content = [setup.mesh_digest, setup.instruction_set, [axis.start, axis.dt, axis.n_steps]]
    key = f"lanes/{content_digest([SETUP_VERSION, *content, *(item.digest() for item in items)])}"
    known = store.get_note(key)
    if known is None:
        if n_events == 0:
            return False
        known = _lanes_pay(resolve_speeds(store), meshes, setup, n_events, plan)
        store.set_note(key, known)
    return bool(known)


def resolve_speeds(store: Store) -> SpeedTable:
    """Return the project's table of speeds; the user's or the default one where it has none yet."""
    known = store.get_note(_SPEEDS)
    if known is None:
        known = keep_speeds(store, read_speeds())
    table: SpeedTable = load(known)
    return table


def keep_speeds(store: Store, table: SpeedTable) -> dict[str, Any]:
    """Keep a table of speeds as the project's and return it as JSON content."""
    content = table.to_dict()
    store.set_note(_SPEEDS, content)
    return content


def _lanes_pay(
    table: SpeedTable, meshes: MeshFiles, setup: SimulationSetup, n_events: int, plan: StoragePlan | None
) -> bool:
    intervals = [None, 1] if plan is None else [plan.interval]
    if plan is not None and plan.scheme not in ("full", "subsampled"):
        return False
    kind, n = kind_of(setup.mesh_file, setup.mesh_digest), n_lanes(setup.instruction_set)
    loads = [Load(n_events, usable_cores(), interval) for interval in intervals]
    if not all(table.lanes_pay(kind, one, n) for one in loads):
        return False
    mesh = meshes.get(setup.mesh_digest)
    precision = setup.event_configuration.waveform_simulation_configuration.precision
    try:
        own = medium(mesh, mesh.tensor_order)
        make_core(own, setup.boundary_conditions, precision, 1, setup.instruction_set, True)
    except ValueError:
        return False  # there are no kernels for it, or it cannot be simulated at all
    return True


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
