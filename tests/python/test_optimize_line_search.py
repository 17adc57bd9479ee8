"""The line search: its direction, Armijo's condition, lengths of steps and damping."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from minimisation import drive, plain, rosenbrock, smoothed
from wavetree.errors import WavetreeError
from wavetree.optimize import LBFGS, Point, State, SteepestDescent, Step


def state_of(**changes: Any) -> State:
    point = Point(10.0, np.array([1.0]), np.array([1.0]))
    values = {"radius": 1.0, "gamma": 1.0, "gradient_norm": 1.0, "first_gradient_norm": 1.0}
    return State(**{"point": point, **values, **changes})


def step_of(slope: float, norm: float = 1.0) -> Step:
    arrays = {"update": np.array([-1.0]), "dual_update": np.array([-1.0])}
    return Step(
        **arrays,
        predicted_reduction=0.5 * slope,
        slope=slope,
        norm=norm,
        radius=1.0,
        on_boundary=norm == 1.0,
        multiplier=0.0,
        kkt_residual=0.0,
    )


def dense_direction(state: State, W: np.ndarray, S: np.ndarray) -> np.ndarray:
    """−H g with H from the recursive update of the inverse, in the basis of the entries."""
    H = state.gamma * S @ np.linalg.inv(W)  # of derivatives W g
    for pair in state.history:
        s, y = pair.s.v, W @ pair.y.Pv
        V = np.eye(s.size) - np.outer(y, s) / (y @ s)
        H = V.T @ H @ V + np.outer(s, s) / (y @ s)
    direction: np.ndarray = -H @ (W @ state.point.gradient)
    return direction


@pytest.mark.parametrize("history_size", [1, 3, 10])
def test_direction_is_that_of_the_dense_inverse(history_size: int) -> None:
    problem, x, S = smoothed()
    method = LBFGS(history_size=history_size)
    state = drive(problem, x, 9, method).state
    assert len(state.history) == min(history_size, 9) or history_size == 10
    wide = dataclasses.replace(state, radius=1e6)
    expected = dense_direction(state, np.diag(problem.weights), S)
    update = method.propose(wide, problem.space).update
    np.testing.assert_allclose(update, expected, rtol=0, atol=1e-9 * abs(expected).max())
    half = dataclasses.replace(state, radius=0.5 * method.propose(wide, problem.space).norm)
    np.testing.assert_allclose(method.propose(half, problem.space).update, 0.5 * update, rtol=1e-12)


def test_newest_pair_is_reproduced() -> None:
    """The secant condition: where the gradient is the newest y, the step is −s."""
    problem, x, _ = smoothed()
    state = drive(problem, x, 9, LBFGS()).state
    s, y = state.history[-1]
    there = dataclasses.replace(state, point=Point(1.0, y.Pv.copy(), y.v.copy()), radius=1e6)
    step = LBFGS().propose(there, problem.space)
    np.testing.assert_allclose(step.update, -s.v, rtol=0, atol=1e-9 * abs(s.v).max())


def test_steepest_descent_keeps_the_length_and_no_pair() -> None:
    problem, x, _ = smoothed()
    run = drive(problem, x, 9, SteepestDescent())
    assert run.state.history == ()
    step = SteepestDescent().propose(dataclasses.replace(run.state, radius=1e6), problem.space)
    expected = -run.state.gamma * run.state.point.preconditioned
    np.testing.assert_allclose(step.update, expected, rtol=1e-9)
    last = drive(problem, x, 9, LBFGS(history_size=1)).state
    assert drive(problem, x, 1, SteepestDescent()).state.gamma == drive(problem, x, 1, LBFGS()).state.gamma
    assert len(last.history) == 1


@pytest.mark.parametrize(
    ("trial", "norm", "accepted", "radius", "words"),
    [
        (9.0, 1.0, True, 10.0, "0.5 of the slope, at least 0.0001"),
        (9.0, 0.2, True, 2.0, "accepted"),
        (10.0 - 2.1e-4, 1.0, True, 10.0, "0.000105 of the slope"),
        (10.0 - 1.9e-4, 1.0, False, 0.5, "9.5e-05 of the slope, below 0.0001; radius 1 -> 0.5"),
        (11.0, 1.0, False, 1.0 / 3.0, "0.333 of the step's norm"),
        (1000.0, 1.0, False, 0.1, "rejected"),
        (11.0, 0.6, False, 0.2, "rejected"),
        (math.inf, 1.0, False, 0.1, "the trial's misfit is inf"),
    ],
)
def test_armijo_and_lengths(trial: float, norm: float, accepted: bool, radius: float, words: str) -> None:
    verdict = LBFGS().judge(state_of(), step_of(-2.0, norm), trial)
    assert verdict.accepted == accepted and verdict.radius == pytest.approx(radius, rel=1e-12)
    assert words in verdict.reason
    if math.isfinite(trial):
        assert verdict.ratio == pytest.approx(10.0 - trial)


def test_rejected_steps_go_to_the_minimum_of_the_parabola() -> None:
    """On a quadratic the parabola is exact: the second trial is the minimum along the line."""
    eigenvalues = np.array([1.0, 40.0])
    problem = plain(lambda x: (0.5 * float(x @ (eigenvalues * x)), eigenvalues * x), 2, 1.0)
    x = np.array([1.0, 0.2])
    state = LBFGS().begin(problem.point(x), problem.space)
    step = LBFGS().propose(state, problem.space)
    verdict = LBFGS().judge(state, step, problem.misfit(x + step.update))
    assert not verdict.accepted
    step = LBFGS().propose(LBFGS().reject(state, step, verdict), problem.space)
    g = eigenvalues * x
    exact = (g @ g) / (g @ (eigenvalues * g))  # a fifth of the first trial
    np.testing.assert_allclose(step.update, -exact * g, rtol=1e-9)


def test_concave_misfit_is_damped_and_descends() -> None:
    problem = plain(lambda x: (float(np.sum(np.cos(x))), -np.sin(x)), 3, 0.1)
    start = np.array([0.2, 0.3, 0.5])
    one = drive(problem, start, 1, LBFGS())
    assert "damped" in one.state.reason
    s, y = one.state.history[0]
    # 0.2 ⟨s, B s⟩ with B s = −g, the model whose minimum the step was
    assert float(s.v @ y.Pv) == pytest.approx(-0.2 * one.steps[0].slope, rel=1e-12)
    run = drive(problem, start, 60, LBFGS())
    assert run.done is not None
    np.testing.assert_allclose(np.cos(run.x), -1.0, atol=1e-6)


def test_misfit_that_always_rises_drops_the_history_then_stops() -> None:
    problem, x, _ = smoothed()
    method = LBFGS()
    state = drive(problem, x, 6, method).state
    assert len(state.history) >= 3
    misfit = state.point.misfit
    for rejection in range(1, 7):
        step = method.propose(state, problem.space)
        if rejection == 6:
            assert -step.slope == pytest.approx(step.norm * state.gradient_norm, rel=1e-12)
        state = method.reject(state, step, method.judge(state, step, misfit + 1.0))
        assert (len(state.history) == 0) == (rejection >= 5)
    assert state.stopped is not None and "the misfit" in state.stopped


def test_changed_preconditioner_is_found() -> None:
    problem, x, _ = smoothed()
    state = drive(problem, x, 4, LBFGS()).state
    S = problem.space.precondition
    other = dataclasses.replace(problem.space, precondition=lambda g: 2.0 * S(g))
    with pytest.raises(WavetreeError, match="preconditioner does not reproduce the history.*restart"):
        LBFGS().propose(state, other)


def test_longer_history_takes_fewer_trials() -> None:
    trials = [
        len(drive(plain(rosenbrock, 12, 0.1), np.full(12, -0.5), 3000, LBFGS(history_size=size)).verdicts)
        for size in (1, 10)
    ]
    assert trials[1] < trials[0] < 3000
