"""Runs jobs that were written down, in a process of its own: what sites start, nothing for users.

``python -m wavetree.worker FOLDER`` runs the job of a folder, ``python -m wavetree.worker --pool FOLDER``
those of a queue. It writes how far it is at most once a second, and how it ended last of all. It never opens
a project's database, and reads nothing but JSON and arrays.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Imported for the classes that tasks are made of.
import wavetree.simulation.illumination_task
import wavetree.survey  # noqa: F401
from wavetree.process import name_process
from wavetree.simulation.task import make_control
from wavetree.sites.execution import Execution, Outcome
from wavetree.sites.folder import PROGRESS, TERMINATED, JobFolder, overwrite_json, write_json
from wavetree.sites.pool import Pool

__all__ = ["main", "run_job"]

_BEAT_SECONDS = 1.0
_LOOK_SECONDS = 0.2
# Longer than any progress file, so that last words find room on a full disk.
_RESERVED_BYTES = 2000


def run_job(folder: Path) -> bool:
    """Run the job of a folder; return False if the process was told to end meanwhile.

    One whose process was told to end is run again: by a queue that gives it another machine, for example.
    """
    found = JobFolder.read(folder)
    if found is None or found.ended().get("state", TERMINATED) != TERMINATED:
        return True
    execution = Execution(found.job, make_control())
    with _listening(execution), _beating(found, execution):
        outcome = execution.run(submission=found.submission)
    if found.ended().get("state") != outcome.state:
        _say_last_words(found, outcome)
    return not execution.terminated


def main(arguments: list[str]) -> int:
    """Run what the command line says and return the exit status."""
    logging.getLogger("wavetree").setLevel(logging.INFO)
    if arguments[0] == "--pool":
        Pool(Path(arguments[1])).work_off(run_job)
    else:
        run_job(Path(arguments[0]))
    return 0


@contextlib.contextmanager
def _listening(execution: Execution) -> Iterator[None]:
    """Stop the job when the process is told to end, in time to say so."""

    def stop(number: int, frame: Any) -> None:
        execution.terminated = True
        execution.control.cancel()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _beating(found: JobFolder, execution: Execution) -> Iterator[None]:
    """Give signs of life and of progress, and look whether the job is to be stopped."""
    begun, ended = time.time(), threading.Event()

    def sign() -> None:
        # On a full disk the job goes on; whether it can write its results is another matter.
        with contextlib.suppress(OSError):
            write_json(found.job.folder / PROGRESS, _progress(found, execution, begun))

    def beat() -> None:
        last = time.monotonic()
        while not ended.wait(_LOOK_SECONDS):
            if found.is_to_cancel():
                execution.control.cancel()
            if time.monotonic() - last >= _BEAT_SECONDS:
                last = time.monotonic()
                sign()

    sign()
    thread = threading.Thread(target=beat, name="wavetree-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _progress(found: JobFolder, execution: Execution, begun: float) -> dict[str, Any]:
    said = {"submission": found.submission, "progress": execution.progress, "begun": begun}
    room = " " * _RESERVED_BYTES
    return {**name_process(), **said, "beat": time.time(), "room": room}


def _say_last_words(found: JobFolder, outcome: Outcome) -> None:
    """Say how the job ended where no status file can be written: in the place of an older file."""
    words = {"state": outcome.state, "message": outcome.message[:500], "repeatable": outcome.repeatable}
    with contextlib.suppress(OSError):
        overwrite_json(found.job.folder / PROGRESS, {"submission": found.submission, "last_words": words})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
