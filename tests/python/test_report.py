"""The report of a mesh: hanging nodes, curved sides that do not match, separate parts, repairs."""

from __future__ import annotations

import meshio
import numpy as np
import pytest

from meshes import bent, make_mesh, shuffled
from wavetree.mesh import Mesh, box_mesh, read_mesh_file
from wavetree.mesh.interpolation import lagrange_matrix

UNIT = [(0.0, 1.0)] * 3


def joined(*meshes: Mesh) -> Mesh:
    """Meshes beside each other that share no points."""
    starts = np.cumsum([0, *(mesh.n_points for mesh in meshes[:-1])])
    rows = [start + mesh.connectivity for start, mesh in zip(starts, meshes, strict=True)]
    return Mesh(np.concatenate([m.points for m in meshes]), np.concatenate(rows), meshes[0].shape_order)


def without_doubles(mesh: Mesh) -> Mesh:
    _, first, number = np.unique(mesh.points.round(9), axis=0, return_index=True, return_inverse=True)
    return Mesh(mesh.points[first], number.ravel()[mesh.connectivity], mesh.shape_order)


def write(path, points: np.ndarray, connectivity: np.ndarray) -> None:
    kind, order = {4: ("quad", [0, 1, 3, 2]), 8: ("hexahedron", [0, 1, 3, 2, 4, 5, 7, 6])}[
        connectivity.shape[1]
    ]
    meshio.write(path, meshio.Mesh(points, [(kind, connectivity[:, order])]))


@pytest.mark.parametrize("kind", ["box", "sinusoidal", "perturbed", "disc"])
@pytest.mark.parametrize(("dim", "shape_order"), [(2, 1), (2, 2), (2, 4), (3, 1), (3, 2)])
def test_conforming_meshes_have_no_problems(kind, dim, shape_order):
    mesh = make_mesh(kind, dim, shape_order, 2, np.random.default_rng(1))
    report = mesh.check()
    assert report.passed, report
    assert str(report) == "no problems were found."
    assert (report.parts == 0).all()
    np.testing.assert_allclose(report.part_places, [mesh.get_element_centroid().mean(axis=0)], atol=1e-14)


@pytest.mark.parametrize("shape_order", [1, 2])
@pytest.mark.parametrize("dim", [2, 3])
def test_hanging_nodes_of_a_refined_half(dim, shape_order):
    """A box of one element a side beside one of two: what the finer has more of hangs on the coarser."""
    coarse = box_mesh(UNIT[:dim], (1,) * dim, shape_order=shape_order)
    fine = box_mesh([(1.0, 2.0), *UNIT[1:dim]], (1, *(2,) * (dim - 1)), shape_order=shape_order)
    mesh = shuffled(without_doubles(joined(coarse, fine)), np.random.default_rng(2))
    report = mesh.check()
    per_side = (2 * shape_order + 1) ** (dim - 1) - (shape_order + 1) ** (dim - 1)
    assert len(report.hanging_nodes) == per_side
    assert (report.hanging_places[:, 0] == 1.0).all()
    np.testing.assert_array_equal(report.hanging_places, mesh.points[report.hanging_nodes])
    (problem,) = report.problems
    assert problem.startswith(f"{per_side} hanging nodes") and "no wave crosses" in problem
    assert report.parts.max() == 1


def test_a_hanging_node_on_a_curved_side_is_found():
    """A small square stands with a corner on the arc of a single element, away from that element's nodes."""
    ring = box_mesh([(0.0, 1.0), (0.0, 1.0)], (1, 1), shape_order=4, deformation=bent)
    arc = ring.points[ring.connectivity[0]].reshape(5, 5, 2)[:, -1]
    (place,) = lagrange_matrix(4, np.array([0.3])) @ arc
    angle = np.arctan2(place[1], place[0]) - 0.25 * np.pi
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    square = box_mesh(
        [(0.0, 0.1), (0.0, 0.1)], (1, 1), shape_order=4, deformation=lambda x: x @ turn.T + place
    )
    report = joined(ring, square).check()
    np.testing.assert_allclose(report.hanging_places, [place], atol=1e-12)


def test_points_in_one_place_are_hanging_nodes_until_they_are_merged(tmp_path):
    mesh = joined(box_mesh(UNIT[:2], (2, 2)), box_mesh([(1.0, 2.0), (0.0, 1.0)], (2, 2)))
    report = mesh.check()
    assert len(report.hanging_nodes) == 6
    assert "2 parts have no side in common: 4 elements around (0.5, 0.5), 4 elements" in str(report)
    points = mesh.points + 1e-6 * np.random.default_rng(0).uniform(-1, 1, mesh.points.shape)
    write(tmp_path / "mesh.vtu", points, mesh.connectivity)
    back, report = read_mesh_file(tmp_path / "mesh.vtu")
    assert report.passed and report.parts.max() == 0
    assert back.n_points == 15
    (repair,) = report.repairs
    assert repair.startswith(
        "3 points were merged with others in the same place (nearer than 5e-05 m, 0.0001 of"
    )


def test_neighbours_that_are_not_near_enough_stay_apart(tmp_path):
    mesh = joined(box_mesh(UNIT[:2], (2, 2)), box_mesh([(1.0002, 2.0), (0.0, 1.0)], (2, 2)))
    write(tmp_path / "mesh.vtu", mesh.points, mesh.connectivity)
    back, report = read_mesh_file(tmp_path / "mesh.vtu")
    assert back.n_points == 18 and report.repairs == ()
    assert len(report.hanging_nodes) == 6  # 2e-4 of a side of 0.5 is less than what can be told from a crack


def test_curved_sides_that_do_not_match(tmp_path):
    mesh = box_mesh(UNIT[:2], (2, 1), shape_order=2)
    points = np.concatenate([mesh.points, [[0.6, 0.5]]])
    connectivity = mesh.connectivity.copy()
    connectivity[1, 3] = mesh.n_points  # the middle of the left side of the right element
    report = Mesh(points, connectivity, 2).check()
    np.testing.assert_array_equal(report.open_sides, [[0, 1]])
    assert not report.passed
    assert "1 sides share their corners with a neighbour but not their other nodes: element 0" in str(report)


def test_parts_are_ordered_by_size():
    small, large = box_mesh([(5.0, 6.0), (0.0, 1.0)], (1, 1)), box_mesh(UNIT[:2], (2, 1))
    report = joined(small, large).check()
    assert report.passed
    assert report.parts.tolist() == [1, 0, 0]
    np.testing.assert_allclose(report.part_places, [[0.5, 0.5], [5.5, 0.5]])
    expected = (
        "note: 2 parts have no side in common: 2 elements around (0.5, 0.5), 1 elements around (5.5, 0.5)."
    )
    assert str(report) == expected


# -- repairs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3])
def test_left_handed_elements_are_mirrored(tmp_path, dim):
    mesh = make_mesh("sinusoidal", dim, 1, 3)
    connectivity = mesh.connectivity.copy()
    wrong = np.arange(0, mesh.nelem, 3)
    connectivity[wrong] = (
        connectivity[wrong].reshape(-1, *(2,) * dim).swapaxes(-1, -2).reshape(len(wrong), -1)
    )
    write(tmp_path / "mesh.vtu", mesh.points, connectivity)
    back, report = read_mesh_file(tmp_path / "mesh.vtu")
    assert report.repairs == (f"{len(wrong)} left-handed elements were mirrored.",)
    np.testing.assert_array_equal(np.sort(back.connectivity, axis=1), np.sort(mesh.connectivity, axis=1))
    assert back.mass_weights(4).sum() == pytest.approx(mesh.mass_weights(4).sum(), rel=1e-13)


def test_unused_points_are_dropped(tmp_path):
    mesh = box_mesh(UNIT[:2], (2, 1))
    points = np.concatenate([[[9.0, 9.0]], mesh.points, [[-9.0, 9.0], [0.5, 0.5]]])
    write(tmp_path / "mesh.vtu", points, mesh.connectivity + 1)
    back, report = read_mesh_file(tmp_path / "mesh.vtu")
    np.testing.assert_array_equal(back.points, mesh.points)
    assert report.repairs == ("3 points that belong to no element were dropped.",)


@pytest.mark.parametrize("flaw", ["folded", "collapsed edge", "flat"])
def test_inverted_and_degenerate_elements_are_refused(tmp_path, flaw):
    mesh = box_mesh(UNIT[:2], (3, 2))
    points, connectivity = mesh.points.copy(), mesh.connectivity.copy()
    if flaw == "folded":
        points[5] = [0.9, 0.95]  # beyond the diagonal of the element above and to the right
    elif flaw == "collapsed edge":
        connectivity[4, 1] = connectivity[4, 0]
    else:
        points[connectivity[4]] = [[0.4, 0.5], [0.5, 0.5], [0.6, 0.5], [0.7, 0.5]]
    write(tmp_path / "mesh.vtu", points, connectivity)
    x, y = points[connectivity[4, 0]].tolist()
    corner = rf"element 4 with the corners \({x}, {y}\)"
    with pytest.raises(
        ValueError, match=rf"\d of 6 elements are inverted or degenerate .*{corner}.*; expected"
    ):
        Mesh.from_file(tmp_path / "mesh.vtu")


def test_an_edge_that_folds_between_its_nodes_is_refused(tmp_path):
    """The middle of an edge must stay within its middle half (Jacobian at the corner otherwise negative)."""
    mesh = box_mesh(UNIT[:2], (1, 1), shape_order=2)
    for x, good in ((0.27, True), (0.23, False)):
        points = mesh.points.copy()
        points[1, 0] = x
        rows = mesh.connectivity[:, [0, 2, 8, 6, 1, 5, 7, 3, 4]]
        meshio.write(tmp_path / "mesh.vtu", meshio.Mesh(points, [("quad9", rows)]))
        if good:
            assert Mesh.from_file(tmp_path / "mesh.vtu").nelem == 1
        else:
            with pytest.raises(ValueError, match=r"1 of 1 elements are inverted"):
                Mesh.from_file(tmp_path / "mesh.vtu")
