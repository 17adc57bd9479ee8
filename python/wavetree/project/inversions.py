"""Inversions of a project: trees of iterations, advanced, asked for and deleted."""

from __future__ import annotations

import dataclasses
import logging
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavetree.arrays import read_arrays
from wavetree.errors import ConflictError
from wavetree.inversion.advance import OpenIteration, advance_all
from wavetree.inversion.branch import Branches
from wavetree.inversion.configuration import InverseProblemConfiguration, SiteConfig
from wavetree.inversion.disposables import Disposables
from wavetree.inversion.iteration import Iteration, IterationTree
from wavetree.inversion.node import Node
from wavetree.inversion.problem import InverseProblem
from wavetree.inversion.problems import Problems
from wavetree.mesh import Mesh
from wavetree.project.store import IterationRecord

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Inversions"]

# Inside `Inversions` the name list is that of a method.
Names = list[str]
Records = list[IterationRecord]
Ids = list[int]
Opened = list[OpenIteration]
FileList = list[Path]
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
        self._problems = Problems(project)
        self._branches = Branches(project, self._problems)

    def list(self) -> Names:
        """Return the names of all inverse problems."""
        return self._project.entities.list(_KIND)

    def add_iteration(
        self, inverse_problem_configuration: Any, preceding_iteration_id: int | None = None, **overrides: Any
    ) -> None:
        """Add an iteration, or change the settings of one that has not been begun.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        preceding_iteration_id
            The finished iteration to branch from. When None: iteration 0 if there is none, nothing if the
            newest is open, else the newest's child.
        **overrides
            Settings of the new iteration and those that follow from it, by the configuration's field:
            ``events``, ``misfit_configuration``, ``frequency_band``, ``mapping``, ``preconditioner``,
            ``method``, ``batch``, ``validation_events``, ``wavefield_compression``, ``job_submission`` or
            ``prior_model``; all others are those of the preceding iteration. Without
            `preceding_iteration_id` they change those of the newest iteration if it has not been begun.
            ``events=None`` takes all that the project has.

        Raises
        ------
        ValueError
            If the preceding iteration is unknown or open, settings are unknown or do not fit, or those of an
            iteration were to be changed that has been begun.
        ConflictError
            If what results depend on has changed since the tree was begun.

        Notes
        -----
        A child starts from the accepted trial of its parent with the parent's curvature history; where the
        parent ended without one, or other settings make another function of the misfit, with an empty history
        and a new first radius. With another mapping or prior model the parent's model becomes the prior.

        Examples
        --------
        >>> p.inversions.run("inversion", 5)
        >>> p.inversions.add_iteration("inversion", frequency_band=wt.FrequencyBand(None, 8.0))
        >>> p.inversions.run("inversion", 5)
        """
        name = self._name(inverse_problem_configuration)
        records = self._project.store.list_iterations(name)
        if not records and preceding_iteration_id is None:
            self._branches.begin(name, overrides)
        elif preceding_iteration_id is None and _is_open(records[-1]):
            self._branches.change(records[-1], overrides)
        else:
            parent = records[-1].id if preceding_iteration_id is None else preceding_iteration_id
            self._branches.add(self._project.store.load_iteration(name, parent), overrides)

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
        opened = self._open(name, iteration_id, None)
        try:
            return advance_all(opened)
        finally:
            for iteration in opened:
                iteration.release()

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
            Longest time to take [s], but a misfit or stage that was begun ends; None waits for ever.
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
            If the iteration named is unknown or finished, or a misfit cannot be had of the records of events.
        SimulationFailed, WavetreeError
            When nothing runs any more and simulations or misfits have failed; the next call repeats these.
        KeyboardInterrupt
            As it came; the running simulations have been stopped, what is finished stays.
        """
        deadline = math.inf if timeout_in_seconds is None else time.monotonic() + timeout_in_seconds
        name = self._name(inverse_problem_configuration)
        if iteration_id is None and not self._project.store.list_iterations(name):
            self._branches.begin(name)
        opened = self._open(name, iteration_id, delete_disposable_files)

        def progress() -> float:
            return sum(iteration.progress for iteration in opened)

        try:
            while True:
                left = deadline - time.monotonic()
                done = self._project.runner.block(
                    lambda: advance_all(opened), progress, len(opened),
                    timeout=None if math.isinf(left) else left,
                    ping=ping_interval_in_seconds, description=f"iteration of {name}",
                )  # fmt: skip
                # The runner knows of nothing to wait for while another process does the work.
                left = deadline - time.monotonic()
                if done or left <= 0.0 or not any(one.is_held_elsewhere for one in opened):
                    return done
                time.sleep(min(ping_interval_in_seconds, left))
        finally:
            for iteration in opened:
                iteration.release()

    def run(
        self, inverse_problem_configuration: Any, n_iterations: int | None = None,
        until: Callable[[Iteration], bool] | None = None, timeout_in_seconds: float | None = None,
        iteration_id: int | None = None, **settings: Any,
    ) -> int:  # fmt: skip
        """Call `iterate` again and again and return how many times it came to an end.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        n_iterations
            How often; fewer when the inversion converges or stops, or at the timeout. When None, until one of
            these.
        until
            Asked before every iteration for the open ones, whose misfit is that of the accepted trial: the
            run ends when it returns True for one.
        timeout_in_seconds
            Longest time for all of them [s]; None waits for ever.
        iteration_id
            The open iteration to go on from, branch by branch; all open ones when None.
        **settings
            ``ping_interval_in_seconds`` and ``delete_disposable_files``, as for `iterate`.

        Examples
        --------
        >>> p.inversions.run("inversion", 20, until=lambda newest: (newest.misfit or 1.0) < 1e-3)
        """
        if n_iterations is not None and (int(n_iterations) != n_iterations or n_iterations < 1):
            raise ValueError(
                f"n_iterations={n_iterations!r} is not valid; expected a whole number, at least 1, or None."
            )
        name = self._name(inverse_problem_configuration)
        if iteration_id is not None:
            self._chosen(name, iteration_id)
        deadline = None if timeout_in_seconds is None else time.monotonic() + timeout_in_seconds
        done = 0
        while n_iterations is None or done < n_iterations:
            records = self._project.store.list_iterations(name)
            opened = [r for r in records if _is_open(r) and iteration_id in (None, r.id)]
            if records and not opened:
                self._say_end(name, records, iteration_id)
                break
            if until is not None and any(until(self.get_iteration(name, r.id)) for r in opened):
                _log.info("Inversion %r has reached what it was run until.", name)
                break
            left = None if deadline is None else deadline - time.monotonic()
            if not self.iterate(name, left, iteration_id=iteration_id, **settings):
                break
            done += 1
            if iteration_id is not None:
                iteration_id = self._child(name, iteration_id)
        return done

    def get_iteration(self, inverse_problem_configuration: Any, iteration_id: int) -> Iteration:
        """Return the figures of an iteration; unknown ids raise ValueError."""
        name = self._name(inverse_problem_configuration)
        return self._iteration(self._project.store.load_iteration(name, iteration_id), self._children(name))

    def tree(self, inverse_problem_configuration: Any) -> IterationTree:
        """Return all iterations; it prints as a table."""
        name = self._name(inverse_problem_configuration)
        records, children = self._project.store.list_iterations(name), self._children(name)
        return IterationTree(name, tuple(self._iteration(record, children) for record in records))

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
            prior = self._project.simulations.get_mesh(problem.configuration.prior_model)
            material = {k: v - prior.element_nodal_fields[k] for k, v in material.items()}
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

    def delete_disposable_files(self, inverse_problem_configuration: Any = None) -> int:
        """Delete what can be computed again of rejected trials and finished iterations, and what is orphaned.

        Wavefields, simulations and meshes go; models, gradients and figures stay, and so does everything
        that an open iteration or a running process needs, and every simulation with a name of its own.
        Orphans are temporary files of killed processes, what sites keep of jobs that have ended, and what
        belonged to iterations that were deleted.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration; all that have iterations when None. Orphans
            of all are deleted in any case.

        Returns
        -------
        int
            Bytes freed.

        Raises
        ------
        ConflictError
            If what results of an inverse problem depend on has changed: what belongs to it is not known.
        """
        given = inverse_problem_configuration
        return self._disposables().delete(None if given is None else self._name(given))

    def disposable_files(self) -> FileList:
        """Return what `delete_disposable_files` would delete: files, and folders of tasks."""
        return self._disposables().files()

    def delete(self, inverse_problem_configuration: Any, iteration_id: int | None = None) -> None:
        """Delete iterations of an inverse problem; its configuration stays.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        iteration_id
            The iteration at the end of a branch to delete; all iterations when None.

        Raises
        ------
        ProjectError
            If the iteration has children.
        """
        name = self._name(inverse_problem_configuration)
        store, folder = self._project.store, self._project.path / "inversions" / name
        if iteration_id is not None:
            record = store.load_iteration(name, iteration_id)
            store.delete_iteration(record)
            self._problems.forget_unused(name, Node.from_document(record.document).settings)
            shutil.rmtree(folder / f"{iteration_id:04d}", ignore_errors=True)
            return
        for record in reversed(store.list_iterations(name)):
            store.delete_iteration(record)
        self._problems.forget(name)
        shutil.rmtree(folder, ignore_errors=True)

    def set_job_submission_configuration(
        self, inverse_problem_configuration: Any, job_submission: SiteConfig
    ) -> None:
        """Change where the simulations of an inverse problem run but in branches that say it themselves."""
        name = self._name(inverse_problem_configuration)
        self._project.sites.check(job_submission.site_name)
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

    def _children(self, name: str) -> dict[int, Ids]:
        """Children of all iterations of an inverse problem that have some, by id."""
        found: dict[int, Ids] = {}
        for problem, number, parent in self._project.store.iteration_ids():
            if problem == name and parent is not None:
                found.setdefault(parent, []).append(number)
        return found

    def _iteration(self, record: IterationRecord, children: dict[int, Ids]) -> Iteration:
        settings = Node.from_document(record.document).settings
        return Iteration.of(
            record,
            children.get(record.id, []),
            self._problems.fixed(record.problem, settings).events,
            self._problems.configuration(record.problem, settings),
        )

    def _disposables(self) -> Disposables:
        return Disposables(self._project, self._problems)

    def _child(self, name: str, iteration_id: int) -> int:
        """The newest child of an iteration, itself if it has none."""
        records = self._project.store.list_iterations(name)
        return max((r.id for r in records if r.parent == iteration_id), default=iteration_id)

    def _say_end(self, name: str, records: Records, iteration_id: int | None) -> None:
        last = next((r for r in records if r.id == iteration_id), records[-1])
        if last.document["outcome"] == "accepted":
            _log.info("Inversion %r has no open iteration; p.inversions.add_iteration adds one.", name)
        else:
            _log.info("Inversion %r has ended: %s.", name, last.document["reason"])

    def _node(self, inverse_problem_configuration: Any, iteration_id: int) -> tuple[InverseProblem, Node]:
        name = self._name(inverse_problem_configuration)
        record = self._project.store.load_iteration(name, iteration_id)
        node = Node.from_document(record.document)
        return self._problems.of(name, node.settings), node

    def _open(self, name: str, iteration_id: int | None, delete_disposable_files: bool | None) -> Opened:
        """The open iterations that are meant."""
        self._problems.of(name)
        self._problems.release(name)
        opened = self._chosen(name, iteration_id)
        if not opened:
            self._say_end(name, self._project.store.list_iterations(name), None)
        for record in opened:
            _log.info("Resuming iteration %d of %r.", record.id, name)
        store = self._project.store
        return [OpenIteration(store, self._problems, r, delete_disposable_files) for r in opened]

    def _chosen(self, name: str, iteration_id: int | None) -> Records:
        """The open iteration of an id, all open ones when None."""
        opened = [r for r in self._project.store.list_iterations(name) if _is_open(r)]
        chosen = [r for r in opened if iteration_id in (None, r.id)]
        if chosen or iteration_id is None:
            return chosen
        self._project.store.load_iteration(name, iteration_id)
        raise ValueError(
            f"iteration_id={iteration_id} of {name!r} is finished; open are {[r.id for r in opened]}: name "
            f"one of these, or branch with p.inversions.add_iteration({name!r}, "
            f"preceding_iteration_id={iteration_id})."
        )


def _no_iterations(name: str) -> ValueError:
    return ValueError(
        f"inverse problem {name!r} has no iterations; add one with p.inversions.add_iteration({name!r})."
    )


def _is_open(record: IterationRecord) -> bool:
    return Node.from_document(record.document).is_open
