"""Brings tasks to a site and keeps account of them.

A task is pure data named by the hash of all it depends on; its result lies in the folder of that
name. What exists is never computed again, and one task never runs twice at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from tqdm.auto import tqdm

from wavetree.errors import Cancelled, SimulationFailed
from wavetree.project.store import Store, TaskRecord
from wavetree.sites.local import Job, JobStatus, LocalSite

__all__ = ["LOCK", "Runner", "Task", "TaskState"]

LOCK = ".lock"
"""File in a task's folder whose lock is held by the process that computes the task."""

_RETRIES = 3
_CANCEL_SECONDS = 10.0
_BAR_SECONDS = 0.2
_SLICE_SECONDS = 0.25
_log = logging.getLogger("wavetree")


class Task(Protocol):
    """What the runner needs to know of a task."""

    @property
    def kind(self) -> str:
        """The kind, for example "forward"."""

    @property
    def label(self) -> str:
        """What users read, for example "event_0003 of initial_model"."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Files in the task's folder that exist once it is done."""

    def digest(self) -> str:
        """Hash of all that the result depends on."""

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute and write the outputs into `folder`, each complete or not at all."""


@dataclass(frozen=True)
class TaskState:
    """State of a task.

    Attributes
    ----------
    state
        "new", "queued", "running", "done", "failed", "cancelled", or "interrupted" when the process
        that issued it ended before the task did.
    progress
        The part that is done, 0 to 1.
    message
        Why it failed, else empty.
    """

    state: str
    progress: float = 0.0
    message: str = ""


@dataclass
class _Active:
    """A task that a site has; `followers` are the same task with other outputs, asked for meanwhile."""

    task: Task
    threads: int
    wall_time: float | None
    attempts: int = 1
    followers: list[Task] = field(default_factory=list)

    def will_make(self, task: Task) -> bool:
        return any(set(task.outputs) <= set(one.outputs) for one in (self.task, *self.followers))


class Runner:
    """Issues tasks to a site, repeats failed ones and waits for results.

    Parameters
    ----------
    store
        Where the state of tasks is recorded.
    results
        Folder in which each task's folder lies.
    site
        Where the tasks run.
    """

    def __init__(self, store: Store, results: Path, site: LocalSite) -> None:
        self.store = store
        self.results = results
        self.site = site
        self._active: dict[str, _Active] = {}
        self._ended = 0  # how many have left `_active` so far
        self._slice_end = math.inf
        self._cut_short = False

    def folder(self, task: Task) -> Path:
        """Return the folder of a task's outputs."""
        return self.folder_of(task.digest())

    def folder_of(self, digest: str) -> Path:
        """Return the folder of the outputs of the task with that digest."""
        return self.results / digest[:2] / digest

    def log_file(self, task: Task) -> Path:
        """Return the log of a task."""
        return self.folder(task) / "log.txt"

    def is_done(self, task: Task) -> bool:
        """Whether all outputs of a task exist and its job, if there was one, has ended."""
        return not self.is_active(task) and _has_outputs(task, self.folder(task))

    def is_active(self, task: Task) -> bool:
        """Whether a task is queued or running for this runner."""
        return task.digest() in self._active

    def state(self, task: Task) -> TaskState:
        """Return the state of a task; call `poll` before to know of what has just ended."""
        digest = task.digest()
        if self.is_done(task):
            return TaskState("done", 1.0)
        if digest in self._active:
            status = self.site.status(digest)
            return TaskState("running" if status.finished else status.state, status.progress)
        record = self.store.find_task(digest)
        if record is None:
            return TaskState("new")
        # "done" without its files: they were deleted, or more outputs are asked for now.
        state = {"issued": "interrupted", "done": "new"}.get(record.status, record.status)
        return TaskState(state, 0.0, record.message)

    def issue(self, tasks: Iterable[Task], threads: int = 1, wall_time: float | None = None) -> int:
        """Queue the tasks whose outputs do not exist and return at once.

        Parameters
        ----------
        tasks
            The tasks.
        threads
            Threads that each may use.
        wall_time
            Longest time that each may take [s]; None for no limit.

        Returns
        -------
        int
            How many are now queued or running because of this call.
        """
        self.poll()
        asked: dict[str, Task] = {}
        for task in tasks:
            known = asked.setdefault(task.digest(), task)
            if set(known.outputs) < set(task.outputs):
                asked[task.digest()] = task
        missing = [task for task in asked.values() if not self.is_done(task)]
        if asked and not missing:
            _log.info("Nothing to be done: %s computed already.", _listed(list(asked.values())))
        fresh = []
        for task in missing:
            active = self._active.get(task.digest())
            if active is None:
                self._active[task.digest()] = _Active(task, threads, wall_time)
                fresh.append(task)
            elif not active.will_make(task):
                active.followers.append(task)
        self.store.set_tasks([TaskRecord(t.digest(), t.kind, t.label, "issued", 1) for t in fresh])
        self._submit([self._active[t.digest()] for t in fresh])
        return len(fresh)

    def poll(self) -> None:
        """Take note of jobs that have ended: repeat failed ones, record the others."""
        records, again = [], []
        for digest in self.site.wait(list(self._active), timeout=0.0):
            active, status = self._active[digest], self.site.status(digest)
            if status.state == "failed" and status.repeatable and active.attempts <= _RETRIES:
                _log.warning(
                    "%s failed (attempt %d of %d), trying again: %s",
                    active.task.label, active.attempts, _RETRIES + 1, status.message,
                )  # fmt: skip
                active.attempts += 1
                again.append(active)
                continue
            records.append(self._finish(active, status))
            del self._active[digest]
            self._ended += 1
            if active.followers and status.state == "done":
                task, *others = active.followers
                self._active[digest] = _Active(task, active.threads, active.wall_time, followers=others)
                again.append(self._active[digest])
        if records:
            self.store.set_tasks(records)
        self._submit(again)

    def wait(
        self, tasks: Sequence[Task], timeout: float | None = None, ping: float = 2.0, description: str = ""
    ) -> bool:
        """Wait until tasks are done.

        Parameters
        ----------
        tasks
            The tasks to wait for; those that nobody issued are not started.
        timeout
            Longest time to wait [s]; None waits for ever.
        ping
            Longest time between two looks [s]; the end of a job wakes the waiter at once.
        description
            What stands before the progress bar.

        Returns
        -------
        bool
            True when all are done; False at the timeout or when the rest was cancelled.

        Raises
        ------
        SimulationFailed
            When none is running any more and some have failed.
        """

        def advance() -> bool:
            self.poll()
            if not any(self.is_active(t) for t in tasks):
                self.raise_failures(tasks)
            return all(self.is_done(t) for t in tasks)

        def progress() -> float:
            return sum(self.state(t).progress for t in tasks)

        return self.block(advance, progress, len(tasks), timeout=timeout, ping=ping, description=description)

    def block(
        self, advance: Callable[[], bool], progress: Callable[[], float], total: int, *,
        timeout: float | None = None, ping: float = 2.0, description: str = "",
    ) -> bool:  # fmt: skip
        """Call `advance` whenever a job has ended until it returns True, under a progress bar.

        An `advance` that works itself asks `is_time_up` now and then, and returns False to be called again at
        once. The timeout is kept as exactly as it asks.

        Returns
        -------
        bool
            What `advance` returned last; False at the timeout or when no job is left to wait for.

        Raises
        ------
        KeyboardInterrupt
            As it came; the running jobs have been stopped, what is finished stays.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with tqdm(total=total, desc=description, disable=None, leave=False, bar_format=_BAR_FORMAT) as bar:
            try:
                ended = self._ended
                while not (done := self._advance_slice(advance)):
                    left = math.inf if deadline is None else deadline - time.monotonic()
                    # What has ended while `advance` looked elsewhere may be what it waits for.
                    looks_again = self._cut_short or self._active or ended != self._ended
                    ended = self._ended
                    if left <= 0 or not looks_again:
                        break
                    if not self._cut_short:
                        pause = ping if bar.disable else min(ping, _BAR_SECONDS)
                        self.site.wait(list(self._active), min(pause, left))
                    if not bar.disable:
                        bar.n = min(progress(), total)
                        bar.refresh()
                return done
            except KeyboardInterrupt:
                self.cancel()
                raise

    def is_time_up(self) -> bool:
        """Whether an `advance` that works itself shall return, for `block` to look at jobs and the time."""
        self._cut_short = time.monotonic() > self._slice_end
        return self._cut_short

    def _advance_slice(self, advance: Callable[[], bool]) -> bool:
        self._slice_end, self._cut_short = time.monotonic() + _SLICE_SECONDS, False
        try:
            return advance()
        finally:
            self._slice_end = math.inf

    def cancel(self, tasks: Iterable[Task] | None = None) -> int:
        """Stop tasks (all when None) and wait until they have; return how many were stopped."""
        asked = self._active if tasks is None else [t.digest() for t in tasks]
        digests = [d for d in asked if d in self._active]
        for digest in digests:
            # Nothing is tried again that the user wants to stop.
            self._active[digest].attempts = _RETRIES + 1
            self._active[digest].followers.clear()
        self.site.cancel(digests)
        deadline = time.monotonic() + _CANCEL_SECONDS
        left = digests
        while left and time.monotonic() < deadline:
            self.site.wait(left, deadline - time.monotonic())
            left = [d for d in left if not self.site.status(d).finished]
        self.poll()
        return len(digests)

    def failures(self, tasks: Iterable[Task]) -> dict[str, str]:
        """Return {label: message with the log file} of the tasks that have failed."""
        states = {task.label: (self.state(task), task) for task in tasks}
        return {
            label: f"{state.message} (log: {self.log_file(task)})"
            for label, (state, task) in states.items()
            if state.state == "failed"
        }

    def raise_failures(self, tasks: Sequence[Task]) -> None:
        """Raise `SimulationFailed`, naming events and logs, if any of the tasks has failed."""
        failed = self.failures(tasks)
        if failed:
            lines = "".join(f"\n  {label}: {message}" for label, message in failed.items())
            raise SimulationFailed(
                f"{len(failed)} of {len(tasks)} simulations failed:{lines}\n"
                "The results of the others are kept; launch again to repeat only what failed."
            )

    def _submit(self, entries: list[_Active]) -> None:
        self.site.submit(
            Job(
                key=entry.task.digest(),
                label=entry.task.label,
                folder=self.folder(entry.task),
                run=functools.partial(_run_once, entry.task, entry.threads),
                threads=entry.threads,
                wall_time_in_seconds=entry.wall_time,
            )
            for entry in entries
        )

    def _finish(self, active: _Active, status: JobStatus) -> TaskRecord:
        task = active.task
        state, message = status.state, status.message
        if state == "done" and not _has_outputs(task, self.folder(task)):
            state, message = "failed", f"it ended without writing {', '.join(task.outputs)}"
        return TaskRecord(task.digest(), task.kind, task.label, state, active.attempts, message)


_BAR_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


def _run_once(task: Task, threads: int, folder: Path, control: Any) -> None:
    """Run a task unless another process has just done so."""
    with _exclusive(folder, control):
        if not _has_outputs(task, folder):
            task.run(folder, control, threads=threads)


def _has_outputs(task: Task, folder: Path) -> bool:
    return all((folder / name).is_file() for name in task.outputs)


@contextlib.contextmanager
def _exclusive(folder: Path, control: Any) -> Iterator[None]:
    """Hold the folder's lock, which the system frees when its holder dies, however it dies."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            if _lock(lock, control) and not _is_at(folder / LOCK, lock):
                continue  # the folder was deleted as an orphan while its lock was waited for
            yield
            return


def _lock(lock: IO[str], control: Any) -> bool:
    """Wait for a lock and return whether it is held: not on file systems without locks."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if control.cancelled:
                raise Cancelled("stopped while another process computed the same") from None
            time.sleep(0.1)
        except OSError:
            # Two processes would then write the same bytes.
            return False


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _listed(tasks: Sequence[Task]) -> str:
    names = ", ".join(t.label for t in tasks[:3]) + (", ..." if len(tasks) > 3 else "")
    return f"{names} {'is' if len(tasks) == 1 else f'({len(tasks)}) are'}"
