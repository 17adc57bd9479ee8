"""What holds along the branches of a tree: settings and events, batches, time steps, and what is deleted."""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import many_events
from inversions import EVENTS, NAME, make_project
from wavetree.errors import ConflictError, SimulationFailed
from wavetree.inversion import stages
from wavetree.inversion.node import Node
from wavetree.inversion.problem import InverseProblem, StoredModel
from wavetree.inversion.pseudo_hessian import PseudoHessian
from wavetree.mapping import Mapping
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.optimize import Adam, BatchSelection, TrustRegion
from wavetree.project.project import Project
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.task import ForwardTask
from wavetree.smoothing import ConstantSmoothing
from wavetree.survey.event import Event

SMOOTHING = ConstantSmoothing({"VP": 0.015, "RHO": 0.015})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make_project(tmp_path / "project")
    yield p
    p.close()


def twice(u: np.ndarray, d: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    return float(np.sum((u - d) ** 2) / rate), 2.0 * (u - d)


def set_misfit(p: Project, name: str, function: Any) -> None:
    misfit = MisfitConfiguration(name, observed_data="true", misfit_function=function, receiver_field="phi")
    p.add_to_project(misfit, overwrite=True)


def grow_old(p: Project) -> None:
    """Young files are never taken for orphans."""
    old = time.time() - 3600.0
    for path in p.path.rglob("*"):
        os.utime(path, (old, old))


def node(p: Project, number: int) -> Node:
    return Node.from_document(p.store.load_iteration(NAME, number).document)


# Events


def test_validation_events_are_not_among_all_events(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=None, validation_events=[EVENTS[1]])
    p.inversions.iterate(NAME)
    one = p.inversions.get_iteration(NAME, 0)
    assert set(one.misfits or {}) == {EVENTS[0]} and set(one.validation_misfits or {}) == {EVENTS[1]}
    with pytest.raises(ValueError, match="are all events, so none is left to invert"):
        p.inversions.add_iteration(NAME, 0, validation_events=EVENTS)
    p.inversions.add_iteration(NAME, 0, validation_events=[EVENTS[0]], events=None)
    branch = p.inversions.get_iteration(NAME, 2)
    assert branch.events == (EVENTS[1],) and branch.changed == ("events",)
    p.close()


def test_events_that_become_validation_events_drop_the_history(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=None)
    p.inversions.iterate(NAME)
    p.inversions.add_iteration(NAME, 0, validation_events=[EVENTS[1]])
    branch = p.inversions.get_iteration(NAME, 2)
    assert branch.events == (EVENTS[0],) and branch.changed == ("events",) and branch.misfits is None
    p.close()


def test_cutouts_around_events_that_are_not_inverted_any_more_leave_the_model(tmp_path: Path) -> None:
    mapping = Mapping("absolute", inversion_parameters=["VP"], source_cutout_radius_in_meters=0.03)
    p = make_project(tmp_path / "p", events=None, mapping=mapping, preconditioner=None)
    p.inversions.iterate(NAME)
    p.inversions.add_iteration(NAME, 0, validation_events=[EVENTS[1]])
    models = [p.inversions.get_model(NAME, number).element_nodal_fields["VP"] for number in (1, 2)]
    assert np.array_equal(*models)
    p.close()


def test_new_events_of_the_project_wait_until_they_are_asked_for(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=None)
    p.inversions.iterate(NAME)
    one = p.events.get(EVENTS[0])
    p += Event(sources=one.sources, receivers=one.receivers, event_name="event_0002")
    p.inversions.add_iteration(NAME, 0, wavefield_compression=WavefieldCompression(1))
    branch = p.inversions.get_iteration(NAME, 2)
    assert branch.events == tuple(EVENTS) and branch.changed == ()
    p.inversions.add_iteration(NAME, 0, events=None)
    branch = p.inversions.get_iteration(NAME, 3)
    assert branch.events == (*EVENTS, "event_0002") and branch.changed == ("events",)
    p.close()


def test_events_that_an_inversion_needs_cannot_be_deleted(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=[EVENTS[0]], validation_events=[EVENTS[1]])
    for name in EVENTS:
        with pytest.raises(ConflictError, match=f"event '{name}' is used by"):
            p.events.delete(name)
    p.close()


# Settings


def test_changes_of_an_iteration_add_up(project: Project) -> None:
    project.inversions.add_iteration(NAME, events=[EVENTS[0]])
    project.inversions.add_iteration(NAME, method=TrustRegion(5.0))
    first = project.inversions.get_iteration(NAME, 0).settings
    assert first.method == TrustRegion(5.0) and first.events == (EVENTS[0],)
    project.inversions.iterate(NAME)
    project.inversions.add_iteration(NAME, method=TrustRegion(4.0))
    project.inversions.add_iteration(NAME, preconditioner=None)
    second = project.inversions.get_iteration(NAME, 1)
    assert second.settings.method == TrustRegion(4.0) and second.settings.preconditioner is None
    assert second.settings.events == (EVENTS[0],) and second.changed == ("preconditioner", "method")
    assert repr(project.inversions.tree(NAME)).endswith("preconditioner, method")


def test_a_branch_is_refused_when_its_tree_has_changed(project: Project) -> None:
    project.inversions.iterate(NAME)
    set_misfit(project, "L2", twice)
    with pytest.raises(ConflictError, match="misfit configuration 'L2' changed since"):
        project.inversions.add_iteration(NAME, 0, wavefield_compression=WavefieldCompression(2))


def test_settings_are_looked_at_again_when_no_iteration_has_them(project: Project) -> None:
    project.inversions.iterate(NAME)
    set_misfit(project, "other", "L2")
    project.inversions.add_iteration(NAME, misfit_configuration="other")
    set_misfit(project, "other", twice)
    project.inversions.add_iteration(NAME, misfit_configuration="other")
    project.inversions.delete(NAME, 1)
    set_misfit(project, "other", "L2")
    project.inversions.add_iteration(NAME, 0, misfit_configuration="other")
    project.inversions.iterate(NAME)
    set_misfit(project, "other", twice)
    with pytest.raises(ConflictError, match="misfit configuration 'other' changed since"):
        project.inversions.add_iteration(NAME, 0, misfit_configuration="other")


def test_another_mapping_makes_the_model_of_a_branch_without_a_step_its_prior(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second branch has the prior of the first, but another space around it."""
    project.inversions.iterate(NAME)
    first = Mapping("logarithmic", inversion_parameters=["VP"])
    project.inversions.add_iteration(NAME, 0, mapping=first, method=TrustRegion(0.01))
    with monkeypatch.context() as patch:
        patch.setitem(stages._STAGES, "propose", lambda one, place: stages.ended(one, place, "stopped here"))
        project.inversions.iterate(NAME, iteration_id=2)
    second = Mapping("logarithmic", inversion_parameters=["VP", "RHO"])
    project.inversions.add_iteration(NAME, 2, mapping=second)
    assert node(project, 2).settings.base == node(project, 3).settings.base
    assert project.inversions.iterate(NAME, iteration_id=3)
    models = [project.inversions.get_model(NAME, number).element_nodal_fields["VP"] for number in (1, 3)]
    assert np.array_equal(*models)


def test_an_inversion_is_begun_once(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    """Two processes may find at the same time that it has no iteration."""
    caplog.set_level(logging.INFO, "wavetree")
    project.inversions.add_iteration(NAME)
    project.inversions._branches.begin(NAME)
    assert len(project.inversions.tree(NAME)) == 1 and "was added by another process" in caplog.text
    with pytest.raises(ConflictError, match="was begun by another process"):
        project.inversions._branches.begin(NAME, {"events": [EVENTS[0]]})
    assert project.inversions.iterate(NAME)


def test_only_an_open_iteration_is_run_from(project: Project) -> None:
    project.inversions.iterate(NAME)
    with pytest.raises(ValueError, match="unknown iteration of 'inversion' 7"):
        project.inversions.run(NAME, 1, iteration_id=7)
    with pytest.raises(ValueError, match=r"iteration_id=0 of 'inversion' is finished; open are \[1\]"):
        project.inversions.run(NAME, 1, iteration_id=0)


def test_an_inversion_without_open_iteration_says_so(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.inversions.iterate(NAME)
    project.inversions.delete(NAME, 1)
    assert project.inversions.run(NAME, 1) == 0
    assert "has no open iteration; p.inversions.add_iteration adds one" in caplog.text


def test_a_branch_that_fails_does_not_stop_the_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.inversions.iterate(NAME)
    project.inversions.add_iteration(NAME, 0, events=[EVENTS[0]])
    run = ForwardTask.run

    def failing(task: ForwardTask, *arguments: Any, **settings: Any) -> None:
        if task.event.event_name == EVENTS[1]:
            raise OSError("no space left")
        run(task, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(ForwardTask, "run", failing)
        with pytest.raises(
            SimulationFailed, match=r"event_0001 of inversion, iteration 1, trial 0: .*no space"
        ):
            project.inversions.iterate(NAME)
    assert project.inversions.get_iteration(NAME, 2).accepted
    assert project.inversions.get_iteration(NAME, 1).stage == "misfit"
    assert project.inversions.iterate(NAME, iteration_id=1)


# Batches


def test_events_of_a_tree_with_batches_can_change(tmp_path: Path) -> None:
    p = many_events.make_project(tmp_path / "p", 6, batch=BatchSelection(3, seed=1))
    p.inversions.iterate(NAME)
    gone, *kept = p.inversions.get_iteration(NAME, 0).control_group
    others = [name for name in p.events.list() if name != gone]
    p.inversions.add_iteration(NAME, 0, events=others)
    assert p.inversions.iterate(NAME, iteration_id=2)
    branch = p.inversions.get_iteration(NAME, 2)
    assert set(kept) <= set(branch.events) <= set(others)
    weight = len(others) / len(branch.events)
    assert branch.misfit == pytest.approx(weight * sum((branch.misfits or {}).values()), rel=1e-14)
    p.close()


def test_methods_of_a_tree_with_batches_can_change_to_and_fro(tmp_path: Path) -> None:
    p = many_events.make_project(tmp_path / "p", 6, batch=BatchSelection(3, seed=1))
    p.inversions.iterate(NAME)
    p.inversions.add_iteration(NAME, method=Adam(5.0))
    p.inversions.run(NAME, 2)
    untested = p.inversions.get_iteration(NAME, 1)
    assert untested.control_group == untested.events and untested.trials[0].misfit is None
    p.inversions.add_iteration(NAME, method=TrustRegion(5.0))
    assert p.inversions.iterate(NAME)
    assert [len(i.events) for i in p.inversions.tree(NAME).iterations[:4]] == [3, 3, 3, 3]
    p.close()


def test_only_what_a_batch_needs_counts_as_launched(tmp_path: Path) -> None:
    p = many_events.make_project(tmp_path / "p", 6, batch=BatchSelection(3, seed=1))
    p.inversions.iterate(NAME, delete_disposable_files=True)
    used = p.inversions.get_iteration(NAME, 0).events
    for name in ("initial", "true"):
        assert sorted(p.store.get_simulation_events(name)) == sorted(used)
        assert p.simulations.query(name)
    fresh = p.inversions.get_iteration(NAME, 1)
    assert fresh.control_group == fresh.events, "none is chosen yet"
    p.close()


# Time steps


def test_a_halved_time_step_needs_the_mesh_that_is_there(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.inversions.iterate(NAME, delete_disposable_files=True)
    mesh = project.meshes.path(str(node(project, 1).mesh))
    plain, asked = InverseProblem.store_model, []

    def unstable_twice(problem: InverseProblem, p: np.ndarray) -> StoredModel:
        asked.append(mesh.is_file())
        return plain(problem, p) if len(asked) > 2 else StoredModel(refusal="it is fast", unstable=True)

    monkeypatch.setattr(InverseProblem, "store_model", unstable_twice)
    assert project.inversions.iterate(NAME, delete_disposable_files=True)
    assert project.inversions.get_iteration(NAME, 1).changed == ("time step",)
    assert len(asked) > 2 and all(asked)


# Files


def test_simulations_of_validation_events_are_disposable(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=[EVENTS[0]], validation_events=[EVENTS[1]])
    p.inversions.run(NAME, 2)
    problem = p.inversions._problems.of(NAME)
    pipeline = problem.validation_pipeline(str(node(p, 1).mesh), "validation")
    assert len(pipeline.results()) == 2, "the records and the misfit"
    p.inversions.delete_disposable_files(NAME)
    assert pipeline.results() == []
    assert p.inversions.iterate(NAME)
    p.close()


def test_the_illumination_is_kept_and_can_be_had_again(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", preconditioner=(SMOOTHING, PseudoHessian()))
    p.inversions.iterate(NAME)
    while node(p, 1).stage != "misfit":
        p.inversions.resume(NAME)
        p.runner.site.wait(list(p.runner._active), 1.0)
    grow_old(p)
    illumination = sorted(p.path.glob("results/*/*/illumination.h5"))
    p.inversions.delete_disposable_files()
    assert len(illumination) == 2 and all(file.is_file() for file in illumination)
    p.close()
    again = Project(tmp_path / "p")
    illumination[0].unlink()
    record = again.store.load_iteration(NAME, 1)
    again.store.save_iteration(record, {**record.document, "stage": "propose", "trials": []})
    assert again.inversions.iterate(NAME) and illumination[0].is_file()
    again.close()


def add_finer_prior(p: Project) -> None:
    initial = p.entities.get("simulation_configuration", "initial")
    p += type(initial)(
        "fine", max_frequency_in_hertz=30000.0, elements_per_wavelength=2.0, tensor_order=4,
        model_configuration=initial.model_configuration, event_configuration=initial.event_configuration,
    )  # fmt: skip


def test_simulations_of_a_branch_are_not_those_of_its_prior_model(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", preconditioner=(SMOOTHING, PseudoHessian()))
    p.inversions.iterate(NAME)
    add_finer_prior(p)
    p.inversions.add_iteration(NAME, 0, prior_model="fine")
    p.inversions.iterate(NAME, iteration_id=2)
    assert p.store.get_simulation_events("fine") == {}
    p.close()


def test_the_prior_of_a_deleted_branch_is_disposable(project: Project) -> None:
    project.inversions.iterate(NAME)
    add_finer_prior(project)
    project.inversions.add_iteration(NAME, 0, prior_model="fine")
    prior = project.meshes.path(str(node(project, 2).settings.base))
    grow_old(project)
    assert prior.is_file() and prior not in project.inversions.disposable_files()
    project.inversions.delete(NAME, 2)
    assert prior in project.inversions.disposable_files()
