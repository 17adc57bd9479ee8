"""Misfits to minimise, spaces for them, and the loop of a driver: what the tests of `optimize` share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from wavetree.optimize import Method, Point, Space, State, Step, TrustRegion, Verdict, weighted_inner

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Problem:
    """A misfit with its derivative, turned into points of a space with weights w and preconditioner S."""

    def __init__(self, function: Function, space: Space, weights: np.ndarray) -> None:
        self.function, self.space, self.weights = function, space, weights
        self.n_gradients = 0

    def misfit(self, x: np.ndarray) -> float:
        return self.function(x)[0]

    def point(self, x: np.ndarray) -> Point:
        self.n_gradients += 1
        misfit, derivative = self.function(x)
        return self.space.point(misfit, derivative / self.weights)


def plain(function: Function, n: int, initial_change: float) -> Problem:
    weights = np.ones(n)
    space = Space(weighted_inner(weights), lambda g: g, {"m": slice(0, n)}, {"m": initial_change})
    return Problem(function, space, weights)


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    r, q = x[1:] - x[:-1] ** 2, 1.0 - x[:-1]
    derivative = np.zeros_like(x)
    derivative[1:] += 200.0 * r
    derivative[:-1] += -400.0 * x[:-1] * r - 2.0 * q
    return float(100.0 * r @ r + q @ q), derivative


def smoothed(seed: int = 0, n: int = 24, scale: float = 1.0) -> tuple[Problem, np.ndarray, np.ndarray]:
    """A non-quadratic misfit with weights and a dense preconditioner; also its start and S."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 2.0, n)
    i = np.arange(n)
    S = np.exp(-0.5 * (i[:, None] - i[None, :]) ** 2 / 4.0) * weights[None, :]
    A = rng.standard_normal((2 * n, n))
    target = rng.standard_normal(2 * n)

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        r = np.tanh(A @ x) - target
        return scale * 0.5 * float(r @ r), scale * (A.T @ (r * (1.0 - np.tanh(A @ x) ** 2)))

    blocks = {"VP": slice(0, n // 2), "RHO": slice(n // 2, n)}
    space = Space(weighted_inner(weights), lambda g: S @ g, blocks, {"VP": 0.05, "RHO": 0.1})
    return Problem(function, space, weights), np.zeros(n), S


def store(value: Any) -> Any:
    """Through arrays and JSON text, as a file would keep them."""
    if isinstance(value, Verdict):
        return Verdict.from_attributes(json.loads(json.dumps(value.to_attributes(), allow_nan=False)))
    arrays, attributes = value.to_arrays()
    copied = {name: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for name, a in arrays.items()}
    return type(value).from_arrays(copied, json.loads(json.dumps(attributes, allow_nan=False)))


class Driven(NamedTuple):
    x: np.ndarray
    state: State
    steps: list[Step]
    verdicts: list[Verdict]
    done: str | None


def drive(
    problem: Problem,
    x: np.ndarray,
    trials: int,
    method: Method = TrustRegion(),  # noqa: B008
    keep: Callable[[Any], Any] = lambda value: value,
) -> Driven:
    """The loop of a driver; `keep` stores and reloads whatever passes between two stages."""
    state = keep(method.begin(problem.point(x), problem.space))
    steps: list[Step] = []
    verdicts: list[Verdict] = []
    for _ in range(trials):
        done = state.stopped or method.converged(state, None, "float64")
        if done:
            return Driven(x, state, steps, verdicts, done)
        step = keep(method.propose(state, problem.space))
        done = method.converged(state, step, "float64")
        if done:
            return Driven(x, state, steps, verdicts, done)
        trial = problem.misfit(x + step.update) if method.tests_steps else None
        verdict = keep(method.judge(state, step, trial))
        steps.append(step)
        verdicts.append(verdict)
        if verdict.accepted:
            x = x + step.update
            state = keep(method.accept(state, step, verdict, problem.point(x), problem.space))
        else:
            state = keep(method.reject(state, step, verdict))
    return Driven(x, state, steps, verdicts, None)
