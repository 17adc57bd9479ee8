"""Making and opening projects, and what they hold."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from projects import DOMAIN, event, run, simulation, volume_model
from wavetree.errors import ConflictError, ProjectError
from wavetree.project.project import Project
from wavetree.simulation.configuration import ModelConfiguration
from wavetree.survey.event import EventCollection
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.source.cartesian import ScalarPoint2D, ScalarPoint3D

# Making and opening


def test_new_folders_only_unless_loading(tmp_path: Path) -> None:
    path = tmp_path / "a" / "project"
    Project.from_domain(path, DOMAIN).close()
    with pytest.raises(ValueError, match="holds a project already; pass load_if_exists=True"):
        Project.from_domain(path, DOMAIN)
    assert Project.from_domain(path, DOMAIN, load_if_exists=True).domain == DOMAIN
    assert Project(path).domain == DOMAIN
    other = replace(DOMAIN, x1=0.2)
    with pytest.raises(ConflictError, match=r"x1: 0\.1 is stored, 0\.2 is new"):
        Project.from_domain(path, other, load_if_exists=True)
    with pytest.raises(ValueError, match="holds no project; make one"):
        Project(tmp_path / "missing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="exists and is not a project"):
        Project.from_domain(tmp_path / "other", DOMAIN, load_if_exists=True)
    with pytest.raises(ProjectError, match="cannot make the folder '/proc/project'"):
        Project.from_domain("/proc/project", DOMAIN)


def test_volume_model_gives_domain_and_entity(tmp_path: Path) -> None:
    path = tmp_path / "project"
    p = Project.from_volume_model(path, volume_model())
    assert p.domain == DOMAIN and p.entities.list("volume_model") == ["model"]
    again = Project.from_volume_model(path, volume_model(), load_if_exists=True)
    assert again.entities.get("volume_model", "model").digest() == volume_model().digest()
    with pytest.raises(ConflictError, match="data variable 'vp' differs") as caught:
        Project.from_volume_model(path, volume_model(1600.0), load_if_exists=True)
    assert "'rho'" not in str(caught.value)


def test_interrupted_making_is_finished_by_loading(tmp_path: Path) -> None:
    path = tmp_path / "project"
    p = Project.from_domain(path, DOMAIN)
    p.store.delete_entity("domain", "domain")
    p.close()
    assert Project.from_domain(path, DOMAIN, load_if_exists=True).domain == DOMAIN


def test_newer_projects_are_refused(tmp_path: Path) -> None:
    Project.from_domain(tmp_path / "p", DOMAIN).close()
    raw = sqlite3.connect(tmp_path / "p" / "wavetree.sqlite")
    raw.execute("PRAGMA user_version=99")
    raw.close()
    with pytest.raises(ProjectError, match="written by a newer version of wavetree"):
        Project(tmp_path / "p")


def test_several_ranks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpi = types.SimpleNamespace(COMM_WORLD=types.SimpleNamespace(size=4))
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", mpi)  # type: ignore[arg-type]
    with pytest.raises(ProjectError, match="opened by 4 MPI ranks"):
        Project.from_domain(tmp_path / "p", DOMAIN)
    mpi.COMM_WORLD.size = 1
    Project.from_domain(tmp_path / "p", DOMAIN)
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(ProjectError, match="opened by 2 MPI ranks"):
        Project(tmp_path / "p")


# Entities


def test_identical_content_is_a_no_op(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    project += simulation("initial")
    assert "simulation configuration 'initial' is in the project already" in caplog.text
    assert project.simulations.list() == ["initial", "true"]


def test_other_content_is_a_conflict_that_names_the_fields(project: Project) -> None:
    changed = simulation("initial", 1600.0, tensor_order=3)
    with pytest.raises(ConflictError, match="'initial' is in the project with other content") as caught:
        project += changed
    lines = str(caught.value).splitlines()
    assert "  tensor_order: 4 is stored, 3 is new" in lines
    assert "  model_configuration.background_model.vp: 1500.0 is stored, 1600.0 is new" in lines
    assert len([line for line in lines if "is stored" in line]) == 2 and "overwrite=True" in lines[-1]
    assert project.entities.get("simulation_configuration", "initial") == simulation("initial")
    project.add_to_project(changed, overwrite=True)
    assert project.entities.get("simulation_configuration", "initial") == changed
    assert project.simulations.list() == ["initial", "true"]


def test_entities_outlive_the_object(project: Project) -> None:
    again = Project(project.path)
    assert again.events.list() == ["event_0000", "event_0001"]
    assert again.events.get_all() == [event(0), event(1)] == project.events.get_all()
    assert again.entities.get("simulation_configuration", "true") == simulation("true", 1520.0)


def test_unknown_names_suggest_the_nearest(project: Project) -> None:
    with pytest.raises(ValueError, match="unknown event 'event_001'; did you mean 'event_0001'"):
        project.events.get("event_001")
    with pytest.raises(ValueError, match="unknown entity_type 'events'; did you mean 'event'"):
        project.entities.list("events")
    with pytest.raises(ValueError, match="unknown simulation configuration 'intial'; did you mean 'initial'"):
        project.simulations.launch("intial")
    with pytest.raises(ValueError, match="unknown misfit configuration 'L2'"):
        project.actions.inversion.compute_misfits("initial", "L2")
    with pytest.raises(ValueError, match="unknown site 'locla'; did you mean 'local'"):
        project.simulations.launch("initial", site_name="locla")
    with pytest.raises(ValueError, match="ranks_per_job=0 is not valid"):
        project.simulations.launch("initial", ranks_per_job=0)
    with pytest.raises(ValueError, match="entity is a int; expected one of"):
        project += 3
    model = ModelConfiguration(None, volume_models="modle")
    with pytest.raises(ValueError, match="simulation configuration 'x': unknown volume model 'modle'"):
        project += simulation("x", model_configuration=model)


def test_deleting(project: Project) -> None:
    project += volume_model()
    project += simulation("on_model", model_configuration=ModelConfiguration(None, volume_models="model"))
    with pytest.raises(ConflictError, match="volume model 'model' is used by simulation configuration"):
        project.entities.delete(entity_type="volume_model", entity_name="model")
    project.entities.delete(entity_type="simulation_configuration", entity_name="on_model")
    project.entities.delete("volume_model", "model")
    project.events.delete("event_0000")
    assert project.events.list() == ["event_0001"] and project.entities.list("volume_model") == []
    with pytest.raises(ConflictError, match="domain of a project cannot be deleted"):
        project.entities.delete("domain", "domain")
    with pytest.raises(ConflictError, match="domain of a project cannot be changed"):
        project.add_to_project(replace(DOMAIN, x1=0.2), overwrite=True)


def test_positions_outside_the_domain_are_refused(project: Project) -> None:
    outside = event(2, sources=[ScalarPoint2D(x=0.0, y=0.13, f=1.0)])
    with pytest.raises(ValueError, match=r"source 0 of event 'event_0002' at \(0, 0\.13\) m lies 0\.03 m"):
        project += outside
    receivers = [Point2D(x=0.5, y=0.0, station_code="far", fields=["phi"])]
    with pytest.raises(ValueError, match=r"receiver 0 of .* x -0\.1 to 0\.1, y -0\.1 to 0\.1 m; move"):
        project += event(2, receivers=receivers)
    assert project.events.list() == ["event_0000", "event_0001"]


def test_events_of_other_dimensions_are_refused(project: Project) -> None:
    deep = Point3D(x=0, y=0, z=0, station_code="a", fields=["phi"])
    with pytest.raises(ValueError, match="event 'deep' has 3 dimensions, the domain 2"):
        project += event(event_name="deep", sources=[ScalarPoint3D(x=0, y=0, z=0, f=1)], receivers=[deep])


def test_events_are_selected_in_all_ways(project: Project) -> None:
    def names(events: Any) -> list[str | None]:
        return [e.event_name for e in project.events.select(events)]

    both = ["event_0000", "event_0001"]
    assert names(None) == names(both) == names(EventCollection([event(0), event(1)])) == both
    assert names("event_0001") == names(event(1)) == names([event(1), "event_0001"]) == ["event_0001"]
    with pytest.raises(ValueError, match="events is empty"):
        names([])
    with pytest.raises(ValueError, match="events is 3; expected a name"):
        names(3)
    with pytest.raises(ValueError, match="events holds 3; expected names or Events"):
        names([3])
    with pytest.raises(ConflictError, match="event 'event_0000' is in the project with other content"):
        names(event(0, sources=[ScalarPoint2D(x=0.0, y=0.0, f=2.0)]))


def test_repr_lists_what_is_in_it(project: Project) -> None:
    run(project, "initial")
    for text in (repr(project), project._repr_html_()):
        for part in (
            str(project.path),
            "x -0.1 to 0.1 m",
            "events (2)",
            "event_0000, event_0001",
            "initial, true",
        ):
            assert part in text
        assert "results of initial" in text and "2 of 2 launched events" in text


def test_terminal_log_is_shown_once_and_only_without_own_logging(tmp_path: Path) -> None:
    code = (
        "import sys, logging\nfrom wavetree.domain import BoxDomain2D\n"
        "from wavetree.project.log import show_log\nshow_log(); show_log()\n"
        "logging.getLogger('wavetree').info('one line')\nlogging.basicConfig(format='own: %(message)s')\n"
        "logging.getLogger('wavetree').info('own line')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if "line" in line]
    assert len(lines) == 2 and lines[0].endswith("INFO: one line") and lines[1] == "own: own line"
