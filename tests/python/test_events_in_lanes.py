"""Several events in the lanes of a vector: each has the waves and the gradient that it has alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulations import relative
from wavetree import _core
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.core import Core, default_instruction_set, make_core
from wavetree.simulation.medium import medium

N_STEPS = 250
pytestmark = pytest.mark.skipif(default_instruction_set() == "base", reason="lanes are for wide registers")


def mesh(dim: int, solid: bool, bent: bool) -> Mesh:
    def bend(points: np.ndarray) -> np.ndarray:
        return points + 0.1 * np.sin(points[:, ::-1] + 0.5 * points)

    sizes = (7, 5) if dim == 2 else (4, 3, 3)
    made = box_mesh([(0.0, float(n)) for n in sizes], sizes, deformation=bend if bent else None)
    x = made.node_coordinates(4)
    change = 1.0 + 0.2 * np.sin(x).prod(axis=2)
    for name, value in (("VP", 1.0), ("VS", 0.5), ("RHO", 1.3)):
        if solid or name != "VS":
            made.attach_field(name, value * change)
    return medium(made, 4)


def rows(core: Core, places: np.ndarray, field: int) -> Any:
    """Displacement, velocity and acceleration at places (n, dim), or the force there."""
    n = len(places)
    coefficients = np.zeros((n, core.compiled.n_components(0), 1 + core.mesh.dim))
    coefficients[:, :, 0] = 1.0
    points = core.compiled.rows(0, places, core.locate(0, places)[0], np.arange(n), coefficients, field)
    return points, (np.arange(n) % 3).astype(np.int32)


class Event:
    """One event's arrays, with its rows in a field of a core."""

    def __init__(self, number: int, core: Core, field: int) -> None:
        rng = np.random.default_rng(number)
        dim, steps = core.mesh.dim, np.arange(1, N_STEPS + 1)
        pulse = np.exp(-(((np.arange(N_STEPS) - 60 - number) / 20.0) ** 2))
        self.records, self.adjoint = np.zeros((3, N_STEPS)), rng.standard_normal((3, N_STEPS + 1))
        self.sources = _core.Series(
            *rows(core, rng.uniform(0.5, 2.5, (1, dim)), field), pulse[None] * (1.0 + number)
        )
        places = rows(core, rng.uniform(0.5, 2.5, (3, dim)), field)
        self.receivers = _core.Series(*places, self.records)
        self.adjoint_sources = _core.Series(*places, self.adjoint)
        snapshots = np.zeros((N_STEPS, core.compiled.n_values), dtype=np.float32)
        self.store = core.store(steps, np.ones(N_STEPS), snapshots)


def run(core: Core, events: list[Event]) -> list[np.ndarray]:
    """Run events forward and back, and return the gradient of each."""
    compiled, dt, control = core.compiled, 0.02, _core.Control()
    state = compiled.start(dt)
    lists = [[e.sources for e in events], [e.receivers for e in events]]
    compiled.forward(state, N_STEPS, *lists, N_STEPS, N_STEPS, [e.store for e in events], None, control)
    state = compiled.start_adjoint(dt, N_STEPS)
    series = [e.adjoint_sources for e in events]
    compiled.adjoint(state, 0, series, [], N_STEPS + 1, [e.store for e in events], control)
    return [compiled.gradient(state, 0, field) for field in range(len(events))]


@pytest.mark.parametrize(
    ("dim", "solid", "bent"), [(2, False, False), (2, True, True), (3, False, True), (3, True, False)]
)
def test_events_are_those_that_run_alone(dim: int, solid: bool, bent: bool) -> None:
    domain, edges = mesh(dim, solid, bent), (Absorbing(["x0", "y1"]),)
    together = make_core(domain, edges, "float32", 1, events_in_lanes=True)
    alone = make_core(domain, edges, "float32", 1)
    assert together.compiled.n_fields > 1 == alone.compiled.n_fields
    assert together.compiled.n_values == alone.compiled.n_values
    events = [Event(number, together, number) for number in range(3)]
    gradients = run(together, events)
    for number, (event, gradient) in enumerate(zip(events, gradients, strict=True)):
        single = Event(number, alone, 0)
        (expected,) = run(alone, [single])
        assert np.abs(single.records).max() > 0
        assert relative(event.records, single.records) < 2e-5
        for found, wanted in zip(gradient, expected, strict=True):
            assert relative(found, wanted) < 1e-4


def test_what_cannot_run_in_lanes_is_refused() -> None:
    with pytest.raises(ValueError, match="no kernel for dimension 2, order 4 with events in lanes"):
        make_core(mesh(2, False, False), (), "float64", 1, events_in_lanes=True)
    core = make_core(mesh(2, False, False), (), "float32", 1, events_in_lanes=True)
    with pytest.raises(ValueError, match=f"there is no field {core.compiled.n_fields}"):
        rows(core, np.array([[1.0, 1.0]]), core.compiled.n_fields)
