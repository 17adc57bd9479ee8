"""Jobs as files in a folder, and the process that runs them."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from projects import small_project
from site_cases import attempts, read
from wavetree import worker
from wavetree.errors import Cancelled
from wavetree.simulation.restart import reached
from wavetree.simulation.storage import ForwardRun
from wavetree.simulation.task import ForwardTask
from wavetree.sites.folder import (
    CANCEL,
    JOB,
    PROGRESS,
    STATUS,
    TASKS,
    TERMINATED,
    JobFolder,
    StoredTask,
    overwrite_json,
    read_json,
    write_json,
)
from wavetree.sites.protocol import Job, Work
from wavetree.worker import run_job


@pytest.fixture
def tasks(tmp_path: Path) -> list[ForwardTask]:
    p = small_project(tmp_path / "project")
    made = list(p.simulations.tasks("initial").values())
    p.close()
    return made


def written(tmp_path: Path, tasks: list[ForwardTask], **more: Any) -> JobFolder:
    """A job of tasks, each with a folder of its own."""
    work = tuple(Work(task, tmp_path / f"{k}") for k, task in enumerate(tasks))
    return JobFolder.write(Job("key", "both", tmp_path / "job", work, **more), "site", {"queue": 3})


def test_a_job_is_read_as_it_was_written(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    made = written(tmp_path, tasks, threads=2, wall_time_in_seconds=7.0, memory_in_bytes=9)
    found = JobFolder.read(tmp_path / "job")
    assert found is not None and JobFolder.read(tmp_path) is None
    assert (found.submission, found.site, found.place) == (made.submission, "site", {"queue": 3})
    assert replace(found.job, work=()) == replace(made.job, work=())
    for one, task in zip(found.job.work, tasks, strict=True):
        assert isinstance(one.task, StoredTask) and one.task.outputs == task.outputs
        assert one.task.load().digest() == task.digest()


def test_all_tasks_of_a_job_are_run(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    found = written(tmp_path, tasks)
    assert run_job(tmp_path / "job")
    status = found.final_status()
    assert status is not None and (status.state, status.progress) == ("done", 1.0)
    assert all((tmp_path / f"{k}" / "waveforms.h5").is_file() for k in range(2))
    said = read(tmp_path / "job" / PROGRESS)
    assert said["process"] == os.getpid() and said["submission"] == found.submission
    assert run_job(tmp_path / "job") and attempts(tmp_path / "job") == 1, "what is done is not done again"


def test_a_job_whose_process_was_told_to_end_is_run_again(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    found = written(tmp_path, tasks)
    found.fail("told to end", state=TERMINATED)
    status = found.final_status()
    assert status is not None and status.state == "failed" and status.repeatable
    assert run_job(tmp_path / "job") and found.ended()["state"] == "done"


def test_what_an_earlier_submission_left_does_not_count(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    written(tmp_path, tasks).ask_to_cancel()
    assert run_job(tmp_path / "job")
    again = written(tmp_path, tasks)
    assert not again.is_to_cancel() and again.final_status() is None and again.running_status() is None
    assert (tmp_path / "job" / CANCEL).exists() and (tmp_path / "job" / STATUS).exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "Unknown"}, "unknown configuration type 'Unknown'"),
        ({"n_steps": "many"}, "n_steps='many' is not valid"),
    ],
)
def test_a_task_that_is_no_task_fails_with_the_reason(
    tmp_path: Path, tasks: list[ForwardTask], change: dict[str, str], words: str
) -> None:
    found = written(tmp_path, tasks)
    path = tmp_path / "job" / TASKS
    said = read_json(path)
    said["tasks"][1] |= change
    write_json(path, said)
    run_job(tmp_path / "job")
    status = found.final_status()
    assert status is not None and status.state == "failed" and words in status.message
    assert not status.repeatable and (tmp_path / "0" / "waveforms.h5").is_file(), "the other one stays"


@pytest.mark.parametrize("interval", [None, 1000.0])
def test_a_task_leaves_where_to_go_on_if_its_job_says_so(
    tmp_path: Path, tasks: list[ForwardTask], caplog: pytest.LogCaptureFixture, interval: float | None
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    found = written(tmp_path, tasks[:1], restart_interval_in_seconds=interval)
    read_again = JobFolder.read(tmp_path / "job")
    assert read_again is not None and read_again.job.restart_interval_in_seconds == interval
    advance = ForwardRun._advance

    def stopped(self: ForwardRun, state: Any, end: int, *others: Any) -> None:
        advance(self, state, end // 2, *others)
        self.control.cancel()
        raise Cancelled("stopped")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ForwardRun, "_advance", stopped)
        run_job(tmp_path / "job")
    assert found.ended()["state"] == "cancelled" and (reached(tmp_path / "0") > 0.0) == (interval is not None)
    found = written(tmp_path, tasks[:1], restart_interval_in_seconds=interval)
    run_job(tmp_path / "job")
    assert found.ended()["state"] == "done" and reached(tmp_path / "0") == 0.0
    assert ("goes on from time step" in (tmp_path / "job" / "log.txt").read_text()) == (interval is not None)


def test_tasks_of_another_job_are_refused(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    found = written(tmp_path, tasks)
    write_json(tmp_path / "job" / TASKS, {"submission": "another", "tasks": []})
    run_job(tmp_path / "job")
    assert "is damaged or of another job" in found.ended()["message"]


def test_a_worker_starts_without_what_few_jobs_need() -> None:
    """Every job of an array waits for the imports."""
    code = "import sys, wavetree.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"scipy.spatial", "scipy.ndimage", "scipy.signal", "obspy", "matplotlib", "meshio"}
    assert heavy & set(done.stdout.split()) == set()


def slow(started: threading.Event) -> Any:
    def run(self: Any, folder: Path, control: Any, threads: int = 1) -> None:
        started.set()
        while not control.cancelled:
            control.progress = min(1.0, control.progress + 0.1)
            time.sleep(0.02)
        raise RuntimeError("stopped")

    return run


@pytest.mark.parametrize("how", ["cancel", "signal"])
def test_a_running_job_can_be_stopped(
    tmp_path: Path, tasks: list[ForwardTask], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    started = threading.Event()
    monkeypatch.setattr(ForwardTask, "run", slow(started))
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.01)
    found = written(tmp_path, tasks)

    def stop() -> None:
        started.wait(10)
        if how == "cancel":
            found.ask_to_cancel()
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    assert run_job(tmp_path / "job") == (how == "cancel"), "a process that was told to end takes no other job"
    thread.join()
    assert found.ended()["state"] == ("cancelled" if how == "cancel" else TERMINATED)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_signs_of_progress_are_given_at_most_once_a_second(
    tmp_path: Path, tasks: list[ForwardTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForwardTask, "run", slow(threading.Event()))
    signs: list[float] = []
    write = worker.write_json

    def count(path: Path, content: dict[str, Any]) -> None:
        signs.append(content["progress"])
        write(path, content)

    monkeypatch.setattr(worker, "write_json", count)
    found = written(tmp_path, tasks, wall_time_in_seconds=1.5)
    run_job(tmp_path / "job")
    assert len(signs) == 2 and signs[0] == 0.0 and 0.0 < signs[1] <= 0.5, "half of the job is one task"
    assert "it took longer than wall_time_in_seconds_per_job = 1.5 s" in found.ended()["message"]


def test_last_words_take_no_room(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    found = written(tmp_path, tasks)
    path = tmp_path / "job" / PROGRESS
    write_json(path, {"submission": found.submission, "room": " " * 300})
    size = path.stat().st_size
    words = {"state": "failed", "message": "No space left", "repeatable": False}
    overwrite_json(path, {"submission": found.submission, "last_words": words})
    assert path.stat().st_size == size
    status = found.running_status()
    assert status is not None and (status.state, status.message) == ("failed", "No space left")


def test_nothing_in_a_job_is_anything_but_json(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    written(tmp_path, tasks)
    files = sorted(file.name for file in (tmp_path / "job").iterdir())
    assert files == sorted([JOB, TASKS])
    assert all(json.loads((tmp_path / "job" / name).read_text()) for name in files)
