"""The cases of `wavetree benchmark` at small size: the same waves by all kernels, and how long steps take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from measurements import gradient_cost, receivers
from wavetree.benchmark import MESHES, Case, Settings, TimedRun, find_cases
from wavetree.simulation.core import instruction_sets

SMALL = {2: 14, 3: 7}
N_STEPS = 450  # until the wave has passed the receivers
cases = pytest.mark.parametrize("case", find_cases(), ids=lambda case: case.name)
variants = pytest.mark.parametrize("variant", MESHES)


def records(case: Case, variant: str, precision: str, instruction_set: str) -> np.ndarray:
    n = SMALL[case.dim]
    settings = Settings(precision=precision, instruction_set=instruction_set)
    run = TimedRun(case, n, variant, settings, N_STEPS, receivers(case, n))
    (values,) = run.simulation.run().data.values()
    return np.asarray(values, dtype=np.float64)


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@cases
@variants
def test_all_kernels_compute_the_same_waves(case: Case, variant: str) -> None:
    expected = records(case, variant, "float64", "base")
    for name in instruction_sets():
        assert difference(records(case, variant, "float32", name), expected) < 2e-5
        assert difference(records(case, variant, "float64", name), expected) < 1e-12


@cases
def test_numbering_leaves_the_waves(case: Case) -> None:
    best = instruction_sets()[0]
    ours, theirs = (records(case, v, "float32", best) for v in ("deformed", "unstructured"))
    assert difference(ours, theirs) < 2e-5


@cases
@variants
def test_steps(benchmark: Any, case: Case, variant: str) -> None:
    run = TimedRun(case, SMALL[case.dim], variant, Settings())
    benchmark.extra_info["element nodes"] = run.n_points
    assert benchmark(run.advance, 10) > 0.0


@pytest.mark.parametrize(("name", "n"), [("acoustic2d", 32), ("elastic3d", 8)])
def test_a_gradient_costs_few_forward_runs(name: str, n: int) -> None:
    (case,) = find_cases([name])
    assert gradient_cost(case, n, n_steps=400, rounds=2).ratio <= 3.5
