"""Discs and balls: their size, their elements and how exactly they are round."""

from __future__ import annotations

import numpy as np
import pytest

import wavetree
from wavetree.mesh import disc_mesh
from wavetree.mesh.side_sets import facet_nodes

CENTER = (0.3, -0.2, 0.1)
SIZE = {2: np.pi, 3: 4.0 / 3.0 * np.pi}


def errors(dim: int, shape_order: int, element_size: float) -> tuple[float, float]:
    """Of area or volume, and of the distance from the middle to the surface between the nodes."""
    mesh = disc_mesh(CENTER[:dim], 2.0, element_size, shape_order=shape_order)
    size = SIZE[dim] * 2.0**dim
    rows = mesh.side_sets["surface"]
    nodes = mesh.node_coordinates(8)[rows[:, :1], facet_nodes(dim, 8)[rows[:, 1]]]
    radii = np.linalg.norm(nodes - CENTER[:dim], axis=2)
    return abs(mesh.mass_weights(8).sum() - size) / size, float(np.abs(radii - 2.0).max())


@pytest.mark.parametrize(("dim", "shape_order"), [(2, 1), (2, 2), (2, 3), (2, 4), (3, 1), (3, 2), (3, 4)])
def test_discs_are_round(dim, shape_order):
    """Area and volume with order 2 g, or at rounding; the surface with order g + 1 at least."""
    coarse, fine = errors(dim, shape_order, 0.8), errors(dim, shape_order, 0.4)
    assert fine[0] < 1e-12 or np.log2(coarse[0] / fine[0]) > 2 * shape_order - 0.35
    assert np.log2(coarse[1] / fine[1]) > shape_order + 0.6


@pytest.mark.parametrize("shape_order", [1, 3])
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("element_size", [0.2, 0.7])
def test_elements_are_as_small_as_asked(element_size, dim, shape_order):
    mesh = disc_mesh(CENTER[:dim], 1.0, element_size, shape_order=shape_order)
    quality = mesh.quality()
    assert 0.7 * element_size < quality.longest_edge.max() <= element_size
    assert quality.scaled_jacobian.min() > (0.55 if dim == 2 else 0.35)
    assert mesh.check().passed
    assert set(mesh.side_sets) == {"surface"}
    corners = np.array(mesh.bounds)
    np.testing.assert_allclose(corners.mean(axis=1), CENTER[:dim], atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0.0,), 1.0, 0.1), r"center is \(0.0,\); expected two or three finite coordinates"),
        (((0.0, np.nan), 1.0, 0.1), r"center is .*nan.*; expected two or three finite coordinates"),
        (((0.0, 0.0), -1.0, 0.1), r"radius is -1.0; expected a positive number of metres"),
        (((0.0, 0.0), 1.0, 0.0), r"element_size is 0.0; expected a positive number of metres"),
    ],
)
def test_what_is_no_disc_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        disc_mesh(*arguments)


def test_discs_stand_beside_boxes():
    assert wavetree.mesh.disc_mesh is disc_mesh
