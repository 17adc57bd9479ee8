"""How many elements layers get, and where their number changes."""

from __future__ import annotations

import numpy as np
import pytest

from wavetree.layered_meshing.layers import Layer
from wavetree.layered_meshing.plan import equal_rows, plan_rows
from wavetree.mesh.rows import lattice_lengths


def layer(size: float, thickest: float, fastest: float = 1.0, thinnest: float | None = None) -> Layer:
    return Layer(size, thickest, thickest if thinnest is None else thinnest, fastest)


def counts(plan) -> list[tuple[int, int]]:
    """Elements along the first axis at the top and the bottom of every layer."""
    return [(rows[0].top[0], rows[-1].bottom[0]) for rows in plan]


def nelem(plan) -> int:
    return sum(row.nelem for rows in plan for row in rows)


def test_equal_sizes_make_equal_rows():
    plan = plan_rows([10.0], [layer(1.0, 2.0), layer(1.0, 3.4)])
    assert counts(plan) == [(10, 10), (10, 10)]
    assert [len(rows) for rows in plan] == [2, 4]
    assert plan == equal_rows([10.0], [layer(1.0, 2.0), layer(1.0, 3.4)])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("n_axes", [1, 2])
def test_wavelengths_that_differ_change_the_number(n_axes, factor, turned):
    """In the layer with long waves, on the side of the other one."""
    layers = [layer(1.0, 6.0), layer(factor, 30.0 * factor, float(factor))]
    plan = plan_rows([24.0] * n_axes, layers[::-1] if turned else layers)
    expected = [(24, 24), (24, 24 // factor)]
    assert counts(plan) == ([pair[::-1] for pair in expected[::-1]] if turned else expected)
    lattice_lengths([row for rows in plan for row in rows])


def test_nothing_is_changed_where_the_time_step_would_cost_more():
    """In thin layers of long waves few elements are saved, but rows that change shorten the time step."""
    layers = [layer(1.0, 20.0), layer(2.0, 6.0, 2.0)]
    assert plan_rows([24.0], layers) == equal_rows([24.0], layers)


def test_thin_layers_keep_the_number():
    """A sheet has no room for the change, so it happens below."""
    layers = [layer(1.0, 5.0), layer(3.0, 0.4, 3.0), layer(3.0, 100.0, 3.0)]
    assert counts(plan_rows([24.0], layers)) == [(24, 24), (24, 24), (24, 8)]


def test_many_steps():
    """Every layer has elements three times as wide as the one above."""
    layers = [layer(1.0, 3.0), layer(3.0, 60.0, 3.0), layer(9.0, 900.0, 9.0)]
    plan = plan_rows([81.0, 81.0], layers)
    assert counts(plan) == [(81, 81), (81, 27), (27, 9)]
    assert nelem(plan) < 0.2 * nelem(equal_rows([81.0, 81.0], layers))


@pytest.mark.parametrize("seed", range(20))
def test_elements_are_never_too_large(seed):
    generator = np.random.default_rng(seed)
    n_axes = 1 + seed % 2
    extents = generator.uniform(5.0, 40.0, n_axes)
    layers = []
    for _ in range(4):
        size = float(generator.uniform(0.3, 5.0))
        layers.append(layer(size, float(generator.uniform(0.2, 40.0)), 2.0 * size, 0.1))
    plan = plan_rows(extents.tolist(), layers)
    rows = [row for rows in plan for row in rows]
    lattice_lengths(rows)
    for one, own in zip(layers, plan, strict=True):
        scale = one.thickest / sum(row.height for row in own)
        for row in own:
            assert row.height * scale <= one.size * (1.0 + 1e-9)
            widths = extents / np.minimum(row.top, row.bottom)
            assert (widths <= one.size * (1.0 + 1e-9)).all()
