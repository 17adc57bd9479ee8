"""Forward runs that are cut off anywhere go on from there, with the bits of those that were not."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from projects import small_project
from storage_cases import CancelledAfter, make
from wavetree import _core
from wavetree.arrays import read_arrays
from wavetree.errors import Cancelled, ProjectError
from wavetree.simulation import restart
from wavetree.simulation.output import OutputConfiguration, VolumeData
from wavetree.simulation.restart import RESTART, RestartFile, reached, run_forward
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage import ForwardRun
from wavetree.simulation.storage_plan import StoragePlan, checkpoints_plan, interval_plan
from wavetree.simulation.task import ForwardTask

SMALL: dict[str, Any] = {"n": 6, "periods": 2, "precision": "float32"}
NEVER = 1e9


@pytest.fixture(autouse=True)
def few_steps_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "_FIRST_STEPS", 7)
    monkeypatch.setattr(restart, "_GROWTH", 1)


def plan_named(simulation: Simulation, name: str) -> StoragePlan | None:
    run = simulation.stored_run
    plans = {
        "full": interval_plan(run, 1),
        "subsampled": interval_plan(run, 3),
        "quantised": interval_plan(run, 3, 16),
        "checkpoints": checkpoints_plan(run, 11, 2),
    }
    return plans.get(name)


def run_in_parts(path: Path, looks: int, name: str, **options: Any) -> tuple[Simulation, dict, list[int]]:
    """Run with a control that is cancelled after some looks, each time in new memory, until it is done."""
    steps: list[int] = []
    while True:
        # The number of threads may change on the way.
        simulation = make(**SMALL | {"threads": 1 + len(steps) % 2} | options)
        file = RestartFile(path / RESTART, "key", NEVER)
        try:
            plan = plan_named(simulation, name)
            records = simulation.run(plan, CancelledAfter(looks), restart_file=file).data
            return simulation, records, steps
        except Cancelled:
            steps.append(int(read_arrays(path / RESTART, [])[1]["step"]))


def expect_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert np.abs(values).max() > 0
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("medium", ["fluid", "solid", "coupled"])
@pytest.mark.parametrize("name", ["none", "full", "subsampled", "quantised", "checkpoints"])
def test_a_run_in_parts_has_the_bits_of_one_in_one_piece(tmp_path: Path, medium: str, name: str) -> None:
    whole = make(medium, 2, **SMALL)
    expected = whole.run(plan_named(whole, name)).data
    simulation, records, steps = run_in_parts(tmp_path, 4, name, medium=medium, dim=2)
    assert len(steps) >= 3 and all(b > a for a, b in itertools.pairwise([0, *steps]))
    expect_same(records, expected)
    if name != "none":
        expect_same(simulation.stored, whole.stored)
        noise = np.random.default_rng(1)
        adjoint = {key: noise.standard_normal(values.shape) for key, values in expected.items()}
        expect_same(simulation.derivative(adjoint), whole.derivative(adjoint))


@pytest.mark.parametrize(("medium", "field"), [("fluid", "phi_tt"), ("solid", "velocity")])
def test_differences_in_time_go_on_too(tmp_path: Path, medium: str, field: str) -> None:
    expected = make(medium, 2, **SMALL, field=field).run().data
    _, records, steps = run_in_parts(tmp_path, 4, "none", medium=medium, dim=2, field=field)
    assert steps
    expect_same(records, expected)


def cut_off(path: Path, key: str = "key", interval: float = NEVER) -> None:
    with pytest.raises(Cancelled):
        make("fluid", 2, **SMALL).run(None, CancelledAfter(4), restart_file=RestartFile(path, key, interval))


def go_on(path: Path, key: str = "key", **options: Any) -> int:
    """Run with a restart file and return at which step the run began."""
    begun: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        advance = ForwardRun._advance

        def noted(self: ForwardRun, state: Any, *others: Any) -> None:
            begun.append(state.step)
            advance(self, state, *others)

        patched.setattr(ForwardRun, "_advance", noted)
        make("fluid", 2, **SMALL).run(restart_file=RestartFile(path, key, NEVER), **options)
    return begun[0]


def test_only_a_whole_file_of_the_same_run_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / RESTART
    assert reached(tmp_path) == 0.0
    cut_off(path)
    step = read_arrays(path, [])[1]["step"]
    assert reached(tmp_path) == step / make("fluid", 2, **SMALL).n_steps
    assert go_on(path, "another") == 0 and go_on(path) == step > 0
    assert caplog.text == ""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4000)
        file.write(b"?" * 4000)
    assert go_on(path) == 0 and "The run begins anew: cannot use file" in caplog.text


@pytest.mark.parametrize(("interval", "expected"), [(0.0, 20), (5.0, 20), (40.0, 40), (NEVER, None)])
def test_the_file_is_written_as_often_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: float, expected: int | None
) -> None:
    """By a clock that goes on a second a look: writing takes one, so 20 s must have passed."""
    clock = itertools.count()
    written = []
    monkeypatch.setattr(restart, "write_arrays", lambda *_, **__: written.append(next(clock)))
    monkeypatch.setattr(restart, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    make("fluid", 2, **SMALL).run(restart_file=RestartFile(tmp_path / RESTART, "key", interval))
    between = [later - earlier for earlier, later in itertools.pairwise(written)]
    if expected is None:
        assert not written
    else:
        assert between and expected <= min(between) <= max(between) <= 2 * expected + 10


def task_cut_off(task: ForwardTask, folder: Path) -> None:
    with pytest.raises(Cancelled):
        task.resume(folder, CancelledAfter(4), 1, NEVER)
    assert 0.0 < reached(folder) < 1.0 and not any((folder / name).exists() for name in task.outputs)


def test_tasks_go_on_with_their_own_way_to_keep_the_wavefield(tmp_path: Path) -> None:
    p = small_project(tmp_path / "project")
    (plain, *_) = p.simulations.tasks("initial").values()
    p.close()
    run = plain.simulation().stored_run
    tasks = [
        replace(plain, storage=plan) for plan in (None, interval_plan(run, 1), checkpoints_plan(run, 9, 2))
    ]
    assert len({task.digest() for task in tasks}) == 1, "they share a folder"
    for task in tasks:
        task.run(tmp_path / "whole", _core.Control())
    for task, other in zip(tasks, [*tasks[1:], tasks[0]], strict=True):
        folder = tmp_path / f"{task.outputs[-1]}"
        task_cut_off(other, folder)
        task_cut_off(task, folder)
        task.resume(folder, _core.Control(), 1, NEVER)
        assert not (folder / RESTART).exists()
        for name in task.outputs:
            expect_same(read_arrays(folder / name)[0], read_arrays(tmp_path / "whole" / name)[0])


def test_without_room_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: Any, **more: Any) -> None:
        raise ProjectError("No space left on device")

    monkeypatch.setattr(restart, "write_arrays", full)
    make("fluid", 2, **SMALL).run(restart_file=RestartFile(tmp_path / RESTART, "key", 0.0))
    assert "No space left on device" in caplog.text and not (tmp_path / RESTART).exists()


def test_a_run_that_writes_wavefields_begins_anew(tmp_path: Path) -> None:
    cut_off(tmp_path / RESTART)
    output = OutputConfiguration(volume_data=VolumeData(sampling_interval_in_time_steps=5, fields=["phi"]))
    assert go_on(tmp_path / RESTART, output=output, output_folder=tmp_path) == 0
    assert (tmp_path / "volume.h5").is_file()


def test_growth_is_noticed_after_a_restart_too() -> None:
    """The largest energy while the sources act is not known then; that of the first steps takes its place."""
    ends = []

    class Late(ForwardRun):
        def start(self) -> Any:
            return self.core.compiled.start_adjoint(self.dt, 20)

        def advance(self, state: Any, end: int, *others: Any) -> None:
            ends.append(self.source_end)

    simulation = make("fluid", 2, **SMALL)
    run = simulation.forward_run(simulation.n_steps, None, None)
    for silent in (10, 30):
        run_forward(Late(**vars(run) | {"source_end": silent}), [], None)
    assert ends == [20, 30]
