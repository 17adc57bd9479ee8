"""A task that a site has, and the job that it is in there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wavetree.project.grouping import in_groups
from wavetree.project.task_state import Task
from wavetree.simulation.cost import cost_of
from wavetree.sites.once import has_outputs
from wavetree.sites.protocol import Job, JobStatus, Site, Work

__all__ = ["ActiveTask", "in_jobs", "refuse_too_long"]


@dataclass
class ActiveTask:
    """A task that a site has.

    Attributes
    ----------
    task, site
        The task and the site.
    threads, wall_time
        Threads it may use, and longest time [s]; None for no limit.
    attempts
        Which one this is, from 1 on.
    reached
        From which part of the work, 0 to 1, the last attempt went on.
    followers
        The same task with other outputs, asked for meanwhile.
    job, n_beside
        Key of the job that it is in, and how many others are in it.
    alone
        Whether it is to be in a job of its own, as it has failed.
    stopped
        Whether it was asked to stop.
    """

    task: Task
    site: Site
    threads: int
    wall_time: float | None
    attempts: int = 1
    reached: float = 0.0
    followers: list[Task] = field(default_factory=list)
    job: str = ""
    n_beside: int = 0
    alone: bool = False
    stopped: bool = False

    def will_make(self, task: Task) -> bool:
        """Whether the outputs of the same task are among those that are being made."""
        return any(set(task.outputs) <= set(one.outputs) for one in (self.task, *self.followers))

    @property
    def status(self) -> JobStatus:
        """State of its job."""
        return self.site.status(self.job)

    def end(self, folder: Path, stopped: Collection[str]) -> JobStatus:
        """Take note of the end of its job and return what that means for it.

        Others in the job may have failed, or been stopped.

        Parameters
        ----------
        folder
            The task's folder.
        stopped
            Keys of jobs in which tasks were asked to stop. What was not is "queued": it is to be submitted
            again.
        """
        status = self.status
        if self.n_beside == 0:
            return status
        if has_outputs(self.task, folder):
            return replace(status, state="done", message="")
        if status.state == "cancelled" and not self.stopped and self.job in stopped:
            return replace(status, state="queued")
        if status.state == "failed":
            start = f"{self.task.label}: "
            own = [line.removeprefix(start) for line in status.message.splitlines() if line.startswith(start)]
            # Alone it may do better, and else says more; so if the job as a whole has failed again, or cannot
            # be repeated as it is: its time was up, for example.
            self.alone = bool(own) or self.attempts > 1 or not status.repeatable
            return replace(status, message=own[0] if own else status.message, repeatable=True)
        return status


def in_jobs(
    entries: Iterable[ActiveTask], folder_of: Callable[[Task], Path]
) -> Iterator[tuple[ActiveTask, Job]]:
    """Yield the jobs in which tasks are submitted, each with the first of its tasks, which names it."""
    alike: dict[tuple[Any, ...], list[ActiveTask]] = {}
    for entry in entries:
        apart = entry.task.digest() if entry.alone else ""
        alike.setdefault((id(entry.site), entry.threads, entry.wall_time, apart), []).append(entry)
    for group in (group for some in alike.values() for group in in_groups(some, lambda entry: entry.task)):
        first, tasks = group[0], [entry.task for entry in group]
        job = Job(
            key=first.task.digest(),
            label=first.task.label + (f" and {len(tasks) - 1} others" if len(tasks) > 1 else ""),
            folder=folder_of(first.task),
            work=tuple(Work(task, folder_of(task)) for task in tasks),
            threads=first.threads,
            wall_time_in_seconds=first.wall_time,
            memory_in_bytes=sum(cost_of(task).memory_in_bytes for task in tasks),
        )
        for entry in group:
            entry.job, entry.n_beside = job.key, len(group) - 1
        yield first, job


def refuse_too_long(entries: Iterable[ActiveTask]) -> None:
    """Raise ValueError for a task that is likely to be cut off at a site that outlives the program."""
    for entry in entries:
        seconds = cost_of(entry.task).seconds(entry.threads)
        if entry.site.outlives and entry.wall_time is not None and seconds > entry.wall_time:
            raise ValueError(
                f"wall_time_in_seconds_per_job={entry.wall_time:g} is too short for {entry.task.label}: it "
                f"is likely to take {seconds:.3g} s on {entry.threads} cores; allow more time, use more "
                "cores, or make the simulation smaller."
            )
