"""Inversions of a project: trees of iterations, advanced, asked for and deleted."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import time
from typing import TYPE_CHECKING, Any

from wavetree.arrays import read_arrays
from wavetree.errors import ConflictError, unknown_name
from wavetree.inversion.advance import OpenIteration
from wavetree.inversion.configuration import InverseProblemConfiguration, SiteConfig
from wavetree.inversion.disposal import Disposal
from wavetree.inversion.iteration import Iteration, IterationTree
from wavetree.inversion.node import Node
from wavetree.inversion.problem import FixedParts, InverseProblem, settled_parts
from wavetree.inversion.stages import first_node, next_node
from wavetree.mesh import Mesh
from wavetree.project.simulations import check_site
from wavetree.project.store import IterationRecord

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Inversions"]

# Inside `Inversions` the name list is that of a method.
Names = list[str]
Records = list[IterationRecord]
Ids = list[int]
Opened = list[OpenIteration]
_KIND = "inverse_problem_configuration"
_log = logging.getLogger("wavetree")


class Inversions:
    """The inversions of a project; ``p.inversions``.

    Parameters
    ----------
    project
        The project.

    Notes
    -----
    Every change of an iteration is one transaction, and what follows from it is computed the same way
    however often it is interrupted: killed at any instant, the next call goes on with the same numbers.
    Mesh and time axis of the prior are used throughout.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._problems: dict[str, tuple[list[str], InverseProblem]] = {}

    def list(self) -> Names:
        """Return the names of all inverse problems."""
        return self._project.entities.list(_KIND)

    def add_iteration(
        self, inverse_problem_configuration: Any, preceding_iteration_id: int | None = None
    ) -> None:
        """Add an iteration.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        preceding_iteration_id
            The finished iteration to branch from. When None: iteration 0 if there is none, nothing if the
            newest is open, else the newest's child.

        Raises
        ------
        ValueError
            If the preceding iteration is unknown or open.
        ConflictError
            If what results depend on has changed since the tree was begun.

        Notes
        -----
        A child starts from the accepted trial of its parent with the parent's curvature history; where the
        parent ended without one, from the parent's model with an empty history and a new first radius.
        """
        name = self._name(inverse_problem_configuration)
        records = self._project.store.list_iterations(name)
        if not records and preceding_iteration_id is None:
            self._begin(name)
        elif preceding_iteration_id is None and Node.from_document(records[-1].document).is_open:
            _log.info("Iteration %d of %r is open, nothing is added.", records[-1].id, name)
        else:
            parent = records[-1].id if preceding_iteration_id is None else preceding_iteration_id
            self._add_child(name, self._project.store.load_iteration(name, parent))

    def resume(self, inverse_problem_configuration: Any, iteration_id: int | None = None) -> bool:
        """Do what can be done now and return; simulations go on in the background.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        iteration_id
            The open iteration to advance; all open ones when None.

        Returns
        -------
        bool
            Whether the iterations are finished. One whose step was accepted has a child then.

        Raises
        ------
        ValueError
            If there is no iteration, or the one named is unknown or finished.
        SimulationFailed
            When nothing runs any more and simulations have failed; the next call repeats these.
        """
        name = self._name(inverse_problem_configuration)
        if not self._project.store.list_iterations(name):
            raise _no_iterations(name)
        finished = [iteration.advance() for iteration in self._open(name, iteration_id, None)]
        return all(finished)

    def iterate(
        self, inverse_problem_configuration: Any, timeout_in_seconds: float | None = None,
        ping_interval_in_seconds: float = 1.0, delete_disposable_files: bool | None = None,
        iteration_id: int | None = None,
    ) -> bool:  # fmt: skip
        """Finish the open iteration and add the next one with the accepted trial's model.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration; iteration 0 is added if there is none.
        timeout_in_seconds
            Longest time to wait [s]; None waits for ever.
        ping_interval_in_seconds
            Longest time between two looks [s]; the end of a simulation wakes the waiter at once.
        delete_disposable_files
            None deletes the wavefields of rejected trials and finished iterations, True their simulations
            and meshes too, False nothing.
        iteration_id
            The open iteration to finish; all open ones when None.

        Returns
        -------
        bool
            True when finished, also if the inversion has converged or stopped; False at the timeout (work
            goes on in the background) and when simulations were cancelled.

        Raises
        ------
        ValueError
            If the iteration named is unknown or finished.
        SimulationFailed
            When nothing runs any more and simulations have failed; the next call repeats these.
        KeyboardInterrupt
            As it came; the running simulations have been stopped, what is finished stays.
        """
        name = self._name(inverse_problem_configuration)
        if iteration_id is None and not self._project.store.list_iterations(name):
            self._begin(name)
        opened = self._open(name, iteration_id, delete_disposable_files)

        def advance() -> bool:
            finished = [iteration.advance() for iteration in opened]
            return all(finished)

        def progress() -> float:
            return sum(iteration.progress for iteration in opened)

        return self._project.runner.block(
            advance, progress, len(opened), timeout=timeout_in_seconds, ping=ping_interval_in_seconds,
            description=f"iteration of {name}",
        )  # fmt: skip

    def run(
        self, inverse_problem_configuration: Any, n_iterations: int,
        timeout_in_seconds: float | None = None, ping_interval_in_seconds: float = 1.0,
        delete_disposable_files: bool | None = None,
    ) -> int:  # fmt: skip
        """Call `iterate` again and again and return how many times it came to an end.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        n_iterations
            How often; fewer when the inversion converges or stops, or at the timeout.
        timeout_in_seconds
            Longest time for all of them [s]; None waits for ever.
        ping_interval_in_seconds, delete_disposable_files
            As for `iterate`.
        """
        if int(n_iterations) != n_iterations or n_iterations < 1:
            raise ValueError(
                f"n_iterations={n_iterations!r} is not valid; expected a whole number, at least 1."
            )
        name = self._name(inverse_problem_configuration)
        deadline = None if timeout_in_seconds is None else time.monotonic() + timeout_in_seconds
        for done in range(int(n_iterations)):
            records = self._project.store.list_iterations(name)
            if records and not any(Node.from_document(r.document).is_open for r in records):
                _log.info("Inversion %r has ended: %s.", name, records[-1].document["reason"])
                return done
            left = None if deadline is None else deadline - time.monotonic()
            if not self.iterate(name, left, ping_interval_in_seconds, delete_disposable_files):
                return done
        return int(n_iterations)

    def get_iteration(self, inverse_problem_configuration: Any, iteration_id: int) -> Iteration:
        """Return the figures of an iteration; unknown ids raise ValueError."""
        name = self._name(inverse_problem_configuration)
        self._project.store.load_iteration(name, iteration_id)
        return self.tree(name).iterations[self._ids(name).index(iteration_id)]

    def tree(self, inverse_problem_configuration: Any) -> IterationTree:
        """Return all iterations; it prints as a table."""
        name = self._name(inverse_problem_configuration)
        records = self._project.store.list_iterations(name)
        if not records:
            return IterationTree(name, ())
        settings = self._configuration(name)
        events = self._fixed(name).events
        children = {r.id: [c.id for c in records if c.parent == r.id] for r in records}
        return IterationTree(
            name, tuple(Iteration.of(record, children[record.id], events, settings) for record in records)
        )

    def get_misfits(self, inverse_problem_configuration: Any) -> dict[int, dict[str, float]]:
        """Return the misfits of all events by iteration id, of the iterations where they are known."""
        tree = self.tree(inverse_problem_configuration)
        return {iteration.id: iteration.misfits for iteration in tree if iteration.misfits is not None}

    def get_model(self, inverse_problem_configuration: Any, iteration_id: int, absolute: bool = True) -> Mesh:
        """Return the model of an iteration.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        iteration_id
            The iteration.
        absolute
            Give the material itself; False gives its difference from the prior.

        Returns
        -------
        Mesh
            The mesh of the prior with VP [m/s] and RHO [kg/m^3].
        """
        problem, node = self._node(inverse_problem_configuration, iteration_id)
        model = problem.mapping.prior
        if node.model_file is not None:
            model = read_arrays(self._project.path / node.model_file, ["model"])[0]["model"]
        material = problem.mapping.forward(model)
        if not absolute:
            material = {k: v - problem.mesh.element_nodal_fields[k] for k, v in material.items()}
        return problem.mapping.mesh(material)

    def get_gradient(
        self, inverse_problem_configuration: Any, iteration_id: int, preconditioned: bool = False
    ) -> Mesh:
        """Return the gradient of an iteration by the inversion parameters.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        iteration_id
            The iteration.
        preconditioned
            Give the gradient after the preconditioner.

        Returns
        -------
        Mesh
            The inversion parameters' densities [misfit per unit of the parameter and m^d], FemMassMatrix and
            Valence.

        Raises
        ------
        ValueError
            If the iteration has no gradient yet.
        """
        problem, node = self._node(inverse_problem_configuration, iteration_id)
        if node.derivative_file is None:
            raise ValueError(
                f"iteration {iteration_id} of {problem.name!r} has no gradient yet, its stage is "
                f"{node.stage!r}; call p.inversions.iterate({problem.name!r}) first."
            )
        derivative = read_arrays(self._project.path / node.derivative_file)[0]["derivative"]
        return problem.gradient_mesh(derivative, preconditioned)

    def delete_disposable_files(self, inverse_problem_configuration: Any) -> int:
        """Delete what can be computed again of rejected trials and finished iterations.

        Wavefields, simulations and meshes go; models, gradients and figures stay.

        Returns
        -------
        int
            Bytes freed.
        """
        problem = self._problem(self._name(inverse_problem_configuration))
        records = self._project.store.list_iterations(problem.name)
        nodes = [Node.from_document(record.document) for record in records]
        return Disposal(problem, policy=True).of_nodes(nodes)

    def delete(self, inverse_problem_configuration: Any) -> None:
        """Delete all iterations of an inverse problem; its configuration stays."""
        name = self._name(inverse_problem_configuration)
        for record in reversed(self._project.store.list_iterations(name)):
            self._project.store.delete_iteration(record)
        self._project.store.delete_note(_key(name))
        self._problems.pop(name, None)
        shutil.rmtree(self._project.path / "inversions" / name, ignore_errors=True)

    def set_job_submission_configuration(
        self, inverse_problem_configuration: Any, job_submission: SiteConfig
    ) -> None:
        """Change where and how the simulations of an inverse problem run; results do not depend on it."""
        name = self._name(inverse_problem_configuration)
        check_site(job_submission.site_name)
        changed = dataclasses.replace(self._configuration(name), job_submission=job_submission)
        self._project.add_to_project(changed, overwrite=True)

    # -- details -------------------------------------------------------------------------------

    def _name(self, inverse_problem_configuration: Any) -> str:
        """The name of a configuration; one given as object has to be that of the project."""
        given = inverse_problem_configuration
        name = given if isinstance(given, str) else str(getattr(given, "name", given))
        stored = self._project.store.get_entity(_KIND, name)
        if not isinstance(given, str) and stored.digest != given.digest():
            raise ConflictError(
                f"inverse problem configuration {name!r} is in the project with other content than the one "
                "given; pass its name, or add it with p.add_to_project(configuration, overwrite=True)."
            )
        return name

    def _configuration(self, name: str) -> InverseProblemConfiguration:
        configuration: InverseProblemConfiguration = self._project.entities.get(_KIND, name)
        return configuration

    def _ids(self, name: str) -> Ids:
        return [record.id for record in self._project.store.list_iterations(name)]

    def _fixed(self, name: str) -> FixedParts:
        return FixedParts(**self._project.store.get_note(_key(name)))

    def _begin(self, name: str) -> None:
        """Add iteration 0; what the tree is fixed to is stored first, and again if a kill came between."""
        configuration = self._configuration(name)
        check_site(configuration.job_submission.site_name)
        fixed = settled_parts(self._project, configuration)
        InverseProblem(self._project, configuration, fixed).mapping  # noqa: B018 (finds bad input)
        self._project.store.set_note(_key(name), dataclasses.asdict(fixed))
        record = self._project.store.add_iteration(name, None, first_node(time.time()).to_document())
        _log.info("Adding iteration %d of %r.", record.id, name)

    def _add_child(self, name: str, parent: IterationRecord) -> None:
        node = Node.from_document(parent.document)
        if node.is_open:
            raise ValueError(
                f"preceding_iteration_id={parent.id} is an open iteration of {name!r} at stage "
                f"{node.stage!r}; finish it with p.inversions.iterate, or branch from a finished one."
            )
        self._problem(name)
        child = next_node(node, time.time()).to_document()
        record = self._project.store.add_iteration(name, parent.id, child)
        _log.info("Adding iteration %d of %r after iteration %d.", record.id, name, parent.id)
        if node.outcome != "accepted":
            _log.info("It starts without history, iteration %d %s.", parent.id, node.reason)

    def _problem(self, name: str) -> InverseProblem:
        """The inverse problem; kept while nothing that it is made of has changed."""
        store, configuration = self._project.store, self._configuration(name)
        note = store.get_note(_key(name))
        if note is None:
            raise _no_iterations(name)
        fixed = FixedParts(**note)
        used = [("simulation_configuration", configuration.prior_model), (_KIND, name)]
        used += [("misfit_configuration", configuration.misfit_configuration)]
        used += [("event", event) for event in fixed.events]
        made_of = [store.get_entity(kind, entity).digest for kind, entity in used]
        if self._problems.get(name, ([], None))[0] != made_of:
            self._problems[name] = (made_of, InverseProblem(self._project, configuration, fixed))
        return self._problems[name][1]

    def _node(self, inverse_problem_configuration: Any, iteration_id: int) -> tuple[InverseProblem, Node]:
        name = self._name(inverse_problem_configuration)
        record = self._project.store.load_iteration(name, iteration_id)
        return self._problem(name), Node.from_document(record.document)

    def _open(self, name: str, iteration_id: int | None, delete_disposable_files: bool | None) -> Opened:
        """The open iterations that are meant."""
        problem = self._problem(name)
        problem.release()
        records = self._project.store.list_iterations(name)
        opened = [r for r in records if Node.from_document(r.document).is_open]
        if iteration_id is not None:
            chosen = [r for r in opened if r.id == iteration_id]
            if not chosen:
                self._refuse_finished(records, opened, name, iteration_id)
            opened = chosen
        if not opened:
            _log.info("Iteration %d of %r: %s.", records[-1].id, name, records[-1].document["reason"])
        for record in opened:
            _log.info("Resuming iteration %d of %r.", record.id, name)
        return [OpenIteration(problem, record, delete_disposable_files) for record in opened]

    @staticmethod
    def _refuse_finished(records: Records, opened: Records, name: str, iteration_id: int) -> None:
        known = [str(record.id) for record in records]
        if str(iteration_id) not in known:
            raise unknown_name(f"iteration of {name!r}", iteration_id, known)
        raise ValueError(
            f"iteration_id={iteration_id} of {name!r} is finished; open are {[r.id for r in opened]}: name "
            f"one of these, or branch with p.inversions.add_iteration({name!r}, "
            f"preceding_iteration_id={iteration_id})."
        )


def _no_iterations(name: str) -> ValueError:
    return ValueError(
        f"inverse problem {name!r} has no iterations; add one with p.inversions.add_iteration({name!r})."
    )


def _key(name: str) -> str:
    return f"inverse_problem/{name}"
