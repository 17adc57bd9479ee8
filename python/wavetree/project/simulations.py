"""Simulations of a project: launched, asked for and deleted."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wavetree.config
from wavetree.arrays import write_text
from wavetree.config import content_digest
from wavetree.errors import ConflictError
from wavetree.mesh import Mesh
from wavetree.project.events import EventSelection
from wavetree.project.setup import (
    SETUP_VERSION,
    SimulationSetup,
    resolve_instruction_set,
    resolve_lanes,
    resolve_time_axis,
)
from wavetree.simulation.configuration import build_mesh, resolve_boundary_conditions
from wavetree.simulation.output import OutputConfiguration
from wavetree.simulation.placement import check_events
from wavetree.simulation.task import ForwardTask
from wavetree.survey.event import Event

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Simulations"]

# Inside `Simulations` the name list is that of a method.
Names = list[str]
Paths = list[Path]
Tasks = list[ForwardTask]

_log = logging.getLogger("wavetree")


class Simulations:
    """The simulations of a project; ``p.simulations``.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        # Digests of meshes and events that were found to fit; looking costs a search in the mesh.
        self._checked: set[tuple[str, str]] = set()

    def list(self) -> Names:
        """Return the names of all simulation configurations."""
        return self._project.entities.list("simulation_configuration")

    def launch(
        self, simulation_configuration: Any, events: EventSelection = None, site_name: str = "local",
        ranks_per_job: int = 1, wall_time_in_seconds_per_job: float | None = None, verbosity: int = 1,
        extra_output_configuration: OutputConfiguration | Mapping[str, Any] | None = None,
        delete_conflicting_previous_results: bool = False,
    ) -> None:  # fmt: skip
        """Start the simulation of events and return at once; what exists is not computed again.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, or the configuration.
        events
            A name, an Event, a list of either, a collection, or None for all.
        site_name
            Where to run: ``"local"``, ``"slurm"``, or a site that the project or the user's file describes.
        ranks_per_job
            Threads of each event's run.
        wall_time_in_seconds_per_job
            Runs that take longer [s] fail; None for no limit.
        verbosity
            0 logs nothing, 1 one line.
        extra_output_configuration
            Fields to write besides the records, ``{"volume_data": {"sampling_interval_in_time_steps": 10,
            "fields": ["phi"]}, "surface_data": {..., "side_sets": ["y1"]}}`` or an `OutputConfiguration`.
            Events whose records exist run again for it, unless this output exists too. Read it with
            `EventData.get_wavefield_output`, which shows the output that was asked for last.
        delete_conflicting_previous_results
            Delete results of the same simulation and events that were computed with other content.

        Raises
        ------
        ValueError
            For unknown names, and input that is found to be bad before anything runs: sources and receivers
            outside the mesh or in a medium that does not have them, for example.
        ConflictError
            If results that were computed with other content exist and are not to be deleted.
        """
        threads = self._project.sites.threads(site_name, ranks_per_job)
        name = self._name(simulation_configuration)
        output = _output(extra_output_configuration)
        self.check(name, self._project.events.select(events))
        tasks = self.tasks(name, events, output)
        if output is not None:
            output.check(self.get_mesh(name), min(task.n_steps for task in tasks.values()))
        self._settle_conflicts(name, tasks, delete_conflicting_previous_results)
        runner = self._project.runner
        missing = [event for event, task in tasks.items() if not runner.is_done(task)]
        for task in tasks.values():
            self._write_input(task)
        self._project.store.set_simulation_events(name, {e: t.digest() for e, t in tasks.items()})
        self._note_output(tasks.values())
        if missing:
            limit = wall_time_in_seconds_per_job
            issued = runner.issue([tasks[e] for e in missing], threads, limit, site_name)
            message = f"{issued} of {len(tasks)} events are submitted to site {site_name!r}"
            if issued < len(missing):
                message += f", {len(missing) - issued} run already"
        else:
            message = f"nothing to be done, {_count(len(tasks))} computed already"
        if verbosity > 0:
            _log.info("Simulation %r: %s.", name, message)

    def query(
        self, simulation_configuration: Any = None, events: EventSelection = None, block: bool = False,
        ping_interval_in_seconds: float = 2.0,
    ) -> bool:  # fmt: skip
        """Return whether all launched simulations are done.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, the configuration, or None for all.
        events
            A name, an Event, a list of either, a collection, or None for all that were launched.
        block
            Wait until they are. What the end of an earlier process interrupted is started again.
        ping_interval_in_seconds
            Longest time between two looks [s]; the end of a run wakes the waiter at once.

        Returns
        -------
        bool
            True when all is done, False otherwise; also if simulations were cancelled, or never launched.

        Raises
        ------
        SimulationFailed
            If nothing runs any more and simulations have failed, naming events and logs.
        ValueError
            If a simulation is to be waited for that was never launched.
        """
        tasks, lacking = self._launched(simulation_configuration, events)
        runner = self._project.runner
        runner.attach(tasks)
        runner.poll()
        if lacking and block:
            raise ValueError(
                f"{_listed(lacking)} cannot be waited for, never launched; call p.simulations.launch first."
            )
        if lacking:
            return False
        if block:
            interrupted = [task for task in tasks if runner.state(task).state in ("interrupted", "new")]
            if interrupted:
                _log.info("%s interrupted, starting again.", _count(len(interrupted), "was", "were"))
                runner.issue_again(interrupted)
            names = ", ".join(sorted({task.simulation_name for task in tasks}))
            return runner.wait(tasks, ping=ping_interval_in_seconds, description=names)
        if not any(runner.is_active(task) for task in tasks):
            runner.raise_failures(tasks)
        return all(runner.is_done(task) for task in tasks)

    def cancel(self, simulation_configuration: Any = None, events: EventSelection = None) -> int:
        """Stop launched simulations (all when None) and return how many runs were stopped."""
        stopped = self._project.runner.cancel(self._launched(simulation_configuration, events)[0])
        _log.info("%s stopped.", _count(stopped, "was", "were"))
        return stopped

    def delete_results(self, simulation_configuration: Any, events: EventSelection = None) -> None:
        """Delete what was computed of a simulation, stopping it first; it may be launched again."""
        name = self._name(simulation_configuration)
        launched = self._project.store.get_simulation_events(name)
        if events is not None:
            chosen = {str(event.event_name) for event in self._project.events.select(events)}
            launched = {event: digest for event, digest in launched.items() if event in chosen}
        self.cancel(name, [event for event in launched if event in self._project.events.list()] or None)
        self._delete(name, launched)

    def get_mesh(self, simulation_configuration: Any) -> Mesh:
        """Return the mesh of a simulation with the medium on it; made once, then read."""
        return self._project.meshes.get(self.mesh_and_conditions(simulation_configuration)[0])

    def get_mesh_filenames(self, simulation_configuration: Any) -> dict[str, Path]:
        """Return the files of a simulation's mesh: ``"h5"`` and, for ParaView, ``"xdmf"``."""
        path = self._project.meshes.path(self.mesh_and_conditions(simulation_configuration)[0])
        return {"h5": path, "xdmf": path.with_suffix(".xdmf")}

    def get_input_files(self, simulation_configuration: Any, events: EventSelection = None) -> Paths:
        """Return a JSON file per event with all that its simulation depends on, beside its results."""
        return [self._write_input(task) for task in self.tasks(simulation_configuration, events).values()]

    def get_simulation_output_directory(self, simulation_configuration: Any, event: Any) -> Path:
        """Return the folder where an event's results and log are, or will be."""
        tasks = self.tasks(simulation_configuration, event)
        if len(tasks) != 1:
            raise ValueError(f"event is {event!r}; expected the name of one event.")
        return self._project.runner.folder(*tasks.values())

    # What inversions and actions build on

    def setup(self, simulation_configuration: Any) -> SimulationSetup:
        """Return a simulation made ready to run: mesh, boundary conditions and time axis."""
        name = self._name(simulation_configuration)
        configuration = self._project.entities.get("simulation_configuration", name)
        mesh_digest, conditions = self.mesh_and_conditions(name)
        axis = resolve_time_axis(
            self._project.store,
            self._project.meshes,
            mesh_digest,
            configuration.event_configuration,
            conditions,
            self._project.events.get_all(),
        )
        setup = SimulationSetup(
            name=name,
            mesh_file=self._project.meshes.path(mesh_digest),
            mesh_digest=mesh_digest,
            event_configuration=configuration.event_configuration,
            boundary_conditions=conditions,
            time_axis=axis,
            instruction_set=resolve_instruction_set(self._project.store),
        )
        n_events = len(self._project.events.list())
        lanes = resolve_lanes(self._project.store, self._project.meshes, setup, n_events)
        return replace(setup, events_in_lanes=lanes)

    def tasks(
        self,
        simulation_configuration: Any,
        events: EventSelection = None,
        output: OutputConfiguration | None = None,
    ) -> dict[str, ForwardTask]:
        """Return the forward tasks of events by event name."""
        selected = self._project.events.select(events)
        setup = self.setup(simulation_configuration)
        return {str(event.event_name): setup.forward_task(event, output=output) for event in selected}

    def with_output(self, task: ForwardTask) -> ForwardTask:
        """Return a task with the output that was last asked for with it."""
        asked = self._project.store.get_note(_output_key(task.digest()))
        return task if asked is None else replace(task, output=wavetree.config.load(asked))

    def check(self, simulation_configuration: Any, events: Iterable[Event]) -> None:
        """Raise ValueError for events that cannot be simulated; see `check_events`."""
        digest, _ = self.mesh_and_conditions(simulation_configuration)
        keys = {(digest, event.digest()): event for event in events}
        fresh = {key: event for key, event in keys.items() if key not in self._checked}
        if fresh:
            check_events(self._project.meshes.get(digest), fresh.values())
            self._checked |= fresh.keys()

    def register(self, tasks: Iterable[ForwardTask]) -> None:
        """Count tasks that something else runs as launched, unless the events were launched before."""
        by_name: dict[str, dict[str, str]] = {}
        for task in tasks:
            by_name.setdefault(task.simulation_name, {})[str(task.event.event_name)] = task.digest()
        for name, events in by_name.items():
            launched = self._project.store.get_simulation_events(name)
            fresh = {event: digest for event, digest in events.items() if event not in launched}
            if fresh:
                self._project.store.set_simulation_events(name, fresh)

    def mesh_and_conditions(self, simulation_configuration: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the digest of a simulation's mesh and its boundary conditions; made once."""
        project = self._project
        configuration = project.entities.get("simulation_configuration", self._name(simulation_configuration))
        models = self._volume_models(configuration)
        digests = [configuration.digest(), project.domain.digest(), *(m.digest() for m in models.values())]
        key = f"mesh/{content_digest([SETUP_VERSION, *digests])}"
        known = project.store.get_note(key)
        if known is None or not project.meshes.path(known["mesh"]).is_file():
            mesh = build_mesh(configuration, project.domain, models)
            conditions = resolve_boundary_conditions(configuration, mesh)
            known = {"mesh": project.meshes.put(mesh), "conditions": [c.to_dict() for c in conditions]}
            project.store.set_note(key, known)
        return known["mesh"], tuple(wavetree.config.load(known["conditions"]))

    def _name(self, simulation_configuration: Any) -> str:
        """The name of a configuration; one given as object has to be that of the project."""
        if isinstance(simulation_configuration, str):
            self._project.store.get_entity("simulation_configuration", simulation_configuration)
            return simulation_configuration
        name = str(getattr(simulation_configuration, "name", simulation_configuration))
        stored = self._project.store.get_entity("simulation_configuration", name)
        if stored.digest != simulation_configuration.digest():
            raise ConflictError(
                f"simulation configuration {name!r} is in the project with other content than the one given; "
                "pass its name, or add it with p.add_to_project(configuration, overwrite=True)."
            )
        return name

    def _volume_models(self, configuration: Any) -> dict[str, Any]:
        model = getattr(configuration, "model_configuration", None)
        names = model.volume_model_names if model is not None else ()
        return {name: self._project.entities.get("volume_model", name) for name in names}

    def _launched(self, simulation_configuration: Any, events: EventSelection) -> tuple[Tasks, Names]:
        """The tasks that are meant, and what is named but was never launched (with its content of now)."""
        store, known = self._project.store, self._project.events.list()
        chosen = None if events is None else [str(e.event_name) for e in self._project.events.select(events)]
        if simulation_configuration is None:
            names = [name for name in store.list_launched_simulations() if name in self.list()]
        else:
            names = [self._name(simulation_configuration)]
        tasks: Tasks = []
        lacking: Names = []
        for name in names:
            launched = store.get_simulation_events(name)
            wanted = [event for event in launched if event in known] if chosen is None else chosen
            current = self.tasks(name, wanted) if wanted else {}
            same = {event: task for event, task in current.items() if launched.get(event) == task.digest()}
            tasks += map(self.with_output, same.values())
            lacking += [f"{event} of {name}" for event in wanted if event not in same] or (
                [] if wanted else [name]
            )
        return tasks, [] if simulation_configuration is None else lacking

    def _settle_conflicts(self, name: str, tasks: dict[str, ForwardTask], delete: bool) -> None:
        launched = self._project.store.get_simulation_events(name)
        folder_of = self._project.runner.folder_of
        old = {
            event: launched[event]
            for event, task in tasks.items()
            if launched.get(event, task.digest()) != task.digest() and folder_of(launched[event]).is_dir()
        }
        if old and not delete:
            raise ConflictError(
                f"simulation {name!r} has results of {_listed(list(old))} that were computed with other "
                "content; delete them with p.simulations.delete_results, or launch with "
                "delete_conflicting_previous_results=True."
            )
        self._delete(name, old)

    def _delete(self, name: str, launched: dict[str, str]) -> None:
        """Forget events and delete their folders, unless another simulation shares the result."""
        store = self._project.store
        store.delete_simulation_events(name, list(launched))
        used = {
            digest for other in store.list_launched_simulations()
            for digest in store.get_simulation_events(other).values()
        }  # fmt: skip
        for digest in set(launched.values()) - used:
            store.delete_note(_output_key(digest))
            shutil.rmtree(self._project.runner.folder_of(digest), ignore_errors=True)

    def _note_output(self, tasks: Iterable[ForwardTask]) -> None:
        """Remember what output was asked for; without one, forget an earlier one that came to nothing."""
        store, runner = self._project.store, self._project.runner
        for task in tasks:
            if task.output is not None:
                store.set_note(_output_key(task.digest()), task.output.to_dict())
            elif runner.state(self.with_output(task)).state in ("failed", "cancelled"):
                store.delete_note(_output_key(task.digest()))

    def _write_input(self, task: ForwardTask) -> Path:
        path = self._project.runner.folder(task) / "input.json"
        if not path.is_file():
            # A relative name of the mesh: the project's folder may be moved.
            mesh = os.path.relpath(task.mesh_file, path.parent)
            write_text(path, json.dumps({**task.to_dict(), "mesh_file": mesh}, indent=1))
        return path


def _output(given: OutputConfiguration | Mapping[str, Any] | None) -> OutputConfiguration | None:
    if given is None or isinstance(given, OutputConfiguration):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(
            f"extra_output_configuration is {given!r}; expected a dictionary with volume_data or "
            "surface_data."
        )
    return OutputConfiguration(**given)


def _output_key(digest: str) -> str:
    return f"output/{digest}"


def _count(number: int, one: str = "is", many: str = "are") -> str:
    return f"{number} event {one}" if number == 1 else f"{number} events {many}"


def _listed(names: Sequence[str] | Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
