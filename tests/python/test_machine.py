"""What the machine can do at most."""

from __future__ import annotations

import pytest

from wavetree.simulation.core import instruction_sets
from wavetree.simulation.machine import measure_machine


def test_rates_of_every_instruction_set() -> None:
    for name in instruction_sets():
        single, double = (measure_machine(2**18, p, 1, name, 0.02) for p in ("float32", "float64"))
        # Vectors hold twice as many numbers of half the size; the machine may be shared.
        assert 1.2 < single.flops / double.flops < 3.2
        assert all(1e9 < rate < 2e12 for rate in (single.flops, single.copy, single.triad))


def test_vectors_of_twice_the_width_are_faster() -> None:
    sets = instruction_sets()
    if "v3" not in sets:
        pytest.skip("this processor has no AVX2")
    v3, base = (
        max(measure_machine(2**18, instruction_set=name, seconds=0.02).flops for _ in range(3))
        for name in ("v3", "base")
    )
    assert v3 > 1.3 * base


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="instruction set is 'bass'; this build on this processor has"):
        measure_machine(2**18, instruction_set="bass")
    with pytest.raises(ValueError, match="n_bytes is 100; expected at least 8192"):
        measure_machine(100, seconds=0.01)
    with pytest.raises(ValueError, match="threads is 0; expected at least 1"):
        measure_machine(2**18, threads=0)
