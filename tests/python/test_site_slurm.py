"""Jobs on a cluster with a real Slurm: they end in the undisturbed result, or in what to do."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    records,
    too_short_a_time,
    undisturbed_records,
    worker_of,
)
from slurm_cluster import Cluster, running_cluster
from wavetree.errors import ProjectError, SimulationFailed
from wavetree.inversion import SiteConfig
from wavetree.project import active_task
from wavetree.project.project import Project
from wavetree.simulation.cost import Cost, cost_of
from wavetree.sites import slurm, slurm_commands
from wavetree.sites.folder import JobFolder
from wavetree.sites.protocol import Job, Work
from wavetree.sites.settings import LocalSettings, SlurmSettings
from wavetree.sites.slurm import SlurmSite
from wavetree.sites.slurm_commands import Member

SETTINGS = SlurmSettings(poll_interval_in_seconds=0.5)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return undisturbed_records(tmp_path_factory.mktemp("undisturbed") / "project")


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster) -> Iterator[Project]:
    p = long_project(tmp_path / "project", SETTINGS)
    yield p
    p.simulations.cancel()
    p.close()


def launch(p: Project) -> None:
    p.simulations.launch(NAME, site_name="slurm")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_an_inversion_has_the_bits_of_one_on_this_machine(
    tmp_path: Path, cluster: Cluster, precision: str
) -> None:
    """The one in float32 after the deaths of the program and of the controller, both while jobs run."""
    found = []
    for name in ("slurm", "local"):
        p = make_project(tmp_path / name, precision, job_submission=SiteConfig(name, ranks_per_job=2))
        p += SETTINGS
        p.inversions.add_iteration(INVERSION)
        if name == "slurm" and precision == "float32":
            iterate_and_die(p.path)
            cluster.stop_controller()
            cluster.start_controller()
        assert p.inversions.iterate(INVERSION)
        found.append(fingerprint(p, range(2)))
        assert (len(list(p.path.glob("jobs/slurm/*/script"))) > 3) == (name == "slurm")
        assert {attempts(folder) for folder in p.path.glob("results/*/*")} == {1}, "nothing is computed twice"
        p.close()
    assert found[0] == found[1]


def test_neither_the_programs_death_nor_the_controllers_loses_anything(
    project: Project, cluster: Cluster, undisturbed: list[bytes]
) -> None:
    launch_and_die(project.path, "slurm")
    cluster.stop_controller()
    p = Project(project.path)
    assert not p.simulations.query()
    cluster.start_controller()
    assert p.simulations.query(block=True) and records(p) == undisturbed
    assert [attempts(folder) for folder in folders(p)] == [1, 1], "nothing is computed twice"
    p.close()


def test_sites_are_used_side_by_side(project: Project, undisturbed: list[bytes]) -> None:
    project += LocalSettings(processes="always")
    project.simulations.launch(NAME, "event_0000", site_name="slurm")
    project.simulations.launch(NAME, "event_0001", site_name="local")
    assert project.simulations.query(block=True) and records(project) == undisturbed
    assert len(list((project.path / "jobs").iterdir())) == 2


def test_a_killed_job_is_submitted_again_alone(
    project: Project, undisturbed: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    launch(project)
    first, second = folders(project)
    os.kill(worker_of(first), signal.SIGKILL)
    assert project.simulations.query(block=True) and records(project) == undisturbed
    assert (attempts(first), attempts(second)) == (2, 1)
    assert "event_0000 of long failed (attempt 1 of 4), trying again: it ended without a word" in caplog.text
    assert "Slurm says FAILED (" in caplog.text and "signal 9" in caplog.text
    assert [len(s.read_text().splitlines()) for s in sorted(project.path.glob("jobs/slurm/*/members"))] in (
        [2, 1],
        [1, 2],
    )


def test_a_drained_node_is_waited_for(
    project: Project, cluster: Cluster, undisturbed: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    cluster.drain()
    try:
        launch(project)
        (task, *_) = project.simulations.tasks(NAME).values()
        state = eventually(lambda: project.runner.state(task).message and project.runner.state(task))
        assert state.state == "queued" and ("DRAIN" in state.message or "ReqNodeNotAvail" in state.message)
        assert "Site 'slurm': jobs wait for another reason than their turn" in caplog.text
    finally:
        cluster.resume()
    assert project.simulations.query(block=True) and records(project) == undisturbed


def test_a_job_that_somebody_cancels_says_so(
    project: Project, cluster: Cluster, undisturbed: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    launch(project)
    worker_of(folders(project)[0])
    cluster.cancel_all()
    assert not project.simulations.query(block=True)
    assert "event_0000 of long was cancelled: somebody cancelled job " in caplog.text
    assert "launch it, or resume the inversion, again to go on" in caplog.text
    launch(project)
    assert project.simulations.query(block=True) and records(project) == undisturbed


def test_jobs_are_cancelled_wherever_they_are(project: Project) -> None:
    project.simulations.launch(NAME, site_name="slurm", ranks_per_job=2)  # one after the other
    first, second = folders(project)
    eventually(lambda: (first / "progress.json").exists() or (second / "progress.json").exists())
    assert project.simulations.cancel() == 2
    states = {project.runner.state(task).state for task in project.simulations.tasks(NAME).values()}
    assert states == {"cancelled"} and not project.simulations.query()
    queued = subprocess.run(["squeue", "-h", "--me", "-t", "R,PD"], capture_output=True, check=True).stdout
    assert queued == b""


def test_on_a_full_disk_it_says_so_and_goes_on_afterwards(
    tmp_path: Path, cluster: Cluster, undisturbed: list[bytes]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        p = long_project(disk / "project", SETTINGS)
        launch(p)
        for folder in folders(p):
            worker_of(folder)
        fill = disk / "fill"
        fill.write_bytes(b"0" * (shutil.disk_usage(disk).free - 2**16))
        with pytest.raises((SimulationFailed, ProjectError), match="No space left"):
            p.simulations.query(block=True)
        fill.unlink()
        launch(p)
        assert p.simulations.query(block=True) and records(p) == undisturbed
        p.close()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_many_jobs_are_submitted_and_asked_for_at_once(
    project: Project, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, record_property: Any
) -> None:
    cluster.drain()
    (task, *_) = project.simulations.tasks(NAME).values()
    jobs = [Job(f"{k}", f"job {k}", tmp_path / f"{k}", (Work(task, tmp_path / f"{k}"),)) for k in range(200)]
    asked: list[float] = []
    run = slurm_commands._run
    monkeypatch.setattr(
        slurm_commands, "_run", lambda command: asked.append(time.monotonic()) or run(command)
    )
    site = SlurmSite(SlurmSettings(poll_interval_in_seconds=1.0), tmp_path / "site")
    try:
        begun = time.perf_counter()
        site.submit(jobs)
        submission = time.perf_counter() - begun
        queries = []
        for _ in range(3):
            other = SlurmSite(SlurmSettings(), tmp_path / "site")
            begun = time.perf_counter()
            for job in jobs:
                found = JobFolder.read(job.folder)
                assert found is not None
                other.attach(found)
            assert {other.status(job.key).state for job in jobs} == {"queued"}
            queries.append(time.perf_counter() - begun)
        asked.clear()
        site.wait([job.key for job in jobs], 2.5)
        assert 2 <= len(asked) <= 3 and min(b - a for a, b in itertools.pairwise(asked)) >= 1.0
    finally:
        site.cancel()
        cluster.resume()
    record_property("submission", submission)
    record_property("query", min(queries))
    assert submission <= 2.0 and min(queries) <= 0.2, (submission, queries)


def test_what_slurm_refuses_is_said_at_once(project: Project) -> None:
    project.add_to_project(SlurmSettings(partition="none"), overwrite=True)
    with pytest.raises(ValueError, match=r"Slurm refuses the jobs: .*invalid partition.*; change the site's"):
        launch(project)


def test_wall_time(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (task, *_) = project.simulations.tasks(NAME).values()
    guess = cost_of(task).seconds(1)
    with pytest.raises(ValueError, match="too short for event_0000 of long: it is likely to take"):
        project.simulations.launch(NAME, site_name="slurm", wall_time_in_seconds_per_job=0.5 * guess)
    limited = SlurmSettings(wall_time_in_seconds_per_job=0.05, restart_interval_in_seconds=None)
    project.add_to_project(limited, overwrite=True)
    monkeypatch.setattr(active_task, "cost_of", lambda task: Cost())
    project.simulations.launch(NAME, "event_0000", site_name="slurm")
    with pytest.raises(SimulationFailed, match="it took longer than wall_time_in_seconds_per_job"):
        project.simulations.query(block=True)


def test_a_job_whose_time_is_up_is_submitted_again_and_goes_on(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, limit = too_short_a_time(tmp_path / "undisturbed", monkeypatch)
    p = large_project(tmp_path / "project", SETTINGS)
    (folder,) = folders(p)
    p.simulations.launch(NAME, site_name="slurm", wall_time_in_seconds_per_job=limit)
    assert p.simulations.query(block=True) and records(p) == undisturbed
    n = attempts(folder)
    assert n == len(begun_at(folder)) + 1 > 1 and len(list(p.path.glob("jobs/slurm/*/script"))) == n
    p.close()


@pytest.mark.parametrize(
    ("state", "words", "repeatable"),
    [
        (
            "TIMEOUT",
            "at its time limit; give more wall_time_in_seconds_per_job",
            False,
        ),
        ("OUT_OF_MEMORY", "('--mem=16G',)", True),
        ("NODE_FAIL", "Slurm says NODE_FAIL (signal 9)", True),
        (None, "Slurm knows nothing of it any more", True),
    ],
)
def test_a_job_that_slurm_ends_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str | None, words: str, repeatable: bool
) -> None:
    """Without a cluster: these ends are long in coming, or take a machine's death."""
    end = state and Member("7", state, "signal 9")
    monkeypatch.setattr(slurm, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(slurm_commands, "submit", lambda script, options, name: "7")
    monkeypatch.setattr(slurm_commands, "queue", lambda names: {})
    monkeypatch.setattr(slurm_commands, "end_of", lambda number, index: end)
    site = SlurmSite(SlurmSettings(poll_interval_in_seconds=1e-9), tmp_path)
    site.submit([Job("a", "a", tmp_path / "a", ())])
    status = site.status("a")
    assert status.state == "failed" and words in status.message and status.repeatable == repeatable


def test_the_script_and_the_options_follow_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr(slurm_commands, "submit", lambda *arguments: given.append(arguments) or "7")
    settings = SlurmSettings(
        "cluster", account="a b", partition="main", qos="long", constraint="avx512", modules=["gcc/13"],
        commands=["source env/bin/activate"], launcher=["srun", "--cpu-bind=cores"], python="/opt/python",
        extra_arguments=["--mem=8G"], jobs_per_array=2,
    )  # fmt: skip
    site = SlurmSite(settings, tmp_path / "site")
    site.submit(
        Job(f"{k}", "", tmp_path / f"{k}", (), threads=3, wall_time_in_seconds=3601.4) for k in range(3)
    )
    (script, options, name), (_, last, _) = given
    assert {"--array=0-1", "--cpus-per-task=3", "--time=60:01", "--account=a b", "--partition=main"} < set(
        options
    )
    assert {"--qos=long", "--constraint=avx512", "--mem=8G"} < set(options) and "--array=0-0" in last
    lines = script.read_text().splitlines()
    assert lines[:3] == ["#!/bin/bash", "set -e", "module load gcc/13"] and "source env/bin/activate" in lines
    assert lines[-1] == 'exec srun --cpu-bind=cores /opt/python -m wavetree.worker "$folder"'
    assert (
        script.parent.name == name
        and (script.parent / "members").read_text() == f"{tmp_path}/0\n{tmp_path}/1\n"
    )


def test_warnings_are_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "wavetree")
    monkeypatch.setattr(slurm_commands, "submit", lambda script, options, name: "7")
    monkeypatch.setattr(slurm_commands, "queue", lambda names: None)
    site = SlurmSite(SlurmSettings(poll_interval_in_seconds=1e-9), tmp_path)
    site.submit([Job("a", "a", tmp_path / "a", ())])
    assert {site.status("a").state for _ in range(3)} == {"queued"}
    assert caplog.text.count("Slurm does not answer") == 1


def test_a_job_is_not_lost_before_slurm_was_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(slurm, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(slurm_commands, "submit", lambda script, options, name: "7")
    monkeypatch.setattr(slurm_commands, "queue", lambda names: asked.append(list(names)) or {})
    monkeypatch.setattr(slurm_commands, "end_of", lambda number, index: None)
    first, second = (SlurmSite(SlurmSettings(poll_interval_in_seconds=60.0), tmp_path) for _ in range(2))
    first.submit([Job("a", "a", tmp_path / "a", ())])
    assert first.status("a").state == "failed", "Slurm was asked, and does not know it"
    second.submit([Job("b", "b", tmp_path / "b", ())])
    found = JobFolder.read(tmp_path / "b")
    assert found is not None
    first.attach(found)
    assert first.status("b").state == "queued" and len(asked) == 1
