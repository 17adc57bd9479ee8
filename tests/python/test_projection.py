"""Lines that meet curved side sets."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from meshes import bent, shuffled
from wavetree.mesh import Mesh, box_mesh

X, Y, Z = np.eye(3)
SQUARE, CUBE = ((0.0, 1.0),) * 2, ((0.0, 1.0),) * 3


def hill(order: int) -> Callable[[np.ndarray], np.ndarray]:
    """A surface that elements of an order represent exactly: a product of polynomials of that order."""

    def height(across: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 + 0.2 * (across**order - 0.4 * across).prod(axis=-1))

    return height


def with_hill(dim: int, order: int, counts: tuple[int, ...]) -> Mesh:
    def raised(points: np.ndarray) -> np.ndarray:
        return np.column_stack([points[:, :-1], points[:, -1] * hill(order)(points[:, :-1])])

    return box_mesh((SQUARE, CUBE)[dim - 2], counts, shape_order=order, deformation=raised)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("dim", [2, 3])
def test_points_reach_a_curved_top(dim: int, order: int) -> None:
    counts, top = ((3, 2), "y1") if dim == 2 else ((2, 3, 2), "z1")
    mesh, upwards = with_hill(dim, order, counts), np.eye(dim)[-1]
    rng = np.random.default_rng(order)
    # Corners, edges and insides of facets; starts below and above the top.
    for across in [*rng.uniform(0.0, 1.0, (6, dim - 1)), *np.array([[0.0, 1.0], [1.0, 0.5]])[:, : dim - 1]]:
        start = np.append(across, rng.uniform(-2.0, 3.0))
        found = mesh.project_onto_side_set(start, upwards, top)
        assert found[:-1].tolist() == across.tolist()  # to the bit: nothing moves across the direction
        assert found[-1] == pytest.approx(hill(order)(across), abs=1e-13)
        _, reference = mesh.locate(found[None])
        assert abs(reference[0, -1] - 1.0) < 1e-10


@pytest.mark.parametrize("order", [2, 4])
def test_slanted_lines_end_on_the_line_and_on_the_side(order: int) -> None:
    mesh, rng = with_hill(3, order, (3, 2, 2)), np.random.default_rng(1)
    for _ in range(8):
        start = rng.uniform(0.3, 0.7, 3)
        direction = np.append(rng.uniform(-0.5, 0.5, 2), rng.choice([-1.0, 1.0]))
        found = mesh.project_onto_side_set(start, direction, "z1")
        assert np.linalg.norm(np.cross(found - start, direction)) < 1e-13
        assert found[2] == pytest.approx(hill(order)(found[:2]), abs=1e-13)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_arcs_are_met_with_the_order_of_the_geometry(order: int) -> None:
    """Lines that meet the outer circle of a quarter ring, radius 2, as its elements get smaller."""
    start, angles = np.array([0.9, 0.8]), np.linspace(0.2, 1.3, 40)
    errors = []
    for count in (4, 8):
        mesh = box_mesh(SQUARE, (1, count), shape_order=order, deformation=bent)
        radii = [
            np.linalg.norm(mesh.project_onto_side_set(start, (np.cos(a), np.sin(a)), "x1")) for a in angles
        ]
        errors.append(np.abs(np.array(radii) - 2.0).max())
    assert np.log2(errors[0] / errors[1]) > order + 1 - 0.3
    assert errors[1] < 10.0 ** -(order + 1)


def test_of_several_crossings_the_nearest_counts() -> None:
    def wavy(points: np.ndarray) -> np.ndarray:
        return points + np.outer(points[:, 1] * 0.1 * np.sin(2 * np.pi * points[:, 0]), Y[:2])

    mesh = box_mesh(SQUARE, (12, 1), shape_order=4, deformation=wavy)
    # 1 + 0.1 sin(2 pi x) = 1.05 at x = 1/12 and x = 5/12
    for start, expected in ((0.2, 1 / 12), (0.3, 5 / 12), (-5.0, 1 / 12), (7.0, 5 / 12)):
        found = mesh.project_onto_side_set((start, 1.05), (1.0, 0.0), "y1")
        assert found == pytest.approx([expected, 1.05], abs=1e-6)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_facet_that_is_crossed_twice(dim: int) -> None:
    def arch(points: np.ndarray) -> np.ndarray:
        up = points[:, -1] * points[:, 0] * (1.0 - points[:, 0])
        return points + np.outer(up, np.eye(dim)[-1])

    mesh = box_mesh((SQUARE, CUBE)[dim - 2], (1,) * dim, shape_order=2, deformation=arch)
    top, along = ("y1", "z1")[dim - 2], np.eye(dim)[0]
    low, high = 0.5 - np.sqrt(0.15), 0.5 + np.sqrt(0.15)  # x (1 - x) = 0.1
    for start, expected in ((0.45, low), (0.55, high), (-1.0, low), (2.0, high)):
        point = np.array([start, 0.3, 1.1])[[0, 2] if dim == 2 else [0, 1, 2]]
        found = mesh.project_onto_side_set(point, along, top)
        assert found[0] == pytest.approx(expected, abs=1e-13) and found[1:].tolist() == point[1:].tolist()


def test_numbering_and_direction_do_not_matter() -> None:
    mesh = with_hill(2, 3, (4, 3))
    other = shuffled(mesh, np.random.default_rng(5))
    for start in ((0.1, 0.0), (0.5, 2.0), (0.77, 0.9)):
        found = mesh.project_onto_side_set(start, (0.1, 1.0), "y1")
        for one, direction in ((other, (0.1, 1.0)), (mesh, (-0.2, -2.0))):
            np.testing.assert_allclose(one.project_onto_side_set(start, direction, "y1"), found, atol=1e-14)


def test_far_from_the_origin() -> None:
    def moved(points: np.ndarray) -> np.ndarray:
        return points * [1.0, 1.0 + 0.1 * 0.5] + [5e5, 4.5e6]

    mesh = box_mesh(SQUARE, (3, 2), shape_order=2, deformation=moved)
    found = mesh.project_onto_side_set((5e5 + 0.4, 0.0), (0.0, 1.0), "y1")
    assert found == pytest.approx([5e5 + 0.4, 4.5e6 + 1.05], rel=0, abs=2e-9)


@pytest.mark.parametrize(
    ("point", "direction", "side_set", "text"),
    [
        ((2.0, 0.5), (0, 1), "y1", r"along \(0, 1\) passes 1 m from it, nearest at \(1, 1\); move the point"),
        ((0.5, 0.5), (0, 1), "x1", r"passes 0.5 m from it"),
        ((1.0, 0.5), (0, 2), "x1", "only touches it, or lies in it"),
        ((0.5, 0.5), (0, 1), "y2", "unknown side set 'y2'; did you mean 'y"),
        ((0.5, 0.5), (0, 1), "nothing", "the side set is empty"),
        ((0.5, 0.5, 0.5), (0, 1), "y1", "expected 2 coordinates and a vector of 2 components"),
        ((0.5, 0.5), (0, 0), "y1", "that is not zero"),
        ((0.5, np.nan), (0, 1), "y1", "point has 1 values that are NaN or infinite"),
    ],
)
def test_lines_that_miss(point: tuple, direction: tuple, side_set: str, text: str) -> None:
    mesh = box_mesh(SQUARE, (3, 2))
    mesh.side_sets["nothing"] = np.zeros((0, 2), dtype=np.int64)
    with pytest.raises(ValueError) as caught:
        mesh.project_onto_side_set(point, direction, side_set)
    assert re.search(text, str(caught.value)) and side_set in str(caught.value)
