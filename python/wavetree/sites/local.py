"""The site "local" for small work: jobs run in threads of this process, several at a time.

The work is done by compiled code that releases the interpreter's lock, so threads run in parallel.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wavetree.errors import unknown_name
from wavetree.sites.execution import Execution
from wavetree.sites.protocol import Control, Job, JobControl, JobStatus

__all__ = ["LocalSite", "usable_cores"]

_SHUTDOWN_SECONDS = 10.0
_log = logging.getLogger("wavetree")


@dataclass(eq=False)
class _Entry:
    execution: Execution
    state: str = "queued"
    message: str = ""
    repeatable: bool = True

    @property
    def job(self) -> Job:
        return self.execution.job

    @property
    def finished(self) -> bool:
        return self.state not in ("queued", "running")


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalSite:
    """Runs jobs in threads of this process; they end with it.

    Parameters
    ----------
    cores
        Cores to keep busy: jobs run side by side while the sum of their threads is at most this
        (one job always may). All that this process may use when None.
    make_control
        Makes the control object that is handed to a job.
    """

    name = "local"
    outlives = False
    wall_time_in_seconds = None

    def __init__(self, cores: int | None = None, make_control: Callable[[], JobControl] = Control) -> None:
        if cores is not None and cores < 1:
            raise ValueError(f"cores must be at least 1, not {cores}.")
        self.cores = cores or usable_cores()
        self._make_control = make_control
        self._changed = threading.Condition()
        self._entries: dict[str, _Entry] = {}
        self._queue: deque[_Entry] = deque()
        self._running: dict[_Entry, threading.Thread] = {}
        self.closed = False
        # A weak reference, so that a site nobody holds any more can go before the interpreter does.
        atexit.register(_shutdown_at_exit, weakref.ref(self))

    def submit(self, jobs: Iterable[Job]) -> None:
        """Queue jobs and return at once.

        Raises
        ------
        ValueError
            If a job of the same key has not finished yet, or the site is shut down.
        """
        with self._changed:
            if self.closed:
                raise ValueError("site 'local' is shut down; open the project again.")
            for job in jobs:
                old = self._entries.get(job.key)
                if old is not None and not old.finished:
                    raise ValueError(f"job {job.key!r} is {old.state} already; wait for it first.")
                entry = _Entry(Execution(job, self._make_control()))
                self._entries[job.key] = entry
                self._queue.append(entry)
            self._start_next()

    def status(self, key: str) -> JobStatus:
        """Return the state of a job; ValueError if it was never submitted."""
        with self._changed:
            if key not in self._entries:
                raise unknown_name("job", key, self._entries)
            entry = self._entries[key]
            execution, log_file = entry.execution, entry.job.folder / "log.txt"
            progress = {"queued": 0.0, "done": 1.0}.get(entry.state, execution.progress)
            return JobStatus(
                entry.state, progress, entry.message, log_file, entry.repeatable, execution.started
            )

    def wait(self, keys: Iterable[str], timeout: float | None = None) -> list[str]:
        """Wait until one of the jobs has finished.

        Parameters
        ----------
        keys
            The jobs to look at.
        timeout
            Longest time to wait [s]; None waits for ever.

        Returns
        -------
        list of str
            The keys of those that have finished, empty at the timeout.
        """
        keys = list(keys)
        with self._changed:
            self._changed.wait_for(lambda: not keys or self._finished(keys), timeout)
            return self._finished(keys)

    def cancel(self, keys: Iterable[str] | None = None) -> None:
        """Stop jobs (all when None): queued ones at once, running ones as soon as they can."""
        with self._changed:
            for key in list(self._entries) if keys is None else list(keys):
                entry = self._entries.get(key)
                if entry is None or entry.finished:
                    continue
                entry.execution.control.cancel()
                if entry.state == "queued":
                    entry.state = "cancelled"
                    self._queue.remove(entry)
            self._changed.notify_all()

    def shutdown(self, timeout: float = _SHUTDOWN_SECONDS) -> None:
        """Cancel everything and wait for the threads to end, at most `timeout` seconds."""
        with self._changed:
            self.closed = True
            unfinished = [e.job.label for e in self._entries.values() if not e.finished]
            threads = list(self._running.values())
        if unfinished:
            _log.warning("%d unfinished jobs are stopped: %s", len(unfinished), ", ".join(unfinished[:5]))
        self.cancel()
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _finished(self, keys: list[str]) -> list[str]:
        return [k for k in keys if k in self._entries and self._entries[k].finished]

    def _start_next(self) -> None:
        """Start queued jobs, first come first served, while their threads find room."""
        while self._queue:
            busy = sum(e.job.threads for e in self._running)
            if busy and busy + self._queue[0].job.threads > self.cores:
                return
            entry = self._queue.popleft()
            entry.state = "running"
            # Daemons: a job that does not listen to its control must not keep the interpreter.
            thread = threading.Thread(target=self._work, args=(entry,), name="wavetree-job", daemon=True)
            self._running[entry] = thread
            thread.start()

    def _work(self, entry: _Entry) -> None:
        outcome = entry.execution.run()
        with self._changed:
            entry.state, entry.message, entry.repeatable = outcome.state, outcome.message, outcome.repeatable
            del self._running[entry]
            if not self.closed:
                self._start_next()
            self._changed.notify_all()


def _shutdown_at_exit(reference: weakref.ref[LocalSite]) -> None:
    site = reference()
    if site is not None and not site.closed:
        site.shutdown()
