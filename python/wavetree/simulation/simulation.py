"""A simulation of one event: plan, forward run, gradient."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavetree import _core
from wavetree.data.event_data import EventData
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh, gradient_mesh
from wavetree.ranks import ranks_of
from wavetree.simulation.adjoint_sources import at_computed_steps
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.configuration import WavefieldCompression, WaveformSimulationConfiguration
from wavetree.simulation.core import PRECISIONS, Core, make_core_over_ranks
from wavetree.simulation.medium import medium
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.output_file import DISPERSION, write_output
from wavetree.simulation.passes import AdjointPass, ForwardPass
from wavetree.simulation.placement import check_dimensions
from wavetree.simulation.receivers import Receivers, differentiations
from wavetree.simulation.restart import RestartFile
from wavetree.simulation.sampling import RecordSampling
from wavetree.simulation.simulation_plan import SimulationPlan, core_bytes
from wavetree.simulation.source_derivative import AdjointResult, SourceReadings
from wavetree.simulation.sources import Sources, silent_from
from wavetree.simulation.storage import AdjointRun, ForwardRun, Observer, Snapshots, StorageScheme
from wavetree.simulation.storage_plan import (
    StoragePlan,
    StoredRun,
    interval_plan,
    make_scheme,
    plan_storage,
    stored_run,
)
from wavetree.simulation.time_axis import TimeAxis, computed_steps, maximum_time_step, resolve
from wavetree.survey.receiver.receiver import Receiver
from wavetree.survey.source.source import Source

__all__ = ["Simulation", "SimulationPlan"]


class Simulation:
    """Waves of one event on a mesh: fluid, solid or both.

    Parameters
    ----------
    mesh
        Domain with the fields of a parameter set, for example VP [m/s], VS [m/s] and RHO [kg/m^3]; the order
        of these fields is the order of the wavefield. An element is fluid if VS is missing or 0.
    sources, receivers
        Sources with their source time functions, and receivers.
    waveform_simulation_configuration
        Time span, time step, precision.
    boundary_conditions
        Conditions on side sets; those of the configuration when None. Sides without one are rigid for
        fluids and free for solids.
    precision
        ``"float32"`` or ``"float64"``; that of the configuration when None.
    comm
        An mpi4py communicator whose ranks share the elements; every rank makes the same simulation and the
        same calls (`plan` is one) with the same arguments, and has the results. None for this process alone.
    time_axis
        A time axis that `wavetree.simulation.time_axis.resolve` made for this mesh; found when None.
    threads
        OpenMP threads; results have the same bits for every number.
    event_name
        Name of the records.
    instruction_set
        Kernel set; the best of the processor when None.
    core
        What `make_core` made of the mesh's medium and the other arguments, which simulations may share.

    Raises
    ------
    ValueError
        If a position lies outside the mesh, a source has no time function, a source or receiver field does
        not exist in the medium there, a field is missing or not positive, an element is inverted, the time
        step is too large, or the simulation does not cover the receivers' time axis.
    RankError
        If the ranks do not see each other.

    Notes
    -----
    Fluid: M0 φ_tt = ∇·(M1 ∇φ) + f with M0 = 1/(ρ vp²), M1 = 1/ρ. Solid: ρ u_tt = ∇·(C:ε) + f. They meet with
    σ·n = φ_tt n and equal normal displacement. Spectral elements in space, central differences in time. With
    `temporal_dispersion_correction` the source time functions and records pass the filters of
    `wavetree.simulation.dispersion`, and the gradient their transposes.

    Examples
    --------
    >>> import wavetree as wt
    >>> from wavetree.mesh import box_mesh
    >>> from wavetree.survey.receiver.cartesian import Point2D
    >>> from wavetree.survey.source.cartesian import ScalarPoint2D
    >>> mesh = box_mesh(((0.0, 1.0), (0.0, 1.0)), (4, 4), shape_order=4)
    >>> for name, value in (("VP", 1500.0), ("RHO", 1000.0)):
    ...     mesh.attach_field(name, np.full((16, 25), value))
    >>> source = ScalarPoint2D(x=0.3, y=0.3, f=1.0, source_time_function=wt.simple_config.stf.Ricker(2000.0))
    >>> receiver = Point2D(x=0.7, y=0.6, station_code="A", fields=["phi"])
    >>> span = WaveformSimulationConfiguration(end_time_in_seconds=1e-3)
    >>> Simulation(mesh, [source], [receiver], span).run().data["phi"].shape[:2]
    (1, 1)
    """

    def __init__(
        self,
        mesh: Mesh,
        sources: Iterable[Source],
        receivers: Iterable[Receiver],
        waveform_simulation_configuration: WaveformSimulationConfiguration,
        boundary_conditions: Iterable[BoundaryCondition] | None = None,
        precision: str | None = None,
        comm: Any = None,
        *,
        time_axis: TimeAxis | None = None,
        threads: int = 1,
        event_name: str = "event",
        instruction_set: str | None = None,
        core: Core | None = None,
    ) -> None:
        self.configuration = waveform_simulation_configuration
        self.precision = precision or self.configuration.precision
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        given = self.configuration.boundary_conditions if boundary_conditions is None else boundary_conditions
        self.boundary_conditions = tuple(given)
        self.mesh = medium(mesh, mesh.tensor_order) if core is None else core.mesh
        self.sources = [source.resolve(self.mesh) for source in sources]
        self.receivers = [receiver.resolve(self.mesh) for receiver in receivers]
        self.event_name = event_name
        check_dimensions(self.mesh, [*self.sources, *self.receivers])
        compiled_for = (self.boundary_conditions, self.precision, threads, instruction_set)
        self._core = core or make_core_over_ranks(self.mesh, *compiled_for, ranks_of(comm))
        if comm is not None and self._core is core:
            raise ValueError("core and comm are given; expected one: a core has ranks of its own.")
        self._sources = Sources(self._core, self.sources)
        self._receivers = Receivers(self._core, self.receivers)
        functions = [source.source_time_function for source in self.sources]
        known = [stf for stf in functions if stf is not None]  # none is None, `Sources` has looked
        self.time_axis = time_axis or resolve(
            self.mesh, known, self.configuration, self.boundary_conditions, self._core.ranks
        )
        self._sampling = RecordSampling.of(self.configuration, self.time_axis)
        self._stored: _Stored | None = None

    # -- plan ----------------------------------------------------------------------------------

    @property
    def maximum_time_step(self) -> float:
        """Largest stable time step [s]."""
        return maximum_time_step(self.mesh, self.boundary_conditions, self._core.ranks)

    @property
    def n_steps(self) -> int:
        """Number of computed time steps, at least the samples of the time axis."""
        return computed_steps(self.time_axis, self._filtered)

    @property
    def n_lanes(self) -> int:
        """Number of simulations that its core runs at a time."""
        return int(self._core.compiled.n_fields)

    def plan(self, wavefield_compression: WavefieldCompression | None = None) -> SimulationPlan:
        """Return size, time axis, memory and cost without running anything.

        Parameters
        ----------
        wavefield_compression
            How a gradient's forward wavefield is to be kept; None leaves it to `plan_storage`.
        """
        n_elements, order = self._core.medium_mesh.nelem, self.mesh.tensor_order
        n_values = self._core.n_values
        return SimulationPlan(
            n_elements=n_elements,
            n_values=n_values,
            order=order,
            time_axis=self.time_axis,
            n_steps=self.n_steps,
            maximum_time_step=self.maximum_time_step,
            **core_bytes(self._core),
            point_updates=n_elements * (order + 1) ** self.mesh.dim * self.n_steps,
            storage=self.storage_plan(wavefield_compression),
        )

    def storage_plan(self, storage: int | WavefieldCompression | StoragePlan | None = None) -> StoragePlan:
        """Return how the forward wavefield is kept for a gradient.

        Parameters
        ----------
        storage
            Every how many steps it is stored, or how many bytes it may take, or the plan itself. None leaves
            it to `wavetree.simulation.storage_plan.plan_storage`.

        Raises
        ------
        ValueError
            If the bytes are too few.
        """
        if isinstance(storage, StoragePlan):
            return storage
        run = self.stored_run
        if storage is None or isinstance(storage, WavefieldCompression):
            # The memory that there is may differ between ranks.
            return self._core.by_first_rank(lambda: plan_storage(run, storage))
        return interval_plan(run, int(storage))

    @property
    def stored_run(self) -> StoredRun:
        """What a storage plan depends on."""
        functions = self._functions(2 * self.n_steps)
        return stored_run(self._core, self.n_steps, functions, differentiations(self._receivers.fields))

    # -- forward -------------------------------------------------------------------------------

    def run(
        self,
        storage: int | WavefieldCompression | StoragePlan | None = None,
        control: Any = None,
        *,
        output: OutputConfiguration | None = None,
        output_folder: str | Path | None = None,
        restart_file: RestartFile | None = None,
    ) -> EventData:
        """Run the simulation and return the records.

        Parameters
        ----------
        storage
            Keep the wavefield for `gradient`: every how many steps, within how many bytes, or a plan; None
            keeps none.
        control
            `wavetree._core.Control` that shows the progress and can cancel the run.
        output
            Fields that are written while the simulation runs; read them with
            `EventData.get_wavefield_output` or open the XDMF files in ParaView.
        output_folder
            Where the files of the output go.
        restart_file
            Where the run leaves how far it is, and goes on from; see `wavetree.simulation.restart`.

        Raises
        ------
        Cancelled
            If the control asked for it.
        SimulationFailed
            If the wavefield is no longer finite, or its energy grows after the sources have fallen silent.
        ValueError
            If the output asks for what is not there.
        ProjectError
            If the output cannot be written.
        """
        with self._writing(output, output_folder) as observer:
            ready = self.forward_pass(storage, control, observer)
            ready.do(restart_file)
        data = self.end_forward(ready)
        if output is not None and output_folder is not None:
            data.wavefield_files = output.files(output_folder)
        return data

    def forward_pass(
        self,
        storage: int | WavefieldCompression | StoragePlan | None = None,
        control: Any = None,
        observer: Observer | None = None,
    ) -> ForwardPass:
        """Return the forward run, ready to be done, for `end_forward` to take; see `run`."""
        store = None if storage is None else make_scheme(self._core, self.n_steps, self.storage_plan(storage))
        n_steps = self.n_steps if store is None else store.n_steps
        samples = self._receivers.samples(n_steps)
        return ForwardPass(self.forward_run(n_steps, samples, control, observer), samples, store)

    def end_forward(self, done: ForwardPass) -> EventData:
        """Keep the field of a forward run that has been done and return the records."""
        samples = [self._core.over_ranks(rows[:, : self.n_steps]) for rows in done.samples]
        self._stored = None if done.store is None else _Stored(done.store, samples)
        return self._event_data(samples)

    def energy(self) -> np.ndarray:
        """Run the simulation and return its discrete energy at every step (n_steps,).

        Notes
        -----
        ½ vᵀMv at n − ½ plus ½ u_{n−1}ᵀ K u_n, once the sources are silent, and then constant without damping;
        where fluid and solid meet with the weights diag(K_f, M_s), so that it is not in joules there.
        """
        samples, energy = self._receivers.samples(self.n_steps), np.zeros(self.n_steps)
        run = self.forward_run(self.n_steps, samples, None)
        run.advance(run.start(), self.n_steps, energy=energy)
        return energy

    @property
    def wavefield(self) -> np.ndarray:
        """The stored forward field (n_snapshots, n_values), values as the time steps have them.

        Raises
        ------
        ValueError
            If no run has stored it, or not as snapshots in full precision.
        """
        store = self._stored_field().store
        if not isinstance(store, Snapshots):
            raise ValueError("the wavefield is not stored as snapshots; run with storage=1 or more first.")
        return store.snapshots

    @property
    def stored(self) -> dict[str, np.ndarray]:
        """What the adjoint run needs of the forward run, arrays by name; see `restore`.

        Raises
        ------
        ValueError
            If no run has stored it.
        """
        stored = self._stored_field()
        arrays = stored.store.arrays()
        if "stress" in self._receivers.fields:
            arrays |= {f"samples_{part}": rows for part, rows in enumerate(stored.samples)}
        return arrays

    def restore(self, stored: Mapping[str, np.ndarray], storage: int | StoragePlan) -> None:
        """Take over a stored forward run in place of a run.

        Parameters
        ----------
        stored
            What `stored` returned after a run of the same simulation.
        storage
            The interval or the plan of that run.

        Raises
        ------
        ValueError
            If it belongs to another simulation or plan.
        """
        store = make_scheme(self._core, self.n_steps, self.storage_plan(storage), stored)
        samples = [stored[f"samples_{k}"] for k in range(len(self._core.parts)) if f"samples_{k}" in stored]
        self._stored = _Stored(store, samples)

    # -- adjoint -------------------------------------------------------------------------------

    def adjoint(self, adjoint_sources: Mapping[str, np.ndarray], control: Any = None) -> AdjointResult:
        """Return the derivatives of the misfit by the medium and by the sources, from one adjoint run.

        Parameters
        ----------
        adjoint_sources
            f† by receiver field, (n_receivers, n_components, n_samples), forward in time, with
            ∂χ/∂u_n = dt f†_n and dt the sampling interval of the records.
        control
            `wavetree._core.Control` that shows the progress and can cancel the run.

        Raises
        ------
        ValueError
            If no forward field is stored, or an adjoint source has the wrong shape or is not finite.

        Notes
        -----
        The transpose of the forward run, step by step; exact to rounding if every step is stored.
        """
        ready = self.adjoint_pass(adjoint_sources, control)
        return self.end_adjoint(ready, ready.do())

    def adjoint_pass(self, adjoint_sources: Mapping[str, np.ndarray], control: Any = None) -> AdjointPass:
        """Return the adjoint run, ready to be done, for `end_adjoint` to take; see `adjoint`."""
        store, dt = self._stored_field().store, self.time_axis.dt
        control = control or _core.Control()
        shapes = self._receivers.shapes(self._sampling.axis.npts)
        by_record = at_computed_steps(adjoint_sources, self.receivers, shapes, self._sampling, self.n_steps)
        by_sample = self._receivers.adjoint(by_record, self.n_steps, self._filtered)
        operators, readings = self._receivers.operators, SourceReadings(self._core, self._sources)
        at_sources = readings.samples(store.n_steps + 1)
        run = AdjointRun(
            self._core,
            [
                rows.adjoint_series(dt, store.adjoint_samples(samples))
                for rows, samples in zip(operators, by_sample, strict=True)
            ],
            [rows.series(a) for rows, a in zip(readings.operators, at_sources, strict=True)],
            store.n_steps + 1,
            control,
            self.forward_run(store.n_steps, None, control),
        )
        return AdjointPass(run, store, by_record, operators, readings, at_sources)

    def end_adjoint(self, done: AdjointPass, state: Any) -> AdjointResult:
        """Return the derivatives from an adjoint run that has been done and its last state."""
        core, readings = self._core, done.readings
        at_sources = [core.over_ranks(rows) for rows in done.at_sources]
        n_steps, dt = done.store.n_steps, self.time_axis.dt
        gradients = [core.gradient(state, part) for part in range(len(core.parts))]
        functions, by_function = self._functions(n_steps), readings.by_function(at_sources)[:, :n_steps]
        direct = self._sources.medium_derivative(functions, by_function)
        if "stress" in done.by_record:
            direct[core.media.index("solid")] += self._receivers.stress_derivative(
                self._stored_field().samples, dt * done.by_record["stress"], self._filtered
            )
        return AdjointResult(
            core.derivative([np.add(g, d, out=g) for g, d in zip(gradients, direct, strict=True)]),
            readings.derivatives(at_sources, functions, self._by_evaluated(by_function)),
        )

    def derivative(
        self, adjoint_sources: Mapping[str, np.ndarray], control: Any = None
    ) -> dict[str, np.ndarray]:
        """Return the derivative of the misfit by the medium alone; see `adjoint`.

        Returns
        -------
        dict
            Parameter name to (nelem, n_nodes), misfit per unit of the parameter.
        """
        return self.adjoint(adjoint_sources, control).derivative

    def gradient(self, adjoint_sources: Mapping[str, np.ndarray], control: Any = None) -> Mesh:
        """Return the gradient as a mesh with one density per parameter; see `derivative`.

        The fields are the Riesz representatives in L2, unit: misfit per unit of the parameter per m^dim, with
        FemMassMatrix and Valence beside them.
        """
        return gradient_mesh(self.mesh, self.derivative(adjoint_sources, control))

    # -- details -------------------------------------------------------------------------------

    @property
    def _filtered(self) -> bool:
        return self.configuration.temporal_dispersion_correction

    def _stored_field(self) -> _Stored:
        if self._stored is None:
            raise ValueError("no wavefield is stored; run with storage=1 or more first.")
        return self._stored

    def _functions(self, n_steps: int) -> np.ndarray:
        return self._sources.functions(self.time_axis, self.n_steps, n_steps, self._filtered)

    def _by_evaluated(self, by_function: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The times at which the source time functions are evaluated, and the derivative by the values."""
        return (
            self._sources.evaluation_times(self.time_axis, self.n_steps, self._filtered),
            self._sources.functions_transpose(by_function, self.n_steps, self._filtered),
        )

    def _writing(
        self, output: OutputConfiguration | None, folder: str | Path | None
    ) -> contextlib.AbstractContextManager[Observer | None]:
        if output is None:
            return contextlib.nullcontext()
        output.check(self.mesh, self.time_axis.n_steps)
        if folder is None:
            raise ValueError("output_folder is None; expected the folder that the output is written to.")
        attributes = {"event_name": self.event_name, "dispersion": DISPERSION[self._filtered]}
        return write_output(self._core, output, Path(folder), self.time_axis, attributes)

    def forward_run(
        self, n_steps: int, samples: list[np.ndarray] | None, control: Any, observer: Observer | None = None
    ) -> ForwardRun:
        """Return the forward run that writes the receivers' samples (n_rows, n_steps), if they are given."""
        functions = self._functions(n_steps)
        receivers = [] if samples is None else zip(self._receivers.operators, samples, strict=True)
        return ForwardRun(
            self._core,
            self.time_axis.dt,
            self._sources.operators,
            self._sources.samples(functions),
            [rows.series(s) for rows, s in receivers],
            n_steps,
            silent_from(functions),
            control or _core.Control(),
            observer,
        )

    def _event_data(self, samples: list[np.ndarray]) -> EventData:
        data = {
            field: self._sampling.sample(values).astype(self.precision)
            for field, values in self._receivers.records(samples, self._filtered).items()
        }
        axis = self._sampling.axis
        start, rate = axis.start_time_in_seconds, axis.sampling_rate_in_hertz
        return EventData(self.event_name, self.receivers, data, start, rate, self.sources)


@dataclass(frozen=True)
class _Stored:
    """What a forward run left: the field, and the receivers' samples (n_rows, n_steps) per part."""

    store: StorageScheme
    samples: list[np.ndarray]
