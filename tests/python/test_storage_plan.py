"""Which way to keep the forward field is chosen for how many bytes, and what a plan says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from storage_cases import make
from wavetree.config import load
from wavetree.simulation import storage_plan
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.storage_error import ErrorForecast
from wavetree.simulation.storage_plan import StoragePlan, StoredRun, interval_plan, plan_storage
from wavetree.survey.stf import Ricker

N_VALUES, N_STEPS = 10_000, 2000
FULL = N_VALUES * N_STEPS * 4


@pytest.fixture(scope="module")
def run() -> StoredRun:
    """50 steps a period of the wavelet."""
    function = Ricker(1 / 50).evaluate(np.arange(2 * N_STEPS) - 100.0)
    return StoredRun(N_VALUES, N_STEPS, "float32", ErrorForecast(2, "fluid", function[None]))


def plan(run: StoredRun, memory_in_bytes: int) -> StoragePlan:
    return plan_storage(run, WavefieldCompression(memory_in_bytes=memory_in_bytes))


def test_what_fits_is_chosen_in_this_order(run):
    schemes = []
    for part in (1, 2, 5, 10, 15, 25, 50, 100, 200):
        chosen = plan(run, FULL // part)
        assert chosen.memory_in_bytes <= FULL // part
        assert chosen.expected_error <= 1e-3
        if chosen.scheme not in schemes:
            schemes.append(chosen.scheme)
        assert chosen.scheme == schemes[-1]  # never back to one that took more
    assert schemes == ["full", "subsampled", "quantised", "checkpoints"]


def test_the_full_field_costs_nothing(run):
    chosen = plan(run, FULL)
    assert chosen == interval_plan(run, 1)
    assert (chosen.memory_in_bytes, chosen.n_snapshots) == (FULL, N_STEPS)
    assert (chosen.expected_error, chosen.extra_forward_steps, chosen.label) == (0.0, 0, "1")


def test_the_interval_is_the_largest_within_the_tolerance(run):
    chosen = plan(run, FULL // 2)
    assert chosen.interval > 4
    assert chosen.expected_error == run.forecast.error(chosen.interval) <= 1e-3
    assert run.forecast.error(chosen.interval + 1) > 1e-3
    assert chosen.extra_forward_steps == 10 * chosen.interval
    assert chosen.n_snapshots == -(-(N_STEPS + chosen.extra_forward_steps) // chosen.interval)
    assert chosen.memory_in_bytes == chosen.n_snapshots * N_VALUES * 4


def test_checkpoints_err_not_at_all_and_cost_the_less_the_more_memory_they_have(run):
    plans = [plan(run, FULL // part) for part in (40, 60, 100, 150, 200)]
    assert all(p.scheme == "checkpoints" and p.expected_error == 0.0 for p in plans)
    extra = [p.extra_forward_steps for p in plans]
    assert extra == sorted(extra)
    assert extra[0] < 2 * N_STEPS
    assert len({p.label for p in plans}) == 5
    assert len({json.dumps(p.numerics) for p in [*plans, interval_plan(run, 1)]}) == 1


def test_tiny_budgets_are_refused_with_the_least_that_works(run):
    with pytest.raises(
        ValueError, match=r"memory_in_bytes is 1000; expected at least (\d+): with less"
    ) as caught:
        plan(run, 1000)
    least = int(str(caught.value).split("at least ")[1].split(":")[0])
    assert least < FULL / 150
    chosen = plan(run, least)
    assert chosen.memory_in_bytes == least
    assert chosen.extra_forward_steps <= 10 * N_STEPS
    with pytest.raises(ValueError, match=f"memory_in_bytes is {least - 1}; expected at least {least}"):
        plan(run, least - 1)


def test_an_interval_is_taken_as_it_is(run):
    chosen = plan_storage(run, WavefieldCompression(20))
    assert (chosen.interval, chosen.scheme) == (20, "subsampled")
    assert chosen.expected_error > 1e-3


def test_nothing_said_means_two_gigabytes_or_a_quarter_of_the_memory(run, monkeypatch):
    memory = 64 * 2**30
    monkeypatch.setattr(storage_plan, "machine_bytes", lambda: memory)
    assert storage_plan.default_bytes() == 2 * 2**30
    assert plan_storage(run).scheme == "full"
    memory = 4 * (FULL - 1)
    assert storage_plan.default_bytes() == FULL - 1
    assert plan_storage(run).scheme == "subsampled"


def test_plans_print_and_are_data(run):
    text = str(plan(run, FULL // 100))
    for part in ("checkpoints wavefield (every step, ", " states and ", "KiB, expected gradient error 0, "):
        assert part in text
    text = str(interval_plan(run, 5, 16))
    assert text.startswith("quantised wavefield (every 5 steps in 16 bits), ")
    assert " MiB, expected gradient error 0.000" in text
    assert text.endswith(", 50 extra forward steps")
    for one in (plan(run, FULL // 100), interval_plan(run, 5, 16)):
        assert load(json.loads(json.dumps(one.to_dict()))) == one
    labels = {interval_plan(run, i, b).label for i in (1, 5) for b in (None, 8, 16)}
    assert labels == {"1", "1_int8", "1_int16", "5", "5_int8", "5_int16"}


def test_the_plan_of_a_simulation_shows_it():
    simulation = make("solid", 2, n=6, periods=2)
    text = str(simulation.plan())
    assert "for a gradient: full wavefield (every step), " in text
    full = simulation.plan().storage
    assert full.memory_in_bytes == simulation.n_steps * simulation.plan().snapshot_in_bytes
    small = simulation.plan(WavefieldCompression(memory_in_bytes=full.memory_in_bytes // 20)).storage
    assert small.scheme == "checkpoints"


def test_quantised_fields_keep_within_their_bytes():
    """What is stored and the snapshots that are converted at a time."""
    simulation = make("coupled", 2, n=6, periods=2, precision="float32")
    for bits in (8, 16):
        chosen = interval_plan(simulation.stored_run, 3, bits)
        simulation.run(chosen)
        scheme = simulation._stored.store
        measured = sum(values.nbytes for values in simulation.stored.values()) + scheme._buffer.nbytes
        assert measured == chosen.memory_in_bytes
