"""What killed processes and deleted iterations leave is found and deleted; what anybody needs is not."""

import dataclasses
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inversions import EVENTS, NAME, configuration, fingerprint, make_project
from kills import ITERATIONS, Nursery, begin, result
from site_cases import eventually
from test_runner import OTHER_PROCESS, FakeTask
from wavetree import arrays
from wavetree.arrays import growing_file, read_arrays, write_arrays
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project import orphans
from wavetree.project.disk_use import FileCount, readable_size, size_of
from wavetree.project.orphans import Orphans, delete
from wavetree.project.project import Project
from wavetree.project.runner import Runner
from wavetree.project.store import Store, TaskRecord
from wavetree.simulation import task
from wavetree.simulation.restart import RESTART
from wavetree.simulation.shared import Shared
from wavetree.sites.folder import JobFolder, write_json
from wavetree.sites.local import LocalSite
from wavetree.sites.pool import Limits, Pool
from wavetree.sites.protocol import Job
from wavetree.sites.settings import LocalSettings

WRITER = """
import sys
from pathlib import Path
import numpy as np
from wavetree.arrays import write_arrays
folder, number = Path(sys.argv[1]), 0
print("ready", flush=True)
while True:
    write_arrays(folder / f"{number % 3}.h5", {"a": np.zeros(500_000)})
    number += 1
"""


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files need not be old to be orphans."""
    monkeypatch.setattr(orphans, "_GRACE_SECONDS", 0.0)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make_project(tmp_path / "project")
    yield p
    p.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    p = make_project(tmp_path_factory.mktemp("finished") / "project")
    assert p.inversions.run(NAME, ITERATIONS) == ITERATIONS
    yield p
    p.close()


def temporary(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


def results(p: Project) -> set[str]:
    return {path.name for path in p.path.glob("results/*/*")}


# Files that are being written


def test_temporary_files_of_killed_writers_are_found(tmp_path: Path) -> None:
    store = Store(tmp_path / "wavetree.sqlite")
    left = 0
    for wait in np.random.default_rng(4).uniform(0.0, 0.1, 8):
        arguments = [sys.executable, "-c", WRITER, str(tmp_path / "meshes")]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(wait)
            # A writer locks its file right after it has made it: what is free in between is free only once.
            before = set(Orphans(tmp_path, store).temporary())
            if before:
                time.sleep(0.05)
                before &= set(Orphans(tmp_path, store).temporary())
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert before == set(), "nothing of a living process"
        found = Orphans(tmp_path, store).temporary()
        assert found == temporary(tmp_path)
        left += len(found)
        deleted = delete(found)
        assert deleted.n_files == len(found) and temporary(tmp_path) == []
    assert left > 2, "no writer was killed while it wrote"


def test_a_file_that_is_being_written_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "wavetree.sqlite")
    with growing_file(tmp_path / "a.h5", "test", {}) as file:
        file.write("a", np.arange(3))
        (part,) = temporary(tmp_path)
        assert Orphans(tmp_path, store).temporary() == [] and delete([part]) == FileCount()
    assert temporary(tmp_path) == [] and (tmp_path / "a.h5").is_file()


def test_a_file_deleted_before_it_is_locked_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, taken = arrays.fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not taken:
            taken.extend(temporary(tmp_path))
            taken[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(arrays.fcntl, "flock", late)
    write_arrays(tmp_path / "a.h5", {"a": np.arange(3)})
    assert len(taken) == 1
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.h5")[0]["a"], np.arange(3))
    assert temporary(tmp_path) == []


# Folders of tasks


def test_what_a_running_process_computes_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "waveforms.h5").write_bytes(bytes(1000))
    arguments = [sys.executable, "-c", OTHER_PROCESS, str(folder / ".lock")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        assert delete([folder]) == FileCount() and folder.is_dir()
        other.kill()
    assert delete([folder]) == FileCount(2, 1000) and not folder.exists()


def test_a_task_waits_for_a_folder_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    runner = Runner(Store(tmp_path / "wavetree.sqlite"), tmp_path / "results", LocalSite(cores=1))
    fake = FakeTask("event_0000")
    folder = runner.folder(fake)
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        arrays.fcntl.flock(lock, arrays.fcntl.LOCK_EX)
        runner.issue([fake])
        time.sleep(0.3)
        shutil.rmtree(folder)
    assert runner.wait([fake], timeout=10) and fake.attempts == [1]
    assert (folder / "out").is_file() and (folder / ".lock").is_file()
    runner.site.shutdown()


# What sites keep of jobs


def test_arrays_go_when_their_results_are_taken_over(tmp_path: Path, at_once: None) -> None:
    store = Store(tmp_path / "wavetree.sqlite")
    states = {
        "done": ["done", "cancelled"],
        "runs": ["done", "issued"],
        "failed": ["failed"],
        "again": ["issued"],
    }
    for array, members in states.items():
        (tmp_path / "jobs/slurm" / array).mkdir(parents=True)
        lines = []
        for index, state in enumerate(members):
            digest = f"{array}_{index}"
            folder = tmp_path / "results" / digest[:2] / digest
            place = {"array": "another" if array == "again" else array, "index": index}
            JobFolder.write(Job(digest, digest, folder, ()), "slurm", place)
            store.set_tasks([TaskRecord(digest, "forward", digest, state, 1)])
            lines.append(f"/moved/since/results/{digest[:2]}/{digest}\n")
            (folder / RESTART).write_bytes(b"")
        (tmp_path / "jobs/slurm" / array / "members").write_text("".join(lines))
    found = Orphans(tmp_path, store).finished_jobs()
    arrays_found = {path.name for path in found if path.is_dir()}
    assert arrays_found == {"done", "again"}, "what may run, and what a failure left, stays"
    restarts = {path.parent.name for path in found if path.name == RESTART}
    assert restarts == {"done_0", "runs_0"}, "others go on from there"
    assert delete(found).n_files == 4 and not (tmp_path / "jobs/slurm/done").exists()


def test_queues_go_when_nobody_works_them_off(tmp_path: Path, at_once: None) -> None:
    store, home = Store(tmp_path / "wavetree.sqlite"), tmp_path / "jobs/local/here"
    pool = Pool(home)
    pool.set_limits(Limits(cores=1, memory_in_bytes=1))
    place = pool.reserve()
    pool.put(place, tmp_path, 1, 0)
    assert Orphans(tmp_path, store).finished_jobs() == []
    pool.withdraw(place)
    pool._register(os.getpid())
    assert Orphans(tmp_path, store).finished_jobs() == []
    write_json(home / "workers" / "7", {"host": "another", "boot": "", "process": 7, "started": None})
    pool._unregister()
    assert Orphans(tmp_path, store).finished_jobs() == [], "another machine's may live"
    (home / "workers" / "7").unlink()
    assert Orphans(tmp_path, store).finished_jobs() == [home]


def test_what_an_inversion_leaves_at_sites_is_disposable(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project += LocalSettings(processes="always", cores=1)
    project.inversions.add_iteration(NAME)
    assert project.inversions.iterate(NAME)
    (queue,) = (project.path / "jobs/local").iterdir()
    assert queue not in project.inversions.disposable_files(), "it is young, and its worker may live"
    worker = next((queue / "workers").iterdir(), None)
    if worker is not None:
        os.kill(int(worker.name), signal.SIGTERM)
    monkeypatch.setattr(orphans, "_GRACE_SECONDS", 0.0)
    eventually(lambda: queue in project.inversions.disposable_files())
    project.inversions.delete_disposable_files()
    assert not queue.exists() and project.inversions.iterate(NAME), "it is made again when it is needed"


# Inversions


def test_nothing_of_a_deleted_inversion_stays(
    project: Project, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.inversions.run(NAME, 2)
    named = {d for s in ("true", "initial") for d in project.store.get_simulation_events(s).values()}
    gradients = {task for forward, task in project.store.gradient_tasks() if forward in named}
    assert project.inversions.delete_disposable_files() > 0
    assert len(results(project)) > len(named | gradients), "the open iteration needs its trial's"
    project.inversions.delete(NAME)
    listed = project.inversions.disposable_files()
    size = size_of(listed)
    caplog.clear()
    assert project.inversions.delete_disposable_files() == size.n_bytes > 0
    assert f"{size.n_files} files deleted, {readable_size(size.n_bytes)} freed" in caplog.text
    assert results(project) == named | gradients and len(list(project.path.glob("meshes/*.h5"))) == 2
    assert len(list(project.path.glob("adjoint_sources/*/*.h5"))) == len(EVENTS), "those of the prior"
    assert project.inversions.delete_disposable_files() == 0 == len(project.inversions.disposable_files())
    assert project.waveforms.get("true", EVENTS) and project.waveforms.get("initial", EVENTS)


def test_the_iterations_of_other_inversions_stay(project: Project, at_once: None, finished: Project) -> None:
    project += configuration("other", preconditioner=None)
    for name in (NAME, "other"):
        project.inversions.run(name, 2, delete_disposable_files=False)
    expected = fingerprint(project, range(3), "other")
    kept = results(project)
    project.inversions.delete(NAME)
    assert project.inversions.delete_disposable_files("other") > 0
    assert results(project) < kept and fingerprint(project, range(3), "other") == expected
    project.inversions.iterate("other")
    assert project.inversions.get_iteration("other", 2).recomputed == 0
    assert project.inversions.run(NAME, ITERATIONS) == ITERATIONS
    assert fingerprint(project, range(ITERATIONS + 1)) == fingerprint(finished, range(ITERATIONS + 1))


def test_results_that_cannot_be_told_from_others_stay(
    project: Project, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    project += configuration("other", preconditioner=None)
    for name in (NAME, "other"):
        project.inversions.iterate(name)
    project.inversions.delete(NAME)
    kept = results(project)
    misfit = MisfitConfiguration("L2", observed_data="initial", misfit_function="L2", receiver_field="phi")
    project.add_to_project(misfit, overwrite=True)
    (project.path / "meshes" / ".a.h5.1.2.part").write_bytes(b"left")
    assert project.inversions.disposable_files() and results(project) == kept
    with pytest.raises(ValueError, match="misfit configuration 'L2'"):
        project.inversions.delete_disposable_files("other")
    assert "Results of deleted iterations cannot be told from others" in caplog.text


def test_young_files_stay(project: Project) -> None:
    project.inversions.iterate(NAME)
    mesh = project.path / "meshes" / f"{'0' * 64}.h5"
    log = project.path / "results" / "00" / ("0" * 64) / "log.txt"
    for file in (mesh, log):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    project.inversions.delete_disposable_files(NAME)
    assert mesh.is_file() and log.is_file()
    for path in (mesh, log, log.parent):
        os.utime(path, (0.0, time.time() - 61.0))
    project.inversions.delete_disposable_files(NAME)
    assert not mesh.exists() and not log.parent.exists()


def test_a_branch_begins_where_everything_was_deleted(
    project: Project, finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.inversions.run(NAME, 2, delete_disposable_files=True)
    monkeypatch.setattr(task, "_MESHES", Shared(kept=4))
    project.inversions.add_iteration(NAME, preceding_iteration_id=0)
    assert project.inversions.iterate(NAME, iteration_id=3)
    here, there = (project.inversions.get_model(NAME, k).element_nodal_fields["VP"] for k in (4, 2))
    np.testing.assert_array_equal(here, there)
    assert project.inversions.get_iteration(NAME, 3).recomputed == len(EVENTS)


def test_wavefields_that_another_open_iteration_needs_stay(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two inversions of other data share the forward runs of their prior, which the first finishes with."""
    true = project.entities.get("simulation_configuration", "true")
    project += dataclasses.replace(true, name="coarse", max_frequency_in_hertz=15000.0)
    project += MisfitConfiguration("L2b", observed_data="coarse", misfit_function="L2", receiver_field="phi")
    project += configuration("other", misfit_configuration="L2b")
    ran: list[str] = []
    run = task.ForwardTask.run

    def counted(one: task.ForwardTask, *arguments: Any, **options: Any) -> None:
        ran.append(one.simulation_name)
        run(one, *arguments, **options)

    monkeypatch.setattr(task.ForwardTask, "run", counted)
    project.inversions.add_iteration("other")
    project.inversions.resume("other")
    assert project.inversions.iterate(NAME)
    assert project.inversions.iterate("other") and ran.count("initial") == len(EVENTS)


@pytest.mark.slow
def test_killed_again_and_again_nothing_is_left(tmp_path: Path, finished: Project, at_once: None) -> None:
    generator, nursery = np.random.default_rng(11), Nursery()
    path, kills, stop = begin(tmp_path / "killed"), 0, threading.Event()
    _, duration = nursery.run(begin(tmp_path / "warm"))
    while not stop.is_set():
        code, _ = nursery.run(path, killed_after=float(generator.uniform(0.0, 0.3 * duration)))
        kills += code == -signal.SIGKILL
        if code == 0 or kills == 12:
            stop.set()
        p = Project(path)
        p.inversions.delete_disposable_files(NAME)
        assert temporary(path) == [] and p.inversions.disposable_files() == []
        p.close()
    assert kills > 2 and nursery.run(path)[0] == 0
    nursery.close()
    assert result(path) == fingerprint(finished, range(ITERATIONS + 1))
    p = Project(path)
    p.inversions.delete_disposable_files()
    needed = {d for s in ("true", "initial") for d in p.store.get_simulation_events(s).values()}
    open_mesh = p.store.load_iteration(NAME, ITERATIONS).document["mesh"]
    problem = p.inversions._problems.of(NAME).pipeline(open_mesh, "").problem
    needed |= {task.digest() for task in problem.forward_tasks.values()}
    needed |= {task for forward, task in p.store.gradient_tasks() if forward in needed}
    assert results(p) == needed
    p.close()
