"""What is written in the folder of a job that another process runs: for those who ask, it is the truth.

`tasks.json` says what to do, `job.json` how and which submission this is, `progress.json` how far it is and
who runs it, `status.json`, the last one, how it ended. A file `cancel.json` asks the job to stop. All of them
name the submission, so that what an earlier attempt left is not taken for this one's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wavetree.config
from wavetree.process import is_alive
from wavetree.sites.protocol import Job, JobStatus, RestartableTask, Work

__all__ = [
    "CANCEL",
    "JOB",
    "PROGRESS",
    "STATUS",
    "TASKS",
    "TERMINATED",
    "JobFolder",
    "StoredTask",
    "overwrite_json",
    "read_json",
    "write_json",
]

TERMINATED = "terminated"
"""State in a status file of a job whose process was told to end, by whomever."""

JOB, TASKS, PROGRESS, STATUS, CANCEL = (
    f"{name}.json" for name in ("job", "tasks", "progress", "status", "cancel")
)

# A process on another host cannot be asked whether it lives: this many seconds without a sign say no.
_STALE_SECONDS = 120.0

_LIMITS = ("threads", "wall_time_in_seconds", "memory_in_bytes", "restart_interval_in_seconds")


def write_json(path: Path, content: dict[str, Any], indent: int | None = 1) -> None:
    """Write a JSON file that appears complete or not at all; OSError where it cannot be written."""
    temporary = path.parent / f".{path.name}.{os.getpid()}.{threading.get_ident()}.part"
    try:
        with temporary.open("w", encoding="utf-8") as file:
            with contextlib.suppress(OSError):  # file systems without locks
                fcntl.flock(file, fcntl.LOCK_SH)  # who finds it without lock knows that its writer has died
            file.write(json.dumps(content, indent=indent))
            file.flush()
            os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def overwrite_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file into the place of a longer one: that much room there is on a full disk too."""
    with path.open("r+b") as file:
        size = len(file.read())
        file.seek(0)
        file.write(json.dumps(content).encode().ljust(size))


def read_json(path: Path) -> dict[str, Any]:
    """Return what `write_json` wrote; empty where there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@dataclass(frozen=True)
class StoredTask:
    """A task as it was written down; it is read when it is needed, which takes longer than all else.

    Parameters
    ----------
    file, index
        The file that it is in, and its place there.
    submission
        The file's content must be of this one.
    outputs
        Files that exist once it is done.
    restart_interval_in_seconds
        See `wavetree.sites.protocol.Job`.
    """

    file: Path
    index: int
    submission: str
    outputs: tuple[str, ...]
    restart_interval_in_seconds: float | None = None

    def load(self) -> Any:
        """Return the task; ValueError where it is lost, or not valid."""
        said = read_json(self.file)
        if said.get("submission") != self.submission:
            raise ValueError(f"{str(self.file)!r} is damaged or of another job; launch the simulation again.")
        return wavetree.config.load(said["tasks"][self.index])

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute and write the outputs into `folder`, each complete or not at all."""
        task, interval = self.load(), self.restart_interval_in_seconds
        if interval is not None and isinstance(task, RestartableTask):
            task.resume(folder, control, threads, interval)
        else:
            task.run(folder, control, threads=threads)


@dataclass(frozen=True)
class JobFolder:
    """A job that another process runs, as its folder has it; folders of further tasks lead to it.

    Attributes
    ----------
    job
        The job.
    submission
        Tells attempts at the same job apart.
    site
        Name of the site.
    place
        What the site has to know to find it again.
    """

    job: Job
    submission: str
    site: str
    place: dict[str, Any]

    @classmethod
    def write(cls, job: Job, site: str, place: dict[str, Any]) -> JobFolder:
        """Write down a job that is about to be submitted."""
        made = cls(job, uuid.uuid4().hex, site, place)
        tasks = [wavetree.config.plain(one.task) for one in job.work]
        work = [{"outputs": one.task.outputs, "folder": os.fspath(one.folder)} for one in job.work]
        content = {
            "site": site,
            "submission": made.submission,
            "place": place,
            "key": job.key,
            "label": job.label,
            "work": work,
            **{name: getattr(job, name) for name in _LIMITS},
        }
        job.folder.mkdir(parents=True, exist_ok=True)
        # Without indents, for they are long, and ten times faster to write so.
        write_json(job.folder / TASKS, {"submission": made.submission, "tasks": tasks}, indent=None)
        write_json(job.folder / JOB, content)
        for one in job.work:
            if one.folder != job.folder:
                one.folder.mkdir(parents=True, exist_ok=True)
                write_json(one.folder / JOB, {"job": os.fspath(job.folder)})
        return made

    @classmethod
    def read(cls, folder: Path) -> JobFolder | None:
        """Return what was written down in a folder; None if nothing was."""
        said = read_json(folder / JOB)
        home = Path(said.get("job", folder))
        if home != folder:
            found = read_json(home / JOB)
            # That job may have been submitted again since, without this task.
            said = found if os.fspath(folder) in [one["folder"] for one in found.get("work", [])] else {}
        if not said:
            return None
        limits = {name: said[name] for name in _LIMITS if name in said}
        interval = limits.get("restart_interval_in_seconds")
        tasks = (
            StoredTask(home / TASKS, k, said["submission"], tuple(one["outputs"]), interval)
            for k, one in enumerate(said["work"])
        )
        work = tuple(Work(task, Path(one["folder"])) for task, one in zip(tasks, said["work"], strict=True))
        job = Job(said["key"], said["label"], home, work, **limits)
        return cls(job, said["submission"], said["site"], said["place"])

    @property
    def log_file(self) -> Path:
        """The job's log."""
        return self.job.folder / "log.txt"

    def ended(self) -> dict[str, Any]:
        """Return how it ended, empty before."""
        return self._own(STATUS)

    def progress(self) -> dict[str, Any]:
        """Return how far it is, empty before it begins."""
        return self._own(PROGRESS)

    def ask_to_cancel(self) -> None:
        """Ask whoever runs the job to stop it."""
        write_json(self.job.folder / CANCEL, {"submission": self.submission})

    def is_to_cancel(self) -> bool:
        """Whether the job was asked to stop."""
        return bool(self._own(CANCEL))

    def final_status(self) -> JobStatus | None:
        """Return the state of a job that has said how it ended, else None."""
        said = self.ended()
        if not said:
            return None
        state = "failed" if said["state"] == TERMINATED else said["state"]
        done = 1.0 if state == "done" else 0.0
        return JobStatus(state, done, said["message"], self.log_file, said["repeatable"], said["started"])

    def running_status(self) -> JobStatus | None:
        """Return the state of a job that has begun and not said how it ended, None if it has not begun."""
        said = self.progress()
        if not said:
            return None
        if words := said.get("last_words"):
            return JobStatus("failed", 0.0, words["message"], self.log_file, words["repeatable"])
        alive = is_alive(said)
        if alive is None:
            alive = time.time() - said["beat"] < _STALE_SECONDS
        if alive:
            return JobStatus("running", said["progress"], "", self.log_file, started=said["begun"])
        # It may have ended between the two looks.
        return self.final_status() or JobStatus(
            "failed", 0.0, f"process {said['process']} on {said['host']} ended without a word: it was "
            "killed, perhaps for want of memory, or its machine went down", self.log_file,
        )  # fmt: skip

    def fail(self, message: str, repeatable: bool = True, state: str = "failed") -> JobStatus:
        """Write down that the job will not run any more, and return that state."""
        said = {"submission": self.submission, "state": state, "message": message}
        with contextlib.suppress(OSError):
            write_json(self.job.folder / STATUS, {**said, "repeatable": repeatable, "started": None})
        return JobStatus(state, 0.0, message, self.log_file, repeatable)

    def _own(self, name: str) -> dict[str, Any]:
        said = read_json(self.job.folder / name)
        return said if said.get("submission") == self.submission else {}
