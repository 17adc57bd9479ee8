"""What runs cost in all, at full size: ``pytest benchmarks -m slow``. Ratios measured in one run alone."""

from __future__ import annotations

import pytest

from measurements import gradient_cost, memory, scaling, setup_cost, two_threads
from wavetree.benchmark import find_cases

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["acoustic2d", "elastic2d", "acoustic3d", "elastic3d"])
def test_a_gradient_costs_two_and_a_half_forward_runs(name: str) -> None:
    (case,) = find_cases([name])
    n = {2: 100, 3: 16}[case.dim]
    assert gradient_cost(case, n, rounds=2).ratio <= 2.5


@pytest.mark.parametrize(("name", "n", "share"), [("acoustic2d", 250, 0.25), ("elastic3d", 32, 0.05)])
def test_the_set_up_is_a_small_share_of_a_thousand_steps(name: str, n: int, share: float) -> None:
    (case,) = find_cases([name])
    assert setup_cost(case, n).share <= share


@pytest.mark.parametrize(("name", "sizes"), [("acoustic2d", (100, 200)), ("elastic3d", (16, 25))])
def test_the_set_up_is_linear_in_elements(name: str, sizes: tuple[int, int]) -> None:
    (case,) = find_cases([name])
    small, large = (setup_cost(case, n).microseconds_per_element for n in sizes)
    assert large <= 1.5 * small


@pytest.mark.parametrize("interval", [0, 10])
@pytest.mark.parametrize("name", ["acoustic2d", "elastic2d", "acoustic3d", "elastic3d"])
def test_memory_is_as_planned(name: str, interval: int) -> None:
    (case,) = find_cases([name])
    assert memory(case, {2: 200, 3: 24}[case.dim], interval).ratio == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", ["acoustic3d", "elastic3d"])
def test_the_cost_of_a_point_is_the_same_at_every_size(name: str) -> None:
    (case,) = find_cases([name])
    found = [x for x in scaling(case, (16, 32, 48)).nanoseconds.values() if x is not None]
    assert max(found) <= 2.0 * min(found)  # between caches and memory


@pytest.mark.parametrize("name", ["acoustic2d", "elastic3d"])
def test_two_threads_are_nearly_twice_as_fast(name: str) -> None:
    (case,) = find_cases([name])
    assert two_threads(case, case.n, "box").ratio >= 1.8
