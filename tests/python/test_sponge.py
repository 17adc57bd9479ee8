"""Sponge layers: what is added, and where its material comes from."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import make_mesh, sheared, shuffled, sinusoidal
from simulations import VP
from wavetree.mesh import Mesh, box_mesh
from wavetree.mesh.side_sets import facet_nodes
from wavetree.simulation.boundary import Absorbing, HomogeneousDirichlet
from wavetree.simulation.core import make_core
from wavetree.simulation.sponge import ExtendedMesh, extend

DIMENSIONS = (2, 3)
COUNTS = (4, 3, 2)


def sponge(*sides: str, width: float = 0.5) -> Absorbing:
    return Absorbing(sides, width_in_meters=width, reference_velocity=VP)


def all_sides(dim: int) -> tuple[str, ...]:
    return tuple(f"{axis}{end}" for axis in "xyz"[:dim] for end in (0, 1))


def box(dim: int = 2, shape_order: int = 2, deformation=None, turned: bool = False) -> Mesh:
    """The unit square or cube."""
    bounds = ((0.0, 1.0),) * dim
    mesh = box_mesh(bounds, COUNTS[:dim], shape_order=shape_order, deformation=deformation)
    return shuffled(mesh, np.random.default_rng(1)) if turned else mesh


def three_elements(dim: int) -> Mesh:
    """The unit square or cube with an edge into the edge at x = y = 0, which so belongs to two elements."""
    points = np.array([[0, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0.6, 0.4]])
    quads = np.array([[0, 1, 6, 2], [6, 2, 4, 3], [0, 6, 5, 4]])
    if dim == 3:
        points = np.concatenate([np.c_[points, np.full(7, z)] for z in (0.0, 0.4, 1.0)])
        quads = np.concatenate([np.c_[quads + 7 * k, quads + 7 * (k + 1)] for k in (0, 1)])
    mesh = Mesh(points, quads)
    mesh.find_side_sets()
    return mesh


def size(mesh: Mesh, name: str) -> float:
    """Length or area of a plane side of straight elements, from its facets' corners."""
    rows = mesh.side_sets[name]
    nodes = facet_nodes(mesh.dim, mesh.shape_order)[rows[:, 1]]
    if mesh.dim == 2:
        ends = mesh.points[mesh.connectivity[rows[:, :1], nodes[:, [0, -1]]]]
        return float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())
    g = mesh.shape_order
    grid = mesh.points[mesh.connectivity[rows[:, :1], nodes[:, [0, g, -1, -1 - g]]]]
    diagonals = grid[:, 2] - grid[:, 0], grid[:, 3] - grid[:, 1]
    return float(0.5 * np.linalg.norm(np.cross(*diagonals), axis=1).sum())


# -- what is added -----------------------------------------------------------------------------


SIDES = [
    ("x0",),
    ("x0", "y1"),
    ("y1", "y0", "x1"),
    ("x0", "x1", "y0", "y1"),
    ("z1",),
    ("z0", "x1"),
    ("z1", "y0", "x0"),
    ("z0", "z1", "y0", "y1", "x0", "x1"),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape_order", [1, 2, 4])
@pytest.mark.parametrize(("dim", "sides"), [
    (dim, sides) for dim in DIMENSIONS for sides in SIDES if dim == 3 or "z" not in "".join(sides)
])  # fmt: skip
def test_layers_and_their_corners_fill_a_larger_box(dim, sides, shape_order, turned):
    mesh = box(dim, shape_order, sinusoidal if shape_order > 1 else None, turned)
    extended = extend(mesh, [sponge(*sides)], 4).mesh
    extent = [(-0.5 * (f"{a}0" in sides), 1 + 0.5 * (f"{a}1" in sides)) for a in "xyz"[:dim]]
    assert np.allclose(extended.bounds, extent, atol=1e-12)
    assert extended.mass_weights(8).sum() == pytest.approx(np.prod(np.ptp(extent, axis=1)), rel=1e-12)
    # Nothing lies on top of anything else, and nothing hangs loose: as many nodes as a box has.
    thick = [round(0.5 * n + 0.1) for n in COUNTS]  # elements of a layer, for they are 1 / n wide
    n = [
        c + t * ((f"{a}0" in sides) + (f"{a}1" in sides))
        for a, c, t in zip("xyz", COUNTS, thick, strict=True)
    ]
    if shape_order == 1:
        assert extended.nelem == np.prod(n[:dim])
        assert extended.dof_map(4).n_dofs == np.prod(4 * np.array(n[:dim]) + 1)
    named = {name: set(map(tuple, rows)) for name, rows in extended.side_sets.items()}
    extended.side_sets.clear()
    extended.find_side_sets()
    assert {name: set(map(tuple, rows)) for name, rows in extended.side_sets.items()} == named


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_layers_on_unstructured_meshes_fill_a_larger_box(dim):
    for mesh in (make_mesh("perturbed", dim, 3, 2, np.random.default_rng(5)), three_elements(dim)):
        whole = extend(mesh, [sponge(*all_sides(dim))], 2).mesh
        assert whole.mass_weights(8).sum() == pytest.approx(2.0**dim)
        named = {name: len(rows) for name, rows in whole.side_sets.items()}
        whole.find_side_sets()
        assert {name: len(rows) for name, rows in whole.side_sets.items()} == named


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_the_domain_stays_as_it_is(dim):
    mesh = box(dim, 4, sinusoidal)
    extended = extend(mesh, [sponge("x0", "y1", width=0.3)], 3)
    np.testing.assert_array_equal(extended.mesh.connectivity[: mesh.nelem], mesh.connectivity)
    np.testing.assert_array_equal(extended.mesh.points[: mesh.n_points], mesh.points)
    without = extend(mesh, [HomogeneousDirichlet(["y1"]), Absorbing(["x0"])], 3)
    assert without.mesh is mesh
    assert without.rate().shape == (0, 4**dim)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("conditions", [(1, 0), (0, 1)])
def test_other_sides_are_continued(conditions, dim):
    both = [sponge("x0", "x1"), HomogeneousDirichlet(["y1"])]
    extended = extend(box(dim, turned=True), [both[k] for k in conditions], 2).mesh
    for name in all_sides(dim):
        assert size(extended, name) == pytest.approx(1.0 if name in ("x0", "x1") else 2.0)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_corners_of_two_elements_are_filled(dim):
    whole = extend(three_elements(dim), [sponge("x0", "y0")], 2).mesh
    assert whole.mass_weights(2).sum() == pytest.approx(2.25)
    side = extend(three_elements(dim), [sponge("x0")], 2).mesh
    assert size(side, "y0") == size(side, "y1") == pytest.approx(1.5)


def test_layers_side_by_side_are_refused():
    mesh = box()
    rows = mesh.side_sets["x0"]
    mesh.side_sets["low"], mesh.side_sets["high"] = rows[:1], rows[1:]
    with pytest.raises(ValueError, match=r"side sets 'low' and 'high' touch and lie in one plane; expected"):
        extend(mesh, [sponge("low", "high")], 2)
    part = extend(mesh, [sponge("low")], 2).mesh
    assert size(part, "high") == pytest.approx(2 / 3)  # not continued into the layer's end
    assert size(part, "y0") == pytest.approx(1.5)
    assert size(part, "y1") == pytest.approx(1.0)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_sides_that_are_not_planes_are_refused(dim):
    with pytest.raises(
        ValueError, match=r"side set 'x0' is not a plane normal to an axis \(it spans \[0.[35]"
    ):
        extend(box(dim, 2, sheared), [sponge("x0")], 2)
    with pytest.raises(ValueError, match=r"side set 'boundary' is not a plane normal to an axis"):
        extend(make_mesh("disc", dim), [sponge("boundary")], 2)


def test_sides_of_a_notch_are_refused():
    whole = box_mesh(((0.0, 1.0), (0.0, 1.0)), (2, 2))
    notched = Mesh(whole.points, whole.connectivity[:3], 1, {"notch": np.array([[1, 3]])})
    with pytest.raises(ValueError, match=r"'notch' lies at 0\.5 m, inside the mesh's extent from 0 to 1 m"):
        extend(notched, [sponge("notch")], 2)


def test_empty_side_sets_are_refused():
    mesh = box()
    for name in ("VP", "RHO"):
        mesh.attach_field(name, np.full((mesh.nelem, 9), 1500.0))
    mesh.side_sets["nothing"] = np.zeros((0, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="side set 'nothing' is empty"):
        make_core(mesh, [sponge("nothing")], "float64", threads=1)


# -- material and damping ----------------------------------------------------------------------


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("turned", [False, True])
def test_material_is_that_of_the_nearest_edge_node(turned, dim):
    order, mesh = 4, box(dim, 2, sinusoidal, turned)
    extended = extend(mesh, [sponge(*all_sides(dim))], order)
    x = extended.mesh.node_coordinates(order)
    # Continuous values that name their place: what is spread is the value at the nearest place.
    for weights in np.eye(dim):
        spread = extended.spread(mesh.node_coordinates(order) @ weights)
        np.testing.assert_allclose(spread, np.clip(x, 0.0, 1.0) @ weights, atol=1e-12)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_every_element_continues_one_of_the_domain(dim):
    mesh = box(dim, 1, turned=True)
    extended = extend(mesh, [sponge(*all_sides(dim))], 3)
    nearest = np.clip(extended.mesh.get_element_centroid(), 1e-6, 1.0 - 1e-6)
    np.testing.assert_array_equal(extended.origin, mesh.locate(nearest)[0])
    # No node takes the material of another element, beyond an interface.
    assert (extended.source // 4**dim == extended.origin[:, None]).all()
    np.testing.assert_array_equal(extended.origin[: mesh.nelem], np.arange(mesh.nelem))


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("turned", [False, True])
def test_collect_is_the_transpose_of_spread(turned, dim):
    rng = np.random.default_rng(2)
    mesh = box(dim, turned=turned)
    extended = extend(mesh, [sponge("x0", "y1", "y0")], 3)
    x, y = rng.standard_normal((mesh.nelem, 4**dim)), rng.standard_normal((extended.mesh.nelem, 4**dim))
    assert np.vdot(extended.spread(x), y) == pytest.approx(np.vdot(x, extended.collect(y)), rel=1e-12)
    assert extended.collect(y).shape == x.shape
    plain = ExtendedMesh(mesh, 3, np.arange(x.size).reshape(x.shape))
    np.testing.assert_array_equal(plain.collect(plain.spread(x)), x)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_the_damping_rises_with_the_square_of_the_depth(dim):
    mesh = box(dim)
    sides = ("x1", "y0", "z1")[:dim]
    extended = extend(mesh, [sponge(*sides)], 4)
    x = extended.mesh.node_coordinates(4)
    depths = [np.maximum(0.0, x[..., 0] - 1.0), np.maximum(0.0, -x[..., 1])]
    if dim == 3:
        depths.append(np.maximum(0.0, x[..., 2] - 1.0))
    peak = 1.5 * VP * np.log(1e2) / 0.5  # both ways through the layer a wave keeps 1e-2 of its amplitude
    expected = peak * sum((depth / 0.5) ** 2 for depth in depths)
    np.testing.assert_allclose(extended.rate(), expected, rtol=1e-9, atol=1e-6)
    assert extended.rate()[: mesh.nelem].max() < 1e-20  # the domain itself is not damped
    path = np.linspace(0.0, 0.5, 2001)
    assert np.exp(-2 * np.trapezoid(peak * (path / 0.5) ** 2, path) / VP) == pytest.approx(1e-2, rel=1e-5)
