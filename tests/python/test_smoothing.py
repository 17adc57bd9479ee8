"""The five properties of smoothing, on boxes and curved meshes."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pytest

from meshes import shuffled, sinusoidal
from wavetree.config import load
from wavetree.mesh import Mesh, box_mesh, gradient_mesh
from wavetree.smoothing import ConstantSmoothing, smooth_model, smoother

LENGTHS = [0.02, 0.05, 0.2, (0.02, 0.1), (0.0, 0.05)]


class Case:
    """A mesh of the unit square or cube with an order of nodes."""

    def __init__(self, order: int, n: int, curved: bool, points_per_wavelength: float, dim: int = 2) -> None:
        self.dim = dim
        bounds, shape_order = ((0.0, 1.0),) * dim, 4 if dim == 2 else 2
        self.mesh: Mesh = box_mesh(
            bounds, (n,) * dim, shape_order=shape_order, deformation=sinusoidal if curved else None
        )
        if curved:
            self.mesh = shuffled(self.mesh, np.random.default_rng(1))
        self.order = order
        dofs = self.mesh.dof_map(order)
        self.size = dofs.n_dofs
        self.x = np.zeros((self.size, dim))
        self.x[dofs.element_dofs] = self.mesh.node_coordinates(order)
        self.mass = self.mesh.get_mass_matrix(order)
        # Half waves along a side that the elements resolve.
        self.highest = int(2 * order * n / points_per_wavelength)

    def smooth(self, length, field: np.ndarray, threads: int = 1) -> np.ndarray:
        return self.smoother(length, threads).apply(field)

    def smoother(self, length, threads: int = 1):
        return smoother(self.mesh, self.order, self.adapted(length), threads)

    def adapted(self, length):
        """A length for as many axes as there are: that along z is the one along x."""
        return (*length, length[0])[: self.dim] if isinstance(length, tuple) else length

    def axes(self, length) -> np.ndarray:
        return np.broadcast_to(self.adapted(length), self.dim)

    def inner(self, a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sum(a * self.mass * b))

    def norm(self, a: np.ndarray) -> float:
        return np.sqrt(self.inner(a, a))


# On average: the widest elements of the curved meshes are half as wide again, and linear elements with lumped
# mass err by (kh)²/12 of k².
CASES = {
    "1-box": Case(1, 32, False, 8.0),
    "4-box": Case(4, 8, False, 5.3),
    "8-box": Case(8, 4, False, 4.0),
    "1-curved": Case(1, 64, True, 24.0),
    "4-curved": Case(4, 8, True, 8.0),
    "8-curved": Case(8, 4, True, 8.0),
    "4-cube": Case(4, 4, False, 5.3, dim=3),
    "2-curved-cube": Case(2, 6, True, 10.0, dim=3),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(params=LENGTHS, ids=str)
def length(request: pytest.FixtureRequest):
    return request.param


def test_smoothing_is_self_adjoint_in_the_mass(case, length):
    a, b = np.random.default_rng(2).standard_normal((2, case.size))
    operator = case.smoother(length)
    defect = case.inner(a, operator.apply(b)) - case.inner(operator.apply(a), b)
    assert abs(defect) <= 1e-13 * case.norm(a) * case.norm(b)


SMALL = [(order, n, curved) for order, n in ((1, 12), (4, 3), (8, 2)) for curved in (False, True)]


def dense(small: Case, length) -> np.ndarray:
    """The operator as a matrix that is symmetric where it is self-adjoint in the mass."""
    operator, root = small.smoother(length), np.sqrt(small.mass)
    matrix = np.stack([operator.apply(column) for column in np.eye(small.size)], axis=1)
    return root[:, None] * matrix / root


@pytest.mark.parametrize(("order", "n", "curved"), SMALL)
def test_smoothing_is_positive_semidefinite(order, n, curved, length):
    matrix = dense(Case(order, n, curved, 8.0), length)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-13)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues.min() > -1e-14
    assert eigenvalues.max() == pytest.approx(1.0, abs=2e-3)  # nothing is amplified, but for the polynomial


@pytest.mark.parametrize(("order", "n", "curved"), SMALL)
def test_smoothing_is_a_semigroup_for_every_field(order, n, curved, length, record_property):
    small = Case(order, n, curved, 8.0)
    first, second, whole = (dense(small, tuple(s * small.axes(length))) for s in (0.6, 0.8, 1.0))
    error = np.linalg.norm(first @ second - whole, 2)
    record_property("error", float(error))
    assert error < 0.02


def test_smoothing_keeps_constants_and_integrals(case, length):
    operator = case.smoother(length)
    np.testing.assert_allclose(operator.apply(np.full(case.size, 3.0)), 3.0, rtol=1e-13)
    a = np.random.default_rng(3).standard_normal(case.size)
    integral, kept = case.mass @ a, case.mass @ operator.apply(a)
    assert abs(kept - integral) <= 1e-13 * np.sqrt(case.mass.sum()) * case.norm(a)


def worst_damping(case: Case, length, highest: int) -> float:
    """Largest error of Π cos(k_i x_i), which the rigid sides of the square let be, against the Gaussian's
    exp(−Σ k_i² σ_i²/2), over wave numbers up to so many half waves along a side."""
    operator, sigma = case.smoother(length), case.axes(length)
    half_waves = np.unique(np.append(np.geomspace(1, highest, 5).astype(int), 0))
    errors = []
    for k in np.pi * np.array(list(itertools.product(half_waves, repeat=case.dim))):
        wave = np.prod(np.cos(k * case.x), axis=1)
        damped = np.exp(-0.5 * np.sum((k * sigma) ** 2)) * wave
        errors.append(np.abs(operator.apply(wave) - damped).max())
    return float(max(errors))


def test_smoothing_damps_waves_as_a_gaussian(case, length, record_property):
    worst = worst_damping(case, length, case.highest)
    record_property("error", worst)
    assert worst < 0.02


@pytest.mark.parametrize("name", ["4-box", "8-box", "4-curved", "8-curved"])
def test_long_waves_are_damped_to_the_accuracy_of_the_polynomial(name, length):
    assert worst_damping(CASES[name], length, CASES[name].highest // 3) < 4e-3


def test_zero_length_leaves_a_field_as_it_is(case):
    field = np.random.default_rng(5).standard_normal(case.size)
    for zero in (0.0, (0.0, 0.0)):
        np.testing.assert_array_equal(case.smooth(zero, field), field)


def test_one_zero_length_leaves_that_direction_as_it_is():
    box = CASES["4-box"]
    along_x = np.cos(2 * np.pi * box.x[:, 0])
    np.testing.assert_allclose(box.smooth((0.0, 0.2), along_x), along_x, atol=1e-12)
    assert np.abs(box.smooth((0.2, 0.0), along_x) - along_x).max() > 0.5


def test_the_operator_is_the_same_every_time(case, length):
    field = np.random.default_rng(6).standard_normal(case.size)
    expected = case.smooth(length, field)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(case.smooth(length, field, threads), expected)


def test_threads_share_the_work_without_a_change():
    large = Case(4, 40, True, 8.0)
    assert large.size > 3 * 8192  # more than one chunk of the threads' loops
    field = np.random.default_rng(7).standard_normal(large.size)
    expected = large.smooth(0.02, field)
    for threads in (2, 3):
        np.testing.assert_array_equal(large.smooth(0.02, field, threads), expected)


def test_numbering_does_not_matter():
    box, rng = CASES["4-box"], np.random.default_rng(8)
    mesh = shuffled(box.mesh, rng)
    dofs, other = box.mesh.dof_map(4), mesh.dof_map(4)
    places = np.zeros((other.n_dofs, 2))
    places[other.element_dofs] = mesh.node_coordinates(4)
    match = np.lexsort(np.round(places, 9).T)[np.argsort(np.lexsort(np.round(box.x, 9).T))]
    field = rng.standard_normal(dofs.n_dofs)
    turned = np.empty(other.n_dofs)
    turned[match] = field
    expected = box.smooth((0.05, 0.1), field)
    result = smoother(mesh, 4, (0.05, 0.1)).apply(turned)[match]
    np.testing.assert_allclose(result, expected, atol=1e-13)


def test_each_parameter_has_its_length():
    box = CASES["4-box"]
    configuration = ConstantSmoothing({"VP": 0.05, "RHO": (0.1, 0.02)})
    assert load(json.loads(json.dumps(configuration.to_dict()))) == configuration
    field = np.random.default_rng(9).standard_normal(box.size)
    smoothed = configuration.build(box.mesh, 4).apply({"RHO": field, "VP": field})
    np.testing.assert_array_equal(smoothed["VP"], box.smooth(0.05, field))
    np.testing.assert_array_equal(smoothed["RHO"], box.smooth((0.1, 0.02), field))


def test_bad_lengths_are_refused():
    with pytest.raises(ValueError, match=r"smoothing_lengths_in_meters is empty; expected lengths such as"):
        ConstantSmoothing({})
    for bad in (-0.1, (0.1, -0.1), (0.1,) * 4, float("nan"), "far"):
        with pytest.raises(ValueError, match=r"smoothing_lengths_in_meters"):
            ConstantSmoothing({"VP": bad})
    cube = box_mesh(((0.0, 1.0),) * 3, (1, 1, 1))
    for mesh, bad in ((CASES["4-box"].mesh, (0.1, 0.2, 0.3)), (cube, (0.1, 0.2))):
        expected = rf"smoothing length is {re.escape(str(bad))}; expected one number, or {mesh.dim} for"
        with pytest.raises(ValueError, match=expected):
            ConstantSmoothing({"VP": bad}).build(mesh, 4)


def test_unknown_parameters_and_wrong_sizes_are_refused():
    box = CASES["4-box"]
    operator = ConstantSmoothing({"VP": 0.05}).build(box.mesh, 4)
    with pytest.raises(ValueError, match=r"unknown parameter in smoothing_lengths_in_meters 'VS'; did you"):
        operator.apply({"VS": np.zeros(box.size)})
    with pytest.raises(ValueError, match=rf"values has shape \(7\); expected \({box.size}\)"):
        operator.apply({"VP": np.zeros(7)})


def seabed(dim: int) -> Mesh:
    """Fluid above solid with jumps at every element, the surface between them at the middle."""
    mesh = box_mesh(((0.0, 1.0),) * dim, (4,) * dim, shape_order=2)
    rng = np.random.default_rng(10)
    solid = mesh.get_element_centroid()[:, -1:] < 0.5
    shape = (mesh.nelem, 4**dim)
    mesh.attach_field("VP", 3000.0 + 100.0 * rng.standard_normal(shape))
    mesh.attach_field("VS", np.where(solid, 1500.0 + 50.0 * rng.standard_normal(shape), 0.0))
    mesh.attach_field("RHO", np.where(solid, 2000.0, 1000.0) * np.ones(shape))
    return mesh


@pytest.mark.parametrize("dim", [2, 3])
def test_models_are_smoothed_within_fluid_and_solid(dim):
    """Integrals over either are kept; roughness goes down; the surface between them and shear 0 stay."""
    before = seabed(dim)
    lengths = {"VP": 0.1, "VS": 0.15, "RHO": 0.1}
    after = smooth_model(before, ConstantSmoothing(lengths))
    solid = before.get_element_centroid()[:, -1] < 0.5
    weights = before.mass_weights(3)
    for name in lengths:
        old, new = before.element_nodal_fields[name], after.element_nodal_fields[name]
        for part in (solid, ~solid):
            kept = np.sum(weights[part] * new[part]), np.sum(weights[part] * old[part])
            assert kept[0] == pytest.approx(kept[1], rel=1e-12)
        if name != "RHO":
            assert new[solid].std() < 0.3 * old[solid].std()
    assert not after.element_nodal_fields["VS"][~solid].any()
    np.testing.assert_allclose(
        after.element_nodal_fields["RHO"], before.element_nodal_fields["RHO"], rtol=1e-12
    )
    assert (before.element_nodal_fields["VS"] == seabed(dim).element_nodal_fields["VS"]).all()


def test_gradients_are_smoothed_throughout():
    mesh = seabed(2)
    raw = np.random.default_rng(11).standard_normal((mesh.nelem, 16))
    gradient = gradient_mesh(mesh, {"VP": raw, "VS": raw})
    dofs = mesh.dof_map(3)
    expected = dofs.gather(smoother(mesh, 3, 0.1).apply(dofs.assemble(raw) / mesh.get_mass_matrix(3)))
    smoothed = smooth_model(gradient, ConstantSmoothing({"VS": 0.1})).element_nodal_fields
    np.testing.assert_allclose(smoothed["VS"], expected, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_array_equal(smoothed["VP"], gradient.element_nodal_fields["VP"])


def test_fields_of_all_kinds_are_smoothed():
    """A medium of one number per element is smoothed as if it were given at the nodes."""
    plain, at_nodes = (box_mesh(((0.0, 1.0),) * 2, (4, 4), shape_order=2) for _ in range(2))
    values = np.random.default_rng(12).uniform(1400.0, 1600.0, 16)
    for name, given in (("VP", values), ("RHO", np.full(16, 1000.0))):
        plain.attach_field(name, given)
        at_nodes.attach_field(name, np.repeat(given[:, None], 9, axis=1))
    found, expected = (smooth_model(mesh, ConstantSmoothing({"VP": 0.2})) for mesh in (plain, at_nodes))
    for name in ("VP", "RHO"):
        np.testing.assert_array_equal(found.element_nodal_fields[name], expected.element_nodal_fields[name])


def test_models_without_a_field_are_refused():
    with pytest.raises(ValueError, match=r"unknown field in smoothing_lengths_in_meters 'VQ'; did you mean"):
        smooth_model(seabed(2), ConstantSmoothing({"VQ": 0.1}))
