import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wavetree.errors import Cancelled
from wavetree.sites.local import LocalSite, usable_cores
from wavetree.sites.protocol import Control, Job, Work

EXIT = """
import logging, sys, time
logging.basicConfig()
from pathlib import Path
from wavetree.sites.local import LocalSite
from wavetree.sites.protocol import Job, Work
site = LocalSite(1)
class Task:
    outputs = ("out",)
    def run(self, folder, control, threads):
        while {stop}:
            time.sleep(0.01)
work = (Work(Task(), Path(sys.argv[1])),)
site.submit(Job(key, key, Path(sys.argv[1]) / key, work) for key in ("slow", "next"))
time.sleep(0.05)
"""


@pytest.fixture
def site() -> Any:
    site = LocalSite(2)
    yield site
    site.shutdown()


class Call:
    """A task that calls a function."""

    outputs = ("never made",)

    def __init__(self, function: Callable[[Path, Any], None]) -> None:
        self._function = function

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        self._function(folder, control)


def job(key: str, label: str, folder: Path, function: Callable[[Path, Any], None], **more: Any) -> Job:
    return Job(key, label, folder, (Work(Call(function), folder),), **more)


def finish(site: LocalSite, *keys: str) -> None:
    left = list(keys)
    while left:
        ended = site.wait(left, 10)
        assert ended, "jobs hang"
        left = [k for k in left if k not in ended]


def until_cancelled(folder: Path, control: Control) -> None:
    while not control.cancelled:
        time.sleep(0.005)
    raise Cancelled("stopped")


def status_file(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status.json").read_text())


def test_submit_returns_at_once_and_jobs_run_side_by_side(site: LocalSite, tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=10)
    gate = threading.Event()

    def run(folder: Path, control: Control) -> None:
        control.progress = 0.5
        together.wait()
        gate.wait(10)
        (folder / "out").write_text("x")

    site.submit(job(k, k, tmp_path / k, run) for k in "ab")
    site.submit([job("c", "c", tmp_path / "c", lambda folder, control: None)])
    while site.status("a").progress != 0.5:
        time.sleep(0.001)
    assert site.status("a").state == "running" and site.status("c").state == "queued"
    assert site.wait(["a", "b"], 0.01) == []
    gate.set()
    finish(site, "a", "b", "c")
    assert [site.status(k).state for k in "abc"] == ["done"] * 3 and site.status("a").progress == 1
    assert status_file(tmp_path / "a")["state"] == "done" and (tmp_path / "a" / "out").exists()


def test_threads_of_jobs_share_the_cores(site: LocalSite, tmp_path: Path) -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def run(folder: Path, control: Control) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.02)
        with lock:
            running[0] -= 1

    site.submit(job(str(k), str(k), tmp_path / str(k), run, threads=3) for k in range(3))
    finish(site, "0", "1", "2")
    assert most[0] == 1
    assert LocalSite().cores == usable_cores() >= 1
    with pytest.raises(ValueError, match="cores must be at least 1, not 0"):
        LocalSite(0)


def test_failures_are_named_with_their_log(site: LocalSite, tmp_path: Path) -> None:
    def bad_luck(folder: Path, control: Control) -> None:
        logging.getLogger("wavetree").warning("about to fail")
        raise RuntimeError("energy grows at step 7")

    def bad_input(folder: Path, control: Control) -> None:
        raise ValueError("receiver outside")

    site.submit([job("a", "shot a", tmp_path / "a", bad_luck), job("b", "b", tmp_path / "b", bad_input)])
    finish(site, "a", "b")
    status = site.status("a")
    assert (status.state, status.message, status.repeatable) == ("failed", "energy grows at step 7", True)
    log = status.log_file.read_text()
    assert "shot a" in log and "about to fail" in log and "Traceback" in log and "energy grows" in log
    assert not site.status("b").repeatable and "about to fail" not in site.status("b").log_file.read_text()
    assert status_file(tmp_path / "a")["message"] == "energy grows at step 7"


def test_a_folder_that_cannot_be_made_fails_the_job(site: LocalSite, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    site.submit([job("a", "a", tmp_path / "file" / "a", lambda folder, control: None)])
    finish(site, "a")
    assert site.status("a").state == "failed" and "cannot write to" in site.status("a").message


def test_cancel_stops_running_and_queued_jobs(site: LocalSite, tmp_path: Path) -> None:
    site.submit(job(k, k, tmp_path / k, until_cancelled) for k in "abc")
    while site.status("b").state != "running":
        time.sleep(0.001)
    site.cancel(["c", "a"])
    finish(site, "a", "c")
    assert [site.status(k).state for k in "abc"] == ["cancelled", "running", "cancelled"]
    site.cancel()
    finish(site, "b")
    assert site.status("b").state == "cancelled" and not (tmp_path / "c").exists()
    site.submit([job("c", "c", tmp_path / "c", lambda folder, control: None)])
    finish(site, "c")
    assert site.status("c").state == "done"


def test_wall_time_fails_the_job(site: LocalSite, tmp_path: Path) -> None:
    site.submit([job("a", "a", tmp_path, until_cancelled, wall_time_in_seconds=0.02)])
    finish(site, "a")
    status = site.status("a")
    assert status.state == "failed" and "wall_time_in_seconds_per_job = 0.02" in status.message
    assert not status.repeatable


def test_completion_wakes_the_waiter(site: LocalSite, tmp_path: Path) -> None:
    site.submit([job("a", "a", tmp_path, lambda folder, control: time.sleep(0.05))])
    start = time.monotonic()
    assert site.wait(["a"], 30) == ["a"] and time.monotonic() - start < 5
    assert site.wait([], 30) == []


def test_wrong_use(site: LocalSite, tmp_path: Path) -> None:
    site.submit([job("job_1", "a", tmp_path, until_cancelled)])
    with pytest.raises(ValueError, match=r"'job_1' is (queued|running) already"):
        site.submit([job("job_1", "a", tmp_path, until_cancelled)])
    with pytest.raises(ValueError, match="unknown job 'job_2'; did you mean 'job_1'"):
        site.status("job_2")
    site.shutdown()
    with pytest.raises(ValueError, match="shut down"):
        site.submit([])


@pytest.mark.parametrize(("stop", "then"), [("not control.cancelled", ""), ("True", "site.shutdown(0.1)")])
def test_the_interpreter_exits_while_jobs_run(tmp_path: Path, stop: str, then: str) -> None:
    code = EXIT.format(stop=stop) + then
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0 and time.monotonic() - start < 8
    assert "2 unfinished jobs are stopped: slow, next" in done.stderr
