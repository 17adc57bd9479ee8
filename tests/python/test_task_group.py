"""Tasks of one group: what each writes alone, in every company, and in the process of a site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulations import BOUNDARIES, medium_box, receivers, relative
from wavetree.arrays import read_arrays, write_arrays
from wavetree.errors import Cancelled, SimulationFailed
from wavetree.mesh import Mesh
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import default_instruction_set, n_lanes
from wavetree.simulation.output import OutputConfiguration, VolumeData
from wavetree.simulation.storage_plan import StoragePlan
from wavetree.simulation.task import AdjointTask, ForwardTask, make_control
from wavetree.simulation.time_axis import maximum_time_step
from wavetree.sites.folder import JOB, JobFolder, read_json
from wavetree.sites.protocol import GroupTask, Job, Work
from wavetree.survey.event import Event
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker
from wavetree.worker import run_job

pytestmark = pytest.mark.skipif(default_instruction_set() == "base", reason="lanes are for wide registers")
PLAN = StoragePlan(1, n_snapshots=1, memory_in_bytes=1, expected_error=0.0, extra_forward_steps=0)


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return medium_box(4)


@pytest.fixture
def tasks(tmp_path: Path, mesh: Mesh) -> list[ForwardTask]:
    mesh.write_h5(tmp_path / "mesh.h5")
    return [
        ForwardTask(
            str(tmp_path / "mesh.h5"),
            mesh_digest=mesh.digest(),
            event=Event(
                ScalarPoint2D(x=0.3 + 0.1 * k, y=0.4, f=1e3),
                receivers=receivers((0.2, 0.7), (0.8, 0.6)),
                event_name=f"event_{k}",
            ),
            wavelet=(Ricker(2000.0),),
            waveform_simulation_configuration=WaveformSimulationConfiguration(end_time_in_seconds=1e-3),
            boundary_conditions=BOUNDARIES["sponge"],
            start_time_in_seconds=-7e-4,
            time_step_in_seconds=0.9 * maximum_time_step(mesh, BOUNDARIES["sponge"]),
            n_steps=120,
            simulation_name="model",
            storage=PLAN,
            events_in_lanes=True,
        )
        for k in range(3)
    ]


def folders(root: Path, n: int = 3) -> list[Path]:
    made = [root / f"{k}" for k in range(n)]
    for folder in made:
        folder.mkdir(parents=True)
    return made


def adjoint(forward: ForwardTask, folder: Path, sources: Path) -> AdjointTask:
    records = read_arrays(folder / "waveforms.h5")[0]
    name = next(name for name in records if "phi" in name)
    write_arrays(sources, {"phi": records[name].astype(float)})
    return AdjointTask(
        forward,
        adjoint_source_file=str(sources),
        adjoint_source_digest=sources.name,
        forward_folder=str(folder),
    )


def assert_same(one: Path, other: Path) -> None:
    first, second = read_arrays(one)[0], read_arrays(other)[0]
    assert first.keys() == second.keys() and first
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


def test_the_lane_is_part_of_what_a_task_is_named_by(tasks: list[ForwardTask]) -> None:
    single = replace(tasks[0], events_in_lanes=False)
    assert single.digest() != tasks[0].digest()
    names = {"adjoint_source_file": "a", "adjoint_source_digest": "1", "forward_folder": "f"}
    assert AdjointTask(single, **names).digest() != AdjointTask(tasks[0], **names).digest()


def test_a_group_has_mesh_time_axis_and_storage_in_common(tasks: list[ForwardTask]) -> None:
    first = tasks[0]
    assert isinstance(first, GroupTask) and first.group_size == n_lanes(first.instruction_set)
    assert len({task.group for task in tasks}) == 1
    others: list[dict[str, Any]] = [
        {"mesh_digest": "0"},
        {"n_steps": 121},
        {"time_step_in_seconds": 0.5 * first.time_step_in_seconds},
        {"boundary_conditions": ()},
        {"instruction_set": "v4"},
        {"storage": None},
        {"storage": replace(PLAN, interval=2)},
    ]
    groups = [first.group, *(replace(first, **change).group for change in others)]
    assert len(set(groups)) == len(groups) and None not in groups
    names = {"adjoint_source_file": "a", "adjoint_source_digest": "1", "forward_folder": "f"}
    assert len({first.group, *(AdjointTask(task, **names).group for task in tasks)}) == 2
    output = OutputConfiguration(volume_data=VolumeData(10, fields=["phi"]))
    alone: list[dict[str, Any]] = [
        {"events_in_lanes": False},
        {"output": output},
        {"storage": replace(PLAN, bits=16)},
        {"storage": replace(PLAN, n_states=2)},
    ]
    assert [replace(first, **change).group for change in alone] == [None] * 4


def test_tasks_write_the_same_in_every_company(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    alone, together, swapped = (folders(tmp_path / name) for name in ("alone", "together", "swapped"))
    for task, folder in zip(tasks, alone, strict=True):
        task.run(folder, make_control())
    control = make_control()
    assert tasks[0].run_group(tasks, together, control) == [None] * 3 and control.progress == 1.0
    assert tasks[0].run_group([tasks[2], tasks[0]], [swapped[2], swapped[0]], make_control()) == [None] * 2
    for k, other in ((0, together), (1, together), (2, together), (0, swapped), (2, swapped)):
        for name in tasks[0].outputs:
            assert_same(alone[k] / name, other[k] / name)
    gradients = [
        adjoint(task, folder, tmp_path / f"f{k}.h5")
        for k, (task, folder) in enumerate(zip(tasks, together, strict=True))
    ]
    for task, folder in zip(gradients, alone, strict=True):
        task.run(folder, make_control())
    assert gradients[0].run_group(gradients, together, make_control()) == [None] * 3
    for one, other in zip(alone, together, strict=True):
        assert_same(one / "gradient.h5", other / "gradient.h5")
    (single,) = folders(tmp_path / "single", 1)
    task = replace(tasks[0], events_in_lanes=False)
    task.run(single, make_control())
    replace(gradients[0], forward=task, forward_folder=str(single)).run(single, make_control())
    for name, bound in (("waveforms.h5", 2e-5), ("gradient.h5", 1e-4)):
        found, expected = (read_arrays(folder / name)[0] for folder in (together[0], single))
        for key, values in expected.items():
            if values.dtype.kind == "f" and np.any(values):
                assert relative(found[key], values) < bound


def test_a_bad_event_does_not_spoil_the_others(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    outside = Event(ScalarPoint2D(x=7.0, y=0.4, f=1e3), receivers=tasks[0].event.receivers, event_name="out")
    loud = Event(ScalarPoint2D(x=0.5, y=0.4, f=1e38), receivers=tasks[0].event.receivers, event_name="loud")
    mixed = [replace(tasks[0], event=outside), tasks[1], replace(tasks[2], event=loud), tasks[2]]
    places, (alone,) = folders(tmp_path / "mixed", 4), folders(tmp_path / "alone", 1)
    errors = mixed[0].run_group(mixed, places, make_control())
    assert isinstance(errors[0], ValueError) and "(7, 0.4)" in str(errors[0]).replace(".0", "")
    assert isinstance(errors[2], SimulationFailed) and errors[1] is errors[3] is None
    assert [(place / "waveforms.h5").is_file() for place in places] == [False, True, False, True]
    tasks[1].run(alone, make_control())
    assert_same(alone / "waveforms.h5", places[1] / "waveforms.h5")


def test_a_gradient_without_its_wavefield_does_not_spoil_the_others(
    tmp_path: Path, tasks: list[ForwardTask], caplog: pytest.LogCaptureFixture
) -> None:
    places = folders(tmp_path / "run")
    tasks[0].run_group(tasks, places, make_control())
    gradients = [
        adjoint(task, folder, tmp_path / f"f{k}.h5")
        for k, (task, folder) in enumerate(zip(tasks, places, strict=True))
    ]
    expected = folders(tmp_path / "expected")
    gradients[0].run_group(gradients, expected, make_control())
    (places[0] / tasks[0].outputs[1]).unlink()
    (places[1] / tasks[1].outputs[1]).write_bytes(b"torn")
    errors = gradients[0].run_group(gradients, places, make_control())
    assert isinstance(errors[0], ValueError) and errors[1] is errors[2] is None
    assert "The wavefield of event_1 of model is computed again" in caplog.text
    for k in (1, 2):
        assert_same(places[k] / "gradient.h5", expected[k] / "gradient.h5")


def test_a_group_is_cancelled(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    control = make_control()
    control.cancel()
    with pytest.raises(Cancelled):
        tasks[0].run_group(tasks, folders(tmp_path / "run"), control)


def test_a_process_runs_the_tasks_of_a_job_together(tmp_path: Path, tasks: list[ForwardTask]) -> None:
    places, alone = folders(tmp_path / "run"), folders(tmp_path / "alone")
    work = tuple(Work(task, place) for task, place in zip(tasks, places, strict=True))
    JobFolder.write(Job("key", "all", places[0], work), "site", {})
    for place in places:  # all of them lead to the job
        found = JobFolder.read(place)
        assert found is not None and found.job.key == "key" and found.job.folder == places[0]
    assert run_job(places[0])
    status = found.final_status()
    assert status is not None and (status.state, status.progress) == ("done", 1.0)
    for task, one, other in zip(tasks, alone, places, strict=True):
        task.run(one, make_control())
        assert_same(one / "waveforms.h5", other / "waveforms.h5")
    JobFolder.write(Job("key", "first", places[0], work[:1]), "site", {})
    assert JobFolder.read(places[1]) is None and read_json(places[1] / JOB), "that job is another's now"
