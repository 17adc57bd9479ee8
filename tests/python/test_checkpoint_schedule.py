"""Reversing a run from few states takes as few steps as is possible."""

from __future__ import annotations

import functools

import pytest

from wavetree.simulation.checkpoint_schedule import (
    Walk,
    best_shape,
    recomputed_snapshots,
    recomputed_units,
)


@functools.cache
def fewest(n_units: int, slots: int) -> int:
    """Units to compute to have each of them known once, from the last to the first, by trying everything."""
    if n_units == 1:
        return 1
    if slots == 0:
        return n_units + fewest(n_units - 1, 0)
    return min(
        middle + fewest(n_units - middle, slots - 1) + fewest(middle, slots) for middle in range(1, n_units)
    )


def reverse(lengths: list[int], slots: int) -> int:
    """Go through a run backwards, computing units only from states that are there, and count the steps."""
    walk, n = Walk(slots), len(lengths)
    states: dict[int, int] = {}
    computed = 0
    for unit in reversed(range(n)):
        slot, first, to_keep = walk.approach(unit)
        assert first <= unit
        assert first == 0 if slot is None else states[slot] == first
        if unit < n - 1:  # the forward run passes all units and leaves the last
            computed += sum(lengths[first : unit + 1])
        for where, at in to_keep:
            assert first < at <= unit
            states[where] = at
            walk.kept[where] = at
        assert len(walk.kept) <= slots
    return computed


@pytest.mark.parametrize("slots", range(6))
@pytest.mark.parametrize("n_units", [1, 2, 3, 4, 7, 12, 20, 35])
def test_no_schedule_computes_less(n_units, slots):
    # The first way to the last unit, and the last unit itself, are the forward run.
    expected = fewest(n_units, slots) - n_units
    assert recomputed_units(n_units, slots) == expected
    assert reverse([1] * n_units, slots) == expected


@pytest.mark.parametrize("n_unit", [1, 3, 7, 60])
@pytest.mark.parametrize("slots", [0, 1, 4])
def test_a_short_first_unit_is_counted(n_unit, slots):
    for n in (60, 61, 100):
        n_units = -(-n // n_unit)
        lengths = [n - n_unit * (n_units - 1), *[n_unit] * (n_units - 1)]
        assert recomputed_snapshots(n, n_unit, slots) == reverse(lengths, slots)


def test_states_for_every_unit_compute_each_once():
    assert recomputed_units(50, 49) == 49
    assert reverse([1] * 50, 49) == 49


@pytest.mark.parametrize("n", [1, 10, 200])
def test_the_best_shape_is_the_best(n):
    previous = None
    for room in range(1, n + 2):
        n_states, n_unit = best_shape(n, room)
        assert n_unit >= 1
        assert 2 * n_states + n_unit <= room or (n_states, n_unit) == (0, n)
        cost = recomputed_snapshots(n, n_unit, n_states)
        assert all(cost <= recomputed_snapshots(n, room - 2 * k, k) for k in range(0, (room - 1) // 2 + 1, 5))
        assert previous is None or cost <= previous
        previous = cost
    assert previous == 0


def test_little_memory_is_enough_for_long_runs():
    """With 100 snapshots' room in place of 5000, under twice the run again; with 20, under four times."""
    for room, runs in ((200, 1.0), (100, 2.0), (20, 6.0)):
        n_states, n_unit = best_shape(5000, room)
        assert recomputed_snapshots(5000, n_unit, n_states) <= runs * 5000
