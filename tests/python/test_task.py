"""Tasks: what names them, what they write, and that they compute what a simulation does."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulations import BOUNDARIES, medium_box, receivers, source
from wavetree.arrays import read_arrays, write_arrays
from wavetree.config import load
from wavetree.data.event_data import EventData
from wavetree.errors import Cancelled
from wavetree.mesh import Mesh
from wavetree.simulation import task as task_module
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import instruction_sets
from wavetree.simulation.output import OutputConfiguration, SurfaceData, VolumeData
from wavetree.simulation.shared import Shared
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage_plan import StoragePlan, checkpoints_plan, interval_plan
from wavetree.simulation.task import AdjointTask, ForwardTask, make_control
from wavetree.simulation.time_axis import maximum_time_step
from wavetree.survey.event import Event
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

SPAN = WaveformSimulationConfiguration(end_time_in_seconds=1e-3)
OUTPUT = OutputConfiguration(
    volume_data=VolumeData(10, fields=["phi"]), surface_data=SurfaceData(5, fields=["phi"], side_sets=["y1"])
)


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return medium_box(3)


def make_task(folder: Path, mesh: Mesh, **changes) -> ForwardTask:
    file = folder / "mesh.h5"
    if not file.exists():
        mesh.write_h5(file)
    step = 0.9 * maximum_time_step(mesh, BOUNDARIES["sponge"])
    event = Event(
        ScalarPoint2D(x=0.3, y=0.4, f=1e3), receivers=receivers((0.2, 0.7), (0.8, 0.6)), event_name="e"
    )
    arguments = {
        "mesh_file": str(file),
        "mesh_digest": mesh.digest(),
        "event": event,
        "wavelet": (Ricker(2000.0),),
        "waveform_simulation_configuration": SPAN,
        "boundary_conditions": BOUNDARIES["sponge"],
        "start_time_in_seconds": -7e-4,
        "time_step_in_seconds": step,
        "n_steps": 90,
        "simulation_name": "initial_model",
    }
    return ForwardTask(**{**arguments, **changes})


def every(interval: int) -> StoragePlan:
    """The plan to store every n-th step; what it takes is for users, not for runs."""
    said = {"n_snapshots": 1, "memory_in_bytes": 1, "expected_error": 0.0, "extra_forward_steps": 0}
    return StoragePlan(interval, **said)


# -- digests -----------------------------------------------------------------------------------


def test_the_digest_leaves_out_what_the_result_does_not_depend_on(tmp_path, mesh):
    task = make_task(tmp_path, mesh)
    for change in (
        {"mesh_file": "elsewhere.h5"},
        {"simulation_name": "other"},
        {"storage": every(4)},
        {"output": OUTPUT},
    ):
        assert replace(task, **change).digest() == task.digest()
    assert make_task(tmp_path, mesh).digest() == task.digest()


def test_the_digest_changes_with_everything_else(tmp_path, mesh, monkeypatch):
    task = make_task(tmp_path, mesh)
    other_event = Event([source(0.3, 0.41)], receivers=task.event.receivers, event_name="e")
    moved = Event(task.event.sources, receivers=receivers((0.2, 0.71), (0.8, 0.6)), event_name="e")
    changes = [
        {"mesh_digest": "0" * 64},
        {"event": other_event},
        {"event": moved},
        {"wavelet": (Ricker(2001.0),)},
        {"waveform_simulation_configuration": replace(SPAN, precision="float64")},
        {"waveform_simulation_configuration": replace(SPAN, temporal_dispersion_correction=False)},
        {"waveform_simulation_configuration": replace(SPAN, receiver_sampling_interval_in_time_steps=2)},
        {"boundary_conditions": BOUNDARIES["absorbing"]},
        {"boundary_conditions": ()},
        {"start_time_in_seconds": -6e-4},
        {"time_step_in_seconds": 0.99 * task.time_step_in_seconds},
        {"n_steps": 91},
        {"instruction_set": "another"},
    ]
    digests = [task.digest(), *(replace(task, **change).digest() for change in changes)]
    monkeypatch.setattr(task_module, "NUMERICS_VERSION", task_module.NUMERICS_VERSION + 1)
    digests.append(make_task(tmp_path, mesh).digest())
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 64 for digest in digests)


def test_the_digest_of_an_adjoint_run_names_its_inputs(tmp_path, mesh):
    forward = make_task(tmp_path, mesh, storage=every(1))
    task = AdjointTask(forward, adjoint_source_file="a.h5", adjoint_source_digest="1", forward_folder="here")
    for same in ({"adjoint_source_file": "b.h5"}, {"forward_folder": "there"}):
        assert replace(task, **same).digest() == task.digest()
    different = [
        {"adjoint_source_digest": "2"},
        {"forward": replace(forward, storage=every(2))},
        {"forward": replace(forward, n_steps=91)},
    ]
    digests = {task.digest(), forward.digest(), *(replace(task, **change).digest() for change in different)}
    assert len(digests) == 5


def test_tasks_are_data(tmp_path, mesh):
    forward = make_task(tmp_path, mesh, storage=every(3), output=OUTPUT)
    adjoint = AdjointTask(
        forward, adjoint_source_file="a.h5", adjoint_source_digest="1", forward_folder="here"
    )
    for task in (forward, adjoint):
        rebuilt = load(json.loads(json.dumps(task.to_dict())))
        assert rebuilt.digest() == task.digest()
        assert (rebuilt.label, rebuilt.outputs, rebuilt.kind) == (task.label, task.outputs, task.kind)
    assert (forward.kind, adjoint.kind) == ("forward", "adjoint")
    assert forward.label == "e of initial_model"
    assert adjoint.label == "gradient of e of initial_model"
    folder = f"output_{OUTPUT.digest()[:12]}"
    assert forward.outputs == (
        "waveforms.h5", "wavefield_3.h5", f"{folder}/volume.h5", f"{folder}/surface.h5"
    )  # fmt: skip
    assert make_task(tmp_path, mesh).outputs == ("waveforms.h5",)
    assert forward.instruction_set == instruction_sets()[0]


# -- runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [None, 1, 4])
def test_a_forward_run_writes_its_outputs(tmp_path, mesh, interval):
    task = make_task(tmp_path, mesh, storage=interval and every(interval))
    folder, control = tmp_path / "result", make_control()
    folder.mkdir()
    task.run(folder, control)
    assert control.progress == 1.0
    assert sorted(path.name for path in folder.iterdir()) == sorted(task.outputs)
    records = EventData.from_arrays(*read_arrays(folder / "waveforms.h5"))
    direct = task.simulation()
    expected = direct.run(interval)
    np.testing.assert_array_equal(records.data["phi"], expected.data["phi"])
    assert np.abs(records.data["phi"]).max() > 0
    assert (records.event_name, records.axis) == ("e", expected.axis)
    assert records.receiver_names == list(task.event.receiver_names)
    if interval:
        stored, _ = read_arrays(folder / f"wavefield_{interval}.h5")
        np.testing.assert_array_equal(stored["wavefield"], direct.wavefield)


def test_a_forward_run_writes_wavefields(tmp_path, mesh):
    task = make_task(tmp_path, mesh, storage=every(4), output=OUTPUT)
    task.run(tmp_path, make_control())
    assert all((tmp_path / name).is_file() for name in task.outputs)
    records = EventData.from_arrays(*read_arrays(tmp_path / "waveforms.h5"))
    np.testing.assert_array_equal(records.data["phi"], task.simulation().run().data["phi"])
    records.wavefield_files = {name: tmp_path / file for name, file in task.wavefield_files.items()}
    assert records.get_wavefield_output("volume", "phi").sizes["time"] == 10
    assert set(records.get_wavefield_output("surface", "phi").coords["side_set"].values) == {"y1"}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("interval", [1, 4])
def test_an_adjoint_run_is_the_direct_derivative_bit_for_bit(tmp_path, mesh, interval, precision):
    span = replace(SPAN, precision=precision)
    forward = make_task(tmp_path, mesh, storage=every(interval), waveform_simulation_configuration=span)
    forward.run(tmp_path, make_control())
    records, _ = read_arrays(tmp_path / "waveforms.h5")
    write_arrays(tmp_path / "adjoint_source.h5", {"phi": 2.0 * records["phi"]})
    task = AdjointTask(
        forward,
        adjoint_source_file=str(tmp_path / "adjoint_source.h5"),
        adjoint_source_digest="of that file",
        forward_folder=str(tmp_path),
    )
    task.run(tmp_path, make_control())
    written, _ = read_arrays(tmp_path / "gradient.h5")
    direct = Simulation(
        mesh,
        [replace(s, source_time_function=Ricker(2000.0)) for s in forward.event.sources],
        forward.event.receivers,
        span,
        BOUNDARIES["sponge"],
        time_axis=forward.simulation().time_axis,
    )
    expected = direct.derivative({"phi": 2.0 * direct.run(interval).data["phi"]})
    assert set(written) == set(expected) == {"VP", "RHO"}
    for name, values in expected.items():
        np.testing.assert_array_equal(written[name], values)
        assert np.abs(values).max() > 0


def test_checkpoints_go_through_files(tmp_path, mesh):
    """The forward run leaves states, from which the adjoint run computes the same bits again."""
    written, digests, sizes = [], [], []
    run = make_task(tmp_path, mesh).simulation().stored_run
    plans = interval_plan(run, 1), checkpoints_plan(run, 8, 3), interval_plan(run, 1, bits=16)
    for plan in plans:
        folder = tmp_path / plan.label
        folder.mkdir()
        forward = make_task(tmp_path, mesh, storage=plan)
        forward.run(folder, make_control())
        records, _ = read_arrays(folder / "waveforms.h5")
        write_arrays(folder / "adjoint_source.h5", records)
        task = AdjointTask(
            load(json.loads(json.dumps(forward.to_dict()))),
            adjoint_source_file=str(folder / "adjoint_source.h5"),
            adjoint_source_digest="of that file",
            forward_folder=str(folder),
        )
        task.run(folder, make_control())
        written.append(read_arrays(folder / "gradient.h5")[0])
        digests.append(task.digest())
        sizes.append((folder / forward.outputs[1]).stat().st_size)
    for name in ("VP", "RHO"):
        assert np.abs(written[0][name]).max() > 0
        np.testing.assert_array_equal(written[1][name], written[0][name])
        assert np.abs(written[2][name] - written[0][name]).max() > 0
    # A gradient is named by what its bits depend on, a stored field by how it is stored.
    assert digests[0] == digests[1] != digests[2]
    assert sizes[1] < 0.2 * sizes[0]
    assert sizes[2] < 0.7 * sizes[0]


def test_threads_do_not_change_the_files(tmp_path, mesh):
    results = []
    for threads in (1, 2):
        task = make_task(tmp_path, mesh)
        task.run(tmp_path, make_control(), threads)
        results.append(read_arrays(tmp_path / "waveforms.h5")[0]["phi"])
    np.testing.assert_array_equal(*results)


def test_sources_keep_their_own_wavelet(tmp_path, mesh):
    own = source(0.3, 0.4, 1500.0)
    event = Event([own, ScalarPoint2D(x=0.6, y=0.4, f=1.0)], receivers=receivers((0.5, 0.5)), event_name="e")
    one = make_task(tmp_path, mesh, event=event).simulation()
    assert [s.source_time_function for s in one.sources] == [Ricker(1500.0), Ricker(2000.0)]
    each = make_task(tmp_path, mesh, event=event, wavelet=(Ricker(900.0), Ricker(800.0))).simulation()
    assert [s.source_time_function for s in each.sources] == [Ricker(1500.0), Ricker(800.0)]
    three = make_task(tmp_path, mesh, event=event, wavelet=(Ricker(1.0),) * 3)
    with pytest.raises(ValueError, match=r"wavelet has 3 entries, but e has 2 sources; give one, or one per"):
        three.simulation()


# -- failures ----------------------------------------------------------------------------------


def test_mesh_files_with_other_content_are_refused(tmp_path):
    mesh = medium_box(2)
    task = make_task(tmp_path, mesh)
    other = mesh.copy()
    other.attach_field("VP", 1.01 * mesh.element_nodal_fields["VP"])
    other.write_h5(tmp_path / "mesh.h5")
    with pytest.raises(
        ValueError, match=r"mesh file .*mesh.h5' has other content than when the task was made"
    ):
        task.run(tmp_path, make_control())
    assert not (tmp_path / "waveforms.h5").exists()
    mesh.write_h5(tmp_path / "mesh.h5")
    task.run(tmp_path, make_control())
    assert (tmp_path / "waveforms.h5").exists()


def test_cancelled_runs_write_nothing(tmp_path, mesh):
    task = make_task(tmp_path, mesh, n_steps=300_000, storage=every(300_000))
    span = replace(SPAN, temporal_dispersion_correction=False)
    control = make_control()
    control.cancel()
    with pytest.raises(Cancelled):
        replace(task, waveform_simulation_configuration=span).run(tmp_path, control)
    assert {path.stem for path in tmp_path.iterdir()} == {"mesh"}


def test_adjoint_runs_need_a_stored_field(tmp_path, mesh):
    forward = make_task(tmp_path, mesh)
    task = AdjointTask(
        forward, adjoint_source_file="a.h5", adjoint_source_digest="1", forward_folder=str(tmp_path)
    )
    with pytest.raises(ValueError, match=r"e of initial_model stores no wavefield; give it a storage plan"):
        task.run(tmp_path, make_control())
    stored = replace(task, forward=replace(forward, storage=every(2)))
    with pytest.raises(ValueError, match=r"wavefield_2.h5"):
        stored.run(tmp_path, make_control())


# -- what runs share ---------------------------------------------------------------------------


def test_runs_with_one_model_share_its_core_and_others_do_not(tmp_path, mesh):
    task = make_task(tmp_path, mesh)
    moved = Event([source(0.6, 0.5)], receivers=task.event.receivers, event_name="other")
    core = task.simulation()._core
    assert replace(task, event=moved, n_steps=80).simulation()._core is core
    faster = mesh.copy()
    faster.attach_field("VP", 1.01 * mesh.element_nodal_fields["VP"])
    faster.write_h5(tmp_path / "faster.h5")
    changes = [
        {"mesh_file": str(tmp_path / "faster.h5"), "mesh_digest": faster.digest()},
        {"boundary_conditions": BOUNDARIES["absorbing"]},
        {"waveform_simulation_configuration": replace(SPAN, precision="float64")},
    ]
    for change in changes:
        other = replace(task, **change)
        alone = Simulation(
            Mesh.from_h5(other.mesh_file), *other_arguments(other), time_axis=other.simulation().time_axis
        )
        found = other.simulation()
        assert found._core is not core
        np.testing.assert_array_equal(found.run().data["phi"], alone.run().data["phi"])
    assert task.simulation(threads=2)._core is not core


def other_arguments(task: ForwardTask):
    sources = [replace(s, source_time_function=task.wavelet[0]) for s in task.event.sources]
    return (
        sources, task.event.receivers, task.waveform_simulation_configuration, task.boundary_conditions,
    )  # fmt: skip


def test_large_cores_are_not_kept(tmp_path, mesh, monkeypatch):
    monkeypatch.setattr(task_module, "_CORES", Shared(kept=2))
    monkeypatch.setattr(task_module, "_SHARED_CORE_BYTES", 10)
    task = make_task(tmp_path, mesh)
    assert task.simulation()._core is not task.simulation()._core


def test_runs_at_the_same_time_do_not_disturb_each_other(tmp_path, mesh):
    task = make_task(tmp_path, mesh, n_steps=2000, storage=every(1))
    places = [(0.3, 0.4), (0.6, 0.5), (0.5, 0.2), (0.2, 0.6)]
    tasks = [
        replace(task, event=Event([source(*place)], receivers=task.event.receivers, event_name="e"))
        for place in places
    ]

    def run(one: ForwardTask) -> np.ndarray:
        simulation = one.simulation()
        simulation.run(one.storage)
        return simulation.wavefield

    alone = [run(one) for one in tasks]
    with ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone, pool.map(run, tasks), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_damaged_wavefield_is_computed_again(tmp_path, mesh, caplog):
    forward = make_task(tmp_path, mesh, storage=every(2))
    forward.run(tmp_path, make_control())
    records = read_arrays(tmp_path / "waveforms.h5")[0]
    write_arrays(tmp_path / "a.h5", {"phi": np.asarray(records["phi"], dtype=np.float64)})
    adjoint = AdjointTask(
        forward,
        adjoint_source_file=str(tmp_path / "a.h5"),
        adjoint_source_digest="1",
        forward_folder=str(tmp_path),
    )
    adjoint.run(tmp_path / "whole", make_control())
    file = tmp_path / "wavefield_2.h5"
    for content in (b"", file.read_bytes()[:-1000], bytes(file.stat().st_size)):
        file.write_bytes(content)
        os.utime(file, ns=(0, 1))
        caplog.clear()
        adjoint.run(tmp_path / "again", make_control())
        assert "wavefield of e of initial_model is computed again" in caplog.text and not file.exists()
        for name, values in read_arrays(tmp_path / "whole" / "gradient.h5")[0].items():
            again = read_arrays(tmp_path / "again" / "gradient.h5")[0][name]
            np.testing.assert_array_equal(again, values)
            assert values.any()
