"""The site "slurm": job arrays on a cluster."""

from __future__ import annotations

import logging
import shlex
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from wavetree.errors import ProjectError
from wavetree.process import module_places
from wavetree.sites import slurm_commands
from wavetree.sites.folder import TERMINATED, JobFolder, read_json, write_json
from wavetree.sites.outer import OuterSite
from wavetree.sites.protocol import Job, JobStatus
from wavetree.sites.settings import SlurmSettings
from wavetree.sites.slurm_commands import Member

__all__ = ["MEMBERS", "SlurmSite"]

MEMBERS = "members"
"""File in the folder of a job array with the folder of every job in it, a line each."""

# Files that a node has written may be seen here later than Slurm says that the job has ended.
_GRACE_SECONDS = 3.0
_WAITING = {
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
}
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
_USUAL = {"", "Priority", "Resources", "BeginTime", "Cleaning"}
_log = logging.getLogger("wavetree")


class SlurmSite(OuterSite):
    """Runs jobs on a cluster with Slurm; the folder of a job must be visible on its nodes.

    Parameters
    ----------
    settings
        What users say of it.
    home
        Folder for scripts and what Slurm prints, shared by all who use the site for a project.

    Notes
    -----
    Whether a job has ended is read from its folder. Slurm is asked, for all jobs together and not more often
    than the settings say, what those wait for that have not, and which it has lost; it need not be asked for
    jobs to be waited for. A job that ends without a word has failed, or was cancelled, as Slurm says.
    """

    look_seconds = 0.5

    def __init__(self, settings: SlurmSettings, home: Path) -> None:
        super().__init__(settings.restart_interval_in_seconds)
        self.name = settings.name
        self.wall_time_in_seconds = settings.wall_time_in_seconds_per_job
        self._settings = settings
        self._home = home
        self._known_since: dict[str, float] = {}
        self._queue: dict[tuple[str, int], Member] = {}
        self._asked = -1e9  # when Slurm was asked, and when it last answered
        self._answered = -1e9
        self._missing_since: dict[str, float] = {}
        self._said = ""

    def submit(self, jobs: Iterable[Job]) -> None:
        """Queue jobs, as few arrays as possible, and return at once.

        Raises
        ------
        ValueError
            If a job of the same key has not finished yet, or Slurm refuses the jobs.
        ProjectError
            If a job's folder cannot be written.
        WavetreeError
            If Slurm cannot be reached.
        """
        groups: dict[tuple[int, float | None], list[Job]] = {}
        for job in jobs:
            if job.key in self._jobs and not self.status(job.key).finished:
                raise ValueError(
                    f"job {job.key!r} is {self.status(job.key).state} already; wait for it first."
                )
            groups.setdefault((job.threads, job.wall_time_in_seconds), []).append(job)
        for group in groups.values():
            size = self._settings.jobs_per_array
            for first in range(0, len(group), size):
                self._submit_array(group[first : first + size])

    def attach(self, found: JobFolder) -> None:
        """Take over a job that another process submitted to this site."""
        self._take(found)

    def cancel(self, keys: Iterable[str] | None = None) -> None:
        """Stop jobs (all when None): queued ones at once, running ones as soon as they can."""
        asked = list(self._jobs) if keys is None else [key for key in keys if key in self._jobs]
        found = [self._jobs[key] for key in asked if not self.status(key).finished]
        for one in found:
            one.ask_to_cancel()
        members = ((self._number(one), one.place["index"]) for one in found)
        slurm_commands.cancel([(number, index) for number, index in members if number])
        for one in found:
            if not one.progress():
                one.fail("", state="cancelled")

    def shutdown(self) -> None:
        """Do nothing: the jobs go on."""

    # -- submission ----------------------------------------------------------------------------

    def _submit_array(self, jobs: list[Job]) -> None:
        name = f"wavetree-{uuid.uuid4().hex[:12]}"
        folder = self._home / name
        try:
            folder.mkdir(parents=True)
            found = [
                JobFolder.write(self._restartable(job), self.name, {"array": name, "index": index})
                for index, job in enumerate(jobs)
            ]
            (folder / MEMBERS).write_text("".join(f"{job.folder}\n" for job in jobs))
            (folder / "script").write_text(self._script(folder))
        except OSError as error:
            raise ProjectError(
                f"{jobs[0].label} cannot be submitted: {error}; make room, or make the folder writable."
            ) from error
        number = slurm_commands.submit(folder / "script", self._options(folder, jobs), name)
        write_json(folder / "array.json", {"number": number})
        for one in found:
            self._take(one)

    def _take(self, found: JobFolder) -> None:
        key = found.job.key
        self._jobs[key], self._known_since[key] = found, time.monotonic()
        self._ended.pop(key, None)
        self._missing_since.pop(key, None)

    def _options(self, folder: Path, jobs: list[Job]) -> list[str]:
        settings = self._settings
        options = [f"--array=0-{len(jobs) - 1}", "--ntasks=1", f"--cpus-per-task={jobs[0].threads}"]
        options += [f"--output={folder}/%a.out", "--open-mode=append", f"--chdir={folder}"]
        for name in ("account", "partition", "qos", "constraint"):
            if (value := getattr(settings, name)) is not None:
                options.append(f"--{name}={value}")
        limit = jobs[0].wall_time_in_seconds
        if limit is not None:
            minutes, seconds = divmod(round(limit), 60)
            options.append(f"--time={minutes}:{seconds:02d}")
        return [*options, *settings.extra_arguments]

    def _script(self, folder: Path) -> str:
        settings = self._settings
        lines = ["#!/bin/bash", "set -e", *(f"module load {shlex.quote(one)}" for one in settings.modules)]
        if places := module_places():
            lines.append(f"export PYTHONPATH={shlex.quote(places)}")
        lines += settings.commands
        members = shlex.quote(str(folder / MEMBERS))
        lines.append(f'folder=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {members})')
        words = [*settings.launcher, settings.python or sys.executable, "-m", "wavetree.worker"]
        return "\n".join([*lines, f'exec {shlex.join(words)} "$folder"', ""])

    # -- what has become of a job --------------------------------------------------------------

    def _look(self, key: str, found: JobFolder) -> JobStatus:
        said = found.ended().get("state")
        status = found.final_status()
        if status is not None and said != TERMINATED:
            return status
        self._ask()
        member = self._queue.get((found.place["array"], found.place["index"]))
        if member is None and self._answered < max(self._known_since[key], self._asked):
            return self._without_slurm(found)
        if member is not None and member.state in _WAITING:
            return JobStatus("queued", 0.0, member.reason, found.log_file)
        if member is not None and member.state in _RUNNING:
            progress = found.progress()
            return JobStatus(
                "running", progress.get("progress", 0.0), "", found.log_file, started=progress.get("begun")
            )
        since = self._missing_since.setdefault(key, time.monotonic())
        if said != TERMINATED and time.monotonic() - since < _GRACE_SECONDS:
            return JobStatus("running", found.progress().get("progress", 0.0), "", found.log_file)
        return self._judge(found)

    def _tend(self) -> None:
        """Do nothing: Slurm does."""

    def _without_slurm(self, found: JobFolder) -> JobStatus:
        """What the folder alone says, as long as Slurm does not answer, or was not asked for the job yet."""
        said = found.progress()
        message = "Slurm does not answer" if self._answered < self._asked else ""
        if not said:
            return JobStatus("queued", 0.0, message, found.log_file)
        return JobStatus("running", said["progress"], message, found.log_file, started=said["begun"])

    def _judge(self, found: JobFolder) -> JobStatus:
        """The state of a job that has ended without saying how: Slurm says why."""
        number = self._number(found)
        end = slurm_commands.end_of(number, found.place["index"]) if number else None
        state = "" if end is None else end.state
        if state in _WAITING | _RUNNING:  # it was begun again meanwhile
            return JobStatus("queued", 0.0, "", found.log_file)
        if found.is_to_cancel():
            return found.fail("", state="cancelled")
        if words := found.progress().get("last_words"):
            return found.fail(words["message"], words["repeatable"])
        if state == "CANCELLED":
            return found.fail(
                f"somebody cancelled job {number}_{found.place['index']} of Slurm; launch it, or resume the "
                "inversion, again to go on", state="cancelled",
            )  # fmt: skip
        if state == "TIMEOUT":
            return found.fail(
                "Slurm stopped it at its time limit; give more wall_time_in_seconds_per_job",
                repeatable=False,
            )
        output = self._home / found.place["array"] / f"{found.place['index']}.out"
        why = f"Slurm says {state} ({end.reason})" if end else "Slurm knows nothing of it any more"
        if state == "OUT_OF_MEMORY":
            why += "; ask for more with extra_arguments of SlurmSettings, ('--mem=16G',) for example"
        return found.fail(f"it ended without a word; {why}; see {str(output)!r}")

    def _number(self, found: JobFolder) -> str:
        """The number of a job's array; empty if it was never submitted."""
        name, index = found.place["array"], found.place["index"]
        known = read_json(self._home / name / "array.json").get("number")
        if known is None and (name, index) in self._queue:
            known = self._queue[name, index].number
        return str(known or "")

    def _ask(self) -> None:
        """Ask Slurm for all jobs that have not ended, unless it was asked a short while ago."""
        now = time.monotonic()
        if now - self._asked < self._settings.poll_interval_in_seconds:
            return
        self._asked = now
        names = {found.place["array"] for key, found in self._jobs.items() if key not in self._ended}
        known = slurm_commands.queue(sorted(names))
        if known is None:
            self._say("Slurm does not answer; what has begun is waited for all the same")
            return
        self._queue, self._answered = known, now
        waits = (m.reason for m in known.values() if m.state in _WAITING and m.reason not in _USUAL)
        reasons = ", ".join(f"{reason} ({n})" for reason, n in Counter(waits).items())
        self._say(f"jobs wait for another reason than their turn: {reasons}" if reasons else "")

    def _say(self, words: str) -> None:
        if words and words != self._said:
            _log.warning("Site %r: %s.", self.name, words)
        self._said = words
