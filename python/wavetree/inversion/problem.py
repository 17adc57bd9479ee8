"""An inverse problem made ready to run: mesh, mapping, space and pipelines about its prior."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

import wavetree.config
from wavetree.config import content_digest
from wavetree.errors import ConflictError
from wavetree.inversion.configuration import InverseProblemConfiguration
from wavetree.inversion.preconditioner import (
    Preconditioner,
    build_preconditioner,
    needs_illumination,
    reference_models,
)
from wavetree.inversion.settings import NodeSettings
from wavetree.inversion.state_files import StateFiles
from wavetree.mapping import BoundMapping
from wavetree.mesh import Mesh, density_mesh
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.optimize import Space, weighted_inner
from wavetree.project.pipeline import (
    MisfitProblem,
    ObservedData,
    Pipeline,
    Resources,
    check_receiver_field,
)
from wavetree.project.setup import (
    SimulationSetup,
    resolve_instruction_set,
    resolve_lanes,
    resolve_storage,
)
from wavetree.simulation.configuration import MeshReference, WavefieldCompression
from wavetree.simulation.illumination_task import IlluminationTask
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step
from wavetree.survey.event import Event

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["FixedParts", "InverseProblem", "StoredModel", "settled_parts"]

_log = logging.getLogger("wavetree")


@dataclass(frozen=True)
class FixedParts:
    """What is found once, when the first iteration with some settings is added, and holds for all with them.

    Attributes
    ----------
    mesh, conditions, time_axis
        Of the prior: digest of its mesh, boundary conditions and time axis as JSON content.
    events
        Names of the events.
    storage
        How forward wavefields are kept, as JSON content.
    digests
        Content of everything that results depend on, by what users read.
    validation
        Names of the events that are not inverted.
    events_in_lanes
        Whether events run in lanes.
    """

    mesh: str
    conditions: list[dict[str, Any]]
    time_axis: dict[str, Any]
    events: list[str]
    storage: dict[str, Any]
    digests: dict[str, str]
    validation: list[str] = field(default_factory=list)
    events_in_lanes: bool = False

    def check(self, current: Mapping[str, str], name: str) -> None:
        """Raise ConflictError if something that results depend on has changed since."""
        changed = [what for what, digest in self.digests.items() if current.get(what) != digest]
        if changed:
            raise ConflictError(
                f"{', '.join(changed[:5])} changed since the iterations of {name!r} were computed; restore "
                "what it was, add an inverse problem of another name, or delete the iterations with "
                f"p.inversions.delete({name!r})."
            )


def settled_parts(
    project: Project,
    configuration: InverseProblemConfiguration,
    settings: NodeSettings | None = None,
    events: Sequence[str] | None = None,
) -> FixedParts:
    """Return what an inverse problem, or a branch with other settings, is fixed to, as the project is now.

    Parameters
    ----------
    project
        The project.
    configuration
        The configuration, with the settings' overrides in it.
    settings
        Prior and time step where they are not those of the prior model.
    events
        Names of the events that are inverted where the configuration names none; all of the project when
        None. Validation events are none of them.
    """
    settings = settings or NodeSettings()
    held_out = configuration.validation_events or ()
    names = configuration.events or [name for name in events or project.events.list() if name not in held_out]
    if not names:
        raise ValueError(
            f"validation_events of {configuration.name!r} are all events, so none is left to invert; "
            "expected events besides them."
        )
    selected = project.events.select(list(names))
    validation = project.events.select(list(held_out)) if held_out else []
    everything = [*selected, *validation]
    check_receiver_field(project.misfit_configuration(configuration.misfit_configuration), everything)
    project.simulations.check(configuration.prior_model, everything)
    setup = _setup(project, configuration, settings)
    axis = setup.time_axis
    storage = resolve_storage(
        project.store, project.meshes, setup, selected, _compression(configuration, settings)
    )
    _log.info("Gradients of %r: %s an event.", configuration.name, storage)
    batch = configuration.batch
    n_events = len(selected) if batch is None else min(batch.initial_batch_size, len(selected))
    lanes = resolve_lanes(project.store, project.meshes, setup, n_events, storage)
    return FixedParts(
        mesh=setup.mesh_digest,
        conditions=[condition.to_dict() for condition in setup.boundary_conditions],
        time_axis={"start": axis.start, "dt": axis.dt, "n_steps": axis.n_steps},
        events=[str(event.event_name) for event in selected],
        storage=storage.to_dict(),
        digests=_digests(project, configuration, everything),
        validation=[str(event.event_name) for event in validation],
        events_in_lanes=lanes,
    )


def _setup(
    project: Project, configuration: InverseProblemConfiguration, settings: NodeSettings
) -> SimulationSetup:
    """The simulation of the prior with the settings' mesh and time step."""
    setup = project.simulations.setup(configuration.prior_model)
    axis, divisor = setup.time_axis, settings.time_step_divisor
    if divisor > 1:
        setup = replace(setup, time_axis=TimeAxis(axis.start, axis.dt / divisor, axis.n_steps * divisor))
    if settings.base is not None:
        setup = replace(setup, mesh_digest=settings.base, mesh_file=project.meshes.path(settings.base))
    return setup


def _compression(
    configuration: InverseProblemConfiguration, settings: NodeSettings
) -> WavefieldCompression | None:
    """A sampling interval counts time steps: it grows as these get smaller."""
    given = configuration.wavefield_compression
    if given is None or given.forward_wavefield_sampling_interval is None:
        return given
    interval = given.forward_wavefield_sampling_interval * settings.time_step_divisor
    return replace(given, forward_wavefield_sampling_interval=interval)


def _digests(
    project: Project, configuration: InverseProblemConfiguration, events: Sequence[Event]
) -> dict[str, str]:
    misfit = project.misfit_configuration(configuration.misfit_configuration)
    names = [str(event.event_name) for event in events]
    observed = project.waveforms.observed(misfit.observed_data, names)
    models = (configuration.prior_model, *reference_models(configuration.preconditioner))
    simulations = {name: project.entities.get("simulation_configuration", name) for name in models}
    content = [event.digest() for event in events]
    return {
        f"inverse problem configuration {configuration.name!r}": configuration.numbers().digest(),
        **{f"simulation configuration {name!r}": one.digest() for name, one in simulations.items()},
        f"misfit configuration {misfit.name!r}": misfit.digest(),
        f"the content of the events of {configuration.name!r}": content_digest(content),
        f"the observed data {misfit.observed_data!r}": content_digest([observed[n].digest for n in names]),
    }


@dataclass(frozen=True)
class StoredModel:
    """What became of a model that was to be stored.

    Attributes
    ----------
    mesh
        Digest of its mesh; None if it cannot be simulated.
    refusal
        Why not, in words.
    unstable
        Whether its time step would have to be smaller than that of the inversion.
    """

    mesh: str | None = None
    refusal: str | None = None
    unstable: bool = False


class InverseProblem:
    """An inverse problem of a project.

    Parameters
    ----------
    project
        The project.
    configuration
        The configuration.
    fixed
        What it was fixed to when its first iteration was added, or that of a branch with other settings.

    Raises
    ------
    ConflictError
        If what results depend on has changed since.
    """

    def __init__(
        self, project: Project, configuration: InverseProblemConfiguration, fixed: FixedParts
    ) -> None:
        events = project.events.select([*fixed.events, *fixed.validation])
        fixed.check(_digests(project, configuration, events), configuration.name)
        self.name = configuration.name
        self.configuration = configuration
        self.project = project
        self.fixed = fixed
        self.method = configuration.method
        self.state_files = StateFiles(project.path)
        # A pipeline knows what it has issued, so one is kept while its tasks run.
        self._pipelines: dict[tuple[str, tuple[str, ...], bool], Pipeline] = {}

    # -- what is fixed -------------------------------------------------------------------------

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh with the prior material."""
        return self.project.meshes.get(self.fixed.mesh)

    @cached_property
    def mapping(self) -> BoundMapping:
        """The mapping about the prior, with the places of all sources and receivers if it needs them."""
        mapping = self.configuration.mapping
        if isinstance(mapping.inversion_mesh, MeshReference):
            mapping = mapping.with_inversion_mesh(self.project.meshes.get(mapping.inversion_mesh.mesh_digest))
        if not mapping.needs_positions:
            return mapping.bind(self.mesh)
        events: list[Any] = [
            event.resolve(self.mesh) for event in self.project.events.select(self.fixed.events)
        ]
        sources = np.array([source.location for event in events for source in event.sources])
        receivers = np.array([receiver.location for event in events for receiver in event.receivers])
        return mapping.bind(self.mesh, sources, receivers)

    @cached_property
    def misfit_configuration(self) -> MisfitConfiguration:
        """How synthetic and observed data are compared."""
        own = self.project.misfit_configuration(self.configuration.misfit_configuration)
        band = self.configuration.frequency_band
        return own if band is None else replace(own, frequency_band=band)

    @cached_property
    def observed(self) -> dict[str, ObservedData]:
        """Observed data by event name."""
        names = [*self.fixed.events, *self.fixed.validation]
        return self.project.waveforms.observed(self.misfit_configuration.observed_data, names)

    @cached_property
    def prior_setup(self) -> SimulationSetup:
        """The simulation of the prior, with the time axis that all models are simulated with."""
        prior = self.project.entities.get("simulation_configuration", self.configuration.prior_model)
        return SimulationSetup(
            name=prior.name,
            mesh_file=self.project.meshes.path(self.fixed.mesh),
            mesh_digest=self.fixed.mesh,
            event_configuration=prior.event_configuration,
            boundary_conditions=tuple(wavetree.config.load(self.fixed.conditions)),
            time_axis=TimeAxis(**self.fixed.time_axis),
            instruction_set=resolve_instruction_set(self.project.store),
            events_in_lanes=self.fixed.events_in_lanes,
        )

    @property
    def precision(self) -> str:
        """Precision of the simulations."""
        return self.prior_setup.event_configuration.waveform_simulation_configuration.precision

    # -- the space of the optimiser ------------------------------------------------------------

    @cached_property
    def _changes(self) -> dict[str, float]:
        return self.method.initial_change(self.mapping.default_changes())

    @cached_property
    def _weights(self) -> np.ndarray:
        """G/r_k² of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k², one block a parameter."""
        scales = self.method.parameter_scales(self._changes)
        return self.mapping.pack({k: self.mapping.mass / scales[k] ** 2 for k in self.mapping.parameters})

    @cached_property
    def space(self) -> Space:
        """Inner product, preconditioner and blocks."""
        inner = weighted_inner(self._weights)
        mapping = self.mapping
        return Space(inner, self._precondition, mapping.blocks, self._changes, mapping.sizes)

    @cached_property
    def _preconditioner(self) -> Preconditioner:
        mesh = self.mapping.inversion_mesh
        return build_preconditioner(
            self.configuration.preconditioner,
            mesh,
            mesh.tensor_order,
            self._illumination(),
            self.project.simulations.get_mesh,
        )

    def _precondition(self, flat: np.ndarray) -> np.ndarray:
        return self.mapping.pack(self._preconditioner.apply(self.mapping.unpack(flat)))

    def advance_illumination(self) -> bool:
        """Do what can be done now and return whether the preconditioner can be had.

        A pseudo-Hessian needs the illumination of the prior by all events; without one nothing is to be done.

        Raises
        ------
        SimulationFailed
            When nothing runs any more and events have failed.
        """
        if not needs_illumination(self.configuration.preconditioner):
            return True
        pipeline = self._prior_pipeline
        self.register(pipeline)
        return pipeline.advance_illumination()

    @property
    def _prior_pipeline(self) -> Pipeline:
        return self.pipeline(self.fixed.mesh, f"{self.name}, prior")

    @property
    def illumination_tasks(self) -> dict[str, IlluminationTask]:
        """The runs that the preconditioner is computed from, by event name."""
        if not needs_illumination(self.configuration.preconditioner):
            return {}
        return self._prior_pipeline.illumination_tasks

    def _illumination(self) -> np.ndarray | None:
        if not needs_illumination(self.configuration.preconditioner):
            return None
        return self.mapping.average(self._prior_pipeline.illumination())

    def riesz(self, derivative: np.ndarray) -> np.ndarray:
        """Return the gradient in the space's inner product from a derivative by nodal values (size,)."""
        return derivative / self._weights

    def gradient_mesh(self, derivative: np.ndarray, smoothed: bool) -> Mesh:
        """Return a derivative by nodal values (size,) as densities [misfit per unit and m^d] on the mesh."""
        mapping = self.mapping
        density = derivative / mapping.pack(dict.fromkeys(mapping.parameters, mapping.mass))
        shown = self._precondition(density) if smoothed else density
        return density_mesh(mapping.inversion_mesh, mapping.unpack(shown))

    # -- models and their simulations ----------------------------------------------------------

    def store_model(self, p: np.ndarray) -> StoredModel:
        """Store the mesh of a model, or say why it cannot be simulated.

        Parameters
        ----------
        p
            Inversion parameters (size,).
        """
        material = self.mapping.forward(p)
        refusal = self.mapping.refusal(material)
        if refusal is not None:
            return StoredModel(refusal=refusal)
        mesh, step = self.mapping.mesh(material), self.prior_setup.time_axis.dt
        largest = maximum_time_step(mesh, self.prior_setup.boundary_conditions)
        if largest < step:
            refusal = (
                f"its largest stable time step, {largest:g} s, is below that of the inversion, {step:g} s; "
                "if this recurs, the inversion's is halved"
            )
            return StoredModel(refusal=refusal, unstable=True)
        return StoredModel(self.project.meshes.put(mesh, xdmf=False))

    def pipeline(self, mesh_digest: str, label: str, events: Sequence[str] | None = None) -> Pipeline:
        """Return the pipeline of a model; the one that is at work if there is one.

        Parameters
        ----------
        mesh_digest
            Digest of the mesh with the model.
        label
            What users read in the labels of its simulations.
        events
            Names of the events; all that are inverted when None.
        """
        return self._pipeline(mesh_digest, label, tuple(events or self.fixed.events), keeps=True)

    def validation_pipeline(self, mesh_digest: str, label: str) -> Pipeline:
        """Return the pipeline of the misfits of the events that are not inverted; see `pipeline`."""
        return self._pipeline(mesh_digest, label, tuple(self.fixed.validation), keeps=False)

    def _pipeline(self, mesh_digest: str, label: str, events: tuple[str, ...], keeps: bool) -> Pipeline:
        key = (mesh_digest, events, keeps)
        if key not in self._pipelines:
            problem = self._misfit_problem(mesh_digest, label, events, keeps)
            self._pipelines[key] = self.project.pipeline(problem, self._resources)
        return self._pipelines[key]

    def register(self, pipeline: Pipeline) -> None:
        """Count what a pipeline is about to run of simulations with a name as launched."""
        problem = pipeline.problem
        if pipeline.issued or problem.setup.mesh_digest != self._prior_mesh:
            return
        self.project.simulations.register(problem.forward_tasks.values())
        observed = (problem.observed[event].task for event in problem.forward_tasks)
        self.project.simulations.register(task for task in observed if task is not None)

    def release(self, mesh_digest: str | None = None) -> None:
        """Forget the pipelines of a model that is done; when None, those of which nothing runs any more.

        One whose tasks were stopped or have failed would not issue them again.
        """
        for key in list(self._pipelines):
            if key[0] == mesh_digest or (mesh_digest is None and not self._pipelines[key].is_active()):
                del self._pipelines[key]

    def has_result(self, pipeline: Pipeline, event: str) -> bool:
        """Whether the gradient of an event can be had without another forward run."""
        runner = self.project.runner
        return runner.is_done(pipeline.adjoint_tasks[event]) or runner.is_done(
            pipeline.problem.forward_tasks[event]
        )

    def _misfit_problem(
        self, mesh_digest: str, label: str, events: tuple[str, ...], keeps: bool
    ) -> MisfitProblem:
        setup = self.prior_setup
        if mesh_digest != self._prior_mesh:
            file = self.project.meshes.path(mesh_digest)
            setup = replace(setup, name=label, mesh_file=file, mesh_digest=mesh_digest)
        return MisfitProblem(
            setup=setup,
            misfit_configuration=self.misfit_configuration,
            events=tuple(self.project.events.select(list(events))),
            observed=self.observed,
            storage=wavetree.config.load(self.fixed.storage) if keeps else None,
        )

    @cached_property
    def _prior_mesh(self) -> str:
        """Digest of the prior model's mesh, whose simulations users know by its name."""
        return self.project.simulations.mesh_and_conditions(self.configuration.prior_model)[0]

    @cached_property
    def _resources(self) -> Resources:
        site = self.configuration.job_submission
        threads = self.project.sites.threads(site.site_name, site.ranks_per_job, site.threads_per_rank)
        return Resources(threads, site.wall_time_in_seconds_per_job, site.site_name)
