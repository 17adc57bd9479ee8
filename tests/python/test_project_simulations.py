"""Simulations of a project: launched, cancelled, killed, deleted."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from projects import EVENT_CONFIGURATION, event, misfit, run, simulation, until_cancelled
from wavetree.errors import ConflictError, SimulationFailed
from wavetree.mesh.box import box_mesh
from wavetree.project.project import Project
from wavetree.simulation.configuration import UnstructuredMeshSimulationConfiguration
from wavetree.simulation.task import ForwardTask
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point2D, SideSetHorizontalPointCollection2D
from wavetree.survey.source.cartesian import SideSetScalarPoint2D


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


def test_side_sets_are_found_before_anything_runs(project: Project) -> None:
    def on_top(x: float, name: str) -> Event:
        source = SideSetScalarPoint2D((x, 0.0), direction="y", side_set_name="y1", offset=-0.02, f=1.0)
        top = SideSetHorizontalPointCollection2D(x=[-0.05, x], side_set_name="y0", fields=["phi"])
        return event(event_name=name, sources=[source], receivers=top)

    project += [on_top(0.05, "on_top"), on_top(0.3, "beside")]
    with pytest.raises(
        ValueError, match=r"point \(0\.3, 0\.0\) cannot be moved onto side set 'y1': .* 0\.2 m from"
    ):
        project.simulations.launch("initial", "beside")
    assert project.simulations.query("initial") is False
    project.simulations.launch("initial", "on_top")
    assert project.simulations.query("initial", "on_top", block=True)
    (found,) = project.waveforms.get("initial", "on_top")
    assert found.receivers[1] == Point2D(x=0.05, y=-0.1, station_code="0001", fields=["phi"])
    assert found.sources is not None and found.sources[0].location == pytest.approx((0.05, 0.08))
    assert np.abs(found.data["phi"]).max() > 0.0
    figure = project.viz.nb.simulation_setup("initial", "on_top")
    places = np.concatenate([np.asarray(c.get_offsets()) for c in figure.axes[0].collections[-2:]])
    np.testing.assert_allclose(places, [[-0.05, -0.1], [0.05, -0.1], [0.05, 0.08]], atol=1e-15)


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
