"""Rings, shells and what is cut out of them: their size, their sides and how exactly they are round."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import wavetree
from wavetree.mesh import Mesh, cap_mesh, ring_mesh, sector_mesh
from wavetree.mesh.side_sets import facet_nodes

CENTER, RADII, AXIS = (0.3, -0.2, 0.1), (1.2, 2.0), np.array([1.0, -2.0, 0.7])
ANGLES, OPENING = (0.4, 2.9), 0.8
(R0, R1), DIFFERENCE = RADII, RADII[1] ** 3 - RADII[0] ** 3

Maker = Callable[[float, int], Mesh]
MAKERS: dict[str, Maker] = {
    "ring": lambda h, g: ring_mesh(CENTER[:2], RADII, h, shape_order=g),
    "shell": lambda h, g: ring_mesh(CENTER, RADII, h, shape_order=g),
    "sector": lambda h, g: sector_mesh(CENTER[:2], RADII, ANGLES, h, shape_order=g),
    "cap": lambda h, g: cap_mesh(CENTER, RADII, AXIS, OPENING, h, shape_order=g),
    "half shell": lambda h, g: cap_mesh(CENTER, RADII, -AXIS, 0.5 * np.pi, h, shape_order=g),
}
SIZES = {
    "ring": np.pi * (R1**2 - R0**2),
    "shell": 4.0 / 3.0 * np.pi * DIFFERENCE,
    "sector": 0.5 * (ANGLES[1] - ANGLES[0]) * (R1**2 - R0**2),
    "cap": 2.0 / 3.0 * np.pi * (1.0 - np.cos(OPENING)) * DIFFERENCE,
    "half shell": 2.0 / 3.0 * np.pi * DIFFERENCE,
}


def away(mesh: Mesh, name: str) -> np.ndarray:
    """Positions of points of a side set, also between the nodes, from the centre (n, dim)."""
    rows = mesh.side_sets[name]
    nodes = mesh.node_coordinates(8)[rows[:, :1], facet_nodes(mesh.dim, 8)[rows[:, 1]]]
    return np.asarray(nodes - np.array(CENTER[: mesh.dim])).reshape(-1, mesh.dim)


def errors(name: str, shape_order: int, element_size: float) -> tuple[float, float, float]:
    """Of area or volume, and of inner and outer surface's distance from the centre; mean element size."""
    mesh = MAKERS[name](element_size, shape_order)
    radii = [np.linalg.norm(away(mesh, side), axis=1) for side in ("inner", "outer")]
    off = max(float(np.abs(r - radius).max()) for r, radius in zip(radii, RADII, strict=True))
    size = (SIZES[name] / mesh.nelem) ** (1.0 / mesh.dim)
    return abs(mesh.mass_weights(8).sum() / SIZES[name] - 1.0), off, float(size)


@pytest.mark.parametrize("shape_order", [1, 2, 4])
@pytest.mark.parametrize("name", MAKERS)
def test_they_are_round(name: str, shape_order: int) -> None:
    """Area and volume with order 2 g, or at rounding; the surfaces with order g + 1 at least."""
    coarse, fine = errors(name, shape_order, 0.8), errors(name, shape_order, 0.4)
    halvings = np.log2(coarse[2] / fine[2])  # counts are whole numbers, so it is not quite one
    assert fine[0] < 1e-12 or np.log2(coarse[0] / fine[0]) / halvings > 2 * shape_order - 0.45
    assert np.log2(coarse[1] / fine[1]) / halvings > shape_order + 0.5


@pytest.mark.parametrize("shape_order", [1, 3])
@pytest.mark.parametrize("element_size", [0.4, 0.7])
@pytest.mark.parametrize("name", MAKERS)
def test_elements_are_as_small_as_asked(name: str, element_size: float, shape_order: int) -> None:
    mesh = MAKERS[name](element_size, shape_order)
    quality = mesh.quality()
    assert 0.7 * element_size < quality.longest_edge.max() <= element_size * (1.0 + 1e-9)
    assert quality.scaled_jacobian.min() > (0.7 if mesh.dim == 2 else 0.35)
    assert mesh.check().passed


@pytest.mark.parametrize("name", MAKERS)
def test_all_of_the_boundary_is_named(name: str) -> None:
    mesh = MAKERS[name](0.5, 3)
    others = {"sector": {"start", "end"}, "cap": {"rim"}, "half shell": {"rim"}}.get(name, set())
    assert set(mesh.side_sets) == {"inner", "outer"} | others
    named = np.concatenate(list(mesh.side_sets.values()))
    every = Mesh(mesh.points, mesh.connectivity, 3)
    every.find_side_sets()
    boundary = np.concatenate(list(every.side_sets.values()))
    assert sorted(map(tuple, named.tolist())) == sorted(set(map(tuple, boundary.tolist())))


def test_cuts_stand_at_their_angles() -> None:
    sector = MAKERS["sector"](0.5, 2)
    for side, angle in zip(("start", "end"), ANGLES, strict=True):
        x, y = away(sector, side).T
        np.testing.assert_allclose(np.arctan2(y, x), angle, atol=1e-12)
    cap = cap_mesh(CENTER, RADII, AXIS, OPENING, 0.5, shape_order=4)
    rim = away(cap, "rim")
    cosine = rim @ AXIS / np.linalg.norm(AXIS) / np.linalg.norm(rim, axis=1)
    np.testing.assert_allclose(np.arccos(cosine), OPENING, atol=1e-5)
    # The middle of the cap is along the axis.
    middle = (cap.mass_weights(4)[..., None] * cap.node_coordinates(4)).sum(axis=(0, 1)) / SIZES["cap"]
    away_from = middle - np.array(CENTER)
    np.testing.assert_allclose(np.cross(away_from, AXIS), 0.0, atol=1e-6)
    assert away_from @ AXIS > 0.0


@pytest.mark.parametrize("axis", [(0.0, 0.0, -1.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)])
def test_caps_along_axes(axis: tuple[float, float, float]) -> None:
    cap = cap_mesh((0.0, 0.0, 0.0), RADII, axis, 0.5, 0.5)
    along = cap.points @ np.array(axis)
    assert along.max() == pytest.approx(R1) and along.min() == pytest.approx(R0 * np.cos(0.5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ring_mesh((0.0,), RADII, 0.1), r"center is \(0.0,\); expected two or three finite"),
        (lambda: ring_mesh((0.0, 0.0), (2.0, 1.0), 0.1), r"radii are \(2.0, 1.0\); expected an inner and a"),
        (lambda: ring_mesh((0.0, 0.0), (0.0, 1.0), 0.1), "disc_mesh makes discs and balls without a hole"),
        (lambda: ring_mesh((0.0, 0.0), RADII, 0.0), "element_size is 0.0; expected a positive number"),
        (lambda: sector_mesh(CENTER, RADII, ANGLES, 0.1), r"center is .*; expected two finite coordinates"),
        (lambda: sector_mesh(CENTER[:2], RADII, (1.0, 0.5), 0.1), r"angles are \(1.0, 0.5\); expected a fir"),
        (lambda: sector_mesh(CENTER[:2], RADII, (0.0, 6.3), 0.1), "ring_mesh makes the whole ring"),
        (lambda: cap_mesh(CENTER[:2], RADII, AXIS, 0.5, 0.1), "center is .*; expected three finite coord"),
        (lambda: cap_mesh(CENTER, RADII, (0.0, 0.0, 0.0), 0.5, 0.1), "axis is .* not all zero"),
        (lambda: cap_mesh(CENTER, RADII, AXIS, 2.2, 0.1), "opening_angle is 2.2; expected one above 0 and"),
    ],
)
def test_what_is_no_ring_is_refused(make: Callable[[], Mesh], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_rings_stand_beside_boxes() -> None:
    assert wavetree.mesh.ring_mesh is ring_mesh
