"""Runs of a simulation as pure data, named by the hash of everything that their result depends on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import KW_ONLY, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from wavetree import _core
from wavetree.arrays import read_arrays, write_arrays
from wavetree.config import Configuration, configuration, content_digest
from wavetree.data.event_data import EventData
from wavetree.data.transducer_records import EventRecords
from wavetree.mesh import Mesh
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import Core, default_instruction_set, instruction_sets, make_core, n_lanes
from wavetree.simulation.medium import medium
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.restart import RESTART, RestartFile
from wavetree.simulation.sampling import RecordSampling
from wavetree.simulation.shared import Shared
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.task_group import Errors, run_adjoint_group, run_forward_group
from wavetree.simulation.time_axis import TimeAxis
from wavetree.survey.event import Event
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["NUMERICS_VERSION", "AdjointTask", "ForwardTask", "make_control"]

# Raised by hand when the same input gives other numbers.
NUMERICS_VERSION = 5

make_control = _core.Control

_log = logging.getLogger("wavetree")


_MESHES: Shared[Mesh] = Shared(kept=4)
_CORES: Shared[Core] = Shared(kept=2)
# The making of what is larger is short beside its runs, and it would hold memory that others need.
_SHARED_CORE_BYTES = 2**26


@configuration
class ForwardTask(Configuration):
    """The forward run of one event.

    Parameters
    ----------
    mesh_file, mesh_digest
        File with the mesh and the medium on it, and its content.
    event
        Sources and receivers.
    wavelet
        One source time function for all sources, or one per source; sources that have their own keep it.
    waveform_simulation_configuration, boundary_conditions
        As for `Simulation`.
    start_time_in_seconds, time_step_in_seconds, n_steps
        The time axis.
    simulation_name
        What users read; not part of the digest.
    storage
        How the wavefield is kept, as a further output; None keeps none. Not part of the digest.
    output
        Fields of volumes and surfaces to write as further outputs; not part of the digest.
    instruction_set
        Kernel set; it decides the order of sums and so the last bits.
    events_in_lanes
        The event runs in a lane of a vector, others of its group beside it or none; this too decides the
        last bits, which lane and what is beside it do not.
    """

    kind: ClassVar[str] = "forward"

    mesh_file: str
    _: KW_ONLY
    mesh_digest: str
    event: Event
    wavelet: tuple[SourceTimeFunction, ...]
    waveform_simulation_configuration: WaveformSimulationConfiguration
    boundary_conditions: tuple[BoundaryCondition, ...]
    start_time_in_seconds: float
    time_step_in_seconds: float
    n_steps: int
    simulation_name: str
    storage: StoragePlan | None = None
    output: OutputConfiguration | None = None
    instruction_set: str = Field(default_factory=default_instruction_set)
    events_in_lanes: bool = False

    @property
    def label(self) -> str:
        """What users read."""
        return f"{self.event.event_name} of {self.simulation_name}"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Files that are there when the task is done."""
        plan, files = self.storage, ("waveforms.h5",)
        stored = () if plan is None else (f"wavefield_{plan.label}.h5",)
        return (*files, *stored, *self.wavefield_files.values())

    @property
    def wavefield_files(self) -> dict[str, str]:
        """Files of the output by its type, in a folder of their own for every request."""
        if self.output is None:
            return {}
        return {name: f"{self._output_folder}/{file}" for name, file in self.output.file_names.items()}

    @property
    def _output_folder(self) -> str:
        return "" if self.output is None else f"output_{self.output.digest()[:12]}"

    def digest(self) -> str:
        """Return the hash of everything that the records and the stored field's values depend on."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        # Hashes of what is shared by the tasks of many models or events are known already.
        shared = (self.event, self.waveform_simulation_configuration)
        lists = (self.wavelet, self.boundary_conditions)
        axis = [self.start_time_in_seconds, self.time_step_in_seconds, self.n_steps]
        digests = [*(one.digest() for one in shared), *([one.digest() for one in many] for many in lists)]
        mode = [self.instruction_set, *(["lanes"] if self.events_in_lanes else [])]
        return content_digest([NUMERICS_VERSION, self.mesh_digest, *mode, axis, digests])

    @property
    def group(self) -> str | None:
        """Tasks of the same group can run as one; None for one that runs by itself."""
        plan = self.storage
        snapshots = plan is None or plan.scheme in ("full", "subsampled")
        return self._group if self.events_in_lanes and self.output is None and snapshots else None

    @functools.cached_property
    def _group(self) -> str:
        common = (self.waveform_simulation_configuration, *self.boundary_conditions)
        axis = [self.start_time_in_seconds, self.time_step_in_seconds, self.n_steps]
        interval = None if self.storage is None else self.storage.interval
        digests = [one.digest() for one in common]
        return content_digest([self.kind, self.mesh_digest, self.instruction_set, axis, interval, digests])

    @property
    def group_size(self) -> int:
        """Most tasks that can run as one."""
        return n_lanes(self.instruction_set)

    def run_group(
        self, tasks: Sequence[ForwardTask], folders: Sequence[Path], control: Any, threads: int = 1
    ) -> Errors:
        """Compute tasks of this one's group; see `wavetree.simulation.task_group.run_forward_group`."""
        return run_forward_group(tasks, folders, control, threads)

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute and write the outputs into a folder.

        Parameters
        ----------
        folder
            Where the files go; each appears complete or not at all.
        control
            Shows progress and can cancel.
        threads
            Number of threads; it does not change the result.
        """
        self._run(folder, control, threads, None)

    def resume(self, folder: Path, control: Any, threads: int, restart_interval_in_seconds: float) -> None:
        """Run from where an earlier attempt in a folder was cut off, else from the start.

        Parameters
        ----------
        folder, control, threads
            As for `run`.
        restart_interval_in_seconds
            How often to leave in the folder from where to go on [s].
        """
        key = content_digest([self.digest(), self.storage and self.storage.label])
        file = RestartFile(folder / RESTART, key, restart_interval_in_seconds)
        self._run(folder, control, threads, file)
        file.delete()

    def _run(self, folder: Path, control: Any, threads: int, restart_file: RestartFile | None) -> None:
        simulation = self.simulation(threads)
        records = simulation.run(
            self.storage,
            control,
            output=self.output,
            output_folder=folder / self._output_folder,
            restart_file=restart_file,
        )
        self.write(folder, simulation, records)

    def write(self, folder: Path, simulation: Simulation, records: EventData) -> None:
        """Write the field that a simulation keeps, if it is to, and its records into a folder."""
        if self.storage is not None:
            write_arrays(folder / self.outputs[1], simulation.stored, durability="checked")
        write_arrays(
            folder / self.outputs[0], *self.records().combine(records).to_arrays(), durability="whole"
        )

    @property
    def time_axis(self) -> TimeAxis:
        """The time steps."""
        return TimeAxis(self.start_time_in_seconds, self.time_step_in_seconds, self.n_steps)

    def records(self) -> EventRecords:
        """Return the map from the records of `simulation` to those of the event's receivers.

        Raises
        ------
        ValueError
            If a transducer's delay is longer than the records.
        """
        sampling = RecordSampling.of(self.waveform_simulation_configuration, self.time_axis)
        return EventRecords(self.event.receivers, sampling.axis)

    def simulation(self, threads: int = 1, core: Core | None = None) -> Simulation:
        """Return the simulation, ready to run, with the points of transducers as receivers.

        See `core`, of which one may be given.
        """
        sources: tuple[Any, ...] = self.event.sources
        wavelets = self.wavelet if len(self.wavelet) > 1 else self.wavelet * len(sources)
        if len(wavelets) != len(sources):
            raise ValueError(
                f"wavelet has {len(wavelets)} entries, but {self.event.event_name} has "
                f"{len(sources)} sources; give one, or one per source."
            )
        return Simulation(
            _MESHES.get(self.mesh_digest, self._read_mesh),
            [
                source if source.source_time_function else replace(source, source_time_function=wavelet)
                for source, wavelet in zip(sources, wavelets, strict=True)
            ],
            self.event.points,
            self.waveform_simulation_configuration,
            self.boundary_conditions,
            time_axis=self.time_axis,
            threads=threads,
            event_name=str(self.event.event_name),
            instruction_set=self.instruction_set,
            core=core or self.core(threads),
        )

    def _read_mesh(self) -> Mesh:
        mesh = Mesh.from_h5(self.mesh_file)
        if mesh.digest() != self.mesh_digest:
            raise ValueError(
                f"mesh file {self.mesh_file!r} has other content than when the task was made; delete it to "
                "have it made anew."
            )
        return mesh

    def core(self, threads: int = 1) -> Core:
        """Return the compiled simulation, which has no state: runs of events with one model share it.

        Raises
        ------
        ValueError
            If the processor lacks the kernel set.
        """
        if self.instruction_set not in instruction_sets():
            raise ValueError(
                f"instruction_set is {self.instruction_set!r}, this processor has "
                f"{', '.join(instruction_sets())}; go on where the project was begun, or set WAVETREE_ISA to "
                "one of these, with which everything is computed anew."
            )
        precision = self.waveform_simulation_configuration.precision
        conditions = tuple(condition.digest() for condition in self.boundary_conditions)

        def make() -> Core:
            mesh = _MESHES.get(self.mesh_digest, self._read_mesh)
            own = medium(mesh, mesh.tensor_order)
            how = (precision, threads, self.instruction_set, self.events_in_lanes)
            return make_core(own, self.boundary_conditions, *how)

        key = (self.mesh_digest, conditions, precision, threads, self.instruction_set, self.events_in_lanes)
        return _CORES.get(key, make, lambda core: core.compiled.memory_in_bytes <= _SHARED_CORE_BYTES)


@configuration
class AdjointTask(Configuration):
    """The adjoint run of one event, from a stored forward field and an adjoint source.

    Parameters
    ----------
    forward
        The forward run whose wavefield was stored.
    adjoint_source_file, adjoint_source_digest
        File with f† by receiver field (n_receivers, n_components, n_samples), and its content.
    forward_folder
        Where the forward run left its outputs.
    """

    kind: ClassVar[str] = "adjoint"
    outputs: ClassVar[tuple[str, ...]] = ("gradient.h5",)

    forward: ForwardTask
    _: KW_ONLY
    adjoint_source_file: str
    adjoint_source_digest: str
    forward_folder: str

    @property
    def label(self) -> str:
        """What users read."""
        return f"gradient of {self.forward.label}"

    def digest(self) -> str:
        """Return the hash of everything that the gradient depends on."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        plan = self.forward.storage
        numerics = None if plan is None else plan.numerics
        return content_digest([NUMERICS_VERSION, self.forward.digest(), numerics, self.adjoint_source_digest])

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute the derivative by every parameter (nelem, n_nodes) and write it into a folder."""
        simulation = self.restored(threads, control)
        self.write(folder, simulation.derivative(self.adjoint_sources(), control))

    def adjoint_sources(self) -> dict[str, np.ndarray]:
        """Return the adjoint sources of the simulation's receivers, by field."""
        of_records, _ = read_arrays(self.adjoint_source_file)
        return self.forward.records().spread(of_records)

    def write(self, folder: Path, derivative: dict[str, np.ndarray]) -> None:
        """Write the derivative by every parameter (nelem, n_nodes) into a folder."""
        write_arrays(folder / self.outputs[0], derivative, durability="whole")

    @property
    def group(self) -> str | None:
        """Tasks of the same group can run as one; None for one that runs by itself."""
        forward = self.forward.group
        return None if forward is None else content_digest([self.kind, forward])

    @property
    def group_size(self) -> int:
        """Most tasks that can run as one."""
        return self.forward.group_size

    def run_group(
        self, tasks: Sequence[AdjointTask], folders: Sequence[Path], control: Any, threads: int = 1
    ) -> Errors:
        """Compute tasks of this one's group; see `wavetree.simulation.task_group.run_adjoint_group`."""
        return run_adjoint_group(tasks, folders, control, threads)

    def restored(self, threads: int, control: Any, core: Core | None = None) -> Simulation:
        """Return the simulation with its wavefield; one that a loss of power has damaged is computed again.

        Raises
        ------
        ValueError
            If the forward task keeps no wavefield, or its file is not there.
        """
        plan = self.forward.storage
        if plan is None:
            raise ValueError(f"{self.forward.label} stores no wavefield; give it a storage plan.")
        file = Path(self.forward_folder) / self.forward.outputs[1]
        try:
            stored, _ = read_arrays(file)
        except ValueError as error:
            if not file.is_file():
                raise
            _log.warning("The wavefield of %s is computed again: %s", self.forward.label, error)
            file.unlink(missing_ok=True)
            again = self.forward.simulation(threads)
            again.run(plan, control)
            stored = again.stored
        simulation = self.forward.simulation(threads, core)
        simulation.restore(stored, plan)
        return simulation
