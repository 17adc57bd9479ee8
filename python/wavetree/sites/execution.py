"""Runs a job; whatever happens ends in its status, its log and its status file."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wavetree.errors import Cancelled, ProjectError, SimulationFailed
from wavetree.sites.folder import STATUS, TERMINATED, StoredTask, write_json
from wavetree.sites.once import run_group_once, run_once
from wavetree.sites.protocol import GroupTask, Job, JobControl

__all__ = ["Execution", "Outcome"]

_log = logging.getLogger("wavetree")


@dataclass(frozen=True)
class Outcome:
    """How a job ended: state, reason, and whether a repetition may help."""

    state: str
    message: str = ""
    repeatable: bool = True


class Execution:
    """A job that is being run by this process.

    Parameters
    ----------
    job
        The job.
    control
        Handed to its tasks.

    Attributes
    ----------
    outcome
        How it ended; None before.
    terminated
        Set by whoever stops the process that the job runs in.
    """

    def __init__(self, job: Job, control: JobControl) -> None:
        self.job = job
        self.control = control
        self.outcome: Outcome | None = None
        self.terminated = False
        self.started: float | None = None
        self._timed_out = False
        self._n_done = 0
        self._together = False

    @property
    def progress(self) -> float:
        """The part of the job that is done, 0 to 1."""
        n = 1 if self._together else len(self.job.work)
        within = float(self.control.progress) if self._n_done < n else 0.0
        return min(1.0, (self._n_done + within) / n)

    def run(self, **known: Any) -> Outcome:
        """Run the job; what is `known` of it is written into its status file too."""
        job = self.job
        self.started = time.time()
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
            _leave_word(job)
            with _job_log(job) as lines, self._time_limit():
                try:
                    self._run_tasks()
                    outcome = Outcome("done")
                except BaseException as error:
                    lines.write(traceback.format_exc())
                    outcome = self._judge(error)
                seconds = time.time() - self.started
                lines.write(f"{outcome.state} after {seconds:.3g} s {outcome.message}\n")
            self._write_status(outcome, known)
        except BaseException as error:
            outcome = Outcome("failed", f"cannot write to {str(job.folder)!r}: {error}", False)
        self.outcome = outcome
        return outcome

    def _run_tasks(self) -> None:
        if tasks := self._group():
            self._together = True
            self._run_group(tasks)
            return
        for one in self.job.work:
            run_once(one.task, one.folder, self.control, self.job.threads)
            self._n_done += 1

    def _group(self) -> list[GroupTask]:
        """The tasks if there are several and all of one group; else none."""
        if len(self.job.work) == 1:
            return []
        try:
            tasks = [
                one.task.load() if isinstance(one.task, StoredTask) else one.task for one in self.job.work
            ]
        except ValueError:
            return []  # one is damaged: those before it have their turn
        grouped = [task for task in tasks if isinstance(task, GroupTask)]
        groups = {task.group for task in grouped}
        return grouped if len(groups) == 1 and None not in groups and len(grouped) == len(tasks) else []

    def _run_group(self, tasks: list[GroupTask]) -> None:
        failed = run_group_once(tasks, [one.folder for one in self.job.work], self.control, self.job.threads)
        self._n_done = 1
        if failed:
            text = "\n".join(f"{task.label}: {error}" for task, error in failed)
            bad = all(isinstance(error, (ValueError, ProjectError)) for _, error in failed)
            raise (ValueError if bad else SimulationFailed)(text) from failed[0][1]

    def _judge(self, error: BaseException) -> Outcome:
        if self._timed_out:
            limit = self.job.wall_time_in_seconds
            return Outcome(
                "failed", f"it took longer than wall_time_in_seconds_per_job = {limit} s; allow more", False
            )
        if self.terminated:
            return Outcome(TERMINATED, "its process was told to end")
        if self.control.cancelled or isinstance(error, Cancelled):
            return Outcome("cancelled")
        text = str(error) if str(error) else type(error).__name__
        # What cannot be written will not be written at once either.
        return Outcome("failed", text, not isinstance(error, (ValueError, ProjectError)))

    @contextlib.contextmanager
    def _time_limit(self) -> Iterator[None]:
        limit = self.job.wall_time_in_seconds
        if limit is None:
            yield
            return

        def stop() -> None:
            self._timed_out = True
            self.control.cancel()

        timer = threading.Timer(limit, stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _write_status(self, outcome: Outcome, known: dict[str, Any]) -> None:
        """Put the status file in place as the last thing, so that it vouches for what lies beside it."""
        content = {
            "state": outcome.state,
            "message": outcome.message,
            "repeatable": outcome.repeatable,
            "label": self.job.label,
            "started": self.started,
            "finished": time.time(),
            "host": socket.gethostname(),
            "process": os.getpid(),
        }
        write_json(self.job.folder / STATUS, content | known)


def _leave_word(job: Job) -> None:
    """Say in the logs of tasks that run in the job of another's folder where to look."""
    for one in job.work:
        if one.folder != job.folder:
            one.folder.mkdir(parents=True, exist_ok=True)
            with (one.folder / "log.txt").open("a", encoding="utf-8") as lines:
                lines.write(f"in the job of {job.label}, see {job.folder / 'log.txt'}, {time.ctime()}\n")


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
