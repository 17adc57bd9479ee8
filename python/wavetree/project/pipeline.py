"""Misfits, gradients and illumination of events for one model: what is missing is found and computed.

The steps of an event are: forward run, misfit and adjoint source, adjoint run. All are named by what
they depend on, so a pipeline has no state of its own that could be lost: made again after a kill, it
goes on where the files end. The forward and adjoint runs are tasks; misfits, which may be functions
of the user, run in the process that advances the pipeline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from wavetree.arrays import read_arrays, write_arrays
from wavetree.config import content_digest
from wavetree.data.event_data import EventData
from wavetree.errors import WavetreeError, unknown_name
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.runner import Runner, Task
from wavetree.project.setup import SimulationSetup
from wavetree.project.store import GradientRecord
from wavetree.simulation.illumination_task import IlluminationTask
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.task import AdjointTask, ForwardTask
from wavetree.survey.event import Event

__all__ = [
    "WAVEFIELDS",
    "EventMisfit",
    "MisfitProblem",
    "ObservedData",
    "Pipeline",
    "Resources",
    "check_receiver_field",
    "read_event_data",
    "warn_of_misfits",
]

# Raised by hand when misfits or adjoint sources of the same input change.
_MISFIT_VERSION = 1

WAVEFIELDS = "wavefield_*.h5"
"""Files of stored wavefields in the folder of a forward task."""

_log = logging.getLogger("wavetree")


@dataclass(frozen=True)
class ObservedData:
    """Where an event's observed data are.

    Attributes
    ----------
    digest
        Names the content.
    file
        Event data as HDF5 file.
    task
        The task that makes the file; None for data from elsewhere.
    """

    digest: str
    file: Path
    task: ForwardTask | None = None


def check_receiver_field(misfit_configuration: MisfitConfiguration, events: Iterable[Event]) -> None:
    """Raise ValueError if no receiver of an event records the field that is compared."""
    name, wanted = misfit_configuration.name, misfit_configuration.receiver_field
    for event in events:
        recorded = {field for receiver in event.receivers for field in receiver.fields}
        if wanted not in recorded:
            raise unknown_name(f"receiver_field of misfit {name!r} in {event.event_name}", wanted, recorded)


@dataclass(frozen=True)
class MisfitProblem:
    """What misfits and gradients are to be had of.

    Attributes
    ----------
    setup
        The simulation: mesh and model, wavelet, boundaries and time axis.
    misfit_configuration
        How synthetic and observed data are compared.
    events
        The events, in the order in which results are given and summed.
    observed
        Observed data by event name.
    storage
        How forward runs keep the wavefield for the gradient; None for misfits alone.

    Raises
    ------
    ValueError
        If no receiver of an event records the field that is compared.
    """

    setup: SimulationSetup
    misfit_configuration: MisfitConfiguration
    events: tuple[Event, ...]
    observed: Mapping[str, ObservedData]
    storage: StoragePlan | None = None

    def __post_init__(self) -> None:
        check_receiver_field(self.misfit_configuration, self.events)

    def digest(self) -> str:
        """Hash of the forward runs, observed data, misfit and storage."""
        return content_digest([self.storage and self.storage.digest(), self.misfit_digests])

    @cached_property
    def forward_tasks(self) -> dict[str, ForwardTask]:
        """The forward runs by event name."""
        return {str(e.event_name): self.setup.forward_task(e, self.storage) for e in self.events}

    @cached_property
    def misfit_digests(self) -> dict[str, str]:
        """What the events' misfits and adjoint sources are named by, by event name."""
        how = [_MISFIT_VERSION, self.misfit_configuration.digest()]
        return {
            name: content_digest([*how, task.digest(), self.observed[name].digest])
            for name, task in self.forward_tasks.items()
        }


@dataclass(frozen=True)
class Resources:
    """What tasks may use.

    Attributes
    ----------
    threads
        Threads of each.
    wall_time_in_seconds
        Longest time of each [s]; None for no limit.
    site_name
        Where they run.
    """

    threads: int = 1
    wall_time_in_seconds: float | None = None
    site_name: str = "local"


@dataclass(frozen=True)
class EventMisfit:
    """Misfit of one event.

    Attributes
    ----------
    misfit
        The misfit.
    identical
        Whether the observed data are the synthetic ones.
    silent
        Whether the adjoint source is zero throughout.
    """

    misfit: float
    identical: bool
    silent: bool


def read_event_data(path: Path) -> EventData:
    """Read the data of an event that a forward task wrote or that were added to a project."""
    return EventData.from_arrays(*read_arrays(path))


class Pipeline:
    """Computes misfits and gradients of events as far as they do not exist.

    Parameters
    ----------
    runner
        Runs the tasks.
    folder
        Where misfits and adjoint sources are kept, shared by all pipelines of a project.
    problem
        What to compute.
    resources
        What each task may use.
    """

    def __init__(
        self, runner: Runner, folder: Path, problem: MisfitProblem, resources: Resources | None = None
    ) -> None:
        self.problem = problem
        self._runner = runner
        self._folder = folder
        self._resources = resources or Resources()
        self._misfits: dict[str, EventMisfit] = {}
        # Events whose records cannot be compared. As a new pipeline knows of none, the next call tries again.
        self._refused: dict[str, Exception] = {}
        self._first = 0  # the event that comes first when work goes on that was cut short
        # Issued by this pipeline, with the outputs that were asked for: failures are not issued again.
        self._issued: dict[tuple[str, tuple[str, ...]], Task] = {}
        # By event: what was to be waited for when its step was looked at last.
        self._awaited: dict[str, list[Task]] = {}

    def advance_misfits(self) -> bool:
        """Do what can be done now and return whether all misfits are known.

        Raises
        ------
        SimulationFailed
            When nothing runs any more and simulations of events have failed; the others are done.
        ValueError, WavetreeError
            Then too, if records of events cannot be compared or the misfit's function fails, naming them.
        """
        return self._advance(self._advance_misfit)

    def advance_gradients(self) -> bool:
        """Do what can be done now and return whether all gradients exist.

        Raises
        ------
        SimulationFailed
            When nothing runs any more and simulations of events have failed; the others are done.
        ValueError, WavetreeError
            Then too, if records of events cannot be compared or the misfit's function fails, naming them.
        """
        if self.problem.storage is None:
            raise ValueError("storage is None; expected a storage plan for gradients.")
        return self._advance(self._advance_gradient)

    def advance_illumination(self) -> bool:
        """Do what can be done now and return whether the illumination of all events exists.

        Raises
        ------
        SimulationFailed
            When nothing runs any more and events have failed; the others are done.
        """
        return self._advance(self._advance_illumination)

    def wait(self, gradients: bool, timeout: float | None = None, ping: float = 2.0) -> bool:
        """Advance until misfits or gradients are there; False at the timeout or when cancelled."""
        advance = self.advance_gradients if gradients else self.advance_misfits
        what = "gradients" if gradients else "misfits"
        return self._runner.block(
            advance, lambda: self.progress(gradients), len(self.problem.events) * (2 if gradients else 1),
            timeout=timeout, ping=ping, description=f"{what} of {self.problem.setup.name}",
        )  # fmt: skip

    def misfits(self) -> dict[str, EventMisfit]:
        """Return the misfits that are known by event name, in the problem's order."""
        found = {name: self._read_misfit(name) for name in self.problem.forward_tasks}
        return {name: misfit for name, misfit in found.items() if misfit is not None}

    def gradients(self) -> dict[str, dict[str, np.ndarray]]:
        """Return the raw derivatives of all events.

        Returns
        -------
        dict
            By event name, in the problem's order, and parameter: shape (nelem, n_nodes), misfit per unit
            of the parameter.

        Raises
        ------
        ValueError
            If one does not exist; advance first.
        """
        return dict(self.each_gradient())

    def each_gradient(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Read what `gradients` returns one event after the other: all may be too many for the memory."""
        for name, task in self.adjoint_tasks.items():
            yield name, read_arrays(self._runner.folder(task) / "gradient.h5")[0]

    def illumination(self) -> np.ndarray:
        """Return the sum of the events' illumination; see `wavetree.simulation.illumination`.

        Returns
        -------
        numpy.ndarray
            Shape (nelem, n_nodes) [J s/m^d], summed in the problem's order.

        Raises
        ------
        ValueError
            If that of an event does not exist; advance first.
        """
        tasks = self.illumination_tasks.values()
        files = [self._runner.folder(task) / task.outputs[0] for task in tasks]
        first, *others = (read_arrays(file)[0]["illumination"] for file in files)
        for one in others:
            first = first + one
        return first

    @cached_property
    def illumination_tasks(self) -> dict[str, IlluminationTask]:
        """The runs that leave the illumination, by event name."""
        return {
            name: IlluminationTask(replace(forward, storage=None, events_in_lanes=False))
            for name, forward in self.problem.forward_tasks.items()
        }

    @cached_property
    def adjoint_tasks(self) -> dict[str, AdjointTask]:
        """The adjoint runs by event name."""
        return {
            name: AdjointTask(
                forward=forward,
                adjoint_source_file=str(self._misfit_file(self.problem.misfit_digests[name])),
                adjoint_source_digest=self.problem.misfit_digests[name],
                forward_folder=str(self._runner.folder(forward)),
            )
            for name, forward in self.problem.forward_tasks.items()
        }

    @property
    def issued(self) -> int:
        """How many tasks this pipeline has issued."""
        return len(self._issued)

    def is_active(self) -> bool:
        """Whether a task that this pipeline has issued is queued or running."""
        return any(self._runner.is_active(task) for task in self._issued.values())

    def cancel(self) -> int:
        """Stop what this pipeline has issued and return how many tasks that were."""
        return self._runner.cancel(list(self._issued.values()))

    def wavefields(self) -> list[Path]:
        """Return the files with stored wavefields of this problem's events."""
        folders = (self._runner.folder(task) for task in self.problem.forward_tasks.values())
        return [file for folder in folders for file in sorted(folder.glob(WAVEFIELDS))]

    def results(self) -> list[Path]:
        """Return all that exists of this problem's events: the folders of tasks, files of misfits."""
        tasks: list[Task] = [*self.problem.forward_tasks.values(), *self.adjoint_tasks.values()]
        files = (self._misfit_file(digest) for digest in self.problem.misfit_digests.values())
        return [path for path in (*map(self._runner.folder, tasks), *files) if path.exists()]

    def _advance(self, step: Callable[[str], list[Task] | None]) -> bool:
        """Take a step for every event; it returns the tasks that it lacks, None when it is done."""
        while True:
            self._runner.poll()
            lacking, cut_short = self._take(step)
            if not cut_short and all(tasks is None for tasks in lacking):
                return True
            wanted = {(t.digest(), t.outputs): t for tasks in lacking for t in tasks or ()}
            fresh = {key: task for key, task in wanted.items() if key not in self._issued}
            if fresh:
                self._issue(list(fresh.values()))
                self._issued |= fresh
            if cut_short or any(self._runner.is_active(t) for t in wanted.values()):
                return False
            if not fresh:
                self._raise_failures()
                return False
            # Another process has computed everything since it was found to be lacking: look again.

    def _lacking(self, step: Callable[[str], list[Task] | None], name: str) -> list[Task] | None:
        """Take the step of an event, unless what it waited for the last time has not ended yet."""
        awaited = self._awaited.get(name, [])
        if any(self._runner.is_active(task) for task in awaited):
            return awaited
        tasks = step(name)
        self._awaited[name] = tasks or []
        return tasks

    def _take(self, step: Callable[[str], list[Task] | None]) -> tuple[list[list[Task] | None], bool]:
        """What the steps of the events return, and whether time was up before the last of them."""
        lacking, names = [], list(self.problem.forward_tasks)
        for name in [*names[self._first :], *names[: self._first]]:
            compared = len(self._misfits) + len(self._refused)
            lacking.append(self._lacking(step, name))
            # Only comparing counts: were the look at all events cut short, it might never come to its end.
            if len(self._misfits) + len(self._refused) > compared and self._runner.is_time_up():
                self._first = names.index(name) + 1
                return lacking, True
        return lacking, False

    def _raise_failures(self) -> None:
        """Raise the error of tasks or of misfits that have failed."""
        self._runner.raise_failures(list(self._issued.values()))
        if not self._refused:
            return
        lines = [f"event {name!r}: {error}" for name, error in self._refused.items()]
        more = f"\n... and {len(lines) - 10} more events" if len(lines) > 10 else ""
        first = next(iter(self._refused.values()))
        kind = ValueError if isinstance(first, ValueError) else WavetreeError
        raise kind("\n".join(lines[:10]) + more) from first

    def _issue(self, tasks: list[Task]) -> None:
        adjoint = [task for task in tasks if isinstance(task, AdjointTask)]
        if adjoint:
            self._runner.store.add_gradients([_record(task) for task in adjoint])
        given = self._resources
        limit, site = given.wall_time_in_seconds, given.site_name
        self._runner.issue(tasks, threads=given.threads, wall_time=limit, site_name=site)

    def _advance_misfit(self, name: str) -> list[Task] | None:
        if self._read_misfit(name) is not None:
            return None
        tasks = (self.problem.forward_tasks[name], self.problem.observed[name].task)
        missing: list[Task] = [task for task in tasks if task is not None and not self._runner.is_done(task)]
        if missing:
            return missing
        if name not in self._refused:
            self._compute_misfit(name)
        return [] if name in self._refused else None

    def _advance_gradient(self, name: str) -> list[Task] | None:
        missing = self._advance_misfit(name)
        adjoint, forward = self.adjoint_tasks[name], self.problem.forward_tasks[name]
        if missing is not None or self._runner.is_done(adjoint):
            return missing
        # The data of the forward run are there, its wavefield may not be.
        return [adjoint if self._runner.is_done(forward) else forward]

    def _advance_illumination(self, name: str) -> list[Task] | None:
        task = self.illumination_tasks[name]
        return None if self._runner.is_done(task) else [task]

    def _compute_misfit(self, name: str) -> None:
        forward = self.problem.forward_tasks[name]
        synthetic = read_event_data(self._runner.folder(forward) / "waveforms.h5")
        observed = read_event_data(self.problem.observed[name].file)
        try:
            misfit, adjoint_source, identical = self.problem.misfit_configuration.evaluate(
                synthetic, observed
            )
        except (ValueError, WavetreeError) as error:
            self._refused[name] = error
            _log.warning("The misfit of event %r failed, the other events go on: %s", name, error)
            return
        silent = not any(np.any(values) for values in adjoint_source.values())
        digest = self.problem.misfit_digests[name]
        attributes = {"event": name, "misfit": misfit, "identical": identical, "silent": silent}
        attributes["forward"] = forward.digest()
        write_arrays(self._misfit_file(digest), adjoint_source, attributes, durability="whole")
        self._misfits[digest] = EventMisfit(misfit, identical, silent)

    def _read_misfit(self, name: str) -> EventMisfit | None:
        digest = self.problem.misfit_digests[name]
        if digest not in self._misfits:
            file = self._misfit_file(digest)
            if not file.is_file():
                return None
            said = read_arrays(file, [])[1]
            self._misfits[digest] = EventMisfit(said["misfit"], said["identical"], said["silent"])
        return self._misfits[digest]

    def _misfit_file(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.h5"

    def progress(self, gradients: bool) -> float:
        """Return how much is done of misfits, or of misfits and gradients: 1 or 2 for every event."""
        total = 0.0
        for name, forward in self.problem.forward_tasks.items():
            if self._read_misfit(name) is None:
                total += 0.99 * self._runner.state(forward).progress
            else:
                total += 1.0 + (self._runner.state(self.adjoint_tasks[name]).progress if gradients else 0.0)
        return total


def warn_of_misfits(misfits: Mapping[str, EventMisfit], observed_data: str) -> None:
    """Warn of events whose observed data are the synthetic ones, and of zero adjoint sources."""
    identical = [name for name, misfit in misfits.items() if misfit.identical]
    silent = [name for name, misfit in misfits.items() if misfit.silent and not misfit.identical]
    if identical:
        _log.warning(
            "The observed data %r are identical to the synthetic ones, so the misfit is 0: %s",
            observed_data, _listed(identical),
        )  # fmt: skip
    if silent:
        _log.warning("The adjoint source is zero throughout, the gradient is zero: %s", _listed(silent))


def _record(task: AdjointTask) -> GradientRecord:
    plan, forward = task.forward.storage, task.forward.digest()
    error = plan.expected_error if plan else 0.0
    return GradientRecord(forward, task.adjoint_source_digest, error, task.digest())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
