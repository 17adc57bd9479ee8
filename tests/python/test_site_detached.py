"""Jobs in processes that survive whoever submitted them."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inversions import NAME as INVERSION
from inversions import fingerprint, make_project
from site_cases import (
    NAME,
    attempts,
    begun_at,
    eventually,
    folders,
    iterate_and_die,
    large_project,
    launch_and_die,
    long_project,
    read,
    records,
    too_short_a_time,
    undisturbed_records,
    worker_of,
)
from wavetree.errors import ProjectError, SimulationFailed
from wavetree.project import active_task
from wavetree.project.project import Project
from wavetree.simulation.cost import Cost, cost_of
from wavetree.simulation.restart import RESTART, reached
from wavetree.sites.pool import Limits, Pool
from wavetree.sites.settings import LocalSettings

ALWAYS = LocalSettings(processes="always", cores=2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return undisturbed_records(tmp_path_factory.mktemp("undisturbed") / "project")


@pytest.fixture(scope="module")
def undisturbed_large(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return undisturbed_records(tmp_path_factory.mktemp("undisturbed") / "project", large_project)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = long_project(tmp_path / "project", ALWAYS)
    yield p
    p.simulations.cancel()
    p.close()


def test_an_inversion_has_the_bits_of_one_in_the_program(tmp_path: Path) -> None:
    found = []
    for processes in ("always", "never"):
        p = make_project(tmp_path / processes)
        p += LocalSettings(processes=processes, cores=2)
        p.inversions.run(INVERSION, 2)
        found.append(fingerprint(p, range(3)))
        workers = list(p.path.glob("jobs/local/*/workers.log"))
        assert len(workers) == (processes == "always")
        p.close()
    assert found[0] == found[1]


def test_what_is_short_runs_in_the_program(tmp_path: Path) -> None:
    p = long_project(tmp_path / "project", None)
    assert 0.0 < max(cost_of(task).seconds(1) for task in p.simulations.tasks(NAME).values()) < 10.0
    p.simulations.launch(NAME)
    assert not (p.path / "jobs").exists()
    assert [p.sites.place("local", Cost(11.0), threads).outlives for threads in (1, 2)] == [True, False]
    p.close()


def test_the_death_of_the_program_loses_nothing(project: Project, undisturbed: list[bytes]) -> None:
    launch_and_die(project.path, "local")
    p = Project(project.path)
    assert not p.simulations.query(), "it goes on"
    worker = worker_of(folders(p)[0])
    assert p.simulations.query(block=True) and records(p) == undisturbed
    assert [attempts(folder) for folder in folders(p)] == [1, 1], "nothing is computed twice"
    assert read(folders(p)[0] / "status.json")["process"] == worker
    p.close()


def test_an_inversion_goes_on_with_what_a_dead_program_had_submitted(tmp_path: Path) -> None:
    found = []
    for name in ("killed", "undisturbed"):
        p = make_project(tmp_path / name)
        p.add_to_project(LocalSettings(processes="always" if name == "killed" else "never"))
        p.inversions.add_iteration(INVERSION)
        if name == "killed":
            iterate_and_die(p.path)
        assert p.inversions.iterate(INVERSION)
        found.append(fingerprint(p, range(2)))
        assert {attempts(folder) for folder in p.path.glob("results/*/*")} == {1}
        p.close()
    assert found[0] == found[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_is_repeated_alone(
    project: Project, undisturbed: list[bytes], caplog: pytest.LogCaptureFixture, number: signal.Signals
) -> None:
    project.add_to_project(replace(ALWAYS, restart_interval_in_seconds=None), overwrite=True)
    project.simulations.launch(NAME)
    first, second = folders(project)
    os.kill(worker_of(first), number)
    assert project.simulations.query(block=True) and records(project) == undisturbed
    assert (attempts(first), attempts(second)) == (2, 1)
    reason = {signal.SIGKILL: "ended without a word", signal.SIGTERM: "its process was told to end"}[number]
    assert "event_0000 of long failed (attempt 1 of 4), trying again: " in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_goes_on_where_it_was(
    tmp_path: Path, undisturbed_large: list[bytes], caplog: pytest.LogCaptureFixture, number: signal.Signals
) -> None:
    p = large_project(tmp_path / "project", replace(ALWAYS, restart_interval_in_seconds=0.05))
    p.simulations.launch(NAME)
    (folder,) = folders(p)
    worker = worker_of(folder)
    eventually(lambda: reached(folder) > 0.1)
    os.kill(worker, number)
    assert p.simulations.query(block=True) and records(p) == undisturbed_large
    (step,) = begun_at(folder)
    assert step > 0 and attempts(folder) == 2
    assert "event_0000 of long goes on from " in caplog.text and "trying again" not in caplog.text
    assert not (folder / RESTART).exists(), "what is done needs none"
    p.close()


def test_jobs_are_cancelled_wherever_they_are(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.add_to_project(LocalSettings(processes="always", cores=1), overwrite=True)
    project.simulations.launch(NAME)
    running, waiting = folders(project)
    worker_of(running)
    assert project.simulations.cancel() == 2
    assert not project.simulations.query() and not (waiting / "log.txt").exists()
    states = {project.runner.state(task).state for task in project.simulations.tasks(NAME).values()}
    assert states == {"cancelled"}
    project.simulations.launch(NAME)
    assert project.simulations.query(block=True)


def test_ctrl_c_lets_jobs_go_on(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.simulations.launch(NAME)
    worker_of(folders(project)[0])
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        project.simulations.query(block=True)
    assert "2 simulations go on at site 'local'" in caplog.text
    assert project.simulations.query(block=True) and [attempts(f) for f in folders(project)] == [1, 1]


def test_too_short_a_wall_time_is_refused_before_anything_runs(project: Project) -> None:
    with pytest.raises(
        ValueError, match=r"wall_time_in_seconds_per_job=0\.01 is too short for event_0000 of "
    ):
        project.simulations.launch(NAME, wall_time_in_seconds_per_job=0.01)
    assert not any((folder / "job.json").exists() for folder in folders(project))


def test_a_job_that_is_cut_off_goes_on_as_often_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed, limit = too_short_a_time(tmp_path / "undisturbed", monkeypatch)
    p = large_project(tmp_path / "project", ALWAYS)
    (folder,) = folders(p)
    p.simulations.launch(NAME, wall_time_in_seconds_per_job=limit)
    assert p.simulations.query(block=True) and records(p) == undisturbed
    steps = begun_at(folder)
    assert steps == sorted(set(steps)) and attempts(folder) == len(steps) + 1 > 1
    assert "it took longer than wall_time_in_seconds_per_job = " in caplog.text
    p.close()


def test_a_job_that_gets_no_further_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.add_to_project(replace(ALWAYS, restart_interval_in_seconds=None), overwrite=True)
    monkeypatch.setattr(active_task, "cost_of", lambda task: Cost())
    project.simulations.launch(NAME, "event_0000", wall_time_in_seconds_per_job=0.05)
    with pytest.raises(SimulationFailed, match=r"it took longer than wall_time_in_seconds_per_job = "):
        project.simulations.query(block=True)
    assert attempts(folders(project)[0]) == 1, "it would be cut off again"


def test_jobs_share_cores_and_memory(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.set_limits(Limits(cores=4, memory_in_bytes=100))
    for threads, memory in ((2, 60), (1, 50), (9, 0)):
        pool.put(pool.reserve(), tmp_path, threads, memory)
    pool._register(os.getpid())
    first = pool._take()
    assert first is not None and read(first)["threads"] == 2
    assert pool._take() is None, "60 and 50 bytes are more than 100"
    first.unlink()
    second = pool._take()
    assert second is not None and read(second)["memory_in_bytes"] == 50
    assert pool._take() is None, "1 and 9 threads are more than 4"
    second.unlink()
    last = pool._take()
    assert last is not None and read(last)["threads"] == 9, "alone, any job may run"


def test_workers_that_cannot_start_are_not_started_for_ever(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    project.simulations.launch(NAME)
    with pytest.raises(
        SimulationFailed, match=r"worker processes end as soon as they start; see '.*workers\.log'"
    ):
        project.simulations.query(block=True)


def test_workers_end_when_there_is_nothing_left(project: Project) -> None:
    project.simulations.launch(NAME)
    assert project.simulations.query(block=True)
    (home,) = (project.path / "jobs" / "local").iterdir()
    assert len(list((home / "workers").iterdir())) == 2
    eventually(lambda: not list((home / "workers").iterdir()))
    assert (home / "workers.log").read_text() == ""


def test_on_a_full_disk_it_says_so_and_goes_on_afterwards(tmp_path: Path, undisturbed: list[bytes]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("a small file system cannot be mounted here: that takes root and mount")
    try:
        p = long_project(disk / "project", ALWAYS)
        p.simulations.launch(NAME)
        for folder in folders(p):
            worker_of(folder)
        fill = disk / "fill"
        fill.write_bytes(b"0" * (shutil.disk_usage(disk).free - 2**16))
        with pytest.raises((SimulationFailed, ProjectError), match="No space left"):
            p.simulations.query(block=True)
        fill.unlink()
        p.simulations.launch(NAME)
        assert p.simulations.query(block=True) and records(p) == undisturbed
        p.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
