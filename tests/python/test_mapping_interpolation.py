import json

import numpy as np
import pytest

from mappings import dot_defect, prior, random_parameters, slopes_of
from meshes import sinusoidal
from wavetree.config import load
from wavetree.mapping import BoundMapping, Mapping
from wavetree.mapping.interpolation import interpolation_matrix
from wavetree.mapping.nodes import node_positions
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.configuration import MeshReference

BOX = ((0.0, 1.0), (0.0, 0.6))
SCALINGS = ["absolute", "relative_deviation_from_prior", "logarithmic"]


def coarse(counts: tuple[int, int] = (3, 2), order: int = 2, **options: object) -> Mesh:
    return box_mesh(BOX, counts, shape_order=order, **options)


def made() -> Mesh:
    return prior(np.random.default_rng(1))


def bind(mesh: Mesh | None, scaling: str = "absolute", **options: object) -> BoundMapping:
    configured = Mapping(scaling, inversion_parameters=["VP", "RHO"], inversion_mesh=mesh, **options)
    return configured.bind(made())


@pytest.mark.parametrize("order", [1, 2, 4])
def test_polynomials_of_the_inversion_mesh_are_exact(order: int) -> None:
    mesh, source = made(), coarse(order=order)
    matrix = interpolation_matrix(source, mesh)
    assert np.abs(matrix.sum(axis=1) - 1.0).max() < 1e-14
    x, y = node_positions(source).T
    u, v = node_positions(mesh).T
    for power in range(order + 1):
        difference = matrix @ (x**power - (2.0 * y) ** power) - (u**power - (2.0 * v) ** power)
        assert np.abs(difference).max() < 1e-14
    assert matrix.nnz < 0.9 * len(u) * (order + 1) ** 2, "what is exactly zero is not kept"


def test_cubes_and_curved_elements_are_interpolated() -> None:
    cube = box_mesh(((0.0, 1.0),) * 3, (2, 2, 2))
    fine = box_mesh(((0.1, 0.9),) * 3, (2, 1, 1), shape_order=3)
    a, b = node_positions(cube), node_positions(fine)
    matrix = interpolation_matrix(cube, fine)
    assert (
        np.abs(matrix @ (a[:, 0] + 2.0 * a[:, 1] - a[:, 2]) - (b[:, 0] + 2.0 * b[:, 1] - b[:, 2])).max()
        < 1e-14
    )
    square = ((0.0, 1.0), (0.0, 1.0))
    curved = box_mesh(square, (4, 4), shape_order=2, deformation=sinusoidal)
    a, b = node_positions(curved), node_positions(box_mesh(square, (3, 3), shape_order=4))
    matrix = interpolation_matrix(curved, box_mesh(square, (3, 3), shape_order=4))
    assert np.abs(matrix @ a[:, 1] - b[:, 1]).max() < 1e-12, "coordinates are in the space"


def test_parameters_live_on_the_inversion_mesh() -> None:
    source, mesh = coarse(), made()
    bound = bind(source)
    n = source.dof_map(2).n_dofs
    assert bound.size == 2 * n and bound.blocks == {"VP": slice(0, n), "RHO": slice(n, 2 * n)}
    assert bound.inversion_mesh.digest() == source.digest()
    assert np.array_equal(bound.mass, source.get_mass_matrix())
    assert bind(None).inversion_mesh.digest() == mesh.digest()
    for name, values in bound.forward(bound.prior).items():
        assert np.array_equal(values, mesh.element_nodal_fields[name])
    shifted = bound.forward(bound.prior + 7.0)
    for name, values in shifted.items():
        assert np.abs(values - mesh.element_nodal_fields[name] - 7.0).max() < 1e-11
    assert bound.mesh(shifted).nelem == mesh.nelem


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("order", [1, 2])
def test_adjoint_contains_the_transpose(scaling: str, order: int) -> None:
    generator = np.random.default_rng(5)
    bound = bind(coarse(order=order), scaling)
    p = random_parameters(bound, generator)
    assert dot_defect(bound, generator, p) < 1e-13
    np.testing.assert_allclose(slopes_of(bound, generator, p), 2.0, atol=0.02)


def test_the_same_mesh_is_the_identity() -> None:
    same = made()
    free, bound = bind(None), bind(same)
    assert np.abs(bound.prior - free.prior).max() < 1e-10
    p = random_parameters(free, np.random.default_rng(6))
    other = bound.forward(p - free.prior + bound.prior)
    for name, values in free.forward(p).items():
        assert np.abs(values - other[name]).max() < 1e-9


def test_prior_is_a_mean_of_what_is_near() -> None:
    mesh = made()
    bound = bind(coarse(counts=(2, 2), order=1))
    for name, nodal in bound.unpack(bound.prior).items():
        values = mesh.element_nodal_fields[name]
        assert values.min() < nodal.min() and nodal.max() < values.max()
        integral = float(np.sum(mesh.mass_weights(4) * values))
        assert np.sum(bound.mass * nodal) == pytest.approx(integral, rel=0.01)
    mesh.attach_field("VP", np.full((12, 25), 1500.0))
    constant = Mapping("absolute", inversion_parameters=["VP"], inversion_mesh=coarse(order=3)).bind(mesh)
    assert np.abs(constant.prior - 1500.0).max() < 1e-9
    # On a mesh that reaches beyond, nodes that nothing depends on have the mean.
    large = box_mesh(((-1.0, 3.0), (-1.0, 1.0)), (8, 8))
    beyond = Mapping("absolute", inversion_parameters=["VP"], inversion_mesh=large).bind(mesh)
    assert np.abs(beyond.prior - 1500.0).max() < 1e-9 and beyond.size == 81


def test_a_region_and_a_coarse_mesh_meet_at_the_fine_nodes() -> None:
    mesh, bound = made(), bind(coarse(order=1), region_of_interest=np.arange(12) % 4 < 2)
    change = bound.forward(bound.prior + 7.0)["VP"] - mesh.element_nodal_fields["VP"]
    assert not change[np.arange(12) % 4 >= 2].any()
    assert np.abs(change[[0, 4, 8]] - 7.0).max() < 1e-11


def test_a_mesh_that_does_not_cover_is_refused() -> None:
    small = box_mesh(((0.0, 0.9), (0.0, 0.6)), (2, 2))
    with pytest.raises(
        ValueError, match="inversion_mesh does not cover the mesh of the prior: .*Make it larger"
    ):
        bind(small)
    with pytest.raises(ValueError, match="inversion_mesh has 3 dimensions; expected 2"):
        bind(box_mesh(((0.0, 1.0),) * 3, (1, 1, 1)))


def test_the_mesh_is_kept_by_its_digest() -> None:
    mesh = coarse()
    configured = Mapping("absolute", inversion_parameters=["VP"], inversion_mesh=mesh)
    stored = load(json.loads(json.dumps(configured.to_dict())))
    assert stored == configured and isinstance(stored.inversion_mesh, MeshReference)
    with pytest.raises(ValueError, match="inversion_mesh is a reference to mesh"):
        stored.bind(made())
    assert stored.with_inversion_mesh(mesh).bind(made()).size == configured.bind(made()).size
    with pytest.raises(ValueError, match="expected .*, the one that the mapping refers to as inversion_mesh"):
        stored.with_inversion_mesh(made())
    mesh.attach_field("VP", np.ones(6))
    assert not configured.inversion_mesh.elemental_fields, "the configuration has a copy of its own"
    assert Mapping("absolute", inversion_parameters=["VP"]) != configured
