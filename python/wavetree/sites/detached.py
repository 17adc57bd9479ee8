"""The site "local" for large work: worker processes that survive who started them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from wavetree.errors import ProjectError
from wavetree.sites.folder import JobFolder
from wavetree.sites.outer import OuterSite
from wavetree.sites.pool import Limits, Pool
from wavetree.sites.protocol import Job, JobStatus

__all__ = ["DetachedSite"]

_MOST_FAILED_STARTS = 3


class DetachedSite(OuterSite):
    """Runs jobs in worker processes of this machine that go on when the process that submitted them ends.

    Parameters
    ----------
    name
        What users call it.
    home
        Folder for the queue, shared by all who use the site for a project.
    limits
        What the jobs may use together.
    restart_interval_in_seconds
        How often jobs leave from where to go on, should they be cut off [s]; None for never.

    Notes
    -----
    Whether a job waits, runs or has ended is read from its folder, by whatever process asks. One whose worker
    has died has failed.
    """

    look_seconds = 0.1
    wall_time_in_seconds = None

    def __init__(
        self, name: str, home: Path, limits: Limits, restart_interval_in_seconds: float | None = None
    ) -> None:
        super().__init__(restart_interval_in_seconds)
        self.name = name
        self._host = socket.gethostname()
        # Process numbers mean nothing to other machines that see the same folder.
        self._pool = Pool(home / self._host)
        self._limits = limits
        self._children: list[subprocess.Popen[bytes]] = []
        self._failed_starts = 0

    def submit(self, jobs: Iterable[Job]) -> None:
        """Queue jobs and return at once.

        Raises
        ------
        ValueError
            If a job of the same key has not finished yet.
        ProjectError
            If the job's folder cannot be written.
        """
        jobs = list(jobs)
        for job in jobs:
            if job.key in self._jobs and not self.status(job.key).finished:
                state = self.status(job.key).state
                raise ValueError(f"job {job.key!r} is {state} already; wait for it first.")
        self._failed_starts = 0
        try:
            self._pool.set_limits(self._limits)
            for job in jobs:
                # The folder names the place in the queue, so that is reserved first: until it is taken, the
                # job counts as lost.
                place = {"host": self._host, "queue": self._pool.reserve()}
                found = JobFolder.write(self._restartable(job), self.name, place)
                self._pool.put(place["queue"], job.folder, job.threads, job.memory_in_bytes)
                self._jobs[job.key] = found
                self._ended.pop(job.key, None)
            self._tend()
        except OSError as error:
            raise ProjectError(
                f"{jobs[0].label} cannot be submitted: {error}; make room, or make the folder writable."
            ) from error

    def attach(self, found: JobFolder) -> None:
        """Take over a job that another process submitted to this site."""
        self._jobs[found.job.key] = found
        self._ended.pop(found.job.key, None)
        if found.place["host"] == self._host:
            self._pool.set_limits(self._limits)
            self._tend()

    def cancel(self, keys: Iterable[str] | None = None) -> None:
        """Stop jobs (all when None): queued ones at once, running ones as soon as they can."""
        for key in list(self._jobs) if keys is None else list(keys):
            if key not in self._jobs or self.status(key).finished:
                continue
            found = self._jobs[key]
            found.ask_to_cancel()
            if found.place["host"] == self._host and self._pool.withdraw(found.place["queue"]):
                found.fail("", state="cancelled")

    def shutdown(self) -> None:
        """Let go of the workers, which go on."""
        for child in self._children:
            # It is nobody's business any more; without this, Python warns of a process left behind.
            child.returncode = child.poll() or 0
        self._children.clear()

    def _look(self, key: str, found: JobFolder) -> JobStatus:
        status = found.final_status() or found.running_status()
        if status is not None:
            return status
        queued = JobStatus("queued", 0.0, "", found.log_file)
        if found.place["host"] != self._host:
            return queued
        name = found.place["queue"]
        if self._failed_starts > _MOST_FAILED_STARTS and self._pool.withdraw(name):
            log = str(self._pool.log_file)
            return found.fail(f"worker processes end as soon as they start; see {log!r}", repeatable=False)
        if self._pool.waits(name) or self._pool.taker(name):
            return queued
        # It may have begun, or ended, between the looks.
        return (
            found.final_status()
            or found.running_status()
            or found.fail("its worker ended before the job began; there may be no room on the disk")
        )

    def _tend(self) -> None:
        ended = [child for child in self._children if child.poll() is not None]
        self._failed_starts += sum(child.returncode > 0 for child in ended)
        self._children = [child for child in self._children if child not in ended]
        self._children += self._pool.staff()
