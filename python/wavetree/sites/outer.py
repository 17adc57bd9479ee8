"""What sites have in common whose jobs outlive the program: folders that are looked at."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from wavetree.errors import unknown_name
from wavetree.sites.folder import JobFolder
from wavetree.sites.protocol import Job, JobStatus

__all__ = ["OuterSite"]


_RESTARTS_PER_JOB = 10


class OuterSite(ABC):
    """Keeps the folders of jobs and looks at them until they have ended.

    Parameters
    ----------
    restart_interval_in_seconds
        How often jobs leave from where to go on, should they be cut off [s]; None for never.
    """

    outlives = True
    look_seconds: ClassVar[float]
    """Between two looks at jobs that are waited for [s]."""

    def __init__(self, restart_interval_in_seconds: float | None) -> None:
        self._restart_interval = restart_interval_in_seconds
        self._jobs: dict[str, JobFolder] = {}
        self._ended: dict[str, JobStatus] = {}

    def _restartable(self, job: Job) -> Job:
        """The job, told how often to leave from where to go on, some times before its time is up."""
        interval = self._restart_interval
        if interval is not None and job.wall_time_in_seconds is not None:
            interval = min(interval, job.wall_time_in_seconds / _RESTARTS_PER_JOB)
        return replace(job, restart_interval_in_seconds=interval)

    def status(self, key: str) -> JobStatus:
        """Return the state of a job; ValueError if it was neither submitted nor attached."""
        if key not in self._jobs:
            raise unknown_name("job", key, self._jobs)
        if key not in self._ended:
            status = self._look(key, self._jobs[key])
            if not status.finished:
                return status
            self._ended[key] = status
        return self._ended[key]

    def wait(self, keys: Iterable[str], timeout: float | None = None) -> list[str]:
        """Wait until one of the jobs has finished and return those that have, none at the timeout [s]."""
        keys = [key for key in keys if key in self._jobs]
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            finished = [key for key in keys if self.status(key).finished]
            left = self.look_seconds if deadline is None else deadline - time.monotonic()
            if finished or not keys or left <= 0.0:
                return finished
            self._tend()
            time.sleep(min(self.look_seconds, left))

    @abstractmethod
    def _look(self, key: str, found: JobFolder) -> JobStatus:
        """The state of a job that was not known to have ended."""

    @abstractmethod
    def _tend(self) -> None:
        """Do what jobs need while they are waited for."""
