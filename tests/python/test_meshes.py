"""The meshes that tests run on are what they say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from meshes import KINDS, bent, disc, make_mesh, shuffled, turned_nodes
from wavetree.mesh import Mesh, box_mesh

BALL = {2: np.pi, 3: 4.0 * np.pi / 3.0}
DIMENSIONS = (2, 3)


def volume(mesh: Mesh) -> float:
    """By a rule that is exact for det J."""
    return float(mesh.mass_weights(min(2 * mesh.shape_order, 8)).sum())


@pytest.mark.parametrize("shape_order", [1, 2, 3, 4])
@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_volumes_and_jacobians(kind, dim, shape_order):
    plain = make_mesh(kind, dim, shape_order)
    turned = make_mesh(kind, dim, shape_order, generator=np.random.default_rng(1))
    for mesh in (plain, turned):
        for order in (1, 4, 8):
            assert mesh.mass_weights(order).min() > 0.0
    assert volume(turned) == pytest.approx(volume(plain), rel=1e-13)
    if kind != "disc":
        assert volume(plain) == pytest.approx(1.0, rel=1e-12 if kind != "sinusoidal" else 1e-2)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_nodes_do_not_depend_on_the_numbering(kind, dim):
    plain = make_mesh(kind, dim)
    turned = make_mesh(kind, dim, generator=np.random.default_rng(2))
    for order in (1, 2, 5):
        expected, found = plain.dof_map(order), turned.dof_map(order)
        assert found.n_dofs == expected.n_dofs
        np.testing.assert_array_equal(np.bincount(found.valence.astype(int)),
                                      np.bincount(expected.valence.astype(int)))  # fmt: skip
        # One number is one place, and the places of two numbers are different ones.
        x = np.empty((found.n_dofs, dim))
        x[found.element_dofs] = turned.node_coordinates(order)
        np.testing.assert_allclose(x[found.element_dofs], turned.node_coordinates(order), atol=1e-12)
        assert len(np.unique(np.round(x, 7), axis=0)) == found.n_dofs


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "disc"])
def test_sides_and_fields_are_carried_along(kind, dim):
    mesh = make_mesh(kind, dim)
    mesh.attach_field("nodal", mesh.points @ np.arange(1, dim + 1))
    mesh.attach_field("elemental", mesh.get_element_centroid()[:, 0])
    mesh.attach_field("values", mesh.node_coordinates(3) @ np.arange(1, dim + 1))
    turned = shuffled(mesh, np.random.default_rng(3))
    np.testing.assert_allclose(turned.nodal_fields["nodal"], turned.points @ np.arange(1, dim + 1))
    np.testing.assert_allclose(turned.elemental_fields["elemental"], turned.get_element_centroid()[:, 0])
    expected = turned.get_element_nodes() @ np.arange(1, dim + 1)
    np.testing.assert_allclose(turned.element_nodal_fields["values"], expected)
    if kind != "sheared":  # whose sides are no planes of the bounding box
        named = {name: set(map(tuple, rows)) for name, rows in turned.side_sets.items()}
        turned.find_side_sets()
        assert {name: set(map(tuple, rows)) for name, rows in turned.side_sets.items()} == named


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_turns_are_all_rotations(dim):
    turns = turned_nodes(dim, 2)
    assert len(turns) == {2: 4, 3: 24}[dim] == len({tuple(t) for t in turns})
    together = {tuple(a[b]) for a, b in itertools.product(turns, turns)}
    assert together == {tuple(t) for t in turns}


@pytest.mark.parametrize("shape_order", [1, 2, 3, 4])
@pytest.mark.parametrize("dim", DIMENSIONS)
def test_discs_converge_to_the_circle_with_the_geometric_order(dim, shape_order, record_property):
    errors = [abs(volume(disc(dim, n, shape_order)) - BALL[dim]) for n in (2, 4)]
    rate = np.log2(errors[0] / errors[1])
    record_property("rate", float(rate))
    # The volume is an integral over the boundary, which GLL points of order g give to h^2g.
    assert rate > 2 * shape_order - 0.9
    assert errors[1] < 0.3 * 100.0 ** (1 - shape_order)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_the_boundary_of_a_disc_is_the_circle(dim):
    mesh = disc(dim, 2, 3)
    assert set(mesh.side_sets) == {"boundary"}
    assert len(mesh.side_sets["boundary"]) == 2 * dim * 2 ** (dim - 1)
    radius = np.linalg.norm(mesh.points, axis=1)
    on_circle = np.isclose(radius, 1.0)
    assert radius.max() < 1.0 + 1e-12
    # Euler: a sphere of 24 quads has 26 corners, a circle of 8 lines has 8.
    corners = disc(dim, 2, 1)
    assert np.isclose(np.linalg.norm(corners.points, axis=1), 1.0).sum() == {2: 8, 3: 26}[dim]
    assert on_circle.sum() == {2: 8 * 3, 3: 24 * 9 + 2}[dim]


def test_a_bent_box_is_a_quarter_of_a_tube():
    mesh = box_mesh(((0, 1),) * 3, (4, 4, 2), shape_order=4, deformation=bent)
    assert volume(mesh) == pytest.approx(0.75 * np.pi, rel=1e-8)
