"""Smoothing in local wavelengths: the properties with lengths that vary, rotated axes, reference models."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from meshes import sinusoidal
from wavetree.config import load
from wavetree.mesh import Mesh, box_mesh
from wavetree.smoothing import ConstantSmoothing, ModelDependentSmoothing, diffusion_operator, smooth_model

UNIT = ((0.0, 1.0), (0.0, 1.0))
FREQUENCY = 10.0


def velocity(mesh: Mesh, order: int) -> np.ndarray:
    """From 0.5 to 2.4 m/s with a jump at y = 1/2 and a bump: wavelengths of 0.05 to 0.24 m."""
    x, y = np.moveaxis(mesh.node_coordinates(order), -1, 0)
    above = mesh.get_element_centroid()[:, 1:] > 0.5
    return 0.5 + 0.3 * x + np.where(above, 1.0, 0.0) + 0.6 * np.exp(-((x - 0.5) ** 2 + (y - 0.6) ** 2) / 0.04)


def with_velocity(mesh: Mesh, order: int) -> Mesh:
    mesh.attach_field("VP", velocity(mesh, order))
    return mesh


def box(n: int, curved: bool = False, order: int = 4) -> Mesh:
    mesh = box_mesh(UNIT, (n, n), shape_order=4, deformation=sinusoidal if curved else None)
    return with_velocity(mesh, order)


def smoothing(lengths, reference: Mesh | str, **changes) -> ModelDependentSmoothing:
    values = {
        "reference_frequency_in_hertz": FREQUENCY,
        "reference_model": reference,
        "reference_velocities": {"VP": "VP"},
    }
    return ModelDependentSmoothing({"VP": lengths}, **(values | changes))


def coordinates(mesh: Mesh, order: int) -> np.ndarray:
    dofs = mesh.dof_map(order)
    x = np.zeros((dofs.n_dofs, mesh.dim))
    x[dofs.element_dofs] = mesh.node_coordinates(order)
    return x


LENGTHS = [0.1, 0.5, 2.0, (0.3, 1.5), (0.0, 0.5)]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("order", "n", "curved"), [(4, 4, False), (4, 4, True), (2, 6, True)])
def test_the_properties_hold_with_lengths_that_vary(order, n, curved, lengths):
    mesh = box(n, curved, order)
    mass = mesh.get_mass_matrix(order)
    root = np.sqrt(mass)

    def dense(factor: float) -> np.ndarray:
        scaled = tuple(factor * np.broadcast_to(lengths, 2))
        operator = smoothing(scaled, mesh).build(mesh, order)
        columns = [operator.apply({"VP": column})["VP"] for column in np.eye(len(mass))]
        return root[:, None] * np.stack(columns, axis=1) / root

    whole = dense(1.0)
    np.testing.assert_allclose(whole, whole.T, atol=1e-13)  # self-adjoint in the mass
    eigenvalues = np.linalg.eigvalsh(whole)
    assert eigenvalues.min() > -1e-14
    assert eigenvalues.max() < 1.0 + 6e-3
    np.testing.assert_allclose(whole @ root, root, rtol=1e-13)  # constants, and by symmetry integrals
    step = dense(np.sqrt(0.5))
    assert np.linalg.norm(step @ step - whole, 2) < 0.02  # S = RR
    assert np.linalg.norm(dense(0.6) @ dense(0.8) - whole, 2) < 0.02


def test_a_homogeneous_reference_gives_constant_lengths():
    mesh = box_mesh(UNIT, (5, 5), shape_order=2)
    mesh.attach_field("VS", np.full(25, 1.5))
    mesh.attach_field("VP", np.full((25, 9), 3.0))
    field = np.random.default_rng(0).standard_normal(mesh.dof_map(4).n_dofs)
    lengths = {"VP": 0.2, "RHO": (0.1, 0.3)}
    varying = ModelDependentSmoothing(
        lengths,
        reference_frequency_in_hertz=FREQUENCY,
        reference_model=mesh,
        reference_velocities={"VP": "VP", "RHO": "VS"},
    )
    constant = ConstantSmoothing({"VP": 0.06, "RHO": (0.015, 0.045)})
    fields = {"VP": field, "RHO": field}
    found, expected = (one.build(mesh, 4).apply(fields) for one in (varying, constant))
    for name in lengths:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.2])
@pytest.mark.parametrize("axes", [(0.03, 0.09), (0.06, 0.06), (0.01, 0.08)])
def test_rotated_axes_damp_waves_as_a_gaussian(axes, angle, record_property):
    """exp(−kᵀΣk/2) of plane waves in any direction, where the sides do not reach."""
    mesh, order = box_mesh(UNIT, (16, 16), shape_order=1), 4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    covariance = turn @ np.diag(np.square(axes)) @ turn.T
    upper = covariance[np.triu_indices(2)][:, None, None]
    operator = diffusion_operator(mesh, order, np.broadcast_to(upper, (3, mesh.nelem, 25)))
    x = coordinates(mesh, order)
    inside = np.abs(x - 0.5).max(axis=1) < 0.5 - 4.5 * max(axes)
    assert inside.sum() > 100
    worst = 0.0
    for direction in np.linspace(0.0, np.pi, 7, endpoint=False):
        for size in (8.0, 20.0, 50.0):
            k = size * np.array([np.cos(direction), np.sin(direction)])
            damping = np.exp(-0.5 * k @ covariance @ k)
            for wave in (np.cos(x @ k), np.sin(x @ k)):
                error = operator.apply(wave) - damping * wave
                worst = max(worst, float(np.abs(error[inside]).max()))
    record_property("error", worst)
    assert worst < 0.005


@pytest.mark.parametrize("slope", [0.01, 0.03, 0.1])
def test_slowly_varying_lengths_damp_waves_by_the_local_length(slope, record_property):
    """Within |∇σ|: the diffusion's drift ∇(σ²)/2 shifts what was damped, and kσ exp(−k²σ²/2) ≤ 0.61."""
    mesh = box_mesh(UNIT, (16, 16), shape_order=1)
    x_nodes = mesh.node_coordinates(4)[..., 0]
    mesh.attach_field("VP", FREQUENCY * (0.05 + slope * (x_nodes - 0.5)))
    operator = smoothing(1.0, mesh).build(mesh, 4)
    x = coordinates(mesh, 4)[:, 0]
    sigma = 0.05 + slope * (x - 0.5)
    inside = np.abs(x - 0.5) < 0.2
    worst = 0.0
    for k in (5.0, 10.0, 20.0, 40.0, 80.0):
        for wave in (np.cos(k * x), np.sin(k * x)):
            error = operator.apply({"VP": wave})["VP"] - np.exp(-0.5 * (k * sigma) ** 2) * wave
            worst = max(worst, float(np.abs(error[inside]).max()))
    record_property("error", worst)
    assert worst < slope + 0.003
    assert slope < 0.1 or worst > 0.003  # the bound has something to bound


def test_the_reference_may_have_another_mesh():
    """Its jump at the middle lies on sides of both meshes and stays sharp."""
    fine, coarse = box(24), box(4)
    expected = smoothing(0.3, coarse).build(coarse, 4)
    found = smoothing(0.3, fine).build(coarse, 4)
    field = np.random.default_rng(1).standard_normal(coarse.dof_map(4).n_dofs)
    np.testing.assert_allclose(
        found.apply({"VP": field})["VP"], expected.apply({"VP": field})["VP"], atol=2e-4
    )
    blurred = box(4)
    blurred.attach_field(
        "VP", velocity(blurred, 4) - np.where(coarse.get_element_centroid()[:, 1:] > 0.5, 1, 0)
    )
    other = smoothing(0.3, blurred).build(coarse, 4).apply({"VP": field})["VP"]
    assert np.abs(other - expected.apply({"VP": field})["VP"]).max() > 0.02


def test_fields_of_all_kinds_give_velocities():
    mesh = box_mesh(UNIT, (4, 4), shape_order=2)
    values = np.random.default_rng(2).uniform(1.0, 2.0, 16)
    per_node = values[:, None] * np.ones((1, 9))
    field = np.random.default_rng(3).standard_normal(mesh.dof_map(4).n_dofs)
    results = []
    for given in (values, per_node):
        mesh.attach_field("VP", given)
        results.append(smoothing(0.5, mesh).build(mesh, 4).apply({"VP": field})["VP"])
    np.testing.assert_allclose(results[0], results[1], atol=1e-13)
    mesh.attach_field("VP", mesh.points[:, 0] + 1.0)
    linear = smoothing(0.5, mesh).build(mesh, 4).apply({"VP": field})["VP"]
    mesh.attach_field("VP", mesh.node_coordinates(4)[..., 0] + 1.0)
    np.testing.assert_allclose(
        smoothing(0.5, mesh).build(mesh, 4).apply({"VP": field})["VP"], linear, atol=1e-13
    )


def test_fluids_keep_what_follows_the_shear_velocity():
    """VS is 0 there, so the length is."""
    mesh = box_mesh(UNIT, (4, 4), shape_order=1)
    fluid = mesh.get_element_centroid()[:, 1] > 0.5
    mesh.attach_field("VS", np.where(fluid, 0.0, 2.0))
    operator = smoothing(1.0, mesh, reference_velocities={"VP": "VS"}).build(mesh, 4)
    field = np.random.default_rng(4).standard_normal(mesh.dof_map(4).n_dofs)
    change = mesh.dof_map(4).gather(operator.apply({"VP": field})["VP"] - field).reshape(16, 5, 5)
    inside = np.s_[:, 1:]  # all but the lowest row of nodes, which rock may share
    assert np.abs(change[fluid][inside]).max() < 1e-12
    assert np.abs(change[~fluid]).max() > 0.1


def test_models_are_smoothed_by_their_own_wavelengths():
    mesh = box_mesh(UNIT, (6, 6), shape_order=2)
    rng = np.random.default_rng(5)
    mesh.attach_field("VP", 1.5 + 0.1 * rng.standard_normal((36, 25)))
    mesh.attach_field("RHO", np.full((36, 25), 1.0))
    flat = mesh.copy()
    flat.attach_field("VP", np.full(36, 1.5))
    found = smooth_model(mesh, smoothing(0.8, flat)).element_nodal_fields["VP"]
    expected = smooth_model(mesh, ConstantSmoothing({"VP": 0.12})).element_nodal_fields["VP"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.std() < 0.3 * mesh.element_nodal_fields["VP"].std()


def test_a_name_is_resolved_and_stored():
    named = smoothing(0.5, "initial")
    assert load(json.loads(json.dumps(named.to_dict()))) == named
    mesh = box(4)
    resolved = named.resolve({"initial": mesh}.__getitem__)
    field = np.random.default_rng(6).standard_normal(mesh.dof_map(4).n_dofs)
    expected = smoothing(0.5, mesh).build(mesh, 4).apply({"VP": field})["VP"]
    np.testing.assert_array_equal(resolved.build(mesh, 4).apply({"VP": field})["VP"], expected)
    assert resolved.resolve({}.__getitem__) is resolved
    with pytest.raises(ValueError, match="reference_model is the name 'initial'; expected a mesh"):
        named.build(mesh, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference_velocities": {}}, "reference_velocities has no velocity for 'VP'"),
        (
            {"reference_velocities": {"VP": "VP", "VQ": "VP"}},
            "unknown parameter in reference_velocities 'VQ'",
        ),
        ({"reference_frequency_in_hertz": 0.0}, "reference_frequency_in_hertz"),
        ({"reference_model": ""}, "reference_model"),
    ],
)
def test_bad_configurations_are_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        smoothing(0.5, "initial", **changes)


def test_empty_lengths_are_refused():
    with pytest.raises(ValueError, match="smoothing_lengths_in_wavelengths is empty"):
        ModelDependentSmoothing(
            {}, reference_frequency_in_hertz=1.0, reference_model="m", reference_velocities={}
        )


def test_reference_models_that_do_not_fit_are_refused():
    mesh = box(4)
    with pytest.raises(ValueError, match="unknown field of reference_model 'VQ'; did you mean 'VP'"):
        smoothing(0.5, mesh, reference_velocities={"VP": "VQ"}).build(mesh, 4)
    small = with_velocity(box_mesh(((0.0, 0.5), (0.0, 1.0)), (2, 4), shape_order=2), 2)
    with pytest.raises(ValueError, match="reference_model does not cover the mesh"):
        smoothing(0.5, small).build(mesh, 4)
    mesh.attach_field("VP", -velocity(mesh, 4))
    with pytest.raises(ValueError, match=r"field 'VP' of reference_model is -[\d.]+ m/s at some node"):
        smoothing(0.5, mesh).build(mesh, 4)
    with pytest.raises(ValueError, match="smoothing length is"):
        smoothing((0.1, 0.1, 0.1), box(4)).build(mesh, 4)
