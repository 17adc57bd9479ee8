"""What an inversion computes, keeps and deletes, and how it survives interruptions."""

import logging
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inversions import EVENTS, NAME, fingerprint, make_project
from wavetree.errors import Cancelled, ProjectError, SimulationFailed
from wavetree.project.project import Project
from wavetree.simulation.task import AdjointTask, ForwardTask


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make_project(tmp_path / "project")
    yield p
    p.close()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Labels of the tasks that run, as they come."""
    found: list[str] = []
    for cls in (ForwardTask, AdjointTask):

        def counted(task: Any, *args: Any, _run: Any = cls.run, **options: Any) -> None:
            found.append(task.label)
            _run(task, *args, **options)

        monkeypatch.setattr(cls, "run", counted)
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Three iterations, done once for the tests that only look at them."""
    p = make_project(tmp_path_factory.mktemp("finished") / "project")
    assert p.inversions.run(NAME, 3) == 3
    yield p
    p.close()


def wavefields(p: Project) -> list[Path]:
    return sorted(p.path.glob("results/*/*/wavefield_*.h5"))


def until_cancelled(task: Any, folder: Path, control: Any, threads: int = 1) -> None:
    while not control.cancelled:
        time.sleep(0.005)
    raise Cancelled("stopped")


# What runs, and what is kept


def test_forward_runs_of_the_accepted_trial_are_reused(project: Project, runs: list[str]) -> None:
    project.inversions.iterate(NAME)
    assert len(runs) == 4 * len(EVENTS), "observed, prior, prior's gradients, trial"
    runs.clear()
    project.inversions.iterate(NAME)
    assert sum(label.startswith("gradient of") for label in runs) == len(EVENTS)
    assert len(runs) == 2 * len(EVENTS)
    assert project.inversions.get_iteration(NAME, 1).recomputed == 0


def test_lost_wavefields_are_computed_again_and_counted(
    project: Project, finished: Project, runs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.inversions.iterate(NAME)
    wavefields(project)[0].unlink()
    runs.clear()
    project.inversions.run(NAME, 2)
    assert (
        "Wavefields of 1 of 2 events, deleted, lost or kept in another way, are computed again" in caplog.text
    )
    assert project.inversions.get_iteration(NAME, 1).recomputed == 1 and len(runs) == 4 * len(EVENTS) + 1
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4))


def test_wavefields_that_nobody_needs_are_deleted(project: Project) -> None:
    project.inversions.iterate(NAME)
    assert len(wavefields(project)) == len(EVENTS), "only those of the accepted trial"
    project.inversions.iterate(NAME)
    assert len(wavefields(project)) == len(EVENTS)
    project.inversions.iterate(NAME, delete_disposable_files=False)
    assert len(wavefields(project)) == 2 * len(EVENTS)


def test_disposable_files(project: Project, finished: Project) -> None:
    project.inversions.iterate(NAME)
    project.inversions.iterate(NAME, delete_disposable_files=True)
    meshes = len(list(project.path.glob("meshes/*.h5")))
    assert meshes == 3, "those of the two configurations and of the open iteration"
    assert project.waveforms.get("initial", EVENTS[0]), "simulations that have a name stay"
    project.inversions.iterate(NAME)
    assert project.inversions.delete_disposable_files(NAME) > 0
    assert len(list(project.path.glob("meshes/*.h5"))) == 3
    assert project.inversions.delete_disposable_files(NAME) == 0
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4)), (
        "models, gradients and figures stay"
    )
    project.inversions.iterate(NAME)
    assert project.inversions.get_iteration(NAME, 3).recomputed == 0


def test_rejected_trials_recompute_only_misfits(
    project: Project, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.inversions.iterate(NAME)
    monkeypatch.setattr("wavetree.optimize.trust_region._ACCEPT_ABOVE", 1e9)
    runs.clear()
    project.inversions.iterate(NAME)
    iteration = project.inversions.get_iteration(NAME, 1)
    assert len(iteration.trials) == 6 and not any(t.accepted for t in iteration.trials)
    assert iteration.accepted is False and iteration.reason.startswith("stopped after 6 rejected steps")
    assert sum(label.startswith("gradient of") for label in runs) == len(EVENTS)
    assert wavefields(project) == [] and len(runs) == 7 * len(EVENTS)
    radii = [t.radius for t in iteration.trials]
    assert radii == sorted(radii, reverse=True)
    monkeypatch.undo()
    assert project.inversions.iterate(NAME), "nothing is left to do"
    assert project.inversions.run(NAME, 2) == 0
    project.inversions.add_iteration(NAME)
    assert project.inversions.iterate(NAME)
    begun = project.inversions.get_iteration(NAME, 2)
    assert begun.parent == 1 and begun.misfit == iteration.misfit and begun.accepted and begun.ratio is None
    assert begun.trials[0].radius != iteration.trials[-1].radius


# Step by step, several processes, interruptions


def test_stepwise_gives_the_same_bits(project: Project, finished: Project) -> None:
    project.inversions.add_iteration(inverse_problem_configuration=NAME)
    for _ in range(2000):
        project.inversions.resume(inverse_problem_configuration=NAME)
        if len(project.inversions.tree(NAME)) == 4:
            break
        time.sleep(0.005)
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4))


def test_another_object_goes_on_with_the_same_bits(project: Project, finished: Project) -> None:
    project.inversions.iterate(NAME)
    project.inversions.resume(NAME)
    project.runner.wait([], timeout=0.0)
    again = Project(project.path)
    assert again.inversions.run(NAME, 2, ping_interval_in_seconds=0.2) == 2
    assert fingerprint(again, range(4)) == fingerprint(finished, range(4))
    again.close()


def test_timeout_returns_false_and_work_goes_on(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, compute = threading.Event(), ForwardTask.run

    def gated(*args: Any, **options: Any) -> None:
        gate.wait(20)
        compute(*args, **options)

    monkeypatch.setattr(ForwardTask, "run", gated)
    start = time.monotonic()
    assert not project.inversions.iterate(NAME, timeout_in_seconds=0.2, ping_interval_in_seconds=0.05)
    assert not project.inversions.resume(NAME) and time.monotonic() - start < 5
    assert project.inversions.run(NAME, 2, timeout_in_seconds=0.1) == 0
    assert project.inversions.get_iteration(NAME, 0).stage == "misfit_and_gradient"
    gate.set()
    assert project.inversions.iterate(NAME)


def test_interrupt_leaves_it_resumable(
    project: Project, finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.inversions.iterate(NAME)
    compute, main = AdjointTask.run, threading.main_thread().ident
    assert main is not None
    monkeypatch.setattr(AdjointTask, "run", until_cancelled)
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        project.inversions.iterate(NAME)
    monkeypatch.setattr(AdjointTask, "run", compute)
    assert project.inversions.run(NAME, 2) == 2
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4))


def test_cancelled_simulations_are_issued_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = ForwardTask.run
    monkeypatch.setattr(ForwardTask, "run", until_cancelled)
    project.inversions.add_iteration(NAME)
    project.inversions.resume(NAME)
    threading.Timer(0.2, project.runner.site.cancel).start()
    assert not project.inversions.iterate(NAME, 20, 0.05)
    monkeypatch.setattr(ForwardTask, "run", compute)
    assert project.inversions.iterate(NAME)


def test_failures_are_named_and_repeated(
    project: Project, finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = ForwardTask.run

    def unlucky(task: ForwardTask, *args: Any, **options: Any) -> None:
        if "trial 0" in task.label and task.event.event_name == EVENTS[1]:
            raise RuntimeError("no room")
        compute(task, *args, **options)

    monkeypatch.setattr(ForwardTask, "run", unlucky)
    with pytest.raises(SimulationFailed, match="event_0001 of inversion, iteration 0, trial 0: no room"):
        project.inversions.iterate(NAME)
    assert project.inversions.get_iteration(NAME, 0).stage == "misfit"
    monkeypatch.setattr(ForwardTask, "run", compute)
    assert project.inversions.run(NAME, 3) == 3
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4))


def test_two_processes_cannot_change_the_same_iteration(project: Project) -> None:
    project.inversions.add_iteration(NAME)
    record = project.store.load_iteration(NAME, 0)
    project.inversions.iterate(NAME)
    with pytest.raises(ProjectError, match="iteration 0 of 'inversion' was changed by another process"):
        project.store.save_iteration(record, record.document)


def test_what_another_process_has_just_computed_is_taken(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found lacking, then computed elsewhere before it is issued: nothing runs, and nothing is waited for."""
    problem = project.actions.inversion.problem("initial", "L2", EVENTS)
    other, issue = Project(project.path), project.runner.issue

    def issued_too_late(tasks: Any, **options: Any) -> int:
        tasks = list(tasks)
        other.runner.issue(tasks)
        assert other.runner.wait(tasks, timeout=30)
        return issue(tasks, **options)

    monkeypatch.setattr(project.runner, "issue", issued_too_late)
    assert project.pipeline(problem).advance_misfits()
    other.close()
