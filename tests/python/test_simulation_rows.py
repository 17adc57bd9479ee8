"""Rows of sources and receivers, collected for many points at a time."""

from __future__ import annotations

import numpy as np
import pytest

from wavetree import _core
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.core import Core, make_core
from wavetree.simulation.medium import fluid_elements, medium
from wavetree.simulation.receivers import Receivers
from wavetree.simulation.rows import Operator, Rows
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.receiver.fields import FIELDS

ORDER = 3


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    """A solid below y = 0.5 and a fluid above."""
    made = box_mesh(((0.0, 1.0), (0.0, 1.0)), (4, 4))
    solid = made.get_element_centroid()[:, 1] < 0.5
    for name, value in (("VP", 2000.0), ("VS", 1000.0 * solid), ("RHO", 1000.0)):
        made.attach_field(name, np.full(made.nelem, value))
    return medium(made, ORDER)


@pytest.fixture(scope="module")
def core(mesh: Mesh) -> Core:
    return make_core(mesh, (), "float64", threads=1)


def read(core: Core, part: int, operator: Operator, field: np.ndarray) -> np.ndarray:
    """What the rows read from a field (n_dofs, n_components) at rest, as the first sample of a run."""
    state = core.compiled.start(1e-6)
    core.compiled.set_field(state, part, field, False)
    samples = np.zeros((operator.points.n_rows, 1))
    none = [Rows().compile(core, k) for k in range(len(core.parts))]
    sources = [rows.series(np.zeros((0, 1))) for rows in none]
    receivers = [rows.series(np.zeros((0, 1))) for rows in none]
    receivers[part] = operator.series(samples)
    core.compiled.forward(state, 1, sources, receivers, 1, 1, [], None, _core.Control())
    return samples[:, 0]


def test_many_points_are_the_rows_of_each(core: Core) -> None:
    rng = np.random.default_rng(0)
    part = core.media.index("solid")
    points, rows = rng.uniform(0.05, 0.45, (7, 2)), rng.standard_normal((3, 2, 3))
    together, single = Rows(), Rows()
    first = together.add([(0.5, 0.2)], rows[:1])
    numbers = together.add(points, rows, [0, 1, 2])
    single.add([(0.5, 0.2)], rows[:1])
    for point in points:
        for row, derivative in zip(rows, (0, 1, 2), strict=True):
            single.add([point], [row], derivative)
    assert first.tolist() == [[0]] and len(together) == len(single) == 22
    np.testing.assert_array_equal(numbers, 1 + np.arange(21).reshape(7, 3))
    field = rng.standard_normal((core.compiled.n_dofs(part), 2))
    compiled = [some.compile(core, part) for some in (together, single)]
    np.testing.assert_array_equal(compiled[0].time_derivative, compiled[1].time_derivative)
    found, expected = (read(core, part, some, field) for some in compiled)
    assert np.abs(expected).min() > 0.0
    np.testing.assert_array_equal(found, expected)


def test_receivers_of_different_fields_in_any_order(core: Core) -> None:
    """Row numbers: point by point in the order of the receivers, whatever the fields of the others are."""
    kinds = (("phi", "gradient-of-phi"), ("velocity", "strain"), ("phi",))
    order = [0, 1, 1, 2, 0, 1, 2]
    receivers = [
        Point2D(x=0.1 + 0.1 * k, y=0.2 if kind == 1 else 0.8, station_code=str(k), fields=kinds[kind])
        for k, kind in enumerate(order)
    ]
    made = Receivers(core, receivers)
    assert set(made.fields) == {name for kind in kinds for name in kind}
    n_rows = {"fluid": 4 * 1 + 2 * 2, "solid": 3 * (2 + 3)}
    samples = made.samples(1)
    assert [len(rows) for rows in samples] == [n_rows[name] for name in core.media]
    for rows in samples:
        rows[:, 0] = np.arange(len(rows))
    records = made.records(samples, filtered=False)
    next_row = dict.fromkeys(core.media, 0)
    seen = dict.fromkeys(records, 0)
    for receiver in receivers:
        for name in receiver.fields:
            values = records[name][seen[name], :, 0]
            start = next_row[FIELDS[name].medium]
            np.testing.assert_array_equal(values, start + np.arange(len(values)))
            seen[name] += 1
            next_row[FIELDS[name].medium] += len(values)


def test_fluid_elements_of_some(mesh: Mesh) -> None:
    some = np.array([15, 0, 9, 9])
    np.testing.assert_array_equal(fluid_elements(mesh, some), fluid_elements(mesh)[some])
    np.testing.assert_array_equal(fluid_elements(mesh, some), [True, False, True, True])
