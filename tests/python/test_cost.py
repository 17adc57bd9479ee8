"""What a task is likely to take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from projects import small_project
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.cost import Cost, cost_of, kind_of
from wavetree.simulation.illumination_task import IlluminationTask
from wavetree.simulation.speeds import DEFAULT_SPEEDS
from wavetree.simulation.task import AdjointTask, ForwardTask


@pytest.fixture
def task(tmp_path: Path) -> ForwardTask:
    p = small_project(tmp_path / "project")
    made = p.simulations.tasks("initial", "event_0000")["event_0000"]
    p.close()
    return made


def test_time_grows_with_what_is_computed(task: ForwardTask) -> None:
    one = cost_of(task).core_seconds
    updates = task.simulation().plan().point_updates
    assert updates / 1e9 < one < updates / 1e7, "between the fastest and the slowest processors"
    assert cost_of(replace(task, n_steps=3 * task.n_steps)).core_seconds == pytest.approx(3.0 * one)
    double = replace(task.waveform_simulation_configuration, precision="float64")
    assert cost_of(replace(task, waveform_simulation_configuration=double)).core_seconds == 2.0 * one
    assert cost_of(task).seconds(4) == one / 4.0


def test_memory_is_that_of_the_simulation_and_of_what_it_stores(task: ForwardTask) -> None:
    simulation = task.simulation()
    needed = simulation.plan().memory_in_bytes
    assert 0.5 * needed < cost_of(task).memory_in_bytes < 2.0 * needed
    plan = simulation.storage_plan(WavefieldCompression(forward_wavefield_sampling_interval=2))
    storing = replace(task, storage=plan)
    assert cost_of(storing).memory_in_bytes - cost_of(task).memory_in_bytes == plan.memory_in_bytes
    assert cost_of(IlluminationTask(storing)) == cost_of(task), "which keeps nothing"
    adjoint = AdjointTask(storing, adjoint_source_file="", adjoint_source_digest="", forward_folder="")
    assert cost_of(adjoint).memory_in_bytes == cost_of(storing).memory_in_bytes
    assert cost_of(adjoint).core_seconds >= 2.0 * cost_of(storing).core_seconds


def test_of_other_tasks_nothing_is_known() -> None:
    assert cost_of(object()) == Cost(0.0, 0) and cost_of(object()).seconds(2) == 0.0


def test_an_event_in_a_lane_counts_as_all_lanes(task: ForwardTask) -> None:
    lanes = replace(task, events_in_lanes=True, instruction_set="v3")
    alone, many = (DEFAULT_SPEEDS.speed("2-D fluid", in_lanes).steps for in_lanes in (False, True))
    assert cost_of(lanes).core_seconds == pytest.approx(8.0 * alone / many * cost_of(task).core_seconds)
    assert cost_of(lanes).memory_in_bytes == cost_of(task).memory_in_bytes
    assert kind_of(task.mesh_file, task.mesh_digest) == "2-D fluid"
