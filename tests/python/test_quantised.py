"""Snapshots in few bits err by no more than half a unit of the last one."""

from __future__ import annotations

import numpy as np
import pytest

from storage_cases import make
from wavetree.simulation.quantised import BLOCK, decode, encode, n_blocks
from wavetree.simulation.storage_plan import interval_plan


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("n", [1, BLOCK, 5 * BLOCK + 17])
def test_values_err_by_half_a_unit_of_their_block(n, bits, precision):
    rng = np.random.default_rng(n)
    values = (rng.standard_normal(n) * 10.0 ** rng.uniform(-20, 20, n_blocks(n)).repeat(BLOCK)[:n]).astype(
        precision
    )
    integers, scales = encode(values, bits)
    assert (integers.dtype, scales.dtype, integers.shape) == (f"int{bits}", precision, (n,))
    decoded = decode(integers, scales)
    assert decoded.dtype == precision
    for begin in range(0, n, BLOCK):
        block = values[begin : begin + BLOCK]
        largest = np.abs(block).max()
        bound = largest / (2 * (2 ** (bits - 1) - 1)) + 4 * np.finfo(precision).eps * largest
        assert np.abs(decoded[begin : begin + BLOCK] - block).max() <= bound
        at = int(np.argmax(np.abs(block)))
        assert decoded[begin + at] == pytest.approx(block[at], rel=4 * float(np.finfo(precision).eps))


@pytest.mark.parametrize("values", [np.zeros(300), np.full(300, 1e-44)])
def test_silence_stays_silent(values):
    integers, scales = encode(values.astype(np.float32), 8)
    assert np.abs(decode(integers, scales)).max() <= 1e-43
    assert not integers.any()


@pytest.mark.parametrize(("medium", "bits"), [("fluid", 8), ("fluid", 16), ("coupled", 16)])
def test_the_stored_field_is_near_the_snapshots(medium, bits):
    simulation = make(medium, 2, n=6, periods=2)
    simulation.run(3)
    snapshots = simulation.wavefield
    simulation.run(interval_plan(simulation.stored_run, 3, bits))
    stored = simulation.stored
    bound = 0.5 / (2 ** (bits - 1) - 1)
    for values, integers, scales in zip(snapshots, stored["wavefield"], stored["scales"], strict=True):
        largest = np.maximum.reduceat(np.abs(values), range(0, len(values), BLOCK)).repeat(BLOCK)
        error = np.abs(decode(integers, scales) - values)
        assert np.all(error <= 1.001 * bound * largest[: len(values)])
