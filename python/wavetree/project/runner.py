"""Brings tasks to a site and keeps account of them.

A task is pure data named by the hash of all it depends on; its result lies in the folder of that
name. What exists is never computed again, and one task never runs twice at the same time.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from wavetree.errors import SimulationFailed, WavetreeError
from wavetree.project.active_task import ActiveTask, in_jobs, refuse_too_long
from wavetree.project.progress_table import ProgressTable
from wavetree.project.sites import Sites
from wavetree.project.store import Store, TaskRecord
from wavetree.project.task_state import Task, TaskState
from wavetree.simulation.cost import cost_of
from wavetree.simulation.restart import reached
from wavetree.sites.folder import JobFolder, StoredTask
from wavetree.sites.local import LocalSite
from wavetree.sites.once import has_outputs
from wavetree.sites.protocol import Job, JobStatus, Site

__all__ = ["Runner", "Task", "TaskState"]

_RETRIES = 3
_CANCEL_SECONDS = 10.0
_BAR_SECONDS = 0.2
_SLICE_SECONDS = 0.25
_LEAST_PROGRESS = 0.01
_SHARED_SECONDS = 0.05  # that one of several sites is waited for at a time
_log = logging.getLogger("wavetree")


class Runner:
    """Issues tasks to a site, repeats failed ones and waits for results.

    Parameters
    ----------
    store
        Where the state of tasks is recorded.
    results
        Folder in which each task's folder lies.
    site
        Runs tasks in this process.
    sites
        Finds other sites; when None, everything runs in this process.
    """

    def __init__(self, store: Store, results: Path, site: LocalSite, sites: Sites | None = None) -> None:
        self.store = store
        self.results = results
        self.site = site
        self.sites = sites
        self._active: dict[str, ActiveTask] = {}
        self._lost: dict[str, TaskState] = {}  # by label, as they ended, until they are issued again
        self._stopped: set[str] = set()  # jobs that were asked to stop
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
        return not self.is_active(task) and has_outputs(task, self.folder(task))

    def is_active(self, task: Task) -> bool:
        """Whether a task is queued or running for this runner."""
        return task.digest() in self._active

    def state(self, task: Task) -> TaskState:
        """Return the state of a task; call `poll` before to know of what has just ended."""
        digest = task.digest()
        if self.is_done(task):
            return TaskState("done", 1.0)
        if digest in self._active:
            status = self._active[digest].status
            state = "running" if status.finished else status.state
            return TaskState(state, status.progress, status.message, status.started)
        record = self.store.find_task(digest)
        if record is None:
            return TaskState("new")
        # "done" without its files: they were deleted, or more outputs are asked for now.
        state = {"issued": "interrupted", "done": "new"}.get(record.status, record.status)
        return TaskState(state, 0.0, record.message)

    def _states(self) -> dict[str, TaskState]:
        """The states of what is queued or running, and of what has failed lately, by label."""
        active = {one.task.label: self.state(one.task) for one in self._active.values()}
        return self._lost | active

    def issue(
        self,
        tasks: Iterable[Task],
        threads: int = 1,
        wall_time: float | None = None,
        site_name: str = "local",
    ) -> int:
        """Queue the tasks whose outputs do not exist and return at once.

        Parameters
        ----------
        tasks
            The tasks.
        threads
            Threads that each may use.
        wall_time
            Longest time that each may take [s]; None for no limit.
        site_name
            Where to run them.

        Returns
        -------
        int
            How many are now queued or running because of this call.

        Raises
        ------
        ValueError
            If tasks are likely to take longer than `wall_time` at a site where they would be cut off.
        """
        tasks = list(tasks)
        self.attach(tasks)
        self.poll()
        asked: dict[str, Task] = {}
        for task in tasks:
            known = asked.setdefault(task.digest(), task)
            if set(known.outputs) < set(task.outputs):
                asked[task.digest()] = task
        missing = [task for task in asked.values() if not self.is_done(task)]
        if asked and not missing:
            _log.info("Nothing to be done: %s computed already.", _listed(list(asked.values())))
        fresh = {}
        for task in missing:
            active = self._active.get(task.digest())
            if active is None:
                site = self._place(task, site_name, threads)
                limit = site.wall_time_in_seconds if wall_time is None else wall_time
                fresh[task.digest()] = ActiveTask(task, site, threads, limit)
            elif not active.will_make(task):
                active.followers.append(task)
        refuse_too_long(fresh.values())
        issued = [TaskRecord(d, a.task.kind, a.task.label, "issued", 1) for d, a in fresh.items()]
        self.store.set_tasks(issued)
        self._submit(list(fresh.values()))
        self._active |= fresh
        for one in fresh.values():
            self._lost.pop(one.task.label, None)
        return len(fresh)

    def issue_again(self, tasks: Iterable[Task]) -> None:
        """Issue tasks that were interrupted, each to the site that had it."""
        places: dict[str, list[Task]] = {}
        for task in tasks:
            found = JobFolder.read(self.folder(task))
            places.setdefault(found.site if found else "local", []).append(task)
        for name, theirs in places.items():
            self.issue(theirs, site_name=name)

    def attach(self, tasks: Iterable[Task]) -> None:
        """Take over tasks that another process issued to a site which outlives it."""
        if self.sites is None:
            return
        sites: dict[str, Any] = {}
        number: Counter[str] = Counter()
        for task in tasks:
            record = None if task.digest() in self._active else self.store.find_task(task.digest())
            found = JobFolder.read(self.folder(task)) if record and record.status == "issued" else None
            if record is not None and found is not None and self._is_in(task, found.job):
                sites[found.site] = sites.get(found.site) or self.sites.outer(found.site)
                if found.job.key not in {active.job for active in self._active.values()}:
                    sites[found.site].attach(found)
                number[found.site] += self._take_over(task, found.job, sites[found.site], record.attempts)
        for name, n in number.items():
            if n:
                _log.info("%d simulations go on at site %r.", n, name)

    def _is_in(self, task: Task, job: Job) -> bool:
        return any(one.folder == self.folder(task) for one in job.work)

    def _take_over(self, task: Task, job: Job, site: Site, attempts: int) -> bool:
        """Take over a task that a site has; return whether it has not ended well already."""
        digest, folder = task.digest(), self.folder(task)
        (theirs,) = (one.task for one in job.work if one.folder == folder)
        if has_outputs(theirs, folder) and site.status(job.key).finished:
            self.store.set_tasks([TaskRecord(digest, task.kind, task.label, "done", attempts)])
            return False
        covered = set(task.outputs) <= set(theirs.outputs)
        known = task if covered or not isinstance(theirs, StoredTask) else theirs.load()
        found = ActiveTask(known, site, job.threads, job.wall_time_in_seconds, attempts)
        found.job, found.n_beside = job.key, len(job.work) - 1
        if not covered:
            found.followers.append(task)
        self._active[digest] = found
        return True

    def poll(self) -> None:
        """Take note of jobs that have ended: repeat failed ones, record the others."""
        records, again = [], []
        for digest in self._wait_for_end(self._active, timeout=0.0):
            active = self._active[digest]
            status = active.end(self.folder(active.task), self._stopped)
            if status.state == "failed" and self._tries_again(active, status):
                again.append(active)
                continue
            if status.state == "queued":
                again.append(active)
                continue
            records.append(self._finish(active, status))
            del self._active[digest]
            self._ended += 1
            if active.followers and status.state == "done":
                task, *others = active.followers
                next_one = ActiveTask(task, active.site, active.threads, active.wall_time, followers=others)
                self._active[digest] = next_one
                again.append(self._active[digest])
        records += self._submit_again(again)
        if records:
            self.store.set_tasks(records)

    def _tries_again(self, active: ActiveTask, status: JobStatus) -> bool:
        """Whether a task that has failed is tried again: always if it has come further than before.

        As each of these attempts has to do a certain part of the work, there is an end to them.
        """
        label, now = active.task.label, reached(self.folder(active.task))
        if now >= active.reached + _LEAST_PROGRESS:
            active.reached = now
            _log.warning("%s goes on from %.0f %%: %s", label, 100.0 * now, status.message)
            return True
        if not status.repeatable or active.attempts > _RETRIES:
            return False
        _log.warning(
            "%s failed (attempt %d of %d), trying again: %s",
            label, active.attempts, _RETRIES + 1, status.message,
        )  # fmt: skip
        active.attempts += 1
        return True

    def _submit_again(self, entries: list[ActiveTask]) -> list[TaskRecord]:
        """Submit tasks that are known already; return the records of those that cannot be."""
        try:
            self._submit(entries)
        except (WavetreeError, ValueError) as error:
            for entry in entries:
                del self._active[entry.task.digest()]
            return [
                TaskRecord(e.task.digest(), e.task.kind, e.task.label, "failed", e.attempts, str(error))
                for e in entries
            ]
        return []

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
            As it came; what runs in this process has been stopped, what is finished stays.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        table = ProgressTable(total, description)
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
                    pause = min(ping, _BAR_SECONDS) if table.is_shown else ping
                    self._wait_for_end(self._active, min(pause, left))
                table.show(progress(), self._states())
            return done
        except KeyboardInterrupt:
            self.let_go()
            raise
        finally:
            table.close()

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

    def let_go(self) -> None:
        """Stop what runs in this process; what runs at sites that outlive it goes on."""
        inner = [digest for digest, active in self._active.items() if not active.site.outlives]
        self._cancel(inner)
        left = {active.site.name: 0 for active in self._active.values()}
        for active in self._active.values():
            left[active.site.name] += 1
        for name, number in left.items():
            _log.info(
                "%d simulations go on at site %r; the project finds them again, and "
                "p.simulations.cancel() stops those that were launched.", number, name,
            )  # fmt: skip

    def cancel(self, tasks: Iterable[Task] | None = None) -> int:
        """Stop tasks (all when None) and wait until they have; return how many were stopped."""
        tasks = None if tasks is None else list(tasks)
        self.attach(tasks or ())
        asked = self._active if tasks is None else [t.digest() for t in tasks]
        return self._cancel([d for d in asked if d in self._active])

    def _cancel(self, digests: list[str]) -> int:
        for digest in digests:
            # Nothing is tried again that the user wants to stop.
            self._active[digest].attempts, self._active[digest].reached = _RETRIES + 1, 1.0
            self._active[digest].followers.clear()
            self._active[digest].stopped = True
            self._stopped.add(self._active[digest].job)
        for site, keys in self._by_site(digests):
            site.cancel(keys)
        deadline = time.monotonic() + _CANCEL_SECONDS
        left = digests
        while left and time.monotonic() < deadline:
            self._wait_for_end(left, deadline - time.monotonic())
            left = [d for d in left if not self._active[d].status.finished]
        self.poll()
        return len(digests)

    def _by_site(self, digests: Iterable[str]) -> list[tuple[Site, list[str]]]:
        sites: dict[int, tuple[Site, list[str]]] = {}
        for digest in digests:
            site, job = self._active[digest].site, self._active[digest].job
            keys = sites.setdefault(id(site), (site, []))[1]
            if job not in keys:
                keys.append(job)
        return list(sites.values())

    def _wait_for_end(self, digests: Iterable[str], timeout: float) -> list[str]:
        """Wait until one of the tasks has ended and return those that have, at whatever sites they are."""
        digests = list(digests)
        groups, deadline = self._by_site(digests), time.monotonic() + timeout
        if not groups:
            return self.site.wait([], timeout)
        while True:
            ended: list[str] = []
            for site, keys in groups:
                left = deadline - time.monotonic()
                pause = 0.0 if ended or left <= 0.0 else left
                ended += site.wait(keys, pause if len(groups) == 1 else min(pause, _SHARED_SECONDS))
            if ended or time.monotonic() >= deadline:
                return [digest for digest in digests if self._active[digest].job in ended]

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

    def _place(self, task: Task, site_name: str, threads: int) -> Site:
        return self.site if self.sites is None else self.sites.place(site_name, cost_of(task), threads)

    def _submit(self, entries: list[ActiveTask]) -> None:
        jobs: dict[int, tuple[Site, list[Job]]] = {}
        for first, job in in_jobs(entries, self.folder):
            self._stopped.discard(job.key)
            jobs.setdefault(id(first.site), (first.site, []))[1].append(job)
        for site, theirs in jobs.values():
            site.submit(theirs)

    def _finish(self, active: ActiveTask, status: JobStatus) -> TaskRecord:
        task = active.task
        state, message = status.state, status.message
        if state == "cancelled" and message:
            _log.warning("%s was cancelled: %s", task.label, message)
        if state == "done" and not has_outputs(task, self.folder(task)):
            state, message = "failed", f"it ended without writing {', '.join(task.outputs)}"
        if state != "done":
            self._lost[task.label] = TaskState(state, 0.0, message)
        return TaskRecord(task.digest(), task.kind, task.label, state, active.attempts, message)


def _listed(tasks: Sequence[Task]) -> str:
    names = ", ".join(t.label for t in tasks[:3]) + (", ..." if len(tasks) > 3 else "")
    return f"{names} {'is' if len(tasks) == 1 else f'({len(tasks)}) are'}"
