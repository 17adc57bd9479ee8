import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inversions import EVENTS, NAME, configuration, fingerprint, make_project
from wavetree.errors import ConflictError, ProjectError
from wavetree.inversion import InverseProblemConfiguration, SiteConfig
from wavetree.inversion.node import Node
from wavetree.mapping import Mapping
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.optimize import TrustRegion
from wavetree.project.project import Project
from wavetree.smoothing import ConstantSmoothing
from wavetree.survey.event import Event
from wavetree.survey.source.cartesian import ScalarPoint2D


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make_project(tmp_path / "project")
    yield p
    p.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Three iterations, done once for the tests that only look at them."""
    p = make_project(tmp_path_factory.mktemp("finished") / "project")
    assert p.inversions.run(NAME, 3) == 3
    yield p
    p.close()


# What comes out


def test_misfit_falls_and_figures_belong_together(finished: Project) -> None:
    tree = finished.inversions.tree(NAME)
    assert [(i.id, i.parent, i.children) for i in tree] == [
        (0, None, (1,)), (1, 0, (2,)), (2, 1, (3,)), (3, 2, ()),
    ]  # fmt: skip
    misfits = [i.misfit for i in tree]
    assert all(m is not None for m in misfits) and misfits[3] < 0.4 * misfits[0]  # type: ignore[operator]
    first, second = tree.iterations[:2]
    assert first.ratio is first.radius is first.norm_update is first.actual_reduction is None
    (trial,) = first.trials
    assert (second.predicted_reduction, second.actual_reduction) == (
        trial.predicted_reduction, trial.actual_reduction,
    )  # fmt: skip
    assert second.misfits == trial.misfits and set(trial.misfits or {}) == set(EVENTS)
    assert second.actual_reduction == second.misfit - first.misfit  # type: ignore[operator]
    assert second.ratio == second.actual_reduction / second.predicted_reduction  # type: ignore[operator]
    assert first.accepted and second.stage == "finished" and tree.iterations[3].accepted is None
    assert first.events == first.control_group == tuple(EVENTS) and first.seconds > 0.0
    assert first.settings == configuration() and second.recomputed == 0
    assert finished.inversions.get_misfits(NAME) == {i.id: i.misfits for i in tree}
    assert finished.inversions.list() == [NAME]


def test_first_step_ends_on_the_boundary_with_the_change_asked_for(finished: Project) -> None:
    trial = finished.inversions.get_iteration(NAME, 0).trials[0]
    norm = finished.inversions.get_iteration(NAME, 0).gradient_norm
    assert norm is not None and trial.norm_update == pytest.approx(trial.radius, rel=1e-9)
    assert trial.predicted_reduction == pytest.approx(-0.5 * norm * trial.radius, rel=1e-9)
    change = finished.inversions.get_model(NAME, 1, absolute=False)
    largest = max(np.abs(change.element_nodal_fields[k]).max() for k in ("VP", "RHO"))
    assert largest == pytest.approx(10.0, rel=1e-6)


def test_models(finished: Project) -> None:
    prior = finished.inversions.get_model(NAME, 0)
    assert np.all(prior.element_nodal_fields["VP"] == 1500.0)
    newest = finished.inversions.get_model(NAME, 3)
    change = finished.inversions.get_model(NAME, 3, absolute=False)
    for name in ("VP", "RHO"):
        material = newest.element_nodal_fields[name]
        assert np.allclose(material - prior.element_nodal_fields[name], change.element_nodal_fields[name])
    true = finished.simulations.get_mesh("true")
    middle = np.hypot(*(newest.get_element_nodes() - [0.02, 0.0]).transpose(2, 0, 1)) < 0.02
    assert newest.element_nodal_fields["VP"][middle].mean() < 1495.0
    assert true.element_nodal_fields["VP"][middle].mean() < 1470.0
    with pytest.raises(ValueError, match="unknown iteration of 'inversion' 7"):
        finished.inversions.get_model(NAME, 7)


def test_gradient_is_the_sum_of_the_events(finished: Project) -> None:
    raw = finished.inversions.get_gradient(NAME, 0)
    total = finished.actions.inversion.sum_gradients("initial", "L2", EVENTS)
    for name in ("VP", "RHO", "FemMassMatrix", "Valence"):
        expected = total.element_nodal_fields[name]
        assert np.abs(raw.element_nodal_fields[name] - expected).max() <= 1e-12 * np.abs(expected).max()
    smooth = finished.inversions.get_gradient(NAME, 0, preconditioned=True)
    weight = raw.element_nodal_fields["FemMassMatrix"] / raw.element_nodal_fields["Valence"]
    square = sum(
        float(np.sum(weight * raw.element_nodal_fields[k] * smooth.element_nodal_fields[k]))
        for k in ("VP", "RHO")
    )
    norm = finished.inversions.get_iteration(NAME, 0).gradient_norm
    assert norm == pytest.approx(np.sqrt(square), rel=1e-9)
    with pytest.raises(
        ValueError, match="iteration 3 of 'inversion' has no gradient yet, its stage is 'init"
    ):
        finished.inversions.get_gradient(NAME, 3)


def test_texts(finished: Project) -> None:
    iteration = finished.inversions.get_iteration(NAME, 1)
    tree = finished.inversions.tree(NAME)
    for text in (repr(iteration), iteration._repr_html_()):
        assert "Iteration 1" in text and "led here by" in text and "trial 0" in text and "accepted" in text
    lines = repr(tree).splitlines()
    assert lines[0] == "Inverse problem 'inversion'" and len(lines) == 6 and "tr_radius" in lines[1]
    # The row of an iteration shows the step that it tried: figures of the next one.
    assert f"{iteration.trials[0].norm_update:.5g}" in lines[3] and lines[5].count("---") == 6
    assert tree._repr_html_().count("<tr>") == 5
    assert "inverse problem configurations (1)" in repr(finished)


def test_log_says_what_happens_in_order(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.inversions.iterate(NAME)
    wanted = [
        "Adding iteration 0", "Resuming iteration 0", "Current stage: initialize",
        "Current stage: misfit_and_gradient", "4 tasks issued", "issued",
        "Task misfit_and_gradient processed", "Current stage: check_convergence",
        "Current stage: preconditioner", "Number of events: 2, chi = ", "||g|| = ", "Current stage: propose",
        "Current stage: misfit", "2 tasks issued", "Task misfit processed", "Current stage: accept_or_reject",
        "pred = -", "ared = -", "norm_update = ", "tr_radius = ", "Old misfit of the control group: ",
        "new misfit: ", "2 out of 2 events improved", "Accepted: ratio", "Current stage: finalize_iteration",
        "Iteration 0 of 'inversion' is finished, iteration 1 added",
    ]  # fmt: skip
    text, place = caplog.text, 0
    for part in wanted:
        place = text.find(part, place)
        assert place >= 0, f"{part!r} is missing or too early in\n{text}"
        place += len(part)


@pytest.mark.parametrize(
    ("scaling", "change"),
    [("relative_deviation_from_prior", 0.006), ("logarithmic", None), ("absolute", None)],
)
def test_other_scalings_and_default_changes(tmp_path: Path, scaling: Any, change: float | None) -> None:
    mapping = Mapping(scaling, inversion_parameters=["RHO", "VP"])
    method = TrustRegion() if change is None else TrustRegion(initial_trust_region_linf={"VP": change})
    p = make_project(tmp_path / "p", mapping=mapping, method=method, preconditioner=None)
    assert p.inversions.run(NAME, 2) == 2
    first, _, third = p.inversions.tree(NAME)
    assert third.misfit is not None and first.misfit is not None and third.misfit < 0.9 * first.misfit
    model = p.inversions.get_model(NAME, 1)
    largest = {
        name: np.abs(model.element_nodal_fields[name] / value - 1.0).max()
        for name, value in (("VP", 1500.0), ("RHO", 980.0))
    }
    allowed = {"VP": change or 0.01, "RHO": 0.01}
    reached = {k: largest[k] / allowed[k] for k in allowed}
    assert max(reached.values()) == pytest.approx(1.0, rel=1e-2), "the first to reach its value decides"
    p.close()


def test_float64_and_one_parameter(tmp_path: Path) -> None:
    p = make_project(
        tmp_path / "p", precision="float64", mapping=Mapping("absolute", inversion_parameters=["VP"])
    )
    assert p.inversions.run(NAME, 2) == 2
    assert np.all(p.inversions.get_model(NAME, 2).element_nodal_fields["RHO"] == 980.0)
    assert not np.all(p.inversions.get_model(NAME, 2).element_nodal_fields["VP"] == 1500.0)
    p.close()


# Trials that are not accepted


def test_models_that_cannot_be_simulated_shrink_the_radius(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    p = make_project(tmp_path / "p", method=TrustRegion(initial_trust_region_linf=20000.0))
    assert p.inversions.iterate(NAME)
    first, second = p.inversions.tree(NAME)
    reasons = [trial.reason for trial in first.trials]
    assert len(reasons) >= 3 and reasons[0].startswith("rejected: the trial model cannot be simulated, ")
    assert "not positive at" in reasons[0] and first.trials[0].misfit is None
    assert [trial.accepted for trial in first.trials] == [False] * (len(reasons) - 1) + [True]
    assert first.trials[1].radius == pytest.approx(0.1 * first.trials[0].norm_update)
    assert second.radius == first.trials[-1].radius and "ared = ---" in caplog.text
    p.close()


def test_models_that_need_smaller_time_steps_are_rejected(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p")
    p += MisfitConfiguration("faster", observed_data="initial", misfit_function="L2", receiver_field="phi")
    method = TrustRegion(initial_trust_region_linf=400.0)
    p += configuration("faster", prior_model="true", misfit_configuration="faster", method=method)
    assert p.inversions.iterate("faster")
    iteration = p.inversions.get_iteration("faster", 0)
    step = p.simulations.setup("true").time_axis.dt
    reason = iteration.trials[0].reason
    assert "its largest stable time step, " in reason and f"below that of the inversion, {step:g} s" in reason
    assert iteration.trials[0].misfits is None and iteration.trials[-1].accepted
    p.close()


def test_identical_data_end_the_inversion_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    p = make_project(tmp_path / "p")
    p += MisfitConfiguration("same", observed_data="initial", misfit_function="L2", receiver_field="phi")
    p += configuration("same", misfit_configuration="same")
    assert p.inversions.run("same", 3) == 1
    assert "'initial' are identical to the synthetic ones, so the misfit is 0" in caplog.text
    assert (
        "is finished: converged: the misfit is 0, the adjoint sources of all 2 events are zero" in caplog.text
    )
    iteration = p.inversions.get_iteration("same", 0)
    assert iteration.misfit == 0.0 and iteration.accepted is False and iteration.trials == ()
    p.close()


# The tree


def test_adding_iterations(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    with pytest.raises(ValueError, match="'inversion' has no iterations; add one with p.inversions.add_iter"):
        project.inversions.resume(NAME)
    with pytest.raises(ValueError, match="'inversion' has no iterations"):
        project.inversions.delete_disposable_files(NAME)
    assert len(project.inversions.tree(NAME)) == 0 and project.inversions.get_misfits(NAME) == {}
    project.inversions.add_iteration(NAME)
    assert "Adding iteration 0 of 'inversion'" in caplog.text
    project.inversions.add_iteration(NAME)
    assert "Iteration 0 of 'inversion' is open, nothing is added" in caplog.text
    assert len(project.inversions.tree(NAME)) == 1
    with pytest.raises(ValueError, match="preceding_iteration_id=0 is an open iteration of 'inversion' at"):
        project.inversions.add_iteration(NAME, preceding_iteration_id=0)
    with pytest.raises(ValueError, match="unknown iteration of 'inversion' 5"):
        project.inversions.add_iteration(NAME, preceding_iteration_id=5)
    with pytest.raises(ValueError, match="unknown iteration of 'inversion' 5"):
        project.inversions.resume(NAME, iteration_id=5)


def test_branches_start_from_any_finished_iteration(project: Project, finished: Project) -> None:
    project.inversions.run(NAME, 2)
    project.inversions.add_iteration(inverse_problem_configuration=NAME, preceding_iteration_id=0)
    tree = project.inversions.tree(NAME)
    assert [(i.id, i.parent) for i in tree] == [(0, None), (1, 0), (2, 1), (3, 0)]
    assert tree.iterations[0].children == (1, 3) and "\n  3 " in repr(tree) and "\n    2 " not in repr(tree)
    with pytest.raises(ValueError, match=r"iteration_id=0 of 'inversion' is finished; open are \[2, 3\]"):
        project.inversions.iterate(NAME, iteration_id=0)
    assert project.inversions.iterate(NAME, iteration_id=3)
    assert [i.id for i in project.inversions.tree(NAME) if i.accepted is None] == [2, 4]
    assert project.inversions.iterate(NAME), "both open ones"
    assert sorted(i.parent or 0 for i in project.inversions.tree(NAME)) == [0, 0, 0, 1, 2, 3, 4]
    # The branch has the same settings as the trunk, so it takes the same way.
    here, there = (project.inversions.get_model(NAME, k).element_nodal_fields["VP"] for k in (5, 6))
    assert np.array_equal(here, there)
    assert np.array_equal(here, finished.inversions.get_model(NAME, 3).element_nodal_fields["VP"])


def test_what_results_depend_on_may_not_change(project: Project) -> None:
    project.inversions.add_iteration(NAME)
    project.inversions.resume(NAME)
    kept = project.entities.get("misfit_configuration", "L2")
    project.add_to_project(replace(kept, observed_data="initial"), overwrite=True)
    with pytest.raises(ConflictError, match="misfit configuration 'L2', the observed data 'true' changed"):
        project.inversions.iterate(NAME)
    project.add_to_project(kept, overwrite=True)
    project.add_to_project(configuration(preconditioner=None), overwrite=True)
    with pytest.raises(
        ConflictError, match="inverse problem configuration 'inversion' changed since the iter"
    ):
        project.inversions.resume(NAME)
    with pytest.raises(ConflictError, match=r"with p.inversions.delete\('inversion'\)"):
        project.inversions.get_model(NAME, 0)
    project.inversions.delete(NAME)
    assert len(project.inversions.tree(NAME)) == 0
    assert project.inversions.iterate(NAME) and len(project.inversions.tree(NAME)) == 2


def test_later_events_do_not_move_the_time_axis(project: Project, finished: Project) -> None:
    from wavetree.survey.receiver.cartesian import Point2D
    from wavetree.survey.stf import Ricker

    project.inversions.iterate(NAME)
    slow = ScalarPoint2D(x=0.0, y=0.0, f=1.0, source_time_function=Ricker(2000.0))
    receivers = [Point2D(x=0.05, y=0.0, station_code="A", fields=["phi"])]
    project += Event(sources=[slow], receivers=receivers, event_name="slow")
    before = finished.simulations.setup("initial").time_axis
    assert project.simulations.setup("initial").time_axis != before
    with pytest.raises(ConflictError, match="the observed data 'true' changed"):
        Project(project.path).inversions.iterate(NAME)
    project.events.delete("slow")
    assert project.inversions.run(NAME, 2) == 2
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4))


def test_job_submission_may_change_at_any_time(project: Project, finished: Project) -> None:
    project.inversions.iterate(NAME)
    project.inversions.set_job_submission_configuration(NAME, SiteConfig("local", ranks_per_job=2))
    assert project.inversions.run(NAME, 2) == 2
    assert fingerprint(project, range(4)) == fingerprint(finished, range(4)), (
        "the number of threads changes no bit"
    )
    with pytest.raises(ValueError, match="unknown site 'locla'; did you mean 'local'"):
        project.inversions.set_job_submission_configuration(NAME, SiteConfig("locla"))


def test_all_events_when_none_are_named(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=None)
    p.inversions.add_iteration(NAME)
    assert p.inversions.get_iteration(NAME, 0).events == tuple(EVENTS)
    p.close()


# Bad input


def test_unknown_names(project: Project) -> None:
    with pytest.raises(
        ValueError, match="unknown inverse problem configuration 'invresion'; did you mean 'inv"
    ):
        project.inversions.iterate("invresion")
    with pytest.raises(ConflictError, match="'inversion' is in the project with other content than the one"):
        project.inversions.iterate(configuration(preconditioner=None))
    with pytest.raises(ValueError, match="unknown simulation configuration 'intial'; did you mean 'initial'"):
        project += configuration("other", prior_model="intial")
    with pytest.raises(ValueError, match="unknown misfit configuration 'l2'"):
        project += configuration("other", misfit_configuration="l2")
    with pytest.raises(ValueError, match="unknown event 'event_002'"):
        project += configuration("other", events=["event_002"])
    project += configuration("other", job_submission=SiteConfig("locla"))
    with pytest.raises(ValueError, match="unknown site 'locla'"):
        project.inversions.add_iteration("other")
    assert len(project.inversions.tree("other")) == 0
    with pytest.raises(ValueError, match="n_iterations=0 is not valid; expected a whole number, at least 1"):
        project.inversions.run(NAME, 0)


def test_bad_configurations() -> None:
    with pytest.raises(ValueError, match="events is empty; expected names of events, or None"):
        configuration(events=[])
    with pytest.raises(ValueError, match="events names 'a' 2 times; name it once"):
        configuration(events=["a", "b", "a"])
    with pytest.raises(ValueError, match="preconditioner has no smoothing length for 'RHO', which is inv"):
        configuration(preconditioner=ConstantSmoothing({"VP": 0.01}))
    with pytest.raises(ValueError, match="unknown inversion parameter in initial_trust_region_linf 'VS'"):
        configuration(method=TrustRegion(initial_trust_region_linf={"VS": 1.0}))
    with pytest.raises(ValueError, match="ranks_per_job=0 is not valid"):
        SiteConfig("local", ranks_per_job=0)
    with pytest.raises(ValueError, match=r"unknown argument 'prior'; did you mean 'prior_model'"):
        configuration(prior="initial")
    with pytest.raises(ValueError, match="name='a/b' is not valid"):
        configuration("a/b")


def test_configurations_outlive_the_object(project: Project) -> None:
    found = Project(project.path).entities.get("inverse_problem_configuration", NAME)
    assert isinstance(found, InverseProblemConfiguration) and found == configuration()
    assert found.numbers() == replace(found, job_submission=SiteConfig("local", ranks_per_job=8)).numbers()


def test_iterations_of_another_format_are_refused(project: Project) -> None:
    project.inversions.add_iteration(NAME)
    document = project.store.load_iteration(NAME, 0).document
    again = Node.from_document(json.loads(json.dumps(document)))
    assert again == Node.from_document(document) and again.stage == "initialize"
    for other in (9, 0, None, "1"):
        with pytest.raises(
            ProjectError, match=f"is stored in format {other!r}, this version of wavetree rea"
        ):
            Node.from_document({**document, "format": other})


def test_damaged_files_are_named(project: Project) -> None:
    project.inversions.iterate(NAME)
    shutil.rmtree(project.path / "inversions" / NAME / "0000")
    with pytest.raises(ValueError, match=r"trial_0.h5' is not a file; expected an HDF5 file written by"):
        project.inversions.get_model(NAME, 1)


def test_an_inverse_problem_is_found_by_as_many_queries_for_few_events_as_for_many(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project += configuration("few", events=EVENTS[:1])
    problems, numbers = project.inversions._problems, []
    query = project.store._query
    for name in (NAME, "few"):
        problems.settle(name)
        asked: list[str] = []
        monkeypatch.setattr(
            project.store,
            "_query",
            lambda sql, *values, asked=asked: asked.append(sql) or query(sql, *values),
        )
        assert problems.of(name) is problems.of(name)
        numbers.append(len(asked))
    assert numbers[0] == numbers[1] > 0 and len(EVENTS) > 1
