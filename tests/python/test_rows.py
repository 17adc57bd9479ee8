"""Rows of elements, and patterns that change their number."""

from __future__ import annotations

import numpy as np
import pytest

from layers import changing, slab
from wavetree.mesh.facets import facet_partners, sorted_facets
from wavetree.mesh.rows import ROW_HEIGHT, Row, lattice_elements, lattice_lengths
from wavetree.mesh.side_sets import corner_indices, facet_nodes
from wavetree.simulation.time_axis import maximum_time_step

SIDES = {2: ("x0", "x1", "y0", "y1"), 3: ("x0", "x1", "y0", "y1", "z0", "z1")}


@pytest.mark.parametrize("shape_order", [1, 2, 4])
@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("dim", [2, 3])
def test_rows_fit_on_each_other(dim, factor, upside_down, shape_order):
    """Every side belongs to two elements, or to one and lies on the box, which is filled once."""
    rows = changing(factor, dim, upside_down=upside_down)
    mesh = slab(rows, shape_order)
    assert mesh.check().passed
    local = corner_indices(dim, shape_order)[facet_nodes(dim, 1)]
    partners = facet_partners(sorted_facets(mesh.connectivity, local), 2 * dim)
    named = {tuple(row) for side in SIDES[dim] for row in mesh.side_sets[side]}
    assert named == {divmod(int(row), 2 * dim) for row in np.flatnonzero(partners < 0)}
    volume = np.prod([high - low for low, high in mesh.bounds])
    assert mesh.mass_weights(4).sum() == pytest.approx(volume, rel=1e-13)
    assert mesh.nelem == sum(row.nelem for row in rows)
    few, many = 4 ** (dim - 1), (4 * factor) ** (dim - 1)
    top, bottom = (mesh.side_sets[f"{'xyz'[dim - 1]}{end}"] for end in (1, 0))
    assert (len(top), len(bottom)) == ((few, many) if upside_down else (many, few))


def test_both_changes_in_one_column():
    """Many, few and many again: elements of the middle are wide, those at both edges are narrow."""
    rows = [*changing(3, 2), *changing(3, 2, upside_down=True)]
    mesh = slab(rows)
    assert mesh.check().passed
    assert len(mesh.side_sets["y0"]) == len(mesh.side_sets["y1"]) == 12


def test_elements_on_the_lattice():
    corners, row = lattice_elements([Row((2,), (2,), 1.0), Row((2,), (2,), 3.0)])
    assert lattice_lengths([Row((2,), (2,), 1.0)] * 2) == (2, 2 * ROW_HEIGHT)
    np.testing.assert_array_equal(row, [0, 0, 1, 1])
    h = ROW_HEIGHT
    np.testing.assert_array_equal(corners[3], [[1, 0], [2, 0], [1, h], [2, h]])


@pytest.mark.parametrize("height", [0.6, 0.9, 1.2])
@pytest.mark.parametrize("medium", [{"VP": 1.0, "RHO": 1.0}, {"VP": 1.0, "VS": 0.55, "RHO": 1.0}])
@pytest.mark.parametrize("factor", [2, 3])
def test_what_patterns_do_to_the_time_step(factor, medium, height):
    """As long as of bricks as low as `Row.lowest`, or of the rows above: to 10 %."""
    fine, coarse = Row((4 * factor,), (4 * factor,), 1.0 / factor), Row((4,), (4,), 1.0)
    row = Row(fine.top, coarse.top, height)

    def step(*rows: Row) -> float:
        mesh = slab(rows, length=4.0)
        for name, value in medium.items():
            mesh.attach_field(name, np.full((mesh.nelem, 25), value))
        return maximum_time_step(mesh)

    bricks = step(*[Row(fine.top, fine.top, row.lowest)] * 3)
    assert step(fine, row, coarse) == pytest.approx(min(bricks, step(*[fine] * 3)), rel=0.1)


@pytest.mark.parametrize(
    ("top", "bottom"), [((8,), (2,)), ((6,), (3,)), ((6, 6), (3, 3)), ((5,), (4,)), ((6, 4), (2, 8))]
)
def test_rows_that_cannot_be_are_refused(top, bottom):
    with pytest.raises(
        ValueError, match=r"a row has .* at the top and .*; expected equal numbers but for one"
    ):
        Row(top, bottom, 1.0)


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"row 0 has \(4,\) elements at the bottom and row 1 has \(6,\)"):
        lattice_lengths([Row((4,), (4,), 1.0), Row((6,), (6,), 1.0)])
    rows = [Row((2,), (4,), 1.0), Row((4,), (4,), 1.0), Row((4,), (12,), 1.0), Row((12,), (6,), 1.0)]
    with pytest.raises(ValueError, match=r"numbers that divide the largest ones"):
        lattice_lengths([*rows, Row((6,), (18,), 1.0)])
