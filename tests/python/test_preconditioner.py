"""Preconditioners: W S W from smoothing and pseudo-Hessian, and inversions with them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inversions import EVENTS, NAME, configuration, make_project
from meshes import sinusoidal
from wavetree.arrays import read_arrays
from wavetree.config import load
from wavetree.errors import ConflictError
from wavetree.inversion import PseudoHessian
from wavetree.inversion.preconditioner import (
    build_preconditioner,
    needs_illumination,
    smoothing_of,
)
from wavetree.inversion.problem import InverseProblem
from wavetree.mesh import Mesh, box_mesh
from wavetree.project.project import Project
from wavetree.simulation.task import make_control
from wavetree.smoothing import ConstantSmoothing, ModelDependentSmoothing, smooth_model

UNIT = ((0.0, 1.0), (0.0, 1.0))
SMOOTHING, HESSIAN = ConstantSmoothing({"VP": 0.1, "RHO": (0.05, 0.2)}), PseudoHessian(0.05)
CHOICES = {
    "none": None,
    "smoothing": SMOOTHING,
    "hessian": HESSIAN,
    "both": (SMOOTHING, HESSIAN),
    "both the other way round": (HESSIAN, SMOOTHING),
}


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return box_mesh(UNIT, (3, 3), shape_order=4, deformation=sinusoidal)


@pytest.fixture(scope="module")
def illumination(mesh: Mesh) -> np.ndarray:
    return np.random.default_rng(0).lognormal(-30.0, 2.0, mesh.dof_map(4).n_dofs)


# -- the factor W ------------------------------------------------------------------------------


def test_the_factor_is_one_at_mean_illumination():
    mass, amplitude = np.array([1.0, 2.0, 1.0, 4.0]), np.array([0.0, 2.0, 4.0, 1.0])
    # The mean amplitude is (4 + 4 + 4)/8 = 1.5.
    expected = [(0.1 / 1.1) ** -0.5] + [((a / 1.5) ** 2 + 0.1) for a in (2.0, 4.0, 1.0)]
    expected[1:] = [(e / 1.1) ** -0.5 for e in expected[1:]]
    np.testing.assert_allclose(PseudoHessian().factor(amplitude**2, mass), expected, rtol=1e-14)
    flat = PseudoHessian(3.0).factor(np.full(4, 1e-20), mass)
    np.testing.assert_allclose(flat, 1.0, rtol=1e-14)


def test_the_factor_does_not_depend_on_units(mesh, illumination):
    mass = mesh.get_mass_matrix(4)
    found = HESSIAN.factor(illumination, mass)
    np.testing.assert_allclose(HESSIAN.factor(1e17 * illumination, 1e-6 * mass), found, rtol=1e-13)
    assert found.max() <= np.sqrt(1.0 + 1.0 / 0.05)
    dark, bright = np.argmin(illumination), np.argmax(illumination)
    assert found[dark] == found.max() and found[bright] == found.min()


@pytest.mark.parametrize(
    ("illumination", "message"),
    [
        (np.zeros(3), "illumination is zero throughout"),
        (np.array([1.0, -1.0, 2.0]), "lies between -1 and 2"),
        (np.array([1.0, np.inf, 2.0]), "lies between 1 and inf"),
    ],
)
def test_bad_illumination_is_refused(illumination, message):
    with pytest.raises(ValueError, match=message):
        PseudoHessian().factor(illumination, np.ones(3))


def test_a_water_level_of_zero_is_refused():
    with pytest.raises(ValueError, match="water_level"):
        PseudoHessian(0.0)


# -- W S W -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHOICES)
def test_it_is_symmetric_and_positive_semidefinite(mesh, illumination, name):
    """Linear, and self-adjoint in the lumped mass; the optimiser's metric rests on that."""
    operator = build_preconditioner(CHOICES[name], mesh, 4, illumination)
    mass = mesh.get_mass_matrix(4)
    root = np.sqrt(mass)
    for parameter in ("VP", "RHO"):
        columns = [operator.apply({parameter: column})[parameter] for column in np.eye(len(mass))]
        matrix = root[:, None] * np.stack(columns, axis=1) / root
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-13 * np.abs(matrix).max())
        assert np.linalg.eigvalsh(matrix).min() > -1e-13 * np.abs(matrix).max()
        a, b = np.random.default_rng(1).standard_normal((2, len(mass)))
        sums = operator.apply({parameter: 2.0 * a + b})[parameter]
        parts = 2.0 * operator.apply({parameter: a})[parameter] + operator.apply({parameter: b})[parameter]
        np.testing.assert_allclose(sums, parts, atol=1e-12 * np.abs(parts).max())


def test_it_is_the_product_of_its_factors(mesh, illumination):
    field = np.random.default_rng(2).standard_normal(mesh.dof_map(4).n_dofs)
    w = HESSIAN.factor(illumination, mesh.get_mass_matrix(4))
    smooth = SMOOTHING.build(mesh, 4)
    fields = {"VP": field, "RHO": 2.0 * field}
    s = smooth.apply({name: w * values for name, values in fields.items()})
    expected = {
        "none": fields,
        "smoothing": smooth.apply(fields),
        "hessian": {name: w * w * values for name, values in fields.items()},
        "both": {name: w * values for name, values in s.items()},
    }
    expected["both the other way round"] = expected["both"]
    for name, choice in CHOICES.items():
        found = build_preconditioner(choice, mesh, 4, illumination).apply(fields)
        for parameter, values in expected[name].items():
            np.testing.assert_allclose(found[parameter], values, rtol=1e-14, err_msg=name)
    assert [needs_illumination(choice) for choice in CHOICES.values()] == [False, False, True, True, True]
    assert [smoothing_of(choice) is SMOOTHING for choice in CHOICES.values()] == [
        False,
        True,
        False,
        True,
        True,
    ]


def test_illumination_of_another_mesh_is_refused(mesh):
    with pytest.raises(ValueError, match="illumination is None; expected"):
        build_preconditioner(HESSIAN, mesh, 4)
    with pytest.raises(ValueError, match=r"illumination is an array of shape \(7,\); expected"):
        build_preconditioner(HESSIAN, mesh, 4, np.ones(7))


# -- configurations ----------------------------------------------------------------------------

LOCAL = ModelDependentSmoothing(
    {"VP": 0.3, "RHO": 0.3},
    reference_frequency_in_hertz=20000.0,
    reference_model="initial",
    reference_velocities={"VP": "VP", "RHO": "VP"},
)


@pytest.mark.parametrize("name", CHOICES)
def test_configurations_are_stored(name):
    given = configuration(preconditioner=CHOICES[name])
    assert load(json.loads(json.dumps(given.to_dict()))) == given


@pytest.mark.parametrize(
    ("preconditioner", "message"),
    [
        ((SMOOTHING, LOCAL), "preconditioner is ConstantSmoothing and ModelDependentSmoothing; expected one"),
        ((HESSIAN, PseudoHessian(0.3)), "preconditioner is PseudoHessian and PseudoHessian; expected one"),
        ((ConstantSmoothing({"VP": 0.1}), HESSIAN), "preconditioner has no smoothing length for 'RHO'"),
        ((SMOOTHING,), "preconditioner"),
        ("smooth", "preconditioner"),
        (
            LOCAL.resolve(lambda name: box_mesh(UNIT, (2, 2))),
            "reference_model of the preconditioner is a mesh",
        ),
    ],
)
def test_bad_configurations_are_refused(preconditioner, message):
    with pytest.raises(ValueError, match=message):
        configuration(preconditioner=preconditioner)


# -- in a project ------------------------------------------------------------------------------


def opened(p: Project, name: str = NAME) -> InverseProblem:
    p.inversions.add_iteration(name)
    return p.inversions._problems.of(name)


def illuminate(problem: InverseProblem) -> None:
    deadline = time.monotonic() + 60.0
    while not problem.advance_illumination():
        assert time.monotonic() < deadline
        time.sleep(0.01)


LENGTHS = ConstantSmoothing({"VP": 0.015, "RHO": 0.015})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    p = make_project(tmp_path / "project", preconditioner=(LENGTHS, HESSIAN))
    yield p
    p.close()


def test_illumination_is_summed_over_events_and_computed_once(project):
    problem = opened(project)
    with pytest.raises(ValueError, match=r"illumination\.h5' is not a file"):
        problem.space.precondition(np.ones(problem.mapping.size))
    illuminate(problem)
    pipeline = problem.pipeline(problem.fixed.mesh, "initial")
    assert pipeline.issued == 2
    single = []
    for event in EVENTS:
        task = pipeline.illumination_tasks[event]
        task.run(project.path / "check" / event, make_control())
        single.append(read_arrays(project.path / "check" / event / "illumination.h5")[0]["illumination"])
    total = pipeline.illumination()
    np.testing.assert_array_equal(total, single[0] + single[1])
    assert total.shape == (problem.mesh.nelem, 25) and total.min() > 0.0
    again = project.pipeline(pipeline.problem)
    assert again.advance_illumination() and again.issued == 0
    nodal = problem.mapping.average(total)
    operator = build_preconditioner((LENGTHS, HESSIAN), problem.mesh, 4, nodal)
    field = np.random.default_rng(3).standard_normal(problem.mapping.size)
    expected = problem.mapping.pack(operator.apply(problem.mapping.unpack(field)))
    np.testing.assert_array_equal(problem.space.precondition(field), expected)
    a, b = np.random.default_rng(4).standard_normal((2, problem.mapping.size))
    inner, precondition = problem.space.inner, problem.space.precondition
    defect = inner(a, precondition(b)) - inner(precondition(a), b)
    assert abs(defect) < 1e-12 * np.sqrt(inner(a, a) * inner(b, b))


def test_iterations_go_down_with_it(project):
    """The first steps of a trust region in the metric of W S W."""
    assert project.inversions.run(NAME, 3) == 3
    first, last = (project.inversions.get_iteration(NAME, k) for k in (0, 3))
    assert last.misfit < 0.2 * first.misfit
    assert all(t.reason.startswith("accepted") for t in first.trials)
    raw, found = (project.inversions.get_gradient(NAME, 0, preconditioned=p) for p in (False, True))
    smoothed = smooth_model(raw, LENGTHS)
    x = raw.node_coordinates(4)
    at_sources = np.minimum(*(np.linalg.norm(x - [side, 0.0], axis=-1) for side in (-0.08, 0.08))) < 0.015
    sizes = [np.abs(mesh.element_nodal_fields["VP"]) for mesh in (smoothed, found)]
    peaks = [values[at_sources].max() / values[~at_sources].max() for values in sizes]
    assert peaks[1] < 0.7 * peaks[0]


def test_without_a_pseudo_hessian_there_is_nothing_to_wait_for(tmp_path):
    p = make_project(tmp_path / "project")
    problem = opened(p)
    assert problem.advance_illumination()
    assert problem.pipeline(problem.fixed.mesh, "initial").issued == 0
    p.close()


def test_lengths_follow_a_model_of_the_project(tmp_path):
    """A homogeneous one, so that they are those of constant smoothing; the result depends on its content."""
    p = make_project(tmp_path / "project", preconditioner=LOCAL)
    p += configuration("constant", preconditioner=ConstantSmoothing({"VP": 0.0225, "RHO": 0.0225}))
    problem, constant = opened(p), opened(p, "constant")
    field = np.random.default_rng(5).standard_normal(problem.mapping.size)
    expected = constant.space.precondition(field)
    np.testing.assert_allclose(problem.space.precondition(field), expected, atol=1e-12)
    p += replace(p.entities.get("simulation_configuration", "true"), name="truth")
    p += configuration("other", preconditioner=replace(LOCAL, reference_model="truth"))
    other = opened(p, "other")
    assert np.abs(other.space.precondition(field) - expected).max() > 1e-4
    with pytest.raises(ConflictError, match="'truth' is used by inverse problem configuration 'other'"):
        p.entities.delete("simulation_configuration", "truth")
    faster = replace(p.entities.get("simulation_configuration", "truth"), elements_per_wavelength=1.0)
    p.add_to_project(faster, overwrite=True)
    with pytest.raises(ConflictError, match="^simulation configuration 'truth' changed since"):
        InverseProblem(p, other.configuration, other.fixed)
    with pytest.raises(
        ValueError, match="unknown simulation configuration 'initail'; did you mean 'initial'"
    ):
        p += configuration("typo", preconditioner=replace(LOCAL, reference_model="initail"))
    p.close()


def test_models_of_a_project_are_smoothed_by_their_wavelengths(project):
    found = project.actions.inversion.smooth_model("true", LOCAL).element_nodal_fields["VP"]
    truth = project.simulations.get_mesh("true")
    expected = smooth_model(truth, LOCAL.resolve(project.simulations.get_mesh)).element_nodal_fields["VP"]
    np.testing.assert_array_equal(found, expected)
    assert np.ptp(found) < 0.9 * np.ptp(truth.element_nodal_fields["VP"])
