"""Quality of meshes against closed forms of simple elements."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import bent, make_mesh, shuffled
from wavetree.mesh import Mesh, box_mesh
from wavetree.mesh.quality import singular_values

UNIT = [(0.0, 1.0)] * 3


@pytest.mark.parametrize("angle", [20.0, 60.0, 90.0, 135.0])
@pytest.mark.parametrize("shape_order", [1, 2, 4])
def test_rhombus(angle, shape_order):
    """Sides 1 at an angle a: scaled Jacobian sin a, singular values as sin and cos of a/2."""
    a = np.radians(angle)

    def shear(points: np.ndarray) -> np.ndarray:
        return points @ np.array([[1.0, 0.0], [np.cos(a), np.sin(a)]])

    quality = box_mesh(UNIT[:2], (1, 1), shape_order=shape_order, deformation=shear).quality(velocity=2.0)
    assert quality.scaled_jacobian == pytest.approx([np.sin(a)], rel=1e-12)
    tangent = np.tan(min(a, np.pi - a) / 2)
    assert quality.condition == pytest.approx([1.0 / tangent], rel=1e-12)
    assert quality.shortest_edge == pytest.approx([1.0], rel=1e-12)
    assert quality.longest_edge == pytest.approx([1.0], rel=1e-12)
    thickness = np.sqrt(2.0) * np.sin(min(a, np.pi - a) / 2)
    assert quality.crossing_time == pytest.approx([thickness / 2.0], rel=1e-12)
    assert quality.size_ratio == pytest.approx([1.0])


@pytest.mark.parametrize("edges", [(1.0, 1.0, 1.0), (1.0, 1.0, 5.0), (0.3, 2.0, 40.0), (3.0, 3.0, 0.01)])
def test_brick(edges):
    """A brick: scaled Jacobian 1, condition longest over shortest edge; turning it changes nothing."""
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    mesh = box_mesh([(0.0, edge) for edge in edges], (1, 1, 1), deformation=lambda x: x @ turn.T)
    quality = mesh.quality(velocity=1500.0)
    assert quality.scaled_jacobian == pytest.approx([1.0], rel=1e-9)
    # Where two edges are alike the closed form keeps half the digits.
    assert quality.condition == pytest.approx([max(edges) / min(edges)], rel=1e-7)
    assert quality.shortest_edge == pytest.approx([min(edges)], rel=1e-12)
    assert quality.longest_edge == pytest.approx([max(edges)], rel=1e-12)
    assert quality.crossing_time == pytest.approx([min(edges) / 1500.0], rel=1e-7)


def test_parallelepiped():
    """Edges e_x, e_y and (cos a, 0, sin a): det J over the edges is sin a at every node."""
    a = 0.4
    matrix = np.array([[1.0, 0.0, np.cos(a)], [0.0, 1.0, 0.0], [0.0, 0.0, np.sin(a)]])
    quality = box_mesh(UNIT, (1, 1, 1), deformation=lambda x: x @ matrix.T).quality()
    assert quality.scaled_jacobian == pytest.approx([np.sin(a)], rel=1e-12)
    assert quality.condition == pytest.approx([1.0 / np.tan(a / 2)], rel=1e-9)
    assert quality.crossing_time is None and quality.time_step_spread is None


@pytest.mark.parametrize("dim", [2, 3])
def test_singular_values(dim):
    matrices = np.random.default_rng(0).normal(size=(500, dim, dim))
    smallest, largest = singular_values(matrices)
    expected = np.linalg.svd(matrices, compute_uv=False)
    np.testing.assert_allclose(largest, expected[:, 0], rtol=1e-10)
    np.testing.assert_allclose(smallest, expected[:, -1], rtol=1e-8)
    smallest, largest = singular_values(np.eye(dim)[None] * 7.0)
    assert (smallest, largest) == (pytest.approx(7.0), pytest.approx(7.0))


def test_size_ratio_of_neighbours():
    """Columns of width 1, 2, 8 in a row: areas 1, 2, 8, sizes their square roots."""
    x = np.array([0.0, 1.0, 3.0, 11.0])
    points = np.array([[a, b] for b in (0.0, 1.0) for a in x])
    mesh = Mesh(points, [[k, k + 1, k + 4, k + 5] for k in range(3)])
    quality = mesh.quality()
    np.testing.assert_allclose(quality.size_ratio, np.sqrt([2.0, 4.0, 4.0]), rtol=1e-12)
    np.testing.assert_array_equal(quality.worst("size_ratio", 2), [1, 2])
    np.testing.assert_allclose(quality.condition, [1.0, 2.0, 8.0], rtol=1e-12)


def test_curved_edges_have_their_length():
    """The quarter ring with radii 1 and 2 as one element of order 4: arcs pi/2 and pi, straight ends 1."""
    mesh = box_mesh(UNIT[:2], (1, 1), shape_order=4, deformation=bent)
    quality = mesh.quality()
    assert quality.shortest_edge == pytest.approx([1.0], rel=1e-12)
    assert quality.longest_edge == pytest.approx([np.pi], rel=1e-4)
    assert quality.scaled_jacobian.min() == pytest.approx(1.0, abs=1e-2)
    # dx/dξ has the columns 1/2 along the radius and π r / 4 along the arc: the largest ratio is π at r = 2.
    assert quality.condition == pytest.approx([np.pi], rel=1e-2)


@pytest.mark.parametrize("shape_order", [1, 2])
@pytest.mark.parametrize("dim", [2, 3])
def test_numbering_does_not_matter(dim, shape_order):
    mesh = make_mesh("perturbed", dim, shape_order, 3)
    turned = shuffled(mesh, np.random.default_rng(8))
    place = {tuple(x): k for k, x in enumerate(mesh.get_element_centroid().round(9).tolist())}
    order = [place[tuple(x)] for x in turned.get_element_centroid().round(9).tolist()]
    other = turned.quality(1.0).figures()
    for name, values in mesh.quality(1.0).figures().items():
        np.testing.assert_allclose(other[name], values[order], rtol=1e-7, err_msg=name)


def test_velocity_sets_the_crossing_time():
    mesh = box_mesh(UNIT[:2], (4, 1))
    mesh.attach_field("VP", np.array([1000.0, 2000.0, 1000.0, 1000.0]))
    quality = mesh.quality()
    np.testing.assert_allclose(quality.crossing_time, 0.25 / mesh.elemental_fields["VP"], rtol=1e-12)
    assert quality.time_step_spread == pytest.approx(2.0)
    assert quality.worst("crossing_time", 1).tolist() == [1]
    assert "the median crossing time is 2 times the smallest" in str(quality)
    mesh.attach_field("VP", np.tile([[1.0, 2.0, 3.0, 4.0]], (4, 1)))
    np.testing.assert_allclose(mesh.quality().crossing_time, 0.25 / 4.0, rtol=1e-12)
    mesh.attach_field("VP", mesh.points[:, 0] + 1.0)
    np.testing.assert_allclose(mesh.quality().crossing_time, 0.25 / (1.25 + 0.25 * np.arange(4)), rtol=1e-12)
    mesh.nodal_fields.clear()
    mesh.attach_field("VPV", np.full(4, 2.0))
    mesh.attach_field("VPH", np.array([1.0, 4.0, 1.0, 1.0]))
    np.testing.assert_allclose(
        mesh.quality().crossing_time, 0.25 / np.array([2.0, 4.0, 2.0, 2.0]), rtol=1e-12
    )


@pytest.mark.parametrize("velocity", [0.0, [1.0, 2.0], np.zeros((4, 3)), np.nan])
def test_velocities_that_are_none_are_refused(velocity):
    with pytest.raises(ValueError, match=r"velocity has shape .* expected positive numbers \[m/s\]"):
        box_mesh(UNIT[:2], (4, 1)).quality(velocity)


def test_unknown_figures_are_named():
    with pytest.raises(ValueError, match=r"unknown figure of mesh quality 'jacobian'.*scaled_jacobian"):
        box_mesh(UNIT[:2], (1, 1)).quality().worst("jacobian")


def test_table_names_the_worst_elements():
    mesh = box_mesh([(0.0, 2.0), (0.0, 1.0)], (2, 1))
    points = mesh.points.copy()
    points[5] = [2.6, 1.0]  # the upper right corner: the right element is no square any more
    text = str(Mesh(points, mesh.connectivity).quality())
    assert "all alike" not in text.splitlines()[1]
    assert "1 at (1.65, 0.5)" in text.splitlines()[1]
    assert len(str(mesh.quality(1.0)).splitlines()) == 8
    assert str(mesh.quality()).count("all alike") == 5


@pytest.mark.parametrize("dim", [2, 3])
def test_figures_are_drawn(dim):
    mesh = make_mesh("perturbed", dim, 1, 3)
    figure = mesh.quality(1500.0).plot()
    titles = [axes.get_title() for axes in figure.axes]
    for title in ("scaled Jacobian", "condition", "size ratio", "crossing time"):
        assert title in titles
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert "crossing time [µs]" in labels
    assert any(title.startswith("worst ") and title.endswith(" µs") for title in titles)
    counts = [sum(patch.get_height() for patch in axes.patches) for axes in figure.axes if axes.patches]
    assert counts[:1] == [mesh.nelem]
