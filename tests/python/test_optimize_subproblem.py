"""The model and its subproblem against dense, independent solutions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

from wavetree.errors import WavetreeError
from wavetree.optimize import Point, Space, State, TrustRegion, weighted_inner
from wavetree.optimize.compact_bfgs import CurvaturePair, compact_matrix, curvature_pair, pair_scaling
from wavetree.optimize.space import MetricVector, orthonormalise
from wavetree.optimize.subproblem import solve_subproblem


def dense_bfgs(B: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Recursive BFGS update of a matrix (s, y are plain columns)."""
    for s, y in pairs:
        Bs = B @ s
        B = B - np.outer(Bs, Bs) / (s @ Bs) + np.outer(y, y) / (y @ s)
    return B


def random_spd(rng: np.random.Generator, n: int, condition: float) -> np.ndarray:
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    matrix: np.ndarray = (Q * np.geomspace(1.0, condition, n)) @ Q.T
    return matrix


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(abs(a @ b) / (np.linalg.norm(a) * np.linalg.norm(b)))


class DenseProblem:
    """Random metric, inner product and curvature pairs, with everything also as dense matrices.

    In the basis of the entries ⟨a, b⟩ = aᵀ W b. `metric` and `model` are the matrices of the quadratic forms
    ⟨p, P p⟩ and ⟨p, B p⟩, `slope` that of ⟨g, p⟩.
    """

    def __init__(self, seed: int, indefinite: bool) -> None:
        rng = np.random.default_rng(seed)
        n, k = int(rng.integers(3, 40)), int(rng.integers(0, 11))
        self.W = np.diag(rng.uniform(0.5, 2.0, n))
        self.S = np.linalg.solve(self.W, random_spd(rng, n, 100.0))  # self-adjoint: W S is symmetric
        self.metric = self.W @ np.linalg.inv(self.S)
        curvature = random_spd(rng, n, 50.0)
        if indefinite:
            curvature -= rng.uniform(2.0, 20.0) * np.eye(n)
        self.space = Space(
            weighted_inner(np.diag(self.W).copy()), lambda g: self.S @ g, {"m": slice(0, n)}, {"m": 1.0}
        )
        self.g = rng.standard_normal(n)
        self.gamma = float(10.0 ** rng.uniform(-2, 2))
        self.model = self.metric / self.gamma
        history: list[CurvaturePair] = []
        while len(history) < k:
            Ps = rng.standard_normal(n) * 10.0 ** rng.uniform(-3, 3)
            y = np.linalg.solve(self.W, curvature @ (self.S @ Ps))
            s = self.S @ Ps
            # an update with a curvature next to zero is ill-conditioned in itself, whoever computes it
            if min(cosine(s, self.model @ s), cosine(s, self.W @ y)) > 0.01:
                history.append(CurvaturePair(MetricVector(s, Ps), MetricVector(self.S @ y, y)))
                self.model = dense_bfgs(self.model, [(s, self.W @ y)])
        self.slope = self.W @ self.g
        radius = float(10.0 ** rng.uniform(-2, 2))
        norm = float(np.sqrt(self.slope @ self.S @ self.g))
        self.state = State(self.space.point(1.0, self.g), radius, self.gamma, norm, norm, tuple(history))


def dense_minimum(problem: DenseProblem) -> tuple[float, float]:
    """Value of the subproblem's global minimum and ‖p‖, by Brent's method on the generalised eigenproblem."""
    eigenvalues, V = scipy.linalg.eigh(problem.model, problem.metric)
    a = V.T @ problem.slope
    radius = problem.state.radius

    def length(multiplier: float) -> float:
        return float(np.linalg.norm(a / (eigenvalues + multiplier)))

    multiplier = 0.0
    if eigenvalues[0] <= 0.0 or length(0.0) > radius:
        low = max(0.0, -eigenvalues[0]) + 1e-14 * abs(eigenvalues[0])
        high = low + np.linalg.norm(a) / radius + abs(eigenvalues).max()
        multiplier = scipy.optimize.brentq(
            lambda x: 1.0 / length(x) - 1.0 / radius, low, high, xtol=1e-15, rtol=1e-15
        )
    c = -a / (eigenvalues + multiplier)
    return float(a @ c + 0.5 * np.sum(eigenvalues * c * c)), float(np.linalg.norm(c))


@pytest.mark.parametrize("indefinite", [False, True])
def test_propose_solves_the_dense_subproblem(indefinite: bool) -> None:
    boundary = negative = 0
    for seed in range(500):
        problem = DenseProblem(seed, indefinite)
        step = TrustRegion().propose(problem.state, problem.space)
        p, radius = step.update, problem.state.radius
        residual = problem.model @ p + step.multiplier * problem.metric @ p + problem.slope
        dual_norm = np.sqrt(residual @ np.linalg.solve(problem.metric, residual))
        scale = np.sqrt(problem.slope @ np.linalg.solve(problem.metric, problem.slope))
        norm = float(np.sqrt(p @ problem.metric @ p))
        spectrum = scipy.linalg.eigh(problem.model, problem.metric, eigvals_only=True)
        assert step.kkt_residual <= 1e-10, seed
        # relative to the terms that cancel: to the gradient alone it is 1e-10 up to ‖B‖ ‖p‖ = 99 ‖g‖
        assert dual_norm <= 1e-12 * (scale + abs(spectrum).max() * norm), seed
        assert norm <= radius * (1 + 1e-10) and step.norm == pytest.approx(norm, rel=1e-10)
        assert step.multiplier >= 0.0 and step.multiplier * (radius - norm) <= 1e-10 * scale
        assert spectrum[0] + step.multiplier >= -1e-10 * abs(spectrum).max()
        value, length = dense_minimum(problem)
        assert step.predicted_reduction == pytest.approx(value, rel=1e-9), seed
        assert step.norm == pytest.approx(length, rel=1e-9)
        assert step.slope == pytest.approx(problem.slope @ p, rel=1e-9)
        assert step.on_boundary == (norm >= (1 - 1e-6) * radius)
        np.testing.assert_allclose(problem.S @ step.dual_update, p, rtol=0, atol=1e-12 * abs(p).max())
        boundary += step.on_boundary
        negative += spectrum[0] < 0.0
    assert boundary > 50 and (indefinite or boundary < 450)
    assert (negative > 125) == indefinite


def kkt(H: np.ndarray, g: np.ndarray, radius: float) -> float:
    solution = solve_subproblem(H, g, radius)
    p, multiplier = solution.p, solution.multiplier
    eigenvalues = np.linalg.eigvalsh(H)
    assert multiplier >= 0.0
    assert eigenvalues[0] + multiplier >= -1e-12 * abs(eigenvalues).max()
    assert np.linalg.norm(p) <= radius * (1 + 1e-12)
    assert multiplier * (radius - np.linalg.norm(p)) <= 1e-12 * (multiplier + abs(eigenvalues).max()) * radius
    scale = max(np.linalg.norm(g), abs(eigenvalues).max() * radius)
    return float(np.linalg.norm(H @ p + multiplier * p + g) / scale)


@pytest.mark.parametrize("tiny", [0.0, 1e-300, 1e-30, 1e-16, 1e-8])
def test_hard_case_and_its_neighbourhood(tiny: float) -> None:
    rng = np.random.default_rng(3)
    for n in (2, 5, 21):
        eigenvalues = np.sort(rng.uniform(-1.0, 4.0, n))
        eigenvalues[0] = -2.0
        a = rng.standard_normal(n)
        a[0] = tiny
        radius = 2.0 * float(np.linalg.norm(a[1:] / (eigenvalues[1:] + 2.0))) + 1.0
        solution = solve_subproblem(np.diag(eigenvalues), a, radius)
        assert kkt(np.diag(eigenvalues), a, radius) <= 1e-12
        assert np.linalg.norm(solution.p) == pytest.approx(radius, rel=1e-12)
        assert solution.multiplier == pytest.approx(2.0, rel=1e-6)
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        rotated = (Q * eigenvalues) @ Q.T
        assert kkt(0.5 * (rotated + rotated.T), Q @ a, radius) <= 1e-12


def test_hard_case_with_repeated_lowest_eigenvalue() -> None:
    H, g = np.diag([-1.0, -1.0, 3.0]), np.array([0.0, 0.0, 1.0])
    assert kkt(H, g, 5.0) <= 1e-14
    g[1] = 1e-3
    assert kkt(H, g, 5.0) <= 1e-12
    assert np.linalg.norm(solve_subproblem(H, g, 5.0).p) == pytest.approx(5.0, rel=1e-13)


def test_gradient_zero_in_an_indefinite_model_leaves_the_saddle() -> None:
    solution = solve_subproblem(np.diag([-1.0, 2.0]), np.zeros(2), 3.0)
    assert abs(solution.p[0]) == pytest.approx(3.0) and solution.predicted_reduction == pytest.approx(-4.5)


def test_interior_and_boundary_solutions_over_scales() -> None:
    rng = np.random.default_rng(11)
    for scale in (1e-17, 1.0, 1e17):
        for radius in (1e-12, 1e-3, 1.0, 1e6):
            H = random_spd(rng, 12, 1e4) * scale
            assert kkt(0.5 * (H + H.T), rng.standard_normal(12) * scale, radius) <= 1e-12


def test_compact_matrix_equals_recursive_update() -> None:
    rng = np.random.default_rng(5)
    for k in range(11):
        r = 24
        curvature = random_spd(rng, r, 30.0) - (2.0 * np.eye(r) if k % 2 else 0.0)
        S = rng.standard_normal((r, k)) * np.geomspace(1e-9, 1e9, k)
        Y = curvature @ S
        extended = np.eye(r, dtype=np.longdouble) / 0.7
        expected = dense_bfgs(extended, list(zip(S.T, Y.T, strict=True))).astype(float)
        tolerance = 1e-9 if k % 2 else 1e-14  # indefinite updates lose digits in themselves
        B = compact_matrix(S, Y, 0.7)
        np.testing.assert_allclose(B, expected, rtol=0, atol=tolerance * np.abs(expected).max())
        if k:
            np.testing.assert_allclose(B @ S[:, -1], Y[:, -1], rtol=0, atol=1e-9 * np.abs(Y[:, -1]).max())


def test_orthonormalise_reproduces_vectors_and_drops_dependent_ones() -> None:
    problem = DenseProblem(7, False)
    inner, n = problem.space.inner, problem.g.size
    rng = np.random.default_rng(1)
    duals = [rng.standard_normal(n) for _ in range(min(n - 1, 5))]
    duals += [duals[0] + 2.0 * duals[1], np.zeros(n), duals[0] + 1e-4 * rng.standard_normal(n)]
    vectors = [MetricVector(problem.S @ d, d) for d in duals]
    basis, coordinates = orthonormalise(vectors, inner)
    gram = np.array([[inner(a.v, b.Pv) for b in basis] for a in basis])
    assert len(basis) == len(duals) - 2 and coordinates.shape == (len(basis), len(vectors))
    np.testing.assert_allclose(gram, np.eye(len(basis)), atol=1e-10)
    for j, vector in enumerate(vectors):
        for part in ("v", "Pv"):
            rebuilt = sum(c * getattr(u, part) for c, u in zip(coordinates[:, j], basis, strict=True))
            np.testing.assert_allclose(rebuilt, getattr(vector, part), atol=1e-12)


def pair_in_plane(s: list[float], y: list[float], Bs: list[float]) -> tuple[CurvaturePair | None, str]:
    vectors = [MetricVector(np.array(x), np.array(x)) for x in (s, y, Bs)]
    return curvature_pair(vectors[0], vectors[1], vectors[2], weighted_inner(np.ones(2)))


@pytest.mark.parametrize("y", [[-3.0, 1.0], [0.0, 5.0], [0.0, 0.0], [1e-10, 1.0]])
def test_powell_damping_restores_positive_curvature(y: list[float]) -> None:
    pair, reason = pair_in_plane([1.0, 0.0], y, [2.0, 0.5])
    assert pair is not None and "damped" in reason and "1e-08" in reason
    assert float(pair.s.v @ pair.y.Pv) == pytest.approx(0.2 * 2.0, rel=1e-12)
    theta = (pair.y.Pv[0] - 2.0) / (y[0] - 2.0)
    np.testing.assert_allclose(
        pair.y.Pv, theta * np.array(y) + (1 - theta) * np.array([2.0, 0.5]), rtol=1e-12
    )
    np.testing.assert_array_equal(pair.y.v, pair.y.Pv)
    assert pair_scaling(pair, weighted_inner(np.ones(2))) > 0.0


def test_good_pair_is_kept_as_it_is_and_hopeless_one_skipped() -> None:
    pair, reason = pair_in_plane([1.0, 0.0], [1e-7, 1.0], [2.0, 0.5])
    assert pair is not None and pair.y.Pv.tolist() == [1e-7, 1.0] and "added" in reason
    pair, reason = pair_in_plane([1.0, 0.0], [-1.0, 1.0], [-2.0, 0.5])
    assert pair is None and "skipped" in reason and "no positive curvature" in reason
    pair, reason = pair_in_plane([1.0, 0.0], [0.0, 1e12], [1e-9, 0.0])
    assert pair is None and "also after damping" in reason


def test_changed_or_nonlinear_preconditioner_is_found() -> None:
    problem = DenseProblem(2, False)
    assert problem.state.history
    other = dataclasses.replace(problem.space, precondition=lambda g: 2.0 * (problem.S @ g))
    with pytest.raises(WavetreeError, match="preconditioner does not reproduce the history.*restart"):
        TrustRegion().propose(problem.state, other)
    indefinite = dataclasses.replace(problem.space, precondition=lambda g: -g)
    with pytest.raises(ValueError, match="<g, S g> is -.*not positive semidefinite"):
        TrustRegion().begin(indefinite.point(1.0, problem.g), indefinite)
    assert isinstance(problem.state.point, Point)
