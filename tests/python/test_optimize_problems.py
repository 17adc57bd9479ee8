"""The methods on problems whose minima, and the way there, are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minimisation import drive, plain, rosenbrock
from more_garbow_hillstrom import PROBLEMS
from wavetree.optimize import LBFGS, Method, SteepestDescent, TrustRegion

QUASI_NEWTON = [TrustRegion(), LBFGS()]
# (−1, 1, −1, 1) is a stationary point of Wood's function, too; it is passed slowly.
OTHER_STATIONARY_POINTS = {"wood": 7.87697}


def kind(method: Method) -> str:
    return type(method).__name__


@pytest.mark.parametrize("name", PROBLEMS)
def test_derivatives_of_the_problems(name: str) -> None:
    problem = PROBLEMS[name]
    rng = np.random.default_rng(1)
    for x in (problem.start, problem.start + 0.05 * rng.standard_normal(problem.start.size)):
        derivative = problem(x)[1]
        steps = 1e-6 * np.eye(x.size)
        differences = np.array([(problem(x + s)[0] - problem(x - s)[0]) / 2e-6 for s in steps])
        np.testing.assert_allclose(derivative, differences, rtol=0, atol=1e-8 * abs(derivative).max())


@pytest.mark.parametrize("method", QUASI_NEWTON, ids=kind)
@pytest.mark.parametrize("name", PROBLEMS)
def test_known_minima_are_found(name: str, method: Method) -> None:
    function = PROBLEMS[name]
    change = 0.1 * max(1.0, abs(function.start).max())
    problem = plain(function, function.start.size, change)
    run = drive(problem, function.start, 70, method)
    assert run.done is not None and run.done.startswith("converged")
    minima = (*function.minima, OTHER_STATIONARY_POINTS.get(name, math.inf))
    # the gradient is at 1e-6 of the first: the misfit is then as near, in part of the first one
    tolerance = 1e-7 * function(function.start)[0]
    assert any(abs(run.state.point.misfit - m) <= tolerance + 1e-6 * m for m in minima if m < math.inf)
    assert max(step.kkt_residual for step in run.steps) <= 1e-10


def paired_rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x[::2], x[1::2]
    r, q = b - a * a, 1.0 - a
    derivative = np.empty_like(x)
    derivative[1::2] = 200.0 * r
    derivative[::2] = -400.0 * a * r - 2.0 * q
    return float(100.0 * r @ r + q @ q), derivative


@pytest.mark.parametrize("method", QUASI_NEWTON, ids=kind)
def test_rosenbrock_in_pairs_takes_the_same_steps_in_every_dimension(method: Method) -> None:
    trials = []
    for n in (2, 10, 100, 1000):
        run = drive(plain(paired_rosenbrock, n, 0.1), np.tile([-1.2, 1.0], n // 2), 60, method)
        assert run.done is not None and run.done.startswith("converged")
        np.testing.assert_allclose(run.x, 1.0, atol=1e-5)
        trials.append(len(run.verdicts))
    assert len(set(trials)) == 1


@pytest.mark.parametrize(
    ("n", "limit"), [(2, 60), (10, 130), (100, 700), pytest.param(1000, 6000, marks=pytest.mark.slow)]
)
def test_chained_rosenbrock(n: int, limit: int) -> None:
    run = drive(plain(rosenbrock, n, 0.1), np.where(np.arange(n) % 2, 1.0, -1.2), limit, LBFGS())
    assert run.done is not None and run.done.startswith("converged")
    np.testing.assert_allclose(run.x, 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("method", "growth"), [(TrustRegion(), 2.0), (LBFGS(), 10.0), (SteepestDescent(), 10.0)]
)
@pytest.mark.parametrize("distance", [0.05, 1.0, 77.0])
def test_sphere_takes_the_steps_that_the_radius_allows(
    method: Method, growth: float, distance: float
) -> None:
    """The model is exact after the first step: steps of r, growth r, growth² r, ..., then to the minimum."""
    direction = np.array([3.0, 4.0]) / 5.0
    first = 0.01 / 0.8  # its largest change is 0.01
    problem = plain(lambda x: (0.5 * float(x @ x), x.copy()), 2, 0.01)
    run = drive(problem, distance * direction, 30, method)
    expected = math.ceil(math.log(distance / first * (growth - 1.0) + 1.0) / math.log(growth))
    assert run.done is not None and len(run.verdicts) == expected
    assert all(verdict.accepted for verdict in run.verdicts)
    np.testing.assert_allclose(run.x, 0.0, atol=1e-12 * distance)


def test_quadratics_converge_faster_with_curvature() -> None:
    """Condition number 1000: steepest descent needs several times the trials of the others."""
    eigenvalues = np.geomspace(1.0, 1000.0, 20)
    trials = {}
    for method in (TrustRegion(), LBFGS(), SteepestDescent()):
        problem = plain(lambda x: (0.5 * float(x @ (eigenvalues * x)), eigenvalues * x), 20, 1.0)
        run = drive(problem, np.ones(20), 400, method)
        assert run.done is not None and run.done.startswith("converged")
        np.testing.assert_allclose(run.x, 0.0, atol=2e-3)
        trials[kind(method)] = len(run.verdicts)
    assert trials["TrustRegion"] <= 150 and trials["LBFGS"] <= 150
    assert trials["SteepestDescent"] > 2 * max(trials["TrustRegion"], trials["LBFGS"])
