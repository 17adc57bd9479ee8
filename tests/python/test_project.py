import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from wavetree.data.event_data import EventData
from wavetree.domain import BoxDomain2D
from wavetree.errors import Cancelled, ConflictError, ProjectError, SimulationFailed, WavetreeError
from wavetree.mesh.box import box_mesh
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import GenericModel
from wavetree.project.project import Project
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    SimulationConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WavefieldCompression,
    WaveformSimulationConfiguration,
)
from wavetree.simulation.task import AdjointTask, ForwardTask
from wavetree.survey.event import Event, EventCollection
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

DOMAIN = BoxDomain2D(x0=-0.1, x1=0.1, y0=-0.1, y1=0.1)
WAVEFORMS = WaveformSimulationConfiguration(2e-4)
EVENT_CONFIGURATION = EventConfiguration(
    Ricker(center_frequency=8000.0), waveform_simulation_configuration=WAVEFORMS
)


def simulation(name: str, vp: float = 1500.0, **changes: Any) -> SimulationConfiguration:
    values: dict[str, Any] = {
        "max_frequency_in_hertz": 25000.0,
        "elements_per_wavelength": 1.0,
        "tensor_order": 4,
        "model_configuration": ModelConfiguration(IsotropicAcoustic(vp=vp, rho=980.0)),
        "event_configuration": EVENT_CONFIGURATION,
    }
    return SimulationConfiguration(name, **(values | changes))


def event(index: int = 0, **changes: Any) -> Event:
    source = ScalarPoint2D(x=-0.05, y=0.01 * index, f=1.0)
    receivers = [Point2D(x=0.05, y=0.02 * k, station_code=f"{k}", fields=["phi"]) for k in range(2)]
    values = {"sources": [source], "receivers": receivers, "event_name": f"event_{index:04d}"}
    return Event(**(values | changes))


def misfit(name: str = "L2", observed: str = "true") -> MisfitConfiguration:
    return MisfitConfiguration(name, observed_data=observed, misfit_function="L2", receiver_field="phi")


def volume_model(vp: float = 1500.0) -> GenericModel:
    x = np.linspace(-0.1, 0.1, 5)
    fields = {"vp": (("x", "y"), np.full((5, 5), vp)), "rho": (("x", "y"), np.full((5, 5), 980.0))}
    return GenericModel("model", xr.Dataset(fields, coords={"x": x, "y": x}))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = Project.from_domain(tmp_path / "project", DOMAIN)
    p += EventCollection([event(0), event(1)])
    p += simulation("initial")
    p += simulation("true", 1520.0)
    yield p
    p.close()


def run(project: Project, *names: str) -> None:
    for name in names:
        project.simulations.launch(name)
    assert project.simulations.query(block=True)


def until_cancelled(task: Any, folder: Path, control: Any, threads: int = 1) -> None:
    while not control.cancelled:
        time.sleep(0.005)
    raise Cancelled("stopped")


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


# Simulations


def test_launch_query_and_results(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    with pytest.raises(ValueError, match=r"data_name 'initial': event_0000, event_0001 not computed yet"):
        project.waveforms.get("initial")
    project.simulations.launch("initial", ranks_per_job=2)
    assert (
        "2 of 2 events are submitted to site 'local'" in caplog.text
        and "2 ranks become 2 threads" in caplog.text
    )
    assert project.simulations.query("initial", block=True) and project.simulations.query()
    first, second = project.waveforms.get("SYNTHETIC_DATA:initial", project.events.list())
    assert first.event_name == "event_0000" and second.event_name == "event_0001"
    assert np.isfinite(first.data["phi"]).all() and np.abs(first.data["phi"]).max() > 0
    folder = project.simulations.get_simulation_output_directory("initial", "event_0000")
    assert (folder / "waveforms.h5").is_file() and (folder / "status.json").is_file()
    (path, _) = project.simulations.get_input_files("initial")
    assert path.parent == folder and '"event_0000"' in path.read_text()
    mesh = project.simulations.get_mesh("initial")
    assert np.all(mesh.element_nodal_fields["VP"] == 1500.0)
    files = project.simulations.get_mesh_filenames("initial")
    assert all(file.is_file() and file.parent.name == "meshes" for file in files.values())


def test_nothing_is_computed_twice(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    run(project, "initial")
    monkeypatch.setattr(ForwardTask, "run", lambda *a, **k: pytest.fail("computed again"))
    monkeypatch.setattr("wavetree.project.setup.resolve", lambda *a: pytest.fail("time axis found again"))
    monkeypatch.setattr("wavetree.project.simulations.build_mesh", lambda *a: pytest.fail("meshed again"))
    project.simulations.launch("initial")
    assert "nothing to be done, 2 events are computed already" in caplog.text
    again = Project(project.path)
    again.simulations.launch("initial", "event_0001")
    assert "nothing to be done, 1 event is computed already" in caplog.text
    assert again.simulations.query() and again.simulations.query(block=True)
    caplog.clear()
    again.simulations.launch("initial", verbosity=0)
    assert caplog.text == ""


def test_query_tells_what_is_launched(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.simulations.query(), "nothing launched, nothing open"
    assert not project.simulations.query("initial")
    with pytest.raises(ValueError, match=r"initial cannot be waited for, never launched; call .*launch"):
        project.simulations.query("initial", block=True)
    gate = threading.Event()
    compute = ForwardTask.run

    def gated(*args: Any, **kwargs: Any) -> None:
        gate.wait(20)
        compute(*args, **kwargs)

    monkeypatch.setattr(ForwardTask, "run", gated)
    project.simulations.launch("initial", "event_0000")
    project.simulations.launch("initial", "event_0000")
    assert not project.simulations.query() and not project.simulations.query("initial", "event_0000")
    gate.set()
    assert project.simulations.query(block=True, ping_interval_in_seconds=0.1)
    assert project.simulations.query("initial") and project.simulations.query("initial", "event_0000")
    assert not project.simulations.query("initial", ["event_0000", "event_0001"])
    with pytest.raises(ValueError, match="event_0001 of initial cannot be waited for"):
        project.simulations.query("initial", "event_0001", block=True)


def test_failures_are_named_and_cost_one_event(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = ForwardTask.run

    def unlucky(task: ForwardTask, *args: Any, **kwargs: Any) -> None:
        if task.event.event_name == "event_0001":
            raise RuntimeError("energy grows at step 3")
        compute(task, *args, **kwargs)

    monkeypatch.setattr(ForwardTask, "run", unlucky)
    project.simulations.launch("initial")
    with pytest.raises(SimulationFailed, match="event_0001 of initial: energy grows at step 3") as caught:
        project.simulations.query(block=True)
    folder = project.simulations.get_simulation_output_directory("initial", "event_0001")
    assert str(folder / "log.txt") in str(caught.value) and "event_0000" not in str(caught.value)
    assert (folder / "log.txt").read_text().count("energy grows at step 3") >= 4
    assert project.simulations.query("initial", "event_0000")
    with pytest.raises(SimulationFailed, match="event_0001"):
        Project(project.path).simulations.query("initial")
    monkeypatch.setattr(ForwardTask, "run", compute)
    run(project, "initial")


def test_cancel_and_launch_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = ForwardTask.run
    monkeypatch.setattr(ForwardTask, "run", until_cancelled)
    project.simulations.launch("initial")
    assert project.simulations.cancel("initial", "event_0001") == 1
    assert project.simulations.cancel() == 1 and not project.simulations.query()
    assert not project.simulations.query(block=True)
    monkeypatch.setattr(ForwardTask, "run", compute)
    run(project, "initial")


def test_interrupt_stops_promptly_and_leaves_a_resumable_project(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = ForwardTask.run
    monkeypatch.setattr(ForwardTask, "run", until_cancelled)
    project += misfit()
    main = threading.main_thread().ident
    assert main is not None
    calls: list[Callable[[], Any]] = [
        lambda: project.simulations.query(block=True),
        lambda: project.actions.inversion.compute_misfits("initial", "L2"),
    ]
    for call in calls:
        project.simulations.launch("initial")
        threading.Timer(0.15, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            call()
        assert time.monotonic() - start < 3
    monkeypatch.setattr(ForwardTask, "run", compute)
    assert set(project.actions.inversion.compute_misfits("initial", "L2")) == set(project.events.list())


KILLED = """
import sys, time
from wavetree.project.project import Project
from wavetree.simulation.task import ForwardTask
compute = ForwardTask.run
def slow(task, folder, control, threads=1):
    if task.event.event_name == "event_0001":
        print("running", flush=True)
        time.sleep(60)
    compute(task, folder, control, threads=threads)
ForwardTask.run = slow
p = Project(sys.argv[1])
p.simulations.launch("initial", "event_0000")
p.simulations.query(block=True)
p.simulations.launch("initial")
time.sleep(60)
"""


def test_killed_while_running_it_goes_on(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    code = [sys.executable, "-c", KILLED, str(project.path)]
    with subprocess.Popen(code, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None and process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGKILL)
    assert not project.simulations.query("initial") and project.simulations.query("initial", "event_0000")
    assert project.simulations.query("initial", block=True)
    assert "1 event was interrupted, starting again" in caplog.text


def test_changed_content_asks_before_it_deletes(project: Project) -> None:
    run(project, "initial")
    old = project.simulations.get_simulation_output_directory("initial", "event_0000")
    project.add_to_project(simulation("initial", 1600.0), overwrite=True)
    assert not project.simulations.query("initial"), "what was launched is not what is asked for now"
    with pytest.raises(ConflictError, match="results of event_0000, event_0001 that were computed"):
        project.simulations.launch("initial")
    project.simulations.launch("initial", delete_conflicting_previous_results=True)
    assert project.simulations.query("initial", block=True) and not old.exists()


def test_results_are_deleted_unless_shared(project: Project) -> None:
    project += simulation("twin")
    run(project, "initial", "twin")
    folder = project.simulations.get_simulation_output_directory("initial", "event_0000")
    assert folder == project.simulations.get_simulation_output_directory("twin", "event_0000")
    project.simulations.delete_results("initial")
    assert folder.exists() and not project.simulations.query("initial") and project.simulations.query("twin")
    project.simulations.delete_results("twin", "event_0000")
    assert not folder.exists() and project.simulations.query("twin", "event_0001")
    run(project, "initial")


def test_configurations_are_taken_as_objects(project: Project) -> None:
    project.simulations.launch(simulation("initial"), event(0))
    assert project.simulations.query(simulation("initial"), block=True)
    with pytest.raises(ConflictError, match="'initial' is in the project with other content than"):
        project.simulations.launch(simulation("initial", 1600.0))
    with pytest.raises(ValueError, match="event is None; expected the name of one event"):
        project.simulations.get_simulation_output_directory("initial", None)


def test_unstructured_meshes_are_kept(project: Project) -> None:
    mesh = box_mesh(((-0.1, 0.1), (-0.1, 0.1)), (4, 4), shape_order=1)
    for name, value in {"VP": 1500.0, "RHO": 980.0}.items():
        mesh.element_nodal_fields[name] = np.full((mesh.nelem, 25), value)
    given = UnstructuredMeshSimulationConfiguration(
        "mesh", unstructured_mesh=mesh, event_configuration=EVENT_CONFIGURATION
    )
    project += given
    again = Project(project.path)
    assert again.entities.get("simulation_configuration", "mesh") == given
    run(again, "mesh")
    assert again.simulations.get_mesh("mesh").nelem == 16


# Waveforms, misfits, gradients


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
    threading.Timer(0.2, project.runner.site.cancel).start()
    with pytest.raises(Cancelled, match="what is finished is kept"):
        project.actions.inversion.compute_misfits("initial", "L2")


def test_lost_wavefields_are_recomputed(project: Project) -> None:
    project += misfit()
    interval = WavefieldCompression(forward_wavefield_sampling_interval=5)
    problem = project.actions.inversion.problem("initial", "L2", None, interval, gradients=True)
    pipeline = project.pipeline(problem)
    assert pipeline.wait(gradients=False, timeout=60)
    assert pipeline.delete_wavefields() > 0 and pipeline.delete_wavefields() == 0
    later = project.pipeline(problem)
    assert later.wait(gradients=True, timeout=60) and list(later.gradients()) == project.events.list()
    assert {name: m.misfit for name, m in later.misfits().items()} == {
        name: m.misfit for name, m in pipeline.misfits().items()
    }
