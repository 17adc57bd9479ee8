"""Actions on a project: misfits and gradients of simulations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.arrays import read_arrays
from wavetree.errors import Cancelled
from wavetree.mesh import Mesh, gradient_mesh
from wavetree.project.events import EventSelection
from wavetree.project.pipeline import MisfitProblem, Pipeline, Resources, warn_of_misfits
from wavetree.project.setup import sampling_interval
from wavetree.project.simulations import threads_of
from wavetree.simulation.configuration import WavefieldCompression

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Actions", "InversionActions"]


class Actions:
    """What can be done with a project besides simulating; ``p.actions``.

    Attributes
    ----------
    inversion
        Misfits and gradients.
    """

    def __init__(self, project: Project) -> None:
        self.inversion = InversionActions(project)


class InversionActions:
    """Misfits and gradients of simulations; ``p.actions.inversion``.

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
        resources = Resources(threads_of(site_name, ranks_per_job))
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
            How the forward wavefields are kept; None keeps every time step where that is small enough.
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
        resources = Resources(threads_of(site_name, ranks_per_job))
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

    def problem(
        self, simulation_configuration: Any, misfit_configuration: Any, events: EventSelection = None,
        wavefield_compression: WavefieldCompression | None = None, gradients: bool = False,
    ) -> MisfitProblem:  # fmt: skip
        """Return what misfits (and gradients) of events are to be had of, as the pipeline takes it."""
        project = self._project
        setup = project.simulations.setup(simulation_configuration)
        misfit = project.misfit_configuration(misfit_configuration)
        selected = project.events.select(events)
        interval = None
        if gradients:
            interval = sampling_interval(wavefield_compression, setup, project.meshes.get(setup.mesh_digest))
        return MisfitProblem(
            setup=setup,
            misfit_configuration=misfit,
            events=tuple(selected),
            observed=project.waveforms.observed(misfit.observed_data, selected),
            wavefield_sampling_interval=interval,
        )

    def _advance(
        self, problem: MisfitProblem, resources: Resources, gradients: bool, block: bool
    ) -> Pipeline | None:
        """Return the pipeline once it is done; None while it is not and nobody wants to wait."""
        simulations = self._project.simulations
        simulations.register(problem.forward_tasks.values())
        simulations.register(data.task for data in problem.observed.values() if data.task is not None)
        key = f"{problem.digest()}/{gradients}"
        pipeline = self._open.pop(key, None) or self._project.pipeline(problem, resources)
        if block:
            if not pipeline.wait(gradients):
                raise Cancelled("the simulations were cancelled; what is finished is kept.")
            return pipeline
        if pipeline.advance_gradients() if gradients else pipeline.advance_misfits():
            return pipeline
        self._open[key] = pipeline
        return None

    def _stored_gradient(self, problem: MisfitProblem, name: str) -> dict[str, np.ndarray] | None:
        """The raw derivative from the wavefield with the smallest sampling interval."""
        runner = self._project.runner
        forward, misfit = problem.forward_tasks[name].digest(), problem.misfit_digests[name]
        for record in runner.store.list_gradients(forward, misfit):
            file = runner.folder_of(record.task) / "gradient.h5"
            if file.is_file():
                return read_arrays(file)[0]
        return None
