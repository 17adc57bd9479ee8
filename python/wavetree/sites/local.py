"""The site "local": jobs run in threads of this process, several at a time.

The work is done by compiled code that releases the interpreter's lock, so threads run in parallel.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wavetree.errors import Cancelled, unknown_name

__all__ = ["Control", "Job", "JobControl", "JobStatus", "LocalSite", "usable_cores"]

_SHUTDOWN_SECONDS = 10.0
_log = logging.getLogger("wavetree")


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
    """A `JobControl` for jobs written in Python; the job sets `progress` and looks at `cancelled`."""

    def __init__(self) -> None:
        self.cancelled = False
        self.progress = 0.0

    def cancel(self) -> None:
        """Ask the job to stop as soon as it can."""
        self.cancelled = True


@dataclass(frozen=True)
class Job:
    """A piece of work.

    Parameters
    ----------
    key
        Names the job; a site runs one job of a key at a time.
    label
        What users read.
    folder
        Where it writes; `log.txt` and `status.json` are added there by the site.
    run
        The work, called as ``run(folder, control)`` in a thread.
    threads
        Cores that it keeps busy.
    wall_time_in_seconds
        The job is stopped, and has failed, when it takes longer; None for no limit.
    """

    key: str
    label: str
    folder: Path
    run: Callable[[Path, Any], None]
    threads: int = 1
    wall_time_in_seconds: float | None = None


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
        Why it failed, else empty.
    log_file
        The job's log.
    repeatable
        Whether the same job may succeed when run again (not if its input was found to be bad).
    """

    state: str
    progress: float
    message: str
    log_file: Path
    repeatable: bool = True

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.state not in ("queued", "running")


@dataclass(eq=False)
class _Entry:
    job: Job
    control: JobControl
    state: str = "queued"
    message: str = ""
    repeatable: bool = True
    timed_out: bool = False

    @property
    def finished(self) -> bool:
        return self.state not in ("queued", "running")


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalSite:
    """Runs jobs in threads of this process.

    Parameters
    ----------
    cores
        Cores to keep busy: jobs run side by side while the sum of their threads is at most this
        (one job always may). All that this process may use when None.
    make_control
        Makes the control object that is handed to a job.
    """

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
                entry = _Entry(job, self._make_control())
                self._entries[job.key] = entry
                self._queue.append(entry)
            self._start_next()

    def status(self, key: str) -> JobStatus:
        """Return the state of a job; ValueError if it was never submitted."""
        with self._changed:
            if key not in self._entries:
                raise unknown_name("job", key, self._entries)
            entry = self._entries[key]
            progress = {"queued": 0.0, "done": 1.0}.get(entry.state, float(entry.control.progress))
            log_file = entry.job.folder / "log.txt"
            return JobStatus(entry.state, progress, entry.message, log_file, entry.repeatable)

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
                entry.control.cancel()
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
        state, message, repeatable = self._execute(entry)
        with self._changed:
            entry.state, entry.message, entry.repeatable = state, message, repeatable
            del self._running[entry]
            if not self.closed:
                self._start_next()
            self._changed.notify_all()

    def _execute(self, entry: _Entry) -> tuple[str, str, bool]:
        """Run one job; whatever happens ends in its status, its log and its status file."""
        job = entry.job
        started = time.time()
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
            with _job_log(job) as lines, _time_limit(entry):
                try:
                    job.run(job.folder, entry.control)
                    state, message, repeatable = "done", "", True
                except BaseException as error:
                    lines.write(traceback.format_exc())
                    state, message, repeatable = _judge(entry, error)
                lines.write(f"{state} after {time.time() - started:.3g} s {message}\n")
            _write_status(job, {"state": state, "message": message, "started": started})
        except BaseException as error:
            return "failed", f"cannot write to {str(job.folder)!r}: {error}", True
        return state, message, repeatable


def _judge(entry: _Entry, error: BaseException) -> tuple[str, str, bool]:
    """State, message and whether a repetition may help, for a job that ended in an exception."""
    if entry.timed_out:
        limit = entry.job.wall_time_in_seconds
        return "failed", f"it took longer than wall_time_in_seconds_per_job = {limit} s", False
    if entry.control.cancelled or isinstance(error, Cancelled):
        return "cancelled", "", True
    text = str(error) if str(error) else type(error).__name__
    return "failed", text, not isinstance(error, ValueError)


@contextlib.contextmanager
def _job_log(job: Job) -> Iterator[Any]:
    """Open the job's log (attempts follow each other) and lead what this thread logs into it."""
    thread = threading.get_ident()
    with (job.folder / "log.txt").open("a", encoding="utf-8") as lines:
        lines.write(f"{job.label} on {socket.gethostname()}, process {os.getpid()}, {time.ctime()}\n")
        lines.flush()
        handler = logging.StreamHandler(lines)
        handler.addFilter(lambda record: record.thread == thread)
        _log.addHandler(handler)
        try:
            yield lines
        finally:
            _log.removeHandler(handler)


@contextlib.contextmanager
def _time_limit(entry: _Entry) -> Iterator[None]:
    limit = entry.job.wall_time_in_seconds
    if limit is None:
        yield
        return

    def stop() -> None:
        entry.timed_out = True
        entry.control.cancel()

    timer = threading.Timer(limit, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _write_status(job: Job, content: dict[str, Any]) -> None:
    """Put the status file in place as the last thing, so that it vouches for what lies beside it."""
    content |= {
        "label": job.label,
        "finished": time.time(),
        "host": socket.gethostname(),
        "process": os.getpid(),
    }
    temporary = job.folder / f".status.json.{os.getpid()}.{threading.get_ident()}.part"
    with temporary.open("w", encoding="utf-8") as file:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(file, fcntl.LOCK_SH)  # who finds it without lock knows that its writer has died
        file.write(json.dumps(content, indent=1))
        file.flush()
        os.replace(temporary, job.folder / "status.json")


def _shutdown_at_exit(reference: weakref.ref[LocalSite]) -> None:
    site = reference()
    if site is not None and not site.closed:
        site.shutdown()
