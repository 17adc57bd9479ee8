"""Ways to keep the forward field: the exact ones give the same bits, and all keep within their bytes."""

from __future__ import annotations

import numpy as np
import pytest

from storage_cases import CancelledAfter, make
from wavetree.arrays import read_arrays, write_arrays
from wavetree.errors import Cancelled
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.storage_plan import checkpoints_plan, checkpoints_within, interval_plan
from wavetree.testing import exact_storage_plans

MEDIA = ["fluid", "solid", "coupled"]
SMALL = {"n": 6, "periods": 2}


def adjoint_sources(simulation) -> dict:
    """Adjoint sources without any smoothness."""
    rng = np.random.default_rng(1)
    return {name: rng.standard_normal(u.shape) for name, u in simulation.run().data.items()}


def expect_same(gradient: dict, expected: dict) -> None:
    assert set(gradient) == set(expected)
    for name, values in expected.items():
        assert np.abs(values).max() > 0
        np.testing.assert_array_equal(gradient[name], values)


def kept_bytes(simulation) -> int:
    return sum(values.nbytes for values in simulation.stored.values())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("medium", MEDIA)
def test_checkpoints_give_the_bits_of_every_step(medium, precision, threads):
    options = {**SMALL, "precision": precision}
    reference = make(medium, 2, **options)
    adjoint = adjoint_sources(reference)
    records = reference.run(1).data
    expected = reference.derivative(adjoint)
    simulation = make(medium, 2, threads=threads, **options)
    plans = exact_storage_plans(simulation)
    assert [plan.scheme for plan in plans] == ["full", *["checkpoints"] * 3]
    assert len({plan.n_states for plan in plans}) == 4
    for plan in plans:
        found = simulation.run(plan).data
        for name, values in records.items():
            np.testing.assert_array_equal(found[name], values)
        assert kept_bytes(simulation) == plan.memory_in_bytes
        expect_same(simulation.derivative(adjoint), expected)


def test_checkpoints_in_three_dimensions():
    simulation = make("solid", 3, n=3, periods=0.5, precision="float32")
    adjoint = adjoint_sources(simulation)
    simulation.run(1)
    expected = simulation.derivative(adjoint)
    simulation.run(exact_storage_plans(simulation)[2])
    expect_same(simulation.derivative(adjoint), expected)


@pytest.mark.parametrize("part", [2, 3, 5, 11, 20])
def test_checkpoints_keep_within_their_bytes(part):
    simulation = make("fluid", 2, **SMALL)
    run, budget = simulation.stored_run, simulation.storage_plan(1).memory_in_bytes // part
    plan = checkpoints_within(run, budget)
    assert plan.memory_in_bytes <= budget
    simulation.run(plan)
    assert kept_bytes(simulation) == plan.memory_in_bytes
    simulation.derivative(simulation.run(plan).data)
    assert kept_bytes(simulation) == plan.memory_in_bytes


@pytest.mark.parametrize("part", [2, 7, 25])
def test_the_extra_steps_are_those_that_are_computed(part, monkeypatch):
    simulation = make("fluid", 2, **SMALL)
    plan = checkpoints_within(simulation.stored_run, simulation.storage_plan(1).memory_in_bytes // part)
    adjoint = adjoint_sources(simulation)
    steps = 0
    advance = type(simulation._core.compiled).forward

    def counted(self, state, end, *rest):
        nonlocal steps
        steps += end - state.step
        advance(self, state, end, *rest)

    monkeypatch.setattr(type(simulation._core.compiled), "forward", counted)
    simulation.run(plan)
    assert steps == simulation.n_steps
    simulation.derivative(adjoint)
    assert steps == simulation.n_steps + plan.extra_forward_steps


def test_a_restored_state_goes_on_with_the_same_bits():
    """Field and velocity are all that a step hands to the next, where fluid and solid meet too."""
    simulation = make("coupled", 2, precision="float32", **SMALL)
    core = simulation._core
    run = simulation.forward_run(simulation.n_steps, None, None)
    state = run.start()
    run.advance(state, 100)
    values = np.zeros((2, core.compiled.n_values), dtype=np.float32)
    core.compiled.save(state, values)
    assert np.all(np.abs(values).max(axis=1) > 0)
    run.advance(state, 150)
    other = run.start()
    core.compiled.load(other, values)
    run.later(100).advance(other, 50)
    ends = np.zeros((2, *values.shape), dtype=np.float32)
    core.compiled.save(state, ends[0])
    core.compiled.save(other, ends[1])
    np.testing.assert_array_equal(ends[1], ends[0])
    assert np.abs(ends[0] - values).max() > 0


@pytest.mark.parametrize("scheme", ["checkpoints", "subsampled", "quantised", "sparse checkpoints"])
def test_files_go_round(tmp_path, scheme):
    simulation = make("coupled", 2, **SMALL)
    run, adjoint = simulation.stored_run, adjoint_sources(simulation)
    plan = {
        "checkpoints": checkpoints_plan(run, 10, 4),
        "subsampled": interval_plan(run, 5),
        "quantised": interval_plan(run, 5, 8),
        "sparse checkpoints": checkpoints_plan(run, 7, 2, interval=4),
    }[scheme]
    simulation.run(plan)
    write_arrays(tmp_path / "field.h5", simulation.stored)
    expected = simulation.derivative(adjoint)
    other = make("coupled", 2, **SMALL)
    other.restore(read_arrays(tmp_path / "field.h5")[0], plan)
    expect_same(other.derivative(adjoint), expected)


def test_checkpoints_of_fewer_steps_are_the_same_as_these_steps():
    simulation = make("fluid", 2, **SMALL)
    adjoint = adjoint_sources(simulation)
    simulation.run(4)
    expected = simulation.derivative(adjoint)
    plan = checkpoints_plan(simulation.stored_run, 6, 3, interval=4)
    simulation.run(plan)
    expect_same(simulation.derivative(adjoint), expected)
    assert plan.expected_error == simulation.storage_plan(4).expected_error


def test_a_second_gradient_from_the_same_run():
    """The first has used up the states; what is left is computed from rest."""
    simulation = make("fluid", 2, **SMALL)
    first, second = adjoint_sources(simulation), {"phi": simulation.run(1).data["phi"]}
    expected = [simulation.derivative(one) for one in (first, second)]
    simulation.run(checkpoints_plan(simulation.stored_run, 9, 4))
    expect_same(simulation.derivative(first), expected[0])
    stored = {name: values.copy() for name, values in simulation.stored.items()}
    expect_same(simulation.derivative(second), expected[1])
    # What the first has left is a stored run as well.
    simulation.restore(stored, checkpoints_plan(simulation.stored_run, 9, 4))
    expect_same(simulation.derivative(second), expected[1])


def test_a_cancelled_gradient_leaves_the_stored_field_usable():
    simulation = make("fluid", 2, **SMALL)
    adjoint = adjoint_sources(simulation)
    simulation.run(1)
    expected = simulation.derivative(adjoint)
    simulation.run(checkpoints_plan(simulation.stored_run, 9, 4))
    for looks in (0, 3, 6, 11):
        with pytest.raises(Cancelled, match="the run was cancelled"):
            simulation.derivative(adjoint, CancelledAfter(looks))
        expect_same(simulation.derivative(adjoint), expected)


def test_budgets_go_through_the_run():
    simulation = make("fluid", 2, **SMALL)
    budget = simulation.storage_plan(1).memory_in_bytes // 20
    simulation.run(WavefieldCompression(memory_in_bytes=budget))
    assert 0 < kept_bytes(simulation) <= budget
    with pytest.raises(ValueError, match="the wavefield is not stored as snapshots; run with storage=1"):
        simulation.wavefield  # noqa: B018


def test_fields_of_other_plans_are_refused():
    simulation = make("fluid", 2, **SMALL)
    run = simulation.stored_run
    simulation.run(1)
    stored = simulation.stored
    with pytest.raises(
        ValueError, match="the stored forward run has wavefield, no 'states'; expected what a"
    ):
        simulation.restore(stored, checkpoints_plan(run, 9, 4))
    with pytest.raises(ValueError, match=r"wavefield has shape .* belongs to another simulation or storage"):
        simulation.restore(stored, 2)
    with pytest.raises(ValueError, match=r"wavefield has shape .* and type float64; expected .* and int8"):
        simulation.restore(stored, interval_plan(run, 1, 8))
