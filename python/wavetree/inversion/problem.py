"""An inverse problem made ready to run: mesh, mapping, space and pipelines about its prior."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

import wavetree.config
from wavetree.config import content_digest
from wavetree.errors import ConflictError
from wavetree.inversion.configuration import InverseProblemConfiguration
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
from wavetree.project.setup import SimulationSetup, resolve_storage
from wavetree.project.simulations import threads_of
from wavetree.simulation.time_axis import TimeAxis, maximum_time_step
from wavetree.survey.event import Event

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["FixedParts", "InverseProblem", "settled_parts"]

_log = logging.getLogger("wavetree")


@dataclass(frozen=True)
class FixedParts:
    """What is found once, when the first iteration is added, and holds for the whole tree.

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
    """

    mesh: str
    conditions: list[dict[str, Any]]
    time_axis: dict[str, Any]
    events: list[str]
    storage: dict[str, Any]
    digests: dict[str, str]

    def check(self, current: Mapping[str, str], name: str) -> None:
        """Raise ConflictError if something that results depend on has changed since."""
        changed = [what for what, digest in self.digests.items() if current.get(what) != digest]
        if changed:
            raise ConflictError(
                f"{', '.join(changed[:5])} changed since the iterations of {name!r} were computed; restore "
                "what it was, add an inverse problem of another name, or delete the iterations with "
                f"p.inversions.delete({name!r})."
            )


def settled_parts(project: Project, configuration: InverseProblemConfiguration) -> FixedParts:
    """Return what an inverse problem is fixed to, as the project is now."""
    chosen = configuration.events
    selected = project.events.select(None if chosen is None else list(chosen))
    check_receiver_field(project.misfit_configuration(configuration.misfit_configuration), selected)
    project.simulations.check(configuration.prior_model, selected)
    setup = project.simulations.setup(configuration.prior_model)
    axis = setup.time_axis
    events = [str(event.event_name) for event in selected]
    storage = resolve_storage(
        project.store, project.meshes, setup, selected, configuration.wavefield_compression
    )
    _log.info("Gradients of %r: %s an event.", configuration.name, storage)
    return FixedParts(
        mesh=setup.mesh_digest,
        conditions=[condition.to_dict() for condition in setup.boundary_conditions],
        time_axis={"start": axis.start, "dt": axis.dt, "n_steps": axis.n_steps},
        events=events,
        storage=storage.to_dict(),
        digests=_digests(project, configuration, events),
    )


def _digests(
    project: Project, configuration: InverseProblemConfiguration, events: list[str]
) -> dict[str, str]:
    misfit = project.misfit_configuration(configuration.misfit_configuration)
    observed = project.waveforms.observed(misfit.observed_data, events)
    prior = project.entities.get("simulation_configuration", configuration.prior_model)
    selected = project.events.select(events)
    return {
        f"inverse problem configuration {configuration.name!r}": configuration.numbers().digest(),
        f"simulation configuration {configuration.prior_model!r}": prior.digest(),
        f"misfit configuration {misfit.name!r}": misfit.digest(),
        f"the content of the events of {configuration.name!r}": content_digest(
            [e.digest() for e in selected]
        ),
        f"the observed data {misfit.observed_data!r}": content_digest([observed[e].digest for e in events]),
    }


class InverseProblem:
    """An inverse problem of a project.

    Parameters
    ----------
    project
        The project.
    configuration
        The configuration.
    fixed
        What it was fixed to when its first iteration was added.

    Raises
    ------
    ConflictError
        If what results depend on has changed since.
    """

    def __init__(
        self, project: Project, configuration: InverseProblemConfiguration, fixed: FixedParts
    ) -> None:
        fixed.check(_digests(project, configuration, fixed.events), configuration.name)
        self.name = configuration.name
        self.configuration = configuration
        self.project = project
        self.fixed = fixed
        self.method = configuration.method
        self.state_files = StateFiles(project.path)
        # A pipeline knows what it has issued, so one is kept while its tasks run.
        self._pipelines: dict[str, Pipeline] = {}

    # -- what is fixed -------------------------------------------------------------------------

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh with the prior material."""
        return self.project.meshes.get(self.fixed.mesh)

    @cached_property
    def mapping(self) -> BoundMapping:
        """The mapping about the prior."""
        return self.configuration.mapping.bind(self.mesh)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The events in the order in which they are summed."""
        return tuple(self.project.events.select(self.fixed.events))

    @cached_property
    def misfit_configuration(self) -> MisfitConfiguration:
        """How synthetic and observed data are compared."""
        return self.project.misfit_configuration(self.configuration.misfit_configuration)

    @cached_property
    def observed(self) -> dict[str, ObservedData]:
        """Observed data by event name."""
        return self.project.waveforms.observed(self.misfit_configuration.observed_data, self.fixed.events)

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
        return Space(inner, self._precondition, self.mapping.blocks, self._changes)

    @cached_property
    def _smoothing(self) -> Any:
        preconditioner = self.configuration.preconditioner
        return None if preconditioner is None else preconditioner.build(self.mesh, self.mesh.tensor_order)

    def _precondition(self, flat: np.ndarray) -> np.ndarray:
        if self._smoothing is None:
            return flat.copy()
        return self.mapping.pack(self._smoothing.apply(self.mapping.unpack(flat)))

    def riesz(self, derivative: np.ndarray) -> np.ndarray:
        """Return the gradient in the space's inner product from a derivative by nodal values (size,)."""
        return derivative / self._weights

    def gradient_mesh(self, derivative: np.ndarray, smoothed: bool) -> Mesh:
        """Return a derivative by nodal values (size,) as densities [misfit per unit and m^d] on the mesh."""
        mapping = self.mapping
        density = derivative / mapping.pack(dict.fromkeys(mapping.parameters, mapping.mass))
        return density_mesh(self.mesh, mapping.unpack(self._precondition(density) if smoothed else density))

    # -- models and their simulations ----------------------------------------------------------

    def store_model(self, p: np.ndarray) -> tuple[str | None, str | None]:
        """Store the mesh of a model.

        Parameters
        ----------
        p
            Inversion parameters (size,).

        Returns
        -------
        digest, refusal
            The digest of the mesh, or why the model cannot be simulated; the other is None.
        """
        material = self.mapping.forward(p)
        refusal = self.mapping.refusal(material)
        if refusal is not None:
            return None, refusal
        mesh, step = self.mapping.mesh(material), self.prior_setup.time_axis.dt
        largest = maximum_time_step(mesh, self.prior_setup.boundary_conditions)
        if largest < step:
            return None, (
                f"its largest stable time step, {largest:g} s, is below that of the inversion, {step:g} s; "
                "give the prior a smaller time_step_in_seconds if this recurs"
            )
        return self.project.meshes.put(mesh, xdmf=False), None

    def pipeline(self, mesh_digest: str, label: str) -> Pipeline:
        """Return the pipeline of a model; the one that is at work if there is one.

        Parameters
        ----------
        mesh_digest
            Digest of the mesh with the model.
        label
            What users read in the labels of its simulations.
        """
        if mesh_digest not in self._pipelines:
            self._pipelines[mesh_digest] = self.project.pipeline(
                self._misfit_problem(mesh_digest, label), self._resources
            )
        return self._pipelines[mesh_digest]

    def release(self, mesh_digest: str | None = None) -> None:
        """Forget the pipeline of a model that is done; when None, those of which nothing runs any more.

        One whose tasks were stopped or have failed would not issue them again.
        """
        for digest in [mesh_digest] if mesh_digest is not None else list(self._pipelines):
            if digest == mesh_digest or not self._pipelines[digest].is_active():
                self._pipelines.pop(digest, None)

    def has_result(self, pipeline: Pipeline, event: str) -> bool:
        """Whether the gradient of an event can be had without another forward run."""
        runner = self.project.runner
        return runner.is_done(pipeline.adjoint_tasks[event]) or runner.is_done(
            pipeline.problem.forward_tasks[event]
        )

    def _misfit_problem(self, mesh_digest: str, label: str) -> MisfitProblem:
        setup = self.prior_setup
        if mesh_digest != self.fixed.mesh:
            file = self.project.meshes.path(mesh_digest)
            setup = replace(setup, name=label, mesh_file=file, mesh_digest=mesh_digest)
        problem = MisfitProblem(
            setup=setup,
            misfit_configuration=self.misfit_configuration,
            events=self.events,
            observed=self.observed,
            storage=wavetree.config.load(self.fixed.storage),
        )
        if mesh_digest == self.fixed.mesh:
            self.project.simulations.register(problem.forward_tasks.values())
            observed = (data.task for data in self.observed.values())
            self.project.simulations.register(task for task in observed if task is not None)
        return problem

    @cached_property
    def _resources(self) -> Resources:
        site = self.configuration.job_submission
        threads = threads_of(site.site_name, site.ranks_per_job, site.threads_per_rank)
        return Resources(threads, site.wall_time_in_seconds_per_job)
