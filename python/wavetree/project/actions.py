"""Actions on a project: misfits and gradients of simulations, smoothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.arrays import read_arrays
from wavetree.errors import Cancelled
from wavetree.mesh import Mesh, gradient_mesh
from wavetree.project.events import EventSelection
from wavetree.project.gradient_check import check_gradient
from wavetree.project.pipeline import MisfitProblem, Pipeline, Resources, warn_of_misfits
from wavetree.project.setup import resolve_storage
from wavetree.project.validation import ValidationActions
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.smoothing import ConstantSmoothing, ModelDependentSmoothing, smooth_model
from wavetree.testing import GradientCertificate

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Actions", "InversionActions"]

_log = logging.getLogger("wavetree")


class Actions:
    """What can be done with a project besides simulating; ``p.actions``.

    Attributes
    ----------
    inversion
        Misfits and gradients.
    validation
        Resolution, time step, memory and geometry.
    """

    def __init__(self, project: Project) -> None:
        self.inversion = InversionActions(project)
        self.validation = ValidationActions(project)


class InversionActions:
    """Misfits, gradients and smoothing; ``p.actions.inversion``.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        # With block=False a call is made again until it returns something: it finds its work here.
        self._open: dict[str, Pipeline] = {}

    def compute_misfits(
        self, simulation_configuration: Any, misfit_configuration: Any, events: EventSelection = None,
        site_name: str = "local", ranks_per_job: int = 1, block: bool = True,
    ) -> dict[str, float] | None:  # fmt: skip
        """Return the misfits of events, running the simulations that are missing.

        Parameters
        ----------
        simulation_configuration, misfit_configuration
            Names of the configurations, or the configurations.
        events
            A name, an Event, a list of either, a collection, or None for all.
        site_name, ranks_per_job
            Where and how to run what is missing.
        block
            Wait for the results.

        Returns
        -------
        dict or None
            Misfit by event name; None with ``block=False`` as long as they are not known.

        Raises
        ------
        SimulationFailed
            If simulations fail.
        Cancelled
            If simulations are cancelled while they are waited for.
        """
        problem = self.problem(simulation_configuration, misfit_configuration, events)
        resources = self._resources(site_name, ranks_per_job)
        pipeline = self._advance(problem, resources, gradients=False, block=block)
        if pipeline is None:
            return None
        misfits = pipeline.misfits()
        warn_of_misfits(misfits, problem.misfit_configuration.observed_data)
        return {name: misfit.misfit for name, misfit in misfits.items()}

    def compute_gradients(
        self, simulation_configuration: Any, misfit_configuration: Any, events: EventSelection = None,
        site_name: str = "local", ranks_per_job: int = 1,
        wavefield_compression: WavefieldCompression | None = None, block: bool = True,
    ) -> dict[str, Mesh] | None:  # fmt: skip
        """Return the gradients of events, running the simulations that are missing.

        Parameters
        ----------
        simulation_configuration, misfit_configuration
            Names of the configurations, or the configurations.
        events
            A name, an Event, a list of either, a collection, or None for all.
        site_name, ranks_per_job
            Where and how to run what is missing.
        wavefield_compression
            How the forward wavefields are kept; None keeps every time step if that takes 2 GiB or less, else
            fewer.
        block
            Wait for the results.

        Returns
        -------
        dict or None
            By event name a mesh with the gradient by each parameter [misfit per parameter per m^d] and
            FemMassMatrix and Valence; None with ``block=False`` as long as they do not exist.

        Raises
        ------
        SimulationFailed
            If simulations fail.
        Cancelled
            If simulations are cancelled while they are waited for.
        """
        problem = self.problem(
            simulation_configuration, misfit_configuration, events, wavefield_compression, gradients=True
        )
        resources = self._resources(site_name, ranks_per_job)
        pipeline = self._advance(problem, resources, gradients=True, block=block)
        if pipeline is None:
            return None
        warn_of_misfits(pipeline.misfits(), problem.misfit_configuration.observed_data)
        mesh = self._project.meshes.get(problem.setup.mesh_digest)
        return {name: gradient_mesh(mesh, raw) for name, raw in pipeline.gradients().items()}

    def sum_gradients(
        self, simulation_configuration: Any, misfit_configuration: Any, events: EventSelection = None
    ) -> Mesh:
        """Return the sum of the gradients of events, of each the most exact one that is stored.

        Parameters
        ----------
        simulation_configuration, misfit_configuration
            Names of the configurations, or the configurations.
        events
            A name, an Event, a list of either, a collection, or None for all.

        Returns
        -------
        Mesh
            As `compute_gradients` returns them. Gradients that are missing are computed.
        """
        problem = self.problem(simulation_configuration, misfit_configuration, events)
        stored = {name: self._stored_gradient(problem, name) for name in problem.forward_tasks}
        missing = [name for name, raw in stored.items() if raw is None]
        if missing:
            self.compute_gradients(simulation_configuration, misfit_configuration, missing)
            stored |= {name: self._stored_gradient(problem, name) for name in missing}
        total: dict[str, np.ndarray] = {}
        for raw in stored.values():
            for parameter, values in (raw or {}).items():
                total[parameter] = total[parameter] + values if parameter in total else values
        return gradient_mesh(self._project.meshes.get(problem.setup.mesh_digest), total)

    def check_gradient(
        self, simulation_configuration: Any, misfit_configuration: Any, events: EventSelection = None,
        parameters: Iterable[str] | None = None, wavefield_compression: WavefieldCompression | None = None,
        generator: np.random.Generator | None = None,
    ) -> GradientCertificate:  # fmt: skip
        """Check that the gradient of events is the derivative of the computed misfit.

        The checks run in this process, in float64 with the wavefield of every step; before they begin, the
        log says how many runs they take, in the order of a hundred for each event.

        Parameters
        ----------
        simulation_configuration, misfit_configuration
            Names of the configurations, or the configurations.
        events
            A name, an Event, a list of either, a collection, or None for all: one is enough for most set-ups.
        parameters
            Names of the parameters that are changed, for example ``["VP"]``; all of the medium when None.
        wavefield_compression
            The storage whose error is measured, together with the precision of the simulation.
        generator
            Draws directions and entries; ``numpy.random.default_rng(0)`` when None.

        Returns
        -------
        GradientCertificate
            Dot product defect, Taylor remainders and single entries, and the errors of precision and storage:
            it prints as a table, has ``passed`` and ``plot()``.

        Raises
        ------
        ValueError
            If a parameter is unknown, or the misfit and so its gradient is zero: the observed data are the
            synthetic ones.
        SimulationFailed
            If the observed data have to be simulated and that fails.

        Notes
        -----
        See `wavetree.testing.certify_gradient`.
        """
        problem = self.problem(
            simulation_configuration, misfit_configuration, events, wavefield_compression, gradients=True
        )
        misfits = self.compute_misfits(simulation_configuration, misfit_configuration, events)
        if not any((misfits or {}).values()):
            raise ValueError(
                f"the misfit {problem.misfit_configuration.name!r} of {problem.setup.name!r} is zero, and so "
                "is its gradient; expected observed data that differ from the synthetic ones."
            )
        return check_gradient(problem, parameters, generator or np.random.default_rng(0))

    def smooth_model(
        self, model: Any, smoothing_configuration: ConstantSmoothing | ModelDependentSmoothing,
        site_name: str = "local", ranks_per_job: int = 1,
    ) -> Mesh:  # fmt: skip
        """Return a smoothed model or gradient; see `wavetree.smoothing.smooth_model`.

        Parameters
        ----------
        model
            A mesh, such as a model or a gradient, or the name of a simulation configuration.
        smoothing_configuration
            The lengths [m] of the fields that are smoothed; the others stay as they are.
        site_name, ranks_per_job
            Where and how to run.

        Raises
        ------
        ValueError
            If the model has no field of a name.
        """
        mesh = model if isinstance(model, Mesh) else self._project.simulations.get_mesh(model)
        if isinstance(smoothing_configuration, ModelDependentSmoothing):
            smoothing_configuration = smoothing_configuration.resolve(self._project.simulations.get_mesh)
        return smooth_model(
            mesh, smoothing_configuration, self._project.sites.threads(site_name, ranks_per_job)
        )

    def problem(
        self, simulation_configuration: Any, misfit_configuration: Any, events: EventSelection = None,
        wavefield_compression: WavefieldCompression | None = None, gradients: bool = False,
    ) -> MisfitProblem:  # fmt: skip
        """Return what misfits (and gradients) of events are to be had of, as the pipeline takes it."""
        project = self._project
        misfit = project.misfit_configuration(misfit_configuration)
        selected = project.events.select(events)
        project.simulations.check(simulation_configuration, selected)
        setup = project.simulations.setup(simulation_configuration)
        storage = None
        if gradients:
            storage = resolve_storage(project.store, project.meshes, setup, selected, wavefield_compression)
        return MisfitProblem(
            setup=setup,
            misfit_configuration=misfit,
            events=tuple(selected),
            observed=project.waveforms.observed(misfit.observed_data, selected),
            storage=storage,
        )

    def _resources(self, site_name: str, ranks_per_job: int) -> Resources:
        return Resources(self._project.sites.threads(site_name, ranks_per_job), site_name=site_name)

    def _advance(
        self, problem: MisfitProblem, resources: Resources, gradients: bool, block: bool
    ) -> Pipeline | None:
        """Return the pipeline once it is done; None while it is not and nobody wants to wait."""
        simulations = self._project.simulations
        simulations.register(problem.forward_tasks.values())
        simulations.register(data.task for data in problem.observed.values() if data.task is not None)
        key = f"{problem.digest()}/{gradients}"
        pipeline = self._open.pop(key, None)
        if pipeline is None:
            pipeline = self._project.pipeline(problem, resources)
            if gradients:
                _log.info("Gradients of %s: %s an event.", problem.setup.name, problem.storage)
        if block:
            if not pipeline.wait(gradients):
                raise Cancelled("the simulations were cancelled; what is finished is kept.")
            return pipeline
        if pipeline.advance_gradients() if gradients else pipeline.advance_misfits():
            return pipeline
        self._open[key] = pipeline
        return None

    def _stored_gradient(self, problem: MisfitProblem, name: str) -> dict[str, np.ndarray] | None:
        """The raw derivative with the smallest expected error."""
        runner = self._project.runner
        forward, misfit = problem.forward_tasks[name].digest(), problem.misfit_digests[name]
        for record in runner.store.list_gradients(forward, misfit):
            file = runner.folder_of(record.task) / "gradient.h5"
            if file.is_file():
                return read_arrays(file)[0]
        return None
