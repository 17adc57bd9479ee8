"""Meshes in three dimensions: numbering, geometry, fields, sides, resolution, projects."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from meshes import KINDS, make_mesh
from wavetree.domain import BoxDomain2D, dim3
from wavetree.mesh import Mesh, MeshResolution, box_mesh, mesh_from_domain, resolved_frequency
from wavetree.mesh.interpolation import change_order, gll_points, lagrange_matrix
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.project.project import Project
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    SimulationConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WaveformSimulationConfiguration,
    build_mesh,
)
from wavetree.survey.stf import Ricker

BOX = dim3.BoxDomain(x0=0, x1=30.0, y0=-10, y1=10, z0=-15, z1=0)
WATER = IsotropicAcoustic(vp=1500.0, rho=1000.0)


def shuffled_mesh(kind: str, shape_order: int = 2) -> Mesh:
    return make_mesh(kind, 3, shape_order, 2, np.random.default_rng(1))


@pytest.mark.parametrize("shape_order", [1, 2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_positions_are_found_in_curved_hexes(kind, shape_order):
    mesh, rng = shuffled_mesh(kind, shape_order), np.random.default_rng(2)
    elements = rng.integers(0, mesh.nelem, 40)
    reference = rng.uniform(-0.99, 0.99, (40, 3))
    x, y, z = (lagrange_matrix(shape_order, reference[:, k]) for k in range(3))
    shape = np.einsum("nk,nj,ni->nkji", z, y, x).reshape(40, -1)
    positions = np.einsum("nk,nkd->nd", shape, mesh.points[mesh.connectivity[elements]])
    found, at = mesh.locate(positions)
    np.testing.assert_array_equal(found, elements)
    np.testing.assert_allclose(at, reference, atol=1e-9)


@pytest.mark.parametrize(("order", "new_order"), [(1, 3), (2, 5), (4, 8), (5, 2)])
def test_change_order_is_exact_for_polynomials_of_the_lower_order(order, new_order):
    rng, low = np.random.default_rng(3), min(order, new_order)
    coefficients = rng.standard_normal((2, low + 1, low + 1, low + 1))

    def values(k: int) -> np.ndarray:
        powers = gll_points(k)[:, None] ** np.arange(low + 1)
        return np.einsum("ecba,kc,jb,ia->ekji", coefficients, powers, powers, powers).reshape(2, -1)

    np.testing.assert_allclose(
        change_order(values(order), 3, order, new_order), values(new_order), atol=1e-12
    )


def test_fields_keep_their_values_when_the_order_rises():
    mesh = shuffled_mesh("sheared", 1)
    mesh.attach_field("VP", mesh.node_coordinates(2)[..., 2] ** 2)
    raised = mesh.with_tensor_order(5)
    np.testing.assert_allclose(
        raised.element_nodal_fields["VP"], raised.get_element_nodes()[..., 2] ** 2, atol=1e-12
    )
    assert raised.get_element_nodes().shape == (mesh.nelem, 216, 3)


@pytest.mark.parametrize("kind", ["box", "sheared", "perturbed"])
def test_the_mass_matrix_integrates(kind):
    mesh = shuffled_mesh(kind, 1)
    dofs = mesh.dof_map(6)
    x = np.empty((dofs.n_dofs, 3))
    x[dofs.element_dofs] = mesh.node_coordinates(6)
    plain = make_mesh(kind, 3, 1, 2)
    for powers in itertools.product((0, 1, 2), repeat=3):
        integral = mesh.get_mass_matrix(6) @ np.prod(x**powers, axis=1)
        elementwise = np.sum(plain.mass_weights(8) * np.prod(plain.node_coordinates(8) ** powers, axis=2))
        assert integral == pytest.approx(elementwise, rel=1e-12)
        if kind != "sheared":
            assert integral == pytest.approx(np.prod(1.0 / (1.0 + np.array(powers))), rel=1e-12)


def test_assemble_is_the_transpose_of_gather():
    dofs, rng = shuffled_mesh("disc").dof_map(3), np.random.default_rng(4)
    a, b = rng.standard_normal(dofs.n_dofs), rng.standard_normal(dofs.element_dofs.shape)
    assert np.vdot(dofs.gather(a), b) == pytest.approx(np.vdot(a, dofs.assemble(b)), rel=1e-12)


@pytest.mark.parametrize("shape_order", [1, 3, 4])
def test_sides_are_found(shape_order):
    mesh = shuffled_mesh("perturbed", shape_order)
    counts = dict(zip("xyz", (2, 3, 4), strict=True))
    mesh.side_sets.clear()
    mesh.find_side_sets()
    assert {name: len(rows) for name, rows in mesh.side_sets.items()} == {
        f"{axis}{end}": 24 // n for axis, n in counts.items() for end in (0, 1)
    }
    centroids = mesh.get_element_centroid()
    for axis, n in enumerate(counts.values()):
        assert centroids[mesh.side_sets[f"{'xyz'[axis]}1"][:, 0], axis].min() > 1.0 - 1.2 / n


def test_an_inverted_hex_is_named_with_its_corners():
    mesh = box_mesh([(0, 1)] * 3, (2, 1, 1))
    connectivity = mesh.connectivity.copy()
    connectivity[1] = connectivity[1][[1, 0, 3, 2, 5, 4, 7, 6]]  # mirrored
    with pytest.raises(ValueError, match=r"element 1 .*corners.*\(1, 0, 0\)"):
        Mesh(mesh.points, connectivity)


# -- resolution and projects ---------------------------------------------------------------------


def test_a_box_is_meshed_by_the_shortest_wave():
    mesh = mesh_from_domain(BOX, WATER, MeshResolution(200.0, elements_per_wavelength=2.0, model_order=4))
    # 1500 / (200 · 2) = 3.75 m: 8 x 5.33 x 4 elements.
    assert mesh.nelem == 8 * 6 * 4
    assert mesh.bounds == BOX.bounds
    assert mesh.element_nodal_fields["VP"].shape == (mesh.nelem, 125)
    assert set(mesh.side_sets) == {"x0", "x1", "y0", "y1", "z0", "z1"}
    assert resolved_frequency(mesh, np.full(mesh.nelem, 1500.0)) == pytest.approx(1500.0 * 4 / (5 * 3.75))


def event_configuration() -> EventConfiguration:
    span = WaveformSimulationConfiguration(end_time_in_seconds=0.1)
    return EventConfiguration(wavelet=Ricker(50.0), waveform_simulation_configuration=span)


def test_configurations_mesh_boxes_and_take_hexes():
    configuration = SimulationConfiguration(
        "water",
        max_frequency_in_hertz=100.0,
        elements_per_wavelength=1.0,
        tensor_order=3,
        model_configuration=ModelConfiguration(background_model=WATER),
        event_configuration=event_configuration(),
    )
    mesh = build_mesh(configuration, BOX, {})
    assert (mesh.dim, mesh.nelem, mesh.tensor_order) == (3, 2 * 2 * 1, 3)
    given = UnstructuredMeshSimulationConfiguration(
        "given", unstructured_mesh=mesh, event_configuration=event_configuration()
    )
    taken = build_mesh(given, BOX, {})
    assert taken.element_nodal_fields["RHO"].shape == (4, 125)


def test_a_project_has_a_box(tmp_path):
    project = Project.from_domain(tmp_path / "project", BOX)
    assert project.domain == BOX
    assert "x 0 to 30 m, y -10 to 10 m, z -15 to 0 m" in repr(project)
    again = Project.from_domain(tmp_path / "project", BOX, load_if_exists=True)
    assert again.domain == BOX
    with pytest.raises(ValueError, match="domain"):
        flat = BoxDomain2D(x0=0, x1=30.0, y0=-10, y1=10)
        Project.from_domain(tmp_path / "project", flat, load_if_exists=True)
