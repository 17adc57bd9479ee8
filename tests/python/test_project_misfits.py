"""Waveforms, misfits and gradients of a project."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import numpy as np
import pytest

from projects import event, misfit, run, until_cancelled
from wavetree import user_function
from wavetree.arrays import read_arrays
from wavetree.data.event_data import EventData
from wavetree.errors import Cancelled, ConflictError, SimulationFailed, WavetreeError
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.pipeline import Pipeline
from wavetree.project.project import Project
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.task import AdjointTask, ForwardTask


def test_external_data(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    run(project, "true")
    data = project.waveforms.get("true", "event_0000")[0]
    project.waveforms.add_external("field", "event_0000", data)
    project.waveforms.add_external("EXTERNAL_DATA:field", event(0), data)
    assert "EXTERNAL_DATA:field of event_0000 is in the project already" in caplog.text
    again = Project(project.path)
    assert again.waveforms.list_external() == {"field": ["event_0000"]}
    (found,) = again.waveforms.get("EXTERNAL_DATA:field", "event_0000")
    assert isinstance(found, EventData) and np.array_equal(found.data["phi"], data.data["phi"])
    louder = EventData.from_arrays({"phi": 2 * data.data["phi"]}, data.to_arrays()[1])
    with pytest.raises(ConflictError, match="EXTERNAL_DATA:field of event_0000 is in the project with other"):
        project.waveforms.add_external("field", "event_0000", louder)
    project.waveforms.add_external("field", "event_0000", louder, overwrite=True)
    with pytest.raises(ValueError, match="field has no data of 'event_0001', only of event_0000"):
        project.waveforms.get("EXTERNAL_DATA:field")
    with pytest.raises(ValueError, match="unknown external data 'filed'; did you mean 'field'"):
        project.waveforms.get("EXTERNAL_DATA:filed")
    with pytest.raises(ValueError, match="unknown kind of data 'EXTERN'"):
        project.waveforms.get("EXTERN:field")
    with pytest.raises(ValueError, match="data_name 'SYNTHETIC_DATA:x' is not valid here"):
        project.waveforms.add_external("SYNTHETIC_DATA:x", "event_0000", data)
    assert "external data (1): field" in repr(project)
    project += misfit("to_field", "EXTERNAL_DATA:field")
    chi = project.actions.inversion.compute_misfits("initial", "to_field", "event_0000")
    assert set(chi) == {"event_0000"} and chi["event_0000"] > 0


def test_misfits_run_what_is_missing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project += misfit()
    actions = project.actions.inversion
    chi = actions.compute_misfits("initial", "L2", events=project.events.list(), site_name="local")
    assert list(chi) == ["event_0000", "event_0001"] and all(value > 0 for value in chi.values())
    # The definition: half the squared difference, integrated in time, summed over receivers.
    (u,), (d,) = (project.waveforms.get(name, "event_0000") for name in ("initial", "true"))
    synthetic, observed = u.data["phi"], d.data["phi"]
    if synthetic.shape == observed.shape and u.sampling_rate_in_hertz == d.sampling_rate_in_hertz:
        expected = 0.5 * np.sum((synthetic.astype(float) - observed) ** 2) / u.sampling_rate_in_hertz
        assert chi["event_0000"] == pytest.approx(expected, rel=1e-6)
    monkeypatch.setattr(ForwardTask, "run", lambda *a, **k: pytest.fail("computed again"))
    assert project.simulations.query("initial") and project.simulations.query("true")
    again = Project(project.path)
    again += misfit()
    assert again.actions.inversion.compute_misfits("initial", misfit()) == chi


def test_misfits_of_what_nobody_records_are_refused(project: Project) -> None:
    project += MisfitConfiguration("velocity", observed_data="true", receiver_field="velocity")
    with pytest.raises(
        ValueError, match=r"receiver_field of misfit 'velocity' in event_0000 'velocity'\. Known: 'phi'"
    ):
        project.actions.inversion.compute_misfits("initial", "velocity")
    assert project.simulations.query("initial") is False  # nothing was launched


def test_identical_data_give_zero_and_a_warning(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project += misfit("self", "initial")
    for _ in range(2):
        caplog.clear()
        assert set(project.actions.inversion.compute_misfits("initial", "self").values()) == {0.0}
        assert "observed data 'initial' are identical to the synthetic ones" in caplog.text
        assert "event_0000, event_0001" in caplog.text


def scaled(data_synthetic: Any, data_observed: Any, sampling_rate_in_hertz: float) -> Any:
    difference = data_synthetic - data_observed
    return float((difference**2).sum() / sampling_rate_in_hertz), 2 * difference


def silent(data_synthetic: Any, data_observed: Any, sampling_rate_in_hertz: float) -> Any:
    return 1.0, 0 * data_synthetic


def test_functions_of_the_user_are_known_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def mine() -> MisfitConfiguration:
        return MisfitConfiguration("mine", observed_data="true", misfit_function=scaled, receiver_field="phi")

    project += misfit()
    project += mine()
    chi = project.actions.inversion.compute_misfits("initial", "L2", "event_0000")["event_0000"]
    twice = project.actions.inversion.compute_misfits("initial", "mine", "event_0000")["event_0000"]
    assert twice == pytest.approx(2 * chi, rel=1e-12)
    monkeypatch.setattr(user_function, "_known", {})  # as in another process
    again = Project(project.path)
    assert again.actions.inversion.compute_misfits("initial", "mine", "event_0000") == {"event_0000": twice}
    with pytest.raises(WavetreeError, match="'scaled' is not in memory"):
        again.actions.inversion.compute_misfits("initial", "mine", "event_0001")
    again += mine()
    assert again.actions.inversion.compute_misfits("initial", "mine", "event_0001")["event_0001"] > 0


def test_zero_adjoint_sources_are_named(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project += MisfitConfiguration("s", observed_data="true", misfit_function=silent, receiver_field="phi")
    assert project.actions.inversion.compute_misfits("initial", "s", "event_0001") == {"event_0001": 1.0 * 2}
    assert "The adjoint source is zero throughout, the gradient is zero: event_0001" in caplog.text


def test_observed_data_that_do_not_cover_are_refused(project: Project) -> None:
    run(project, "true")
    data = project.waveforms.get("true", "event_0000")[0]
    arrays, attributes = data.to_arrays()
    late = EventData.from_arrays(arrays, attributes | {"start_time_in_seconds": 1.0})
    project.waveforms.add_external("late", "event_0000", late)
    project += misfit("late", "EXTERNAL_DATA:late")
    with pytest.raises(
        ValueError, match=r"event 'event_0000': records from 1 s .*do not cover the time axis"
    ):
        project.actions.inversion.compute_misfits("initial", "late", "event_0000")


def test_gradients_and_their_most_exact_sum(project: Project) -> None:
    project += misfit()
    actions = project.actions.inversion
    coarse = actions.compute_gradients(
        "initial", "L2", wavefield_compression=WavefieldCompression(forward_wavefield_sampling_interval=2)
    )
    mesh = project.simulations.get_mesh("initial")
    for gradient in coarse.values():
        assert set(gradient.element_nodal_fields) == {"VP", "RHO", "FemMassMatrix", "Valence"}
        assert gradient.element_nodal_fields["VP"].shape == mesh.element_nodal_fields["VP"].shape
        assert np.isfinite(gradient.element_nodal_fields["VP"]).all()

    def total(gradients: dict[str, Any]) -> np.ndarray:
        return sum(gradient.element_nodal_fields["VP"] for gradient in gradients.values())

    summed = actions.sum_gradients("initial", "L2", events=project.events.list())
    np.testing.assert_allclose(summed.element_nodal_fields["VP"], total(coarse), rtol=1e-12, atol=1e-14)
    exact = actions.compute_gradients("initial", "L2")
    assert set(exact) == {"event_0000", "event_0001"}
    summed = actions.sum_gradients("initial", "L2")
    scale = np.abs(total(exact)).max()
    assert scale > 0 and not np.array_equal(total(exact), total(coarse))
    np.testing.assert_allclose(
        summed.element_nodal_fields["VP"], total(exact), rtol=1e-12, atol=1e-13 * scale
    )


def test_gradients_within_few_bytes(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    """Through tasks and files: states are kept, and the gradient has the bits of every step's."""
    caplog.set_level(logging.INFO, "wavetree")
    project += misfit()
    actions = project.actions.inversion
    full = actions.problem("initial", "L2", gradients=True).storage
    assert full is not None and full.scheme == "full"
    few = WavefieldCompression(memory_in_bytes=full.memory_in_bytes // 20)
    problem = actions.problem("initial", "L2", None, few, gradients=True)
    assert problem.storage is not None and problem.storage.scheme == "checkpoints"
    assert problem == actions.problem("initial", "L2", None, few, gradients=True)
    pipeline = project.pipeline(problem)
    assert pipeline.wait(gradients=True, timeout=60)
    found = pipeline.gradients()
    for task in problem.forward_tasks.values():
        (file,) = project.runner.folder(task).glob("wavefield_*.h5")
        assert file.stat().st_size < few.memory_in_bytes + 20_000
    names = {name: task.digest() for name, task in pipeline.adjoint_tasks.items()}
    for name, forward in problem.forward_tasks.items():
        for parameter, values in forward_gradient(forward, full, pipeline, name).items():
            np.testing.assert_array_equal(found[name][parameter], values)
    # The gradients are those of every step, so nothing is left to do.
    actions.compute_gradients("initial", "L2")
    assert f"Gradients of initial: {full} an event." in caplog.text
    again = project.pipeline(actions.problem("initial", "L2", gradients=True))
    assert {name: task.digest() for name, task in again.adjoint_tasks.items()} == names


def forward_gradient(
    forward: ForwardTask, plan: StoragePlan, pipeline: Pipeline, name: str
) -> dict[str, np.ndarray]:
    """The gradient of an event from a forward run that is kept in memory."""
    simulation = forward.simulation()
    simulation.run(plan)
    return simulation.derivative(read_arrays(pipeline.adjoint_tasks[name].adjoint_source_file)[0])


def test_too_few_bytes_are_refused_before_anything_runs(project: Project) -> None:
    project += misfit()
    with pytest.raises(ValueError, match="memory_in_bytes is 1000; expected at least"):
        project.actions.inversion.compute_gradients(
            "initial", "L2", wavefield_compression=WavefieldCompression(memory_in_bytes=1000)
        )


def test_missing_gradients_are_computed_for_the_sum(project: Project) -> None:
    project += misfit()
    summed = project.actions.inversion.sum_gradients("initial", "L2", "event_0001")
    (one,) = project.actions.inversion.compute_gradients("initial", "L2", "event_0001").values()
    assert np.array_equal(summed.element_nodal_fields["VP"], one.element_nodal_fields["VP"])


def test_without_blocking_it_returns_when_done(project: Project) -> None:
    project += misfit()
    found, calls, deadline = None, 0, time.monotonic() + 60
    while found is None and time.monotonic() < deadline:
        found = project.actions.inversion.compute_gradients("initial", "L2", block=False)
        calls += 1
        time.sleep(0.02)
    assert found is not None and set(found) == set(project.events.list()) and calls > 1


def test_a_failed_adjoint_run_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project += misfit()

    def fails(task: AdjointTask, *args: Any, **kwargs: Any) -> None:
        raise ValueError("adjoint energy grows")

    compute = AdjointTask.run
    monkeypatch.setattr(AdjointTask, "run", fails)
    with pytest.raises(SimulationFailed, match="event_0000 of initial: adjoint energy grows"):
        project.actions.inversion.compute_gradients("initial", "L2")
    with pytest.raises(SimulationFailed, match="adjoint energy grows"):
        for _ in range(1000):
            project.actions.inversion.compute_gradients("initial", "L2", block=False)
            time.sleep(0.01)
    monkeypatch.setattr(AdjointTask, "run", compute)
    assert len(project.actions.inversion.compute_gradients("initial", "L2")) == 2


def test_cancelled_while_waiting(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project += misfit()
    monkeypatch.setattr(ForwardTask, "run", until_cancelled)
    assert project.actions.inversion.compute_misfits("initial", "L2", block=False) is None
    threading.Timer(0.2, project.runner.site.cancel).start()
    with pytest.raises(Cancelled, match="what is finished is kept"):
        project.actions.inversion.compute_misfits("initial", "L2")


def test_lost_wavefields_are_recomputed(project: Project) -> None:
    project += misfit()
    interval = WavefieldCompression(forward_wavefield_sampling_interval=5)
    problem = project.actions.inversion.problem("initial", "L2", None, interval, gradients=True)
    pipeline = project.pipeline(problem)
    assert pipeline.wait(gradients=False, timeout=60)
    files = pipeline.wavefields()
    assert len(files) == 2
    for file in files:
        file.unlink()
    later = project.pipeline(problem)
    assert later.wait(gradients=True, timeout=60) and list(later.gradients()) == project.events.list()
    assert {name: m.misfit for name, m in later.misfits().items()} == {
        name: m.misfit for name, m in pipeline.misfits().items()
    }


def test_events_whose_runs_go_on_are_not_looked_at(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wake-up costs what has ended since, not what is still awaited."""
    project += misfit()
    problem = project.actions.inversion.problem("initial", "L2")
    pipeline, runner = project.pipeline(problem), project.runner
    active = {task.digest() for task in problem.forward_tasks.values()}
    looked, step = [], pipeline._advance_misfit
    monkeypatch.setattr(pipeline, "_advance_misfit", lambda name: looked.append(name) or step(name))
    monkeypatch.setattr(runner, "issue", lambda tasks, **how: 0)
    monkeypatch.setattr(runner, "is_active", lambda task: task.digest() in active)
    for _ in range(3):
        assert not pipeline.advance_misfits()
    first, *others = problem.forward_tasks
    assert looked == [first, *others] and others
    active.remove(problem.forward_tasks[first].digest())
    assert not pipeline.advance_misfits()
    assert looked == [first, *others, first]
