"""Mesh: numbering, geometry, fields, side sets, and what it refuses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from meshes import bent, sheared, shuffled, sinusoidal
from wavetree.mesh import Mesh, box_mesh
from wavetree.mesh.interpolation import change_order, gll_points, lagrange_matrix

UNIT = [(0.0, 1.0), (0.0, 1.0)]
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def unit_mesh(shape_order: int = 1, **options: object) -> Mesh:
    return box_mesh(UNIT, (4, 3), shape_order=shape_order, **options)


# -- box ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape_order", [1, 2, 3, 4])
def test_box_has_the_expected_sizes_and_sides(shape_order):
    mesh = box_mesh([(-1.0, 2.0), (0.5, 1.0)], (4, 3), shape_order=shape_order)
    assert mesh.nelem == 12
    assert mesh.n_points == (4 * shape_order + 1) * (3 * shape_order + 1)
    assert mesh.bounds == ((-1.0, 2.0), (0.5, 1.0))
    assert {name: len(rows) for name, rows in mesh.side_sets.items()} == {"x0": 3, "x1": 3, "y0": 4, "y1": 4}
    # x fastest: the first row of an element runs along x.
    first = mesh.points[mesh.connectivity[0]]
    assert (np.diff(first[: shape_order + 1, 0]) > 0).all()
    assert np.ptp(first[: shape_order + 1, 1]) == 0.0


def test_box_in_three_dimensions():
    mesh = box_mesh([(0, 1), (0, 2), (0, 3)], (2, 3, 2), shape_order=2)
    assert mesh.dim == 3
    assert mesh.mass_weights(2).sum() == pytest.approx(6.0, rel=1e-13)
    assert sorted(mesh.side_sets) == ["x0", "x1", "y0", "y1", "z0", "z1"]
    named = {name: sorted(map(tuple, rows)) for name, rows in mesh.side_sets.items()}
    mesh.find_side_sets()
    assert {name: sorted(map(tuple, rows)) for name, rows in mesh.side_sets.items()} == named


def test_perturbed_box_keeps_its_outline_and_area():
    mesh = unit_mesh(3, perturbation=0.2, generator=np.random.default_rng(1))
    assert mesh.bounds == ((0.0, 1.0), (0.0, 1.0))
    assert mesh.mass_weights(4).sum() == pytest.approx(1.0, rel=1e-13)
    assert np.ptp(mesh.mass_weights(4).sum(axis=1)) > 1e-3
    same = unit_mesh(3, perturbation=0.2, generator=np.random.default_rng(1))
    assert mesh.digest() == same.digest()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(1.0, 0.0), (0.0, 1.0)], (2, 2)), "bounds of x are 1.0 and 0.0; expected finite numbers"),
        (([(0.0, np.nan), (0.0, 1.0)], (2, 2)), "bounds of x are 0.0 and nan"),
        ((UNIT, (2, 0)), "counts of y is 0; expected a whole number"),
        ((UNIT, (2, 2, 2)), "bounds has 2 axes and counts 3"),
    ],
)
def test_box_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        box_mesh(*arguments)


def test_box_refuses_bad_options():
    with pytest.raises(ValueError, match=r"shape_order is 5; expected a whole number from 1 to 4"):
        unit_mesh(5)
    with pytest.raises(ValueError, match=r"perturbation is 0.3; expected 0 to below 0.25"):
        unit_mesh(perturbation=0.3, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"generator is None; expected a numpy.random.Generator"):
        unit_mesh(perturbation=0.1)
    with pytest.raises(ValueError, match=r"deformation returned shape"):
        unit_mesh(deformation=lambda points: points[:, 0])
    with pytest.raises(ValueError, match=r"element"):
        unit_mesh(deformation=lambda points: points * np.array([-1.0, 1.0]))


# -- geometry and numbering --------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 4, 7])
@pytest.mark.parametrize(("deformation", "area"), [(sheared, 1.0), (sinusoidal, 1.0)])
def test_area_of_curved_meshes_is_exact_where_quadrature_is(deformation, area, order):
    mesh = unit_mesh(4, deformation=deformation)
    # det J has degree 7 per axis; GLL quadrature of order N is exact to degree 2N - 1.
    exact = deformation is sheared or order >= 4
    assert mesh.mass_weights(order).sum() == pytest.approx(area, rel=1e-12 if exact else 2e-1)


def test_area_of_a_ring_converges_with_the_geometric_order():
    errors = []
    for shape_order in (1, 2, 3, 4):
        mesh = unit_mesh(shape_order, deformation=bent)
        errors.append(abs(mesh.mass_weights(8).sum() - 0.75 * np.pi))
    assert all(later < 0.05 * former for former, later in pairwise(errors)), errors
    assert errors[-1] < 1e-7


def test_area_of_a_ring_converges_with_the_mesh():
    def error(n: int) -> float:
        mesh = box_mesh(UNIT, (n, n), shape_order=2, deformation=bent)
        return abs(mesh.mass_weights(6).sum() - 0.75 * np.pi)

    assert np.log2(error(4) / error(8)) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("order", [1, 3, 4, 8])
def test_mass_matrix_integrates(order):
    mesh = shuffled(unit_mesh(2, deformation=sinusoidal), np.random.default_rng(3))
    mass = mesh.get_mass_matrix(order)
    dof_map = mesh.dof_map(order)
    assert mass.shape == (dof_map.n_dofs,) == ((4 * order + 1) * (3 * order + 1),)
    assert (mass > 0).all()
    assert mass.sum() == pytest.approx(mesh.mass_weights(order).sum(), rel=1e-13)
    x = mesh.node_coordinates(order)[:, :, 0]
    nodal = dof_map.assemble(x) / dof_map.valence
    if order >= 3:
        assert mass @ nodal == pytest.approx((mesh.mass_weights(8) * mesh.node_coordinates(8)[..., 0]).sum())


@pytest.mark.parametrize("shape_order", [1, 2, 4])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_numbering_is_continuous_on_shuffled_meshes(shape_order, order):
    mesh = shuffled(unit_mesh(shape_order, deformation=sheared), np.random.default_rng(7))
    dof_map = mesh.dof_map(order)
    for axis in range(2):
        x = mesh.node_coordinates(order)[:, :, axis]
        nodal = dof_map.assemble(x) / dof_map.valence
        np.testing.assert_allclose(dof_map.gather(nodal), x, atol=1e-14)
    assert dof_map.n_dofs == (4 * order + 1) * (3 * order + 1)
    assert sorted(np.unique(dof_map.element_dofs)) == list(range(dof_map.n_dofs))
    assert dof_map.valence.max() == 4


def test_assemble_is_the_transpose_of_gather():
    rng = np.random.default_rng(2)
    dof_map = shuffled(unit_mesh(), rng).dof_map(4)
    a, b = rng.normal(size=dof_map.n_dofs), rng.normal(size=dof_map.element_dofs.shape)
    assert np.vdot(dof_map.gather(a), b) == pytest.approx(np.vdot(a, dof_map.assemble(b)), rel=1e-13)
    with pytest.raises(ValueError, match=r"nodal has shape \(3,\); expected \(n_dofs,\)"):
        dof_map.gather(np.zeros(3))
    with pytest.raises(ValueError, match=r"element_nodal has shape \(3,\); expected \(nelem, n_nodes\)"):
        dof_map.assemble(np.zeros(3))


def test_geometry_nodes_are_the_points():
    mesh = unit_mesh(3, deformation=sinusoidal)
    np.testing.assert_allclose(mesh.get_element_nodes(), mesh.points[mesh.connectivity], atol=1e-15)
    mesh.attach_field("VP", np.ones((mesh.nelem, 36)))
    assert mesh.get_element_nodes().shape == (mesh.nelem, 36, 2)


def test_centroids():
    mesh = box_mesh([(0.0, 4.0), (0.0, 3.0)], (4, 3), shape_order=2)
    x, y = np.meshgrid(np.arange(4) + 0.5, np.arange(3) + 0.5)
    np.testing.assert_allclose(mesh.get_element_centroid(), np.stack([x.ravel(), y.ravel()], 1), atol=1e-14)


def test_locate_finds_positions_in_curved_elements():
    mesh = shuffled(unit_mesh(4, deformation=sinusoidal), np.random.default_rng(5))
    positions = np.random.default_rng(6).uniform(0.02, 0.98, (20, 2))
    element, reference = mesh.locate(positions)
    at_x = lagrange_matrix(4, reference[:, 0])
    at_y = lagrange_matrix(4, reference[:, 1])
    nodes = mesh.points[mesh.connectivity[element]].reshape(-1, 5, 5, 2)
    np.testing.assert_allclose(np.einsum("nj,ni,njid->nd", at_y, at_x, nodes), positions, atol=1e-12)


def test_locate_refuses():
    mesh = unit_mesh()
    with pytest.raises(ValueError, match=r"1\.5.*"):
        mesh.locate([[0.5, 0.5], [1.5, 0.5]])
    with pytest.raises(ValueError, match=r"positions has shape \(2,\); expected \(n, 2\)"):
        mesh.locate([0.5, 0.5])
    with pytest.raises(ValueError, match=r"positions has 1 values that are NaN"):
        mesh.locate([[np.nan, 0.0]])


def test_orders_are_checked():
    mesh = unit_mesh()
    for call in (mesh.node_coordinates, mesh.mass_weights, mesh.dof_map, mesh.get_mass_matrix):
        for order in (0, 9):
            with pytest.raises(ValueError, match=f"order is {order}; expected a whole number from 1 to 8"):
                call(order)
    with pytest.raises(ValueError, match=r"order is 9"):
        gll_points(9)


def test_change_order_is_exact_upwards():
    rng = np.random.default_rng(0)
    for dim in (2, 3):
        values = rng.normal(size=(5, 3**dim))
        up = change_order(values, dim, 2, 5)
        assert up.shape == (5, 6**dim)
        np.testing.assert_allclose(change_order(up, dim, 5, 2), values, atol=1e-12)
    mesh = unit_mesh(2, deformation=sinusoidal)
    for axis in range(2):
        up = change_order(mesh.node_coordinates(2)[..., axis], 2, 2, 6)
        np.testing.assert_allclose(up, mesh.node_coordinates(6)[..., axis], atol=1e-14)


# -- bad geometry ------------------------------------------------------------------------------


def test_inverted_element_is_named_with_its_corners():
    points = np.vstack([SQUARE, SQUARE + np.array([3.0, 0.0])])
    connectivity = [[0, 1, 2, 3], [5, 4, 7, 6]]
    with pytest.raises(ValueError, match=r"element 1\b.*3.*4") as caught:
        Mesh(points, connectivity)
    assert "corner" in str(caught.value)


def test_degenerate_elements_are_refused():
    with pytest.raises(ValueError, match=r"element 0"):
        Mesh(SQUARE, [[0, 1, 2, 1]])
    flat = SQUARE * [1.0, 0.0]
    with pytest.raises(ValueError, match=r"element 0"):
        Mesh(flat, [[0, 1, 2, 3]])
    with pytest.raises(ValueError, match=r"element 0"):  # a bow tie: two corners swapped
        Mesh(SQUARE, [[0, 1, 3, 2]])


@pytest.mark.parametrize("shape_order", [1, 2])
def test_collapsed_corners_are_found_behind_rounding(shape_order):
    square = box_mesh(UNIT, (1, 1), shape_order=shape_order)
    for angle in np.linspace(0.1, 6.0, 40):
        # The right side shrinks to a point but for rounding, then everything is turned.
        height = 1.0 + 1e-14 - square.points[:, 0]
        points = np.stack([square.points[:, 0], height * square.points[:, 1]], axis=1)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        with pytest.raises(ValueError, match=r"element 0\b.*degenerate.*; its corners are \("):
            Mesh(0.3 * points @ turn, square.connectivity, shape_order)


def test_thin_elements_are_fine():
    mesh = box_mesh([(5e5, 5e5 + 10.0), (5e6, 5e6 + 1e-2)], (2, 2), shape_order=2, deformation=None)
    assert mesh.mass_weights(2).sum() == pytest.approx(0.1, rel=1e-6)


def test_inversion_between_the_geometry_nodes_is_found():
    mesh = box_mesh(UNIT, (1, 1), shape_order=2)
    points = mesh.points.copy()
    points[4] += [0.6, 0.0]  # the middle node beyond its right neighbour's reach
    with pytest.raises(ValueError, match=r"element 0"):
        Mesh(points, mesh.connectivity, 2)


@pytest.mark.parametrize(
    ("points", "connectivity", "shape_order", "message"),
    [
        (SQUARE[:, :1], [[0, 1, 2, 3]], 1, r"points has shape \(4, 1\); expected \(n_points, 2\)"),
        (SQUARE * np.nan, [[0, 1, 2, 3]], 1, r"points has 8 values that are NaN or infinite, the first at"),
        ([["a", "b"]], [[0, 1, 2, 3]], 1, "points has values of type .*; expected real numbers"),
        (SQUARE, [[0, 1, 2]], 1, r"connectivity has shape \(1, 3\) .*expected whole numbers \(nelem, 4\)"),
        (SQUARE, [[0, 1, 2, 3]], 2, r"expected whole numbers \(nelem, 9\) for elements of shape order 2"),
        (SQUARE, [[0.0, 1.0, 2.0, 3.0]], 1, "type float64; expected whole numbers"),
        (SQUARE, np.zeros((0, 4), dtype=int), 1, r"connectivity has shape \(0, 4\)"),
        (SQUARE, [[0, 1, 2, 4]], 1, "connectivity of element 0 names point 4; expected 0 to 3"),
        (SQUARE, [[0, 1, 2, -1]], 1, "connectivity of element 0 names point -1"),
        (SQUARE, [[0, 1, 2, 3]], 5, "shape_order is 5; expected a whole number from 1 to 4"),
    ],
)
def test_bad_meshes_are_refused(points, connectivity, shape_order, message):
    with pytest.raises(ValueError, match=message):
        Mesh(points, connectivity, shape_order)


# -- fields ------------------------------------------------------------------------------------


def test_shape_says_the_kind_of_a_field():
    mesh = unit_mesh(2)
    mesh.attach_field("a", np.arange(mesh.n_points))
    mesh.attach_field("b", np.arange(mesh.nelem))
    assert mesh.tensor_order == 2
    mesh.attach_field("c", np.ones((mesh.nelem, 25)))
    assert (list(mesh.nodal_fields), list(mesh.elemental_fields)) == (["a"], ["b"])
    assert list(mesh.element_nodal_fields) == ["c"]
    assert mesh.tensor_order == 4
    assert mesh.nodal_fields["a"].dtype == np.float64
    mesh.attach_field("a", np.ones(mesh.nelem))  # replaces the nodal one
    assert "a" not in mesh.nodal_fields
    assert "a" in mesh.elemental_fields


def test_bad_fields_are_refused():
    mesh = unit_mesh()
    with pytest.raises(
        ValueError, match=r"field 'VP' has shape \(7,\); expected \(n_points,\) = \(20,\)"
    ) as e:
        mesh.attach_field("VP", np.ones(7))
    assert "(nelem,) = (12,)" in str(e.value)
    assert "(nelem, (k + 1)**2) = (12, 4|9|16|25|36|49|64|81)" in str(e.value)
    with pytest.raises(ValueError, match=r"element-nodal field 'VP' has shape \(12, 5\); expected"):
        mesh.attach_field("VP", np.ones((12, 5)))
    with pytest.raises(ValueError, match=r"nodal field 'VP' has 1 values that are NaN.*index \(3,\)"):
        mesh.attach_field("VP", np.where(np.arange(20) == 3, np.inf, 1.0))
    with pytest.raises(
        ValueError, match=r"nodal field 'VP' has shape \(12,\); expected \(n_points,\) = \(20,\)"
    ):
        mesh.nodal_fields["VP"] = np.ones(12)
    with pytest.raises(
        ValueError, match=r"elemental field 'VP' has shape \(20,\); expected \(nelem,\) = \(12,\)"
    ):
        mesh.elemental_fields["VP"] = np.ones(20)
    with pytest.raises(ValueError, match=r"values of type complex128; expected real numbers"):
        mesh.attach_field("VP", np.ones(12) * 1j)
    with pytest.raises(ValueError, match=r"name of a nodal field is 'a/b'; expected a non-empty text"):
        mesh.attach_field("a/b", np.ones(20))
    mesh.attach_field("VP", np.ones(12))
    with pytest.raises(KeyError, match=r"unknown elemental field 'VQ'; did you mean 'VP'"):
        mesh.elemental_fields["VQ"]
    assert not mesh.nodal_fields
    assert not mesh.element_nodal_fields


def test_element_nodal_fields_have_one_order():
    mesh = unit_mesh()
    mesh.attach_field("VP", np.ones((12, 25)))
    with pytest.raises(ValueError, match=r"'RHO' has 9 columns \(order 2\); expected 25 \(order 4\) as 'VP'"):
        mesh.attach_field("RHO", np.ones((12, 9)))
    mesh.attach_field("VP", np.ones((12, 9)))  # the only one may change
    assert mesh.tensor_order == 2


def closed_ring(n: int, inner: float = 1.0, outer: float = 2.0) -> Mesh:
    """A ring of n elements: a closed mesh whose sides are two circles."""
    angle = 2 * np.pi * np.arange(n) / n
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    k = np.arange(n)
    after = (k + 1) % n
    return Mesh(np.vstack([inner * circle, outer * circle]), np.stack([k, n + k, after, n + after], axis=1))


def test_arrays_are_read_only_and_fields_are_copies():
    mesh = unit_mesh()
    data = np.ones(12)
    mesh.attach_field("VP", data)
    data[0] = 5.0
    assert mesh.elemental_fields["VP"][0] == 1.0
    arrays = [mesh.points, mesh.connectivity, mesh.elemental_fields["VP"], mesh.side_sets["x0"]]
    arrays += [mesh.mass_weights(2), mesh.node_coordinates(2), mesh.dof_map(2).element_dofs]
    for array in arrays:
        with pytest.raises(ValueError, match=r"read-only"):
            array[0] = 0


def test_with_tensor_order_interpolates():
    mesh = unit_mesh(2, deformation=sinusoidal)
    for name, axis in (("a", 0), ("b", 1)):
        mesh.attach_field(name, mesh.node_coordinates(2)[..., axis])
    mesh.attach_field("c", np.arange(12))
    finer = mesh.with_tensor_order(5)
    assert (mesh.tensor_order, finer.tensor_order) == (2, 5)
    np.testing.assert_allclose(finer.element_nodal_fields["b"], mesh.node_coordinates(5)[..., 1], atol=1e-14)
    np.testing.assert_array_equal(finer.elemental_fields["c"], mesh.elemental_fields["c"])


# -- side sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shape_order", [1, 3])
def test_find_side_sets_of_a_shuffled_box(shape_order):
    mesh = shuffled(unit_mesh(shape_order), np.random.default_rng(11))
    expected = {name: set(map(tuple, rows)) for name, rows in mesh.side_sets.items()}
    mesh.side_sets.clear()
    mesh.find_side_sets()
    assert {name: set(map(tuple, rows)) for name, rows in mesh.side_sets.items()} == expected
    assert sum(len(rows) for rows in expected.values()) == 14


def test_find_side_sets_of_a_sheared_box():
    mesh = unit_mesh(deformation=sheared)
    assert len(mesh.side_sets["x0"]) == 3  # by topology, before the deformation
    mesh.side_sets["mine"] = [[0, 0]]
    mesh.find_side_sets()
    sizes = {name: len(rows) for name, rows in mesh.side_sets.items()}
    assert sizes == {"y0": 4, "y1": 4, "surface": 6, "mine": 1}


def test_find_side_sets_of_a_ring():
    mesh = closed_ring(12)
    mesh.find_side_sets()
    assert {name: len(rows) for name, rows in mesh.side_sets.items()} == {"surface": 24}


def test_facets_with_a_node_off_the_plane_are_not_in_it():
    mesh = box_mesh(UNIT, (2, 2), shape_order=2)
    points = mesh.points.copy()
    points[1] += [0.0, 0.05]  # middle of the lower side of element 0
    bumped = Mesh(points, mesh.connectivity, 2)
    bumped.find_side_sets()
    assert {n: len(r) for n, r in bumped.side_sets.items()} == {
        "x0": 2,
        "x1": 2,
        "y0": 1,
        "y1": 2,
        "surface": 1,
    }


def test_a_facet_of_three_elements_is_refused():
    points = np.vstack([SQUARE, [[2.0, 0.0], [2.0, 1.0], [3.0, 0.0], [3.0, 1.0]]])
    mesh = Mesh(points, [[0, 1, 2, 3], [1, 4, 3, 5], [1, 6, 3, 7]])
    with pytest.raises(ValueError, match=r"element 0 shares its side 1 \(points \[1, 3\]\) with 2 elements"):
        mesh.find_side_sets()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 1], r"side set 'a' has shape \(2,\) and type int64; expected whole numbers \(n, 2\)"),
        ([[0.0, 1.0]], "type float64; expected whole numbers"),
        ([[0, 1], [12, 0]], r"has the row \[12, 0\] at 1; expected an element below 12 and a side below 4"),
        ([[0, 4]], r"has the row \[0, 4\] at 0"),
        ([[-1, 0]], r"has the row \[-1, 0\] at 0"),
        ([[0, 1], [0, 1]], "side set 'a' names a facet twice"),
    ],
)
def test_bad_side_sets_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Mesh(unit_mesh().points, unit_mesh().connectivity, side_sets={"a": rows})


# -- values ------------------------------------------------------------------------------------


def test_digest_belongs_to_the_content():
    mesh, same = unit_mesh(2), unit_mesh(2)
    digests = {mesh.digest()}
    assert mesh.digest() == same.digest() == mesh.copy().digest()
    for name, data in [
        ("VP", np.ones(12)),
        ("VP", np.full(12, 2.0)),
        ("VQ", np.ones(12)),
        ("VN", np.ones(63)),
    ]:
        mesh.attach_field(name, data)
        digests.add(mesh.digest())
    mesh.side_sets["extra"] = [[0, 0]]
    digests.add(mesh.digest())
    assert len(digests) == 6
    assert unit_mesh(1).digest() not in digests
    for fields in (mesh.elemental_fields, mesh.nodal_fields):
        fields.clear()
    del mesh.side_sets["extra"]
    assert mesh.digest() == same.digest()


def test_digest_does_not_depend_on_the_sequence_of_fields():
    first, second = unit_mesh(), unit_mesh()
    for name in ("a", "b"):
        first.attach_field(name, np.ones(12))
    for name in ("b", "a"):
        second.attach_field(name, np.ones(12))
    assert first.digest() == second.digest()


def test_copy_is_independent():
    mesh = unit_mesh()
    mesh.attach_field("VP", np.ones(12))
    copy = mesh.copy()
    copy.attach_field("VP", np.zeros(12))
    copy.attach_field("Q", np.zeros((12, 4)))
    del copy.side_sets["x0"]
    assert mesh.elemental_fields["VP"].max() == 1.0
    assert "x0" in mesh.side_sets
    assert not mesh.element_nodal_fields
    assert copy.digest() != mesh.digest()


def test_repr_is_readable():
    mesh = unit_mesh(2)
    mesh.attach_field("VP", np.full((12, 9), 1500.0))
    mesh.attach_field("<b>", np.zeros(12))
    assert repr(mesh).splitlines() == [
        "Mesh: 12 quads of shape order 2, 63 points",
        "    extent [m]: x 0 to 1, y 0 to 1",
        "    elemental_fields: <b> 0 to 0",
        "    element_nodal_fields of order 2: VP 1500 to 1500",
        "    side_sets: x0 (3), x1 (3), y0 (4), y1 (4)",
    ]
    assert "&lt;b&gt; 0 to 0" in mesh._repr_html_()
    assert repr(mesh.side_sets) == "{'x0': (3, 2), 'x1': (3, 2), 'y0': (4, 2), 'y1': (4, 2)}"
