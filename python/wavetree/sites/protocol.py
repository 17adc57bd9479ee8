"""What all sites have in common: jobs, what is known of them, and what a site can be asked to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

__all__ = [
    "Control",
    "GroupTask",
    "Job",
    "JobControl",
    "JobStatus",
    "RestartableTask",
    "Site",
    "Task",
    "Work",
]


class Task(Protocol):
    """What a site needs to know of a task."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Files in the task's folder that exist once it is done."""

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute and write the outputs into `folder`, each complete or not at all."""


@runtime_checkable
class GroupTask(Task, Protocol):
    """A task that can be done together with others."""

    @property
    def group(self) -> str | None:
        """Tasks of the same group can be done together; None for one that is done by itself."""

    @property
    def group_size(self) -> int:
        """Most tasks that can be done together."""

    @property
    def label(self) -> str:
        """What users read."""

    def run_group(
        self, tasks: Sequence[Any], folders: Sequence[Path], control: Any, threads: int = 1
    ) -> list[Exception | None]:
        """Compute tasks of this one's group, each as `run` does, and return the error of each that failed."""


@runtime_checkable
class RestartableTask(Protocol):
    """A task that can go on from where an earlier attempt was cut off."""

    def resume(self, folder: Path, control: Any, threads: int, restart_interval_in_seconds: float) -> None:
        """As `Task.run`, but from where an earlier attempt was cut off; leave that so often [s]."""


class JobControl(Protocol):
    """The wire between a running job and who waits for it."""

    @property
    def cancelled(self) -> bool:
        """Whether the job has been asked to stop."""

    @property
    def progress(self) -> float:
        """The part of the work that is done, 0 to 1."""

    def cancel(self) -> None:
        """Ask the job to stop as soon as it can."""


class Control:
    """A `JobControl` for tasks written in Python; the task sets `progress` and looks at `cancelled`."""

    def __init__(self) -> None:
        self.cancelled = False
        self.progress = 0.0

    def cancel(self) -> None:
        """Ask the job to stop as soon as it can."""
        self.cancelled = True


@dataclass(frozen=True)
class Work:
    """A task and the folder in which its outputs go."""

    task: Task
    folder: Path


@dataclass(frozen=True)
class Job:
    """What a site runs as one: tasks of one group together, others one after the other.

    Parameters
    ----------
    key
        Names the job; a site runs one job of a key at a time.
    label
        What users read.
    folder
        Where its log and what is known of it are written; that of the task where it has one task.
    work
        The tasks. Those whose outputs exist are passed over.
    threads
        Cores that it keeps busy.
    wall_time_in_seconds
        The job is stopped, and has failed, when it takes longer; None for no limit.
    memory_in_bytes
        What it will need, as far as is known.
    restart_interval_in_seconds
        A task that can go on from where it was cut off leaves that so often [s]; None for never.
    """

    key: str
    label: str
    folder: Path
    work: tuple[Work, ...]
    threads: int = 1
    wall_time_in_seconds: float | None = None
    memory_in_bytes: int = 0
    restart_interval_in_seconds: float | None = None


@dataclass(frozen=True)
class JobStatus:
    """State of a job.

    Attributes
    ----------
    state
        "queued", "running", "done", "failed" or "cancelled".
    progress
        The part that is done, 0 to 1.
    message
        Why it failed or was cancelled, or what it is queued for, as far as is known.
    log_file
        The job's log.
    repeatable
        Whether the same job may succeed when run again (not if its input was found to be bad).
    started
        When it began to run [s since the epoch]; None if it has not, or if that is not known.
    """

    state: str
    progress: float
    message: str
    log_file: Path
    repeatable: bool = True
    started: float | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.state not in ("queued", "running")


class Site(Protocol):
    """Where jobs run. One that outlives the program can also `attach` a job that an earlier one submitted."""

    @property
    def name(self) -> str:
        """What users call it."""

    @property
    def outlives(self) -> bool:
        """Whether jobs go on when the process that submitted them ends."""

    @property
    def wall_time_in_seconds(self) -> float | None:
        """Longest time [s] of a job where none is given; None for no limit."""

    def submit(self, jobs: Iterable[Job]) -> None:
        """Queue jobs and return at once; ValueError for a key whose job has not finished."""

    def status(self, key: str) -> JobStatus:
        """Return the state of a job; ValueError if it was neither submitted nor attached."""

    def wait(self, keys: Iterable[str], timeout: float | None = None) -> list[str]:
        """Wait until one of the jobs has finished and return those that have, none at the timeout [s]."""

    def cancel(self, keys: Iterable[str] | None = None) -> None:
        """Stop jobs (all when None): queued ones at once, running ones as soon as they can."""

    def shutdown(self) -> None:
        """Let go of what this process holds; jobs that outlive it go on."""
