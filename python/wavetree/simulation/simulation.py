"""A simulation of one event: plan, forward run, gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree import _core
from wavetree.data.event_data import EventData
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh, acoustic_medium, gradient_mesh
from wavetree.simulation import dispersion
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import PARAMETERS, PRECISIONS, make_core, make_store
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step, resolve
from wavetree.simulation.wavefield import extra_steps, smooth_adjoint_sources, storage_schedule
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D

__all__ = ["Simulation", "SimulationPlan"]

_FIELD = "phi"


@dataclass(frozen=True)
class SimulationPlan:
    """What a simulation will do and need.

    Attributes
    ----------
    n_elements, n_dofs, order
        Size of the mesh with its absorbing layers, and polynomial order.
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
    """

    n_elements: int
    n_dofs: int
    order: int
    time_axis: TimeAxis
    n_steps: int
    maximum_time_step: float
    memory_in_bytes: int
    snapshot_in_bytes: int
    point_updates: int

    def __str__(self) -> str:
        axis = self.time_axis
        return "\n".join(
            [
                "SimulationPlan",
                f"    {self.n_elements} elements of order {self.order}, {self.n_dofs} degrees of freedom",
                (
                    f"    {self.n_steps} steps of {axis.dt:.4g} s "
                    f"(stable up to {self.maximum_time_step:.4g} s), {axis.start:.4g} to {axis.end:.4g} s"
                ),
                (
                    f"    {self.memory_in_bytes / 2**20:.1f} MiB, "
                    f"{self.snapshot_in_bytes / 2**20:.2f} MiB a snapshot"
                ),
                f"    {self.point_updates / 1e6:.4g} million element-node updates",
            ]
        )


class Simulation:
    """Acoustic waves of one event on a mesh.

    Parameters
    ----------
    mesh
        Domain with VP [m/s] and RHO [kg/m^3]; the order of these fields is the order of the wavefield.
    sources, receivers
        Sources with their source time functions, and receivers.
    waveform_simulation_configuration
        Time span, time step, precision.
    boundary_conditions
        Conditions on side sets; those of the configuration when None. Sides without one are rigid.
    precision
        ``"float32"`` or ``"float64"``; that of the configuration when None.
    time_axis
        A time axis that `wavetree.simulation.time_axis.resolve` made for this mesh; found when None.
    threads
        OpenMP threads; results have the same bits for every number.
    event_name
        Name of the records.
    instruction_set
        Kernel set; the best of the processor when None.

    Raises
    ------
    ValueError
        If a position lies outside the mesh, a source has no time function, a field is missing or not
        positive, an element is inverted, or the time step is too large.

    Notes
    -----
    (1/(ρ vp²)) φ_tt = ∇·((1/ρ)∇φ) + Σ_s f_s s(t) δ(x − x_s), spectral elements and central differences in
    time. With `temporal_dispersion_correction` the source time functions and records pass the filters of
    `wavetree.simulation.dispersion`, and the gradient their transposes.

    Examples
    --------
    >>> import wavetree as wt
    >>> from wavetree.mesh import box_mesh
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
        sources: Iterable[ScalarPoint2D],
        receivers: Iterable[Point2D],
        waveform_simulation_configuration: WaveformSimulationConfiguration,
        boundary_conditions: Iterable[BoundaryCondition] | None = None,
        precision: str | None = None,
        *,
        time_axis: TimeAxis | None = None,
        threads: int = 1,
        event_name: str = "event",
        instruction_set: str | None = None,
    ) -> None:
        self.configuration = waveform_simulation_configuration
        self.precision = precision or self.configuration.precision
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if boundary_conditions is None:
            boundary_conditions = self.configuration.boundary_conditions
        self.boundary_conditions = tuple(boundary_conditions)
        self.mesh = acoustic_medium(mesh, mesh.tensor_order)
        self.sources, self.receivers = list(sources), list(receivers)
        self.event_name = event_name
        self._check_survey()
        self._core, self._extended = make_core(
            self.mesh, self.boundary_conditions, self.precision, threads, instruction_set
        )
        functions = [source.source_time_function for source in self.sources]
        self._stfs = [stf for stf in functions if stf is not None]  # none is None, after the check above
        self.time_axis = time_axis or resolve(
            self.mesh, self._stfs, self.configuration, self.boundary_conditions
        )
        self._stored: _Stored | None = None

    # -- plan ----------------------------------------------------------------------------------

    @property
    def maximum_time_step(self) -> float:
        """Largest stable time step [s]."""
        return maximum_time_step(self.mesh, self.boundary_conditions)

    @property
    def n_steps(self) -> int:
        """Number of computed time steps, at least those of the time axis."""
        n_samples = self.time_axis.n_samples
        return n_samples - 1 + (dispersion.margin(n_samples) if self._filtered else 0)

    def plan(self) -> SimulationPlan:
        """Return size, time axis, memory and cost without running anything."""
        n_elements, order = self._extended.mesh.nelem, self.mesh.tensor_order
        return SimulationPlan(
            n_elements=n_elements,
            n_dofs=self._core.n_dofs,
            order=order,
            time_axis=self.time_axis,
            n_steps=self.n_steps,
            maximum_time_step=self.maximum_time_step,
            memory_in_bytes=self._core.memory_in_bytes,
            snapshot_in_bytes=self._core.n_dofs * np.dtype(self.precision).itemsize,
            point_updates=n_elements * (order + 1) ** self.mesh.dim * self.n_steps,
        )

    # -- forward -------------------------------------------------------------------------------

    def run(self, wavefield_sampling_interval: int | None = None, control: Any = None) -> EventData:
        """Run the simulation and return the records.

        Parameters
        ----------
        wavefield_sampling_interval
            Keep the wavefield at every n-th step for `gradient`; None keeps none.
        control
            `wavetree._core.Control` that shows the progress and can cancel the run.

        Raises
        ------
        Cancelled
            If the control asked for it.
        SimulationFailed
            If the wavefield is no longer finite.
        """
        store = stored = None
        n_steps = self.n_steps
        if wavefield_sampling_interval is not None:
            stored = _Stored(self, wavefield_sampling_interval)
            n_steps, store = stored.n_steps, stored.store
        records = self._core.forward(
            self.time_axis.dt,
            n_steps,
            self._positions(self.sources),
            self._source_samples(n_steps),
            self._positions(self.receivers),
            store,
            control or _core.Control(),
        )[:, : self.n_steps + 1]
        self._stored = stored
        n_samples, every = (
            self.time_axis.n_samples,
            self.configuration.receiver_sampling_interval_in_time_steps,
        )
        if self._filtered:
            records = dispersion.filter_records(records)
        values = records[:, None, :n_samples:every].astype(self.precision)
        rate = 1.0 / (every * self.time_axis.dt)
        return EventData(
            self.event_name, self.receivers, {_FIELD: values}, self.time_axis.start, rate, self.sources
        )

    @property
    def wavefield(self) -> np.ndarray:
        """The stored forward field (n_snapshots, n_dofs), of the mesh with its absorbing layers.

        Raises
        ------
        ValueError
            If no run has stored it.
        """
        return self._stored_field().snapshots

    def restore(self, wavefield: np.ndarray, wavefield_sampling_interval: int) -> None:
        """Take over a stored forward field in place of a run.

        Parameters
        ----------
        wavefield
            What `wavefield` returned after a run of the same simulation, (n_snapshots, n_dofs).
        wavefield_sampling_interval
            The interval of that run.
        """
        self._stored = _Stored(self, wavefield_sampling_interval, wavefield)

    # -- adjoint -------------------------------------------------------------------------------

    def derivative(
        self, adjoint_sources: Mapping[str, np.ndarray], control: Any = None
    ) -> dict[str, np.ndarray]:
        """Return the derivative of the misfit by every element-nodal value of every parameter.

        Parameters
        ----------
        adjoint_sources
            f† by receiver field, (n_receivers, n_components, n_samples), forward in time, with
            ∂χ/∂u_n = dt f†_n and dt the sampling interval of the records.
        control
            `wavetree._core.Control` that shows the progress and can cancel the run.

        Returns
        -------
        dict
            Parameter name to (nelem, n_nodes), misfit per unit of the parameter.

        Raises
        ------
        ValueError
            If no forward field is stored, or an adjoint source has the wrong shape or is not finite.

        Notes
        -----
        The transpose of the forward run, step by step; exact to rounding if every step is stored.
        """
        stored = self._stored_field()
        gradient = self._core.adjoint(
            self.time_axis.dt,
            stored.n_steps,
            self._positions(self.receivers),
            stored.adjoint_samples(self._adjoint_samples(adjoint_sources)),
            stored.store,
            control or _core.Control(),
        )
        return {name: self._extended.collect(g) for name, g in zip(PARAMETERS, gradient, strict=True)}

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

    def _check_survey(self) -> None:
        for source in self.sources:
            if source.source_time_function is None:
                raise ValueError(
                    f"the source at {source.location} has no source_time_function; give it one, for example "
                    "Ricker(center_frequency=...)."
                )
        self.mesh.locate(self._positions([*self.sources, *self.receivers]))

    @staticmethod
    def _positions(points: Iterable[Any]) -> np.ndarray:
        return np.array([point.location for point in points], dtype=np.float64).reshape(-1, 2)

    def _stored_field(self) -> _Stored:
        if self._stored is None:
            raise ValueError("no wavefield is stored; run with wavefield_sampling_interval=1 or more first.")
        return self._stored

    def _source_samples(self, n_steps: int) -> np.ndarray:
        """Amplitudes at the computed steps (n_sources, n_steps), filtered if asked for."""
        # Filtered on a length that does not depend on what is stored, for the same bits with and without.
        n_samples = 2 * (self.n_steps + 1)
        n_extended = dispersion.extended_length(n_samples) if self._filtered else n_samples
        times = self.time_axis.start + self.time_axis.dt * np.arange(n_extended)
        samples = np.zeros((len(self.sources), n_steps))
        for row, source, stf in zip(samples, self.sources, self._stfs, strict=True):
            values = source.f * stf.evaluate(times)
            row[:] = (dispersion.filter_source(values, n_samples) if self._filtered else values)[:n_steps]
        return samples

    def _adjoint_samples(self, adjoint_sources: Mapping[str, np.ndarray]) -> np.ndarray:
        """Transpose of what `run` does to the records: (n_receivers, n_steps + 1)."""
        for field in adjoint_sources:
            if field != _FIELD:
                raise unknown_name("receiver field", field, [_FIELD])
        if _FIELD not in adjoint_sources:
            raise ValueError(f"adjoint_sources is empty; expected the adjoint source of {_FIELD!r}.")
        every = self.configuration.receiver_sampling_interval_in_time_steps
        n_samples = self.time_axis.n_samples
        expected = (len(self.receivers), 1, len(range(0, n_samples, every)))
        given = np.asarray(adjoint_sources[_FIELD], dtype=np.float64)
        if given.shape != expected:
            raise ValueError(
                f"adjoint_sources[{_FIELD!r}] has shape {given.shape}; expected {expected}, "
                "that of the records."
            )
        if not np.isfinite(given).all():
            receiver = self.receivers[int(np.argwhere(~np.isfinite(given))[0, 0])].name
            raise ValueError(
                f"adjoint_sources[{_FIELD!r}] is NaN or infinite, first at receiver {receiver!r}; expected "
                "finite numbers: look at the misfit and its observed records there."
            )
        samples = np.zeros((len(self.receivers), self.n_steps + 1))
        samples[:, :n_samples:every] = every * given[:, 0]
        return dispersion.filter_records_transpose(samples) if self._filtered else samples


class _Stored:
    """The forward field of one simulation at every interval-th step of a run, as the adjoint run reads it."""

    def __init__(self, simulation: Simulation, interval: int, snapshots: np.ndarray | None = None) -> None:
        n_samples = simulation.n_steps + 1
        # The source is known on twice the computed steps, so the run may go on for as long again.
        self.n_steps = simulation.n_steps + min(extra_steps(interval), n_samples)
        self.interval = interval
        steps, weights = storage_schedule(self.n_steps, interval)
        expected = (len(steps), simulation._core.n_dofs)
        if snapshots is None:
            snapshots = np.empty(expected, dtype=simulation.precision)
        if snapshots.shape != expected or snapshots.dtype != simulation.precision:
            raise ValueError(
                f"wavefield has shape {snapshots.shape} and type {snapshots.dtype}; expected {expected} and "
                f"{simulation.precision}: it belongs to another simulation or interval."
            )
        self.snapshots = np.ascontiguousarray(snapshots)
        self.store = make_store(simulation.precision, steps, weights, self.snapshots)

    def adjoint_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return adjoint sources as the run on these snapshots needs them, (n_receivers, n_steps + 1)."""
        return np.ascontiguousarray(smooth_adjoint_sources(samples, self.interval)[:, : self.n_steps + 1])
