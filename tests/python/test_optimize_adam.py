"""Adam: its formula, the size of its steps, and gradients of changing batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minimisation import drive, plain, smoothed
from wavetree.optimize import Adam, Control, Point, TrustRegion


def test_steps_follow_the_formula() -> None:
    problem, x, S = smoothed()
    method = Adam(beta1=0.8, beta2=0.95, epsilon=1e-3)
    run = drive(problem, x, 6, method)
    moment, second, largest = np.zeros(x.size), dict.fromkeys(("VP", "RHO"), 0.0), {"VP": 0.0, "RHO": 0.0}
    for t, step in enumerate(run.steps, 1):
        g = problem.point(x).gradient
        moment = 0.8 * moment + 0.2 * g
        dual = np.zeros(x.size)
        for name, block in problem.space.blocks.items():
            size = abs((S @ g)[block]).max()
            second[name] = 0.95 * second[name] + 0.05 * size**2
            largest[name] = max(largest[name], size)
            divisor = np.sqrt(second[name] / (1.0 - 0.95**t)) + 1e-3 * largest[name]
            dual[block] = -problem.space.initial_change[name] * moment[block] / (1.0 - 0.8**t) / divisor
        np.testing.assert_allclose(step.update, S @ dual, rtol=0, atol=1e-12 * abs(step.update).max())
        x = x + step.update
    np.testing.assert_allclose(run.x, x, rtol=1e-12)


def test_constant_gradient_gives_steps_of_the_learning_rate() -> None:
    c = np.array([3.0, -1e-9, 20.0])
    problem = plain(lambda x: (float(c @ x), c), 3, 0.25)
    for step in drive(problem, np.zeros(3), 50, Adam()).steps:
        assert abs(step.update).max() == pytest.approx(0.25, rel=1e-6)
        np.testing.assert_allclose(step.update / c, step.update[0] / c[0], rtol=1e-9)


def test_steps_are_taken_whatever_the_misfit() -> None:
    problem, x, _ = smoothed()
    method = Adam()
    state = method.begin(problem.point(x), problem.space)
    step = method.propose(state, problem.space)
    untested = method.judge(state, step, None)
    assert untested.accepted and untested.actual_reduction is None and untested.ratio is None
    worse = method.judge(state, step, state.point.misfit + 5.0)
    assert worse.accepted and worse.actual_reduction == pytest.approx(5.0)
    assert worse.ratio == pytest.approx(5.0 / step.slope)
    control = Control(3.0, -step.slope + 1.0)
    assert method.judge(state, step, 2.0, control).actual_reduction == -1.0
    assert method.judge(state, step, 2.0, control).ratio is None  # the control group's slope is positive
    halved = method.reject(state, step, method.judge(state, step, np.inf))
    np.testing.assert_allclose(method.propose(halved, problem.space).update, 0.5 * step.update, rtol=1e-12)
    after = method.accept(halved, step, untested, problem.point(x + step.update), problem.space)
    assert after.rejections == 0


def test_parameter_that_nothing_depends_on_is_left() -> None:
    problem, x, _ = smoothed()
    mute = np.where(np.arange(x.size) < 12, 1.0, 0.0)
    space = dataclasses.replace(problem.space, precondition=lambda g: mute * g)
    point = space.point(1.0, np.ones(x.size))
    update = Adam().propose(Adam().begin(point, space), space).update
    np.testing.assert_allclose(update, -0.05 * mute, rtol=1e-6)


def test_state_of_another_method_is_refused() -> None:
    problem, x, _ = smoothed()
    state = drive(problem, x, 2, TrustRegion()).state
    with pytest.raises(ValueError, match=r"state has no moments: it is damaged.*restart\(\)"):
        Adam().propose(state, problem.space)


def test_changing_batches_lead_to_the_minimum_of_their_sum() -> None:
    """50 events, 5 at a time; two learning rates: the distance that is left is in proportion to them."""
    rng = np.random.default_rng(2)
    centres = rng.standard_normal((50, 8)) + 4.0
    weights = rng.uniform(0.5, 1.5, (50, 8))
    minimum = np.sum(weights * centres, axis=0) / np.sum(weights, axis=0)
    left = []
    for rate in (0.1, 0.01):
        draws, method = np.random.default_rng(3), Adam()
        space = plain(lambda x: (0.0, x), 8, rate).space

        def point(x: np.ndarray, draws: np.random.Generator = draws) -> Point:
            chosen = draws.choice(50, 5, replace=False)
            gradient = 10.0 * np.sum(weights[chosen] * (x - centres[chosen]), axis=0)
            return Point(1.0, gradient, gradient)

        x = np.zeros(8)
        state = method.begin(point(x), space)
        for _ in range(1500):
            step = method.propose(state, space)
            x = x + step.update
            state = method.accept(state, step, method.judge(state, step, None), point(x), space)
        left.append(float(abs(x - minimum).max()))
    assert left[0] < 0.5 and left[1] < 0.05


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"beta1": 1.0}, "beta1=1.0"), ({"beta2": -0.1}, "beta2=-0.1"), ({"epsilon": 0.0}, "epsilon=0.0")],
)
def test_bad_configuration(arguments: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Adam(**arguments)
