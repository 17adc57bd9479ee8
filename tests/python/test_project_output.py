"""Volumes and surfaces of a project's simulations."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projects import misfit, run
from wavetree.errors import SimulationFailed
from wavetree.project.project import Project
from wavetree.simulation import output_file
from wavetree.simulation.output import OutputConfiguration, VolumeData
from wavetree.simulation.task import ForwardTask

REQUEST: dict[str, Any] = {
    "volume_data": {"sampling_interval_in_time_steps": 10, "fields": ["phi", "gradient-of-phi"]},
    "surface_data": {"sampling_interval_in_time_steps": 5, "fields": ["phi_t"], "side_sets": ["x1", "y0"]},
}


def test_output_is_asked_for_at_launch_and_read_with_the_waveforms(project: Project) -> None:
    project.simulations.launch("initial", extra_output_configuration=REQUEST)
    assert project.simulations.query("initial", block=True)
    for data in project.waveforms.get("initial"):
        phi = data.get_wavefield_output("volume", "phi")
        mesh = project.simulations.get_mesh("initial")
        assert phi.shape[1:] == (mesh.nelem, 25, 1) and phi.attrs["event_name"] == data.event_name
        assert float(np.abs(phi).max()) > 0.0
        assert data.get_wavefield_output("surface", "phi_t").sizes["facet"] == len(
            mesh.side_sets["x1"]
        ) + len(mesh.side_sets["y0"])
    folder = project.simulations.get_simulation_output_directory("initial", "event_0000")
    assert len(list(folder.glob("output_*/*.xdmf"))) == 2


def test_asking_later_runs_again_and_asking_again_does_not(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wavetree")
    run(project, "initial")
    (before, _) = project.waveforms.get("initial")
    with pytest.raises(ValueError, match="event_0000 has no volume output; give volume_data in extra_output"):
        before.get_wavefield_output("volume", "phi")
    project.simulations.launch("initial", "event_0000", extra_output_configuration=REQUEST)
    assert "1 of 1 events are submitted" in caplog.text
    assert project.simulations.query("initial", block=True)
    caplog.clear()
    again = Project(project.path)
    again.simulations.launch(
        "initial", "event_0000", extra_output_configuration=OutputConfiguration(**REQUEST)
    )
    again.simulations.launch("initial")
    assert "submitted" not in caplog.text and again.simulations.query("initial")
    with_output, without = again.waveforms.get("initial")
    np.testing.assert_array_equal(with_output.data["phi"], before.data["phi"])
    assert set(with_output.wavefield_files) == {"volume", "surface"} and without.wavefield_files == {}


def test_what_was_asked_for_last_is_read(project: Project) -> None:
    for interval in (10, 20, 10):
        request = OutputConfiguration(volume_data=VolumeData(interval, fields=["phi"]))
        project.simulations.launch("initial", "event_0000", extra_output_configuration=request)
        assert project.simulations.query("initial", block=True)
        (data,) = project.waveforms.get("initial", "event_0000")
        times = data.get_wavefield_output("volume", "phi").coords["time"].values
        assert times[1] - times[0] == pytest.approx(interval / data.sampling_rate_in_hertz)


def test_gradients_need_no_output(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project += misfit()
    project.simulations.launch("initial", extra_output_configuration=REQUEST)
    assert project.simulations.query("initial", block=True)
    monkeypatch.setattr(output_file, "OutputWriter", lambda *a: pytest.fail("written again"))
    assert set(project.actions.inversion.compute_gradients("initial", "L2")) == set(project.events.list())


def test_output_of_a_running_simulation_follows(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, compute = threading.Event(), ForwardTask.run

    def gated(*args: Any, **kwargs: Any) -> None:
        gate.wait(20)
        compute(*args, **kwargs)

    monkeypatch.setattr(ForwardTask, "run", gated)
    project.simulations.launch("initial", "event_0000")
    project.simulations.launch("initial", "event_0000", extra_output_configuration=REQUEST)
    gate.set()
    assert project.simulations.query("initial", block=True)
    (data,) = project.waveforms.get("initial", "event_0000")
    assert data.get_wavefield_output("volume", "phi").sizes["time"] > 1


def test_output_that_fails_is_named_and_can_be_left_out(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, "initial")

    def full(*_: Any) -> None:
        raise ValueError("no room for volumes")

    monkeypatch.setattr(output_file, "_grids", full)
    project.simulations.launch("initial", "event_0000", extra_output_configuration=REQUEST)
    with pytest.raises(SimulationFailed, match="event_0000 of initial: no room for volumes"):
        project.simulations.query("initial", block=True)
    project.simulations.launch("initial")
    assert project.simulations.query("initial", block=True)


def test_deleted_results_forget_their_output(project: Project) -> None:
    project.simulations.launch("initial", "event_0000", extra_output_configuration=REQUEST)
    assert project.simulations.query("initial", block=True)
    project.simulations.delete_results("initial")
    run(project, "initial")
    assert all(data.wavefield_files == {} for data in project.waveforms.get("initial"))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (["phi"], r"extra_output_configuration is \['phi'\]; expected a dictionary with volume_data or"),
        ({"volume": {}}, "unknown argument 'volume'; did you mean 'volume_data'"),
        (
            {"volume_data": REQUEST["volume_data"] | {"fields": ["stress"]}},
            "'stress', a field of solids, but there",
        ),
        (
            {"surface_data": REQUEST["surface_data"] | {"side_sets": ["z1"]}},
            "unknown side set in surface_data 'z1'; did you mean '[xy]1'",
        ),
        (
            {"volume_data": REQUEST["volume_data"] | {"sampling_interval_in_time_steps": 10**6}},
            "volume_data is 1000000, but the simulation has",
        ),
    ],
)
def test_bad_requests_are_found_before_anything_runs(project: Project, request_: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        project.simulations.launch("initial", extra_output_configuration=request_)
    assert not project.simulations.query("initial") and not list(Path(project.path).rglob("waveforms.h5"))
