"""Branches with other settings, two processes at one tree, and time steps that get too large."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inversions import EVENTS, NAME, configuration, fingerprint, make_project
from wavetree.inversion import SiteConfig
from wavetree.mapping import Mapping
from wavetree.mesh import box_mesh
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.optimize import TrustRegion
from wavetree.project.project import Project
from wavetree.simulation.configuration import ModelConfiguration, WavefieldCompression
from wavetree.sites.folder import read_json
from wavetree.sites.settings import LocalSettings
from wavetree.smoothing import ConstantSmoothing


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make_project(tmp_path / "project")
    assert p.inversions.run(NAME, 2) == 2
    yield p
    p.close()


def double(u: np.ndarray, d: np.ndarray, rate: float) -> tuple[float, np.ndarray]:
    return float(np.sum((u - d) ** 2) / rate), 2.0 * (u - d)


def relative_difference(a: Any, b: Any) -> float:
    return max(
        float(np.abs(a.element_nodal_fields[k] - b.element_nodal_fields[k]).max())
        / float(np.abs(b.element_nodal_fields[k]).max())
        for k in ("VP", "RHO")
    )


# Settings


def test_a_branch_with_other_settings_begins_at_the_accepted_trial(project: Project) -> None:
    before = fingerprint(project, range(3))
    project.inversions.add_iteration(NAME, 0, events=[EVENTS[0]])
    assert project.inversions.iterate(NAME, iteration_id=3)
    branch, child = project.inversions.get_iteration(NAME, 3), project.inversions.get_iteration(NAME, 4)
    assert branch.parent == 0 and child.parent == 3 and branch.changed == ("events",)
    assert branch.events == (EVENTS[0],) == child.events and set(branch.misfits or {}) == {EVENTS[0]}
    assert branch.settings.events == (EVENTS[0],) and child.changed == ()
    main = project.inversions.get_iteration(NAME, 1)
    assert (branch.misfits or {})[EVENTS[0]] == (main.misfits or {})[EVENTS[0]], "it is the same model"
    assert (
        relative_difference(project.inversions.get_model(NAME, 3), project.inversions.get_model(NAME, 1))
        == 0.0
    )
    assert fingerprint(project, range(3)) == before, "nothing of the other branch is touched"


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"preconditioner": ConstantSmoothing({"VP": 0.03, "RHO": 0.03})}, ("preconditioner",)),
        ({"method": TrustRegion(initial_trust_region_linf=5.0)}, ("method",)),
        ({"preconditioner": None, "method": TrustRegion(4.0)}, ("preconditioner", "method")),
    ],
)
def test_what_drops_the_history(
    project: Project, overrides: dict[str, Any], what: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.inversions.add_iteration(NAME, 1, **overrides)
    assert f"It starts without history, for it changes {', '.join(what)}." in caplog.text
    assert project.inversions.iterate(NAME, iteration_id=3)
    branch, main = project.inversions.get_iteration(NAME, 3), project.inversions.get_iteration(NAME, 2)
    assert branch.changed == what and branch.misfits == main.misfits, "the misfit is the same function"
    largest = branch.settings.method.initial_trust_region_linf
    text = f"{', '.join(what)} changed: history of 1 pair dropped, first radius "
    assert text in caplog.text and f"by at most {largest:g}." in caplog.text


def test_what_keeps_the_history(project: Project) -> None:
    project.inversions.iterate(NAME)
    same = WavefieldCompression(forward_wavefield_sampling_interval=1)
    project.inversions.add_iteration(NAME, 1, wavefield_compression=same)
    project.inversions.iterate(NAME, iteration_id=4)
    main, branch = project.inversions.get_iteration(NAME, 2), project.inversions.get_iteration(NAME, 4)
    assert branch.changed == () and branch.settings.wavefield_compression == same
    assert branch.trials[0].norm_update == main.trials[0].norm_update


def test_another_mapping_makes_the_model_the_prior(project: Project) -> None:
    model = project.inversions.get_model(NAME, 2)
    mapping = Mapping("logarithmic", inversion_parameters=["VP"])
    smoothing = ConstantSmoothing({"VP": 0.02})
    method = TrustRegion(initial_trust_region_linf=0.005)
    project.inversions.add_iteration(NAME, 1, mapping=mapping, preconditioner=smoothing, method=method)
    branch = project.inversions.get_iteration(NAME, 3)
    assert branch.changed == ("mapping", "preconditioner", "method")
    assert project.inversions.iterate(NAME, iteration_id=3)
    assert relative_difference(project.inversions.get_model(NAME, 3), model) == 0.0
    first, second = project.inversions.get_iteration(NAME, 3), project.inversions.get_iteration(NAME, 4)
    assert first.misfits == project.inversions.get_iteration(NAME, 2).misfits
    assert second.misfit is not None and first.misfit is not None and second.misfit < first.misfit
    new = project.inversions.get_model(NAME, 4).element_nodal_fields
    assert np.array_equal(new["RHO"], model.element_nodal_fields["RHO"])
    factor = new["VP"] / model.element_nodal_fields["VP"]
    assert np.abs(np.log(factor)).max() == pytest.approx(0.005, rel=1e-6)
    # The difference is that from the prior of the tree, whatever came between.
    change = project.inversions.get_model(NAME, 4, absolute=False).element_nodal_fields["VP"]
    assert np.allclose(change, new["VP"] - 1500.0, atol=1e-9)


def test_a_prior_on_another_mesh_takes_the_update_along(project: Project) -> None:
    coarse = project.entities.get("simulation_configuration", "initial")
    fine = type(coarse)(
        "fine", max_frequency_in_hertz=30000.0, elements_per_wavelength=2.0, tensor_order=4,
        model_configuration=ModelConfiguration(IsotropicAcoustic(vp=1500.0, rho=980.0)),
        event_configuration=coarse.event_configuration,
    )  # fmt: skip
    project += fine
    project.inversions.add_iteration(NAME, 1, prior_model="fine")
    assert project.inversions.iterate(NAME, iteration_id=3)
    first, second = project.inversions.get_iteration(NAME, 3), project.inversions.get_iteration(NAME, 4)
    main = project.inversions.get_iteration(NAME, 2)
    assert project.inversions.get_model(NAME, 3).nelem > project.inversions.get_model(NAME, 2).nelem
    assert first.misfit == pytest.approx(main.misfit, rel=0.05), "the same model, simulated more exactly"
    assert second.misfit is not None and second.misfit < 0.95 * first.misfit  # type: ignore[operator]


def test_settings_of_the_newest_change_before_it_is_begun(project: Project) -> None:
    project += MisfitConfiguration(
        "double", observed_data="true", misfit_function=double, receiver_field="phi"
    )
    project.inversions.add_iteration(NAME, misfit_configuration="double")
    assert len(project.inversions.tree(NAME)) == 3, "no branch is made"
    assert project.inversions.run(NAME, 1) == 1
    newest = project.inversions.get_iteration(NAME, 2)
    assert newest.changed == ("misfit",) and newest.settings.misfit_configuration == "double"
    accepted = project.inversions.get_iteration(NAME, 1).trials[-1]
    assert newest.misfit == pytest.approx(2.0 * accepted.misfit, rel=1e-9)  # type: ignore[operator]
    assert project.inversions.get_iteration(NAME, 3).settings.misfit_configuration == "double"
    project.inversions.resume(NAME)
    with pytest.raises(ValueError, match="is at stage '.*', too late for other settings"):
        project.inversions.add_iteration(NAME, misfit_configuration="L2")


def test_branches_run_at_several_sites_at_the_same_time(tmp_path: Path) -> None:
    found = []
    for where in ("sites", "undisturbed"):
        p = make_project(tmp_path / where)
        sites = where == "sites"
        p += LocalSettings(processes="always" if sites else "never", cores=1)
        p += LocalSettings("second", processes="always", cores=1)
        assert p.inversions.run(NAME, 1) == 1
        elsewhere = {"job_submission": SiteConfig("second", ranks_per_job=2)} if sites else {}
        p.inversions.add_iteration(NAME, 0, method=TrustRegion(initial_trust_region_linf=20.0), **elsewhere)
        begun = {folder.name for folder in p.path.glob("results/*/*")}
        assert p.inversions.iterate(NAME)
        assert [node.id for node in p.inversions.tree(NAME)] == [0, 1, 2, 3, 4]
        found.append(fingerprint(p, range(1, 5)))
        if sites:
            jobs = [read_json(file) for file in p.path.glob("results/*/*/job.json")]
            assert {job["site"] for job in jobs if job["key"] not in begun} == {"local", "second"}
            branch = next(node for node in p.inversions.tree(NAME) if node.parent == 2)
            assert branch.settings.job_submission == SiteConfig("second", ranks_per_job=2), "it is inherited"
            main = p.inversions.get_iteration(NAME, 1)
            assert main.settings.job_submission == SiteConfig("local")
        p.close()
    assert found[0] == found[1]


def test_iteration_zero_with_other_settings(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p")
    p.inversions.add_iteration(NAME, events=[EVENTS[1]])
    assert p.inversions.iterate(NAME)
    assert set(p.inversions.get_iteration(NAME, 0).misfits or {}) == {EVENTS[1]}
    p.close()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"preconditoner": None}, "unknown setting of an iteration 'preconditoner'; .*'preconditioner'"),
        ({"name": "other"}, "name cannot be changed for one iteration"),
        ({"job_submission": None}, "job_submission"),
        ({"job_submission": SiteConfig("locla")}, "unknown site 'locla'; did you mean 'local'"),
        ({"events": ["event_0007"]}, "event_0007"),
        ({"misfit_configuration": "L1"}, "L1"),
        ({"mapping": Mapping("absolute", inversion_parameters=["VS"])}, "VS"),
        ({"method": 3}, "method is 3, expected one of TrustRegion"),
    ],
)
def test_bad_overrides_add_nothing(project: Project, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        project.inversions.add_iteration(NAME, 0, **overrides)
    assert len(project.inversions.tree(NAME)) == 3


def test_validation_events_are_reported_and_not_inverted(tmp_path: Path) -> None:
    p = make_project(tmp_path / "p", events=[EVENTS[0]], validation_events=[EVENTS[1]])
    assert p.inversions.run(NAME, 2) == 2
    alone = make_project(tmp_path / "q", events=[EVENTS[0]])
    assert alone.inversions.run(NAME, 2) == 2
    for number in (0, 1):
        one = p.inversions.get_iteration(NAME, number)
        assert set(one.misfits or {}) == {EVENTS[0]} and set(one.validation_misfits or {}) == {EVENTS[1]}
        assert one.misfits == alone.inversions.get_iteration(NAME, number).misfits
    first, second = (p.inversions.get_iteration(NAME, k).validation_misfits for k in (0, 1))
    reference = p.actions.inversion.compute_misfits("initial", "L2", [EVENTS[1]])
    assert first == reference and first != second
    p.close()
    alone.close()


# Running


def test_run_until_and_along_one_branch(project: Project) -> None:
    misfits = [i.misfit for i in project.inversions.tree(NAME)]
    goal = 0.9 * misfits[1]  # type: ignore[operator]
    done = project.inversions.run(
        NAME, 20, until=lambda newest: newest.misfit is not None and newest.misfit < goal
    )
    newest = project.inversions.tree(NAME).iterations[-1]
    assert done < 5 and newest.stage == "initialize" and newest.misfit is not None and newest.misfit < goal
    project.inversions.add_iteration(NAME, 0)
    branch = newest.id + 1
    assert project.inversions.run(NAME, 2, iteration_id=branch) == 2
    tree = project.inversions.tree(NAME)
    assert [i.parent for i in tree.iterations[branch:]] == [0, branch, branch + 1]
    assert project.inversions.get_iteration(NAME, newest.id).stage == "initialize", "the other one waits"
    with pytest.raises(ValueError, match="n_iterations=0"):
        project.inversions.run(NAME, 0)


def test_the_end_of_a_branch_can_be_deleted(project: Project) -> None:
    project.inversions.add_iteration(NAME, 0)
    project.inversions.iterate(NAME, iteration_id=3)
    before = fingerprint(project, range(3))
    for number in (4, 3):
        project.inversions.delete(NAME, iteration_id=number)
    assert fingerprint(project, range(3)) == before and len(project.inversions.tree(NAME)) == 3
    with pytest.raises(Exception, match="has the children"):
        project.inversions.delete(NAME, iteration_id=0)


# Two processes

ITERATE = """
import sys
from wavetree.project.project import Project
p = Project(sys.argv[1])
try:
    print("done", p.inversions.iterate("inversion", 60.0, iteration_id=int(sys.argv[2])), flush=True)
except ValueError as error:  # the other process was that much faster
    print("done", "is finished" in str(error), flush=True)
"""


def test_a_branch_that_another_process_holds_is_waited_for(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project.store.set_note("lease/inversion/2", {**_held_by_init(), "beat": time.time()})
    began = time.monotonic()
    assert not project.inversions.resume(NAME)
    assert not project.inversions.iterate(NAME, timeout_in_seconds=0.6, ping_interval_in_seconds=0.1)
    assert 0.5 < time.monotonic() - began < 3.0
    assert "Iteration 2 of 'inversion' is being advanced by process 1 on " in caplog.text
    assert project.inversions.get_iteration(NAME, 2).stage == "initialize"
    project.store.delete_note("lease/inversion/2")
    assert project.inversions.iterate(NAME)


def _held_by_init() -> dict[str, Any]:
    from wavetree.process import name_process

    return {**name_process(1), "token": "x"}


def test_two_processes_advance_two_branches_and_share_one(project: Project) -> None:
    """Each finishes what it was asked for; the same branch asked for twice is computed once."""
    project.inversions.add_iteration(NAME, 0, events=[EVENTS[0]])
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", ITERATE, str(project.path), str(number)], stdout=subprocess.PIPE, text=True
        )
        for number in (2, 3, 3)
    ]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert said == ["done True\n"] * 3
    tree = project.inversions.tree(NAME)
    assert sorted(i.parent for i in tree.iterations[4:]) == [2, 3]  # type: ignore[type-var]
    assert project.store.list_notes("lease/") == {}


# Time steps


def test_the_time_step_is_halved_when_models_need_it_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Data of a fast medium pull the model to velocities that the prior's time step cannot follow."""
    caplog.set_level(logging.INFO, "wavetree")
    p = make_project(tmp_path / "p", mapping=Mapping("absolute", inversion_parameters=["VP"]))
    p += _fast(p)
    p += MisfitConfiguration("fast", observed_data="fast", misfit_function="L2", receiver_field="phi")
    p += configuration(
        "faster", misfit_configuration="fast", method=TrustRegion(initial_trust_region_linf=120.0),
        mapping=Mapping("absolute", inversion_parameters=["VP"]),
        preconditioner=ConstantSmoothing({"VP": 0.03}),
    )  # fmt: skip
    p.inversions.run("faster", 8)
    assert "Models need a smaller time step again: it is halved to " in caplog.text
    tree = p.inversions.tree("faster")
    halved = [i for i in tree if "time step" in i.changed]
    assert halved and tree.iterations[-1].misfit is not None and tree.iterations[0].misfit is not None
    assert tree.iterations[-1].misfit < 0.5 * tree.iterations[0].misfit
    (axis, half) = (
        p.inversions._problems.fixed("faster", _settings(p, number)).time_axis
        for number in (0, tree.iterations[-1].id)
    )
    assert half["dt"] == axis["dt"] / 2 and half["n_steps"] == 2 * axis["n_steps"]
    p.close()


def _fast(p: Project) -> Any:
    slow = p.entities.get("simulation_configuration", "initial")
    return type(slow)(
        "fast", max_frequency_in_hertz=20000.0, elements_per_wavelength=2.0, tensor_order=4,
        model_configuration=ModelConfiguration(IsotropicAcoustic(vp=1800.0, rho=980.0)),
        event_configuration=slow.event_configuration,
    )  # fmt: skip


def _settings(p: Project, number: int) -> Any:
    from wavetree.inversion.node import Node

    return Node.from_document(p.store.load_iteration("faster", number).document).settings


# Mappings


def halved(update: dict[str, np.ndarray], coordinates: np.ndarray) -> dict[str, np.ndarray]:
    return {name: 0.5 * values for name, values in update.items()}


def ruined(update: dict[str, np.ndarray], coordinates: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values - 1e4 for name, values in update.items()}


def test_accepted_models_go_through_the_users_function(tmp_path: Path) -> None:
    mapping = Mapping("absolute", inversion_parameters=["VP"], postprocess_model_update=halved)
    p = make_project(tmp_path / "p", mapping=mapping, preconditioner=ConstantSmoothing({"VP": 0.02}))
    plain = make_project(tmp_path / "q", mapping=Mapping("absolute", inversion_parameters=["VP"]),
        preconditioner=ConstantSmoothing({"VP": 0.02}))  # fmt: skip
    assert p.inversions.run(NAME, 2) == 2 and plain.inversions.run(NAME, 1) == 1
    changes = [q.inversions.get_model(NAME, 1, absolute=False).element_nodal_fields["VP"] for q in (p, plain)]
    np.testing.assert_allclose(changes[0], 0.5 * changes[1], rtol=1e-9, atol=1e-12)
    first, second = p.inversions.get_iteration(NAME, 0), p.inversions.get_iteration(NAME, 1)
    assert second.changed == ("the model (by postprocess_model_update)",)
    assert first.trials[-1].misfit != second.misfit, "the misfit is that of the new model"
    p.close()
    plain.close()


def test_a_function_that_ruins_the_model_stops_with_the_reason(tmp_path: Path) -> None:
    mapping = Mapping("absolute", inversion_parameters=["VP"], postprocess_model_update=ruined)
    p = make_project(tmp_path / "p", mapping=mapping, preconditioner=None)
    p.inversions.run(NAME, 3)
    last = p.inversions.tree(NAME).iterations[-1]
    assert last.accepted is False
    assert last.reason.startswith("stopped: the model that postprocess_model_update returned cannot be sim")
    p.close()


def test_a_branch_inverts_on_a_coarser_mesh(project: Project) -> None:
    fine = project.inversions.get_model(NAME, 2)
    coarse = box_mesh([(-0.1, 0.1), (-0.1, 0.1)], (3, 3), shape_order=1)
    mapping = Mapping("absolute", inversion_parameters=["VP"], inversion_mesh=coarse)
    smoothing = ConstantSmoothing({"VP": 0.01})
    project.inversions.add_iteration(NAME, 1, mapping=mapping, preconditioner=smoothing)
    again = Project(project.path)
    assert again.inversions.iterate(NAME, iteration_id=3)
    assert relative_difference(again.inversions.get_model(NAME, 3), fine) == 0.0
    change = again.inversions.get_model(NAME, 4).element_nodal_fields["VP"] - fine.element_nodal_fields["VP"]
    assert again.inversions.get_gradient(NAME, 3).nelem == 9 and np.abs(change).max() > 1.0
    again.close()


def test_cutouts_of_other_events_leave_the_model(tmp_path: Path) -> None:
    mapping = Mapping("absolute", inversion_parameters=["VP"], source_cutout_radius_in_meters=0.03)
    p = make_project(tmp_path / "p", events=[EVENTS[0]], mapping=mapping, preconditioner=None)
    assert p.inversions.run(NAME, 1) == 1
    model = p.inversions.get_model(NAME, 1)
    p.inversions.add_iteration(NAME, 0, events=[EVENTS[1]])
    assert p.inversions.iterate(NAME, iteration_id=2)
    assert relative_difference(p.inversions.get_model(NAME, 2), model) == 0.0
    p.close()
