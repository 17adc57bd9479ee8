"""Trust region with a compact L-BFGS model in the metric of the preconditioner.

The misfit about the iterate is modelled by χ + ⟨g, p⟩ + ½ ⟨p, B p⟩ within ‖p‖ ≤ Δ, ‖p‖² = ⟨p, P p⟩, P = S⁻¹.
All transitions are pure functions from one state to the next: a driver may store the state after any of them,
be killed, and continue with the same numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY

import numpy as np
from pydantic import PositiveInt, field_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import WavetreeError, unknown_name
from wavetree.optimize.compact_bfgs import (
    CurvaturePair,
    compact_matrix,
    curvature_pair,
    history_vectors,
    pair_scaling,
)
from wavetree.optimize.space import Inner, MetricVector, Point, Space, combine, orthonormalise
from wavetree.optimize.state import State, Step, Verdict
from wavetree.optimize.subproblem import solve_subproblem

__all__ = ["TrustRegion"]

_ACCEPT_ABOVE = 1e-4
_GOOD_RATIO, _POOR_RATIO = 0.75, 0.25
_BOUNDARY = 1.0 - 1e-6
_SMALLEST_SHRINK, _LARGEST_SHRINK = 0.1, 0.5
_MAX_REJECTIONS = 5
_SMALLEST_GRADIENT = 1e-6
_SMALLEST_PREDICTION = {"float32": 1e-7, "float64": 1e-13}
# S (P p) and p agree to about 1e-7 in the worst case; a preconditioner that has changed differs by order one.
_PRECONDITIONER_MISMATCH = 1e-3


@configuration
class TrustRegion(Configuration):
    """Trust-region method with a compact L-BFGS model.

    Parameters
    ----------
    initial_trust_region_linf
        Largest absolute change of the first step in the unit of the inversion parameter: one number for all
        parameters, or a number per parameter (parameters left out get the default). Default: 1 % of the mean
        absolute value for absolute scaling, 0.01 for relative and logarithmic scaling.
    history_size
        Number of curvature pairs kept.

    Raises
    ------
    ValueError
        If a number is not positive.
    """

    initial_trust_region_linf: float | dict[str, float] | None = None
    _: KW_ONLY
    history_size: PositiveInt = 10

    @field_validator("initial_trust_region_linf", mode="after")
    @classmethod
    def _positive(cls, value: float | dict[str, float] | None) -> float | dict[str, float] | None:
        if isinstance(value, dict) and not value:
            raise ValueError(
                "initial_trust_region_linf is {}, expected one number, numbers per parameter or None"
            )
        for name, change in (value if isinstance(value, dict) else {"": value}).items():
            if change is not None and not change > 0.0:
                of = f" of {name!r}" if name else ""
                raise ValueError(
                    f"initial_trust_region_linf{of} is {change}, expected a positive number: the largest "
                    "change of the parameter in the first step, in the parameter's unit"
                )
        return value

    def initial_change(self, defaults: Mapping[str, float]) -> dict[str, float]:
        """Return the largest change in the first step for each parameter in `defaults`.

        Raises
        ------
        ValueError
            If `initial_trust_region_linf` names a parameter that is not inverted for.
        """
        given = self.initial_trust_region_linf
        if given is None:
            return dict(defaults)
        if not isinstance(given, dict):
            return dict.fromkeys(defaults, given)
        for name in given:
            if name not in defaults:
                raise unknown_name("inversion parameter in initial_trust_region_linf", name, defaults)
        return {name: given.get(name, default) for name, default in defaults.items()}

    def parameter_scales(self, initial_change: Mapping[str, float]) -> dict[str, float]:
        """Return r_k of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k²: the initial changes, or 1 if one number is given."""
        if isinstance(self.initial_trust_region_linf, float):
            return dict.fromkeys(initial_change, 1.0)
        return dict(initial_change)

    def begin(self, point: Point, space: Space) -> State:
        """Return the state at a first point: empty history, first radius and first model.

        Raises
        ------
        ValueError
            If the point does not fit the space, or the preconditioner is not positive semidefinite.

        Notes
        -----
        The first step is −α S g with the largest α for which no parameter changes by more than its
        `initial_change`; Δ is its norm and B0 = (‖g‖/Δ) P, so that it minimises the model on the boundary.
        """
        space.check_size(point.gradient.size)
        norm = _gradient_norm(point, space.inner)
        if norm == 0.0:
            return State(point, 0.0, 1.0, 0.0, 0.0, reason="the gradient is zero: there is no first radius")
        alpha, decides = math.inf, ""
        for name, block in space.blocks.items():
            largest = float(np.max(np.abs(point.preconditioned[block]), initial=0.0))
            if largest > 0.0 and space.initial_change[name] / largest < alpha:
                alpha, decides = space.initial_change[name] / largest, name
        radius = alpha * norm
        change = space.initial_change[decides]
        reason = f"first radius {radius:.6g}: steepest descent changes {decides} by at most {change:.6g}"
        return State(point, radius, radius / norm, norm, norm, reason=reason)

    def restart(self, state: State, point: Point, space: Space, changed: Sequence[str]) -> State:
        """Return a state with empty history and a new first radius, for a branch that changes settings.

        Parameters
        ----------
        state
            The parent's state.
        point
            The branch's own misfit and gradient.
        space
            The branch's space.
        changed
            What differs, for the recorded reason: "preconditioner", "mapping", "misfit", "events", ...

        Raises
        ------
        ValueError
            If `changed` is empty.
        """
        if not changed:
            raise ValueError("changed is empty, expected what differs from the parent; else keep its state")
        begun = self.begin(point, space)
        what = f"{', '.join(changed)} changed: history of {_count(len(state.history), 'pair')} dropped"
        return dataclasses.replace(begun, reason=f"{what}, {begun.reason}")

    def propose(self, state: State, space: Space) -> Step:
        """Return the step that minimises the model within the trust region; applies S once.

        Raises
        ------
        ValueError
            If the gradient is zero or the method has stopped.
        WavetreeError
            If the preconditioner is not the one that the state was built with.

        Notes
        -----
        The minimiser lies in the span of the preconditioned gradient and the pairs' s and S y. In an
        orthonormal basis of it the metric is the identity and the problem has at most 2 m + 1 dimensions.
        """
        if state.stopped is not None:
            raise ValueError(f"the state has {state.stopped}; branch from an earlier iteration or restart")
        if state.gradient_norm == 0.0:
            raise ValueError("the gradient is zero, there is no step to propose; ask converged() first")
        gradient = MetricVector(state.point.preconditioned, state.point.gradient)
        basis, coordinates = orthonormalise([gradient, *history_vectors(state.history)], space.inner)
        S, Y = coordinates[:, 1::2][:, ::-1], coordinates[:, 2::2][:, ::-1]
        B = compact_matrix(S, Y, state.gamma)
        solution = solve_subproblem(B, coordinates[:, 0], state.radius)
        dual_update = combine(solution.p, [u.Pv for u in basis])
        # p is S (P p) rather than the sum over the basis: the pair stays consistent however long the history.
        update = space.precondition(dual_update)
        _check_preconditioner(update, combine(solution.p, [u.v for u in basis]))
        norm = float(np.linalg.norm(solution.p))
        return Step(
            update=update,
            dual_update=dual_update,
            predicted_reduction=solution.predicted_reduction,
            slope=solution.slope,
            norm=norm,
            radius=state.radius,
            on_boundary=norm >= _BOUNDARY * state.radius,
            multiplier=solution.multiplier,
            kkt_residual=solution.kkt_residual,
        )

    def judge(self, state: State, step: Step, trial_misfit: float) -> Verdict:
        """Return whether the step is accepted, and the new radius.

        Parameters
        ----------
        state
            The state that proposed the step.
        step
            The step.
        trial_misfit
            χ at the trial model; a value that is not finite rejects the step.
        """
        if not math.isfinite(trial_misfit):
            radius = _SMALLEST_SHRINK * step.norm
            reason = f"rejected: the trial's misfit is {trial_misfit}; {_shrunk(step, radius)}"
            return Verdict(False, None, None, None, step.on_boundary, radius, reason)
        actual = float(trial_misfit) - state.point.misfit
        ratio = actual / step.predicted_reduction
        accepted = ratio > _ACCEPT_ABOVE
        if accepted:
            radius, why = _radius_after_acceptance(step, ratio)
            reason = f"accepted: ratio {ratio:.3g} above {_ACCEPT_ABOVE:g}; {why}"
        else:
            radius = _radius_after_rejection(step, actual)
            reason = f"rejected: ratio {ratio:.3g} not above {_ACCEPT_ABOVE:g}; {_shrunk(step, radius)}"
        return Verdict(accepted, float(trial_misfit), actual, ratio, step.on_boundary, radius, reason)

    def reject(self, state: State, step: Step, verdict: Verdict) -> State:
        """Return the state after a rejected step: smaller radius, then steepest descent, then stopped.

        Raises
        ------
        ValueError
            If the verdict accepted the step.
        """
        if verdict.accepted:
            raise ValueError(f"verdict accepted the step ({verdict.reason}); pass it to accept()")
        rejections = state.rejections + 1
        changed = dataclasses.replace(
            state, radius=verdict.radius, rejections=rejections, reason=verdict.reason
        )
        if state.steepest_descent:
            stopped = (
                f"stopped after {rejections} rejected steps, the last along steepest descent of length "
                f"{step.norm:.3g} with predicted reduction {step.predicted_reduction:.3g}: the misfit does "
                "not follow its gradient there (check the gradient, or the misfit is at its rounding error)"
            )
            return dataclasses.replace(changed, stopped=stopped, reason=stopped)
        if rejections < _MAX_REJECTIONS:
            return changed
        dropped = _count(len(state.history), "pair")
        return dataclasses.replace(
            changed,
            history=(),
            gamma=verdict.radius / state.gradient_norm,
            steepest_descent=True,
            reason=f"{verdict.reason}; {rejections} rejections in a row: history of {dropped} dropped, "
            "steepest descent is tried",
        )

    def accept(self, state: State, step: Step, verdict: Verdict, new_point: Point, space: Space) -> State:
        """Return the state at the accepted trial, with the step's curvature pair in the history.

        Parameters
        ----------
        state
            The state that proposed the step.
        step
            The accepted step.
        verdict
            Its verdict.
        new_point
            Misfit and gradient at the trial model.
        space
            The space that the step was proposed in.

        Raises
        ------
        ValueError
            If the verdict rejected the step, or the new point does not fit the space.
        """
        if not verdict.accepted:
            raise ValueError(f"verdict rejected the step ({verdict.reason}); pass it to reject()")
        space.check_size(new_point.gradient.size)
        pair, reason = _pair_of(state, step, new_point, space.inner)
        gamma = state.gamma if pair is None else pair_scaling(pair, space.inner)
        history = state.history if pair is None else (*state.history, pair)
        return State(
            point=new_point,
            radius=verdict.radius,
            gamma=gamma,
            gradient_norm=_gradient_norm(new_point, space.inner),
            first_gradient_norm=state.first_gradient_norm,
            history=history[-self.history_size :],
            reason=f"{verdict.reason}; {reason}",
        )

    def converged(self, state: State, step: Step | None, precision: str) -> str | None:
        """Return why the iteration has converged, in words, or None.

        Parameters
        ----------
        state
            The state at the iterate.
        step
            The step proposed from it; None tests the gradient alone.
        precision
            Precision of the simulations, "float32" or "float64".

        Raises
        ------
        ValueError
            If the precision is not known.
        """
        if precision not in _SMALLEST_PREDICTION:
            raise unknown_name("precision", precision, _SMALLEST_PREDICTION)
        if state.gradient_norm == 0.0:
            return "converged: the gradient is zero"
        if state.gradient_norm <= _SMALLEST_GRADIENT * state.first_gradient_norm:
            return (
                f"converged: gradient norm {state.gradient_norm:.3g} is at most {_SMALLEST_GRADIENT:g} of "
                f"the first, {state.first_gradient_norm:.3g}"
            )
        smallest = _SMALLEST_PREDICTION[precision] * abs(state.point.misfit)
        if step is not None and abs(step.predicted_reduction) <= smallest:
            return (
                f"converged: predicted reduction {step.predicted_reduction:.3g} is at most "
                f"{_SMALLEST_PREDICTION[precision]:g} of the misfit {state.point.misfit:.6g}, its error in "
                f"{precision}"
            )
        return None


def _gradient_norm(point: Point, inner: Inner) -> float:
    """√⟨g, S g⟩, the norm of the gradient in the dual of the metric."""
    square = inner(point.gradient, point.preconditioned)
    if square < 0.0:
        raise ValueError(
            f"<g, S g> is {square:.6g}, expected a positive number: the preconditioner is not positive "
            "semidefinite in the inner product, or `preconditioned` does not belong to `gradient`"
        )
    return math.sqrt(square)


def _pair_of(state: State, step: Step, new_point: Point, inner: Inner) -> tuple[CurvaturePair | None, str]:
    """The curvature pair of an accepted step; optimality gives B p = −g − λ P p without B."""
    g, Sg = state.point.gradient, state.point.preconditioned
    y = MetricVector(new_point.preconditioned - Sg, new_point.gradient - g)
    Bp = MetricVector(-Sg - step.multiplier * step.update, -g - step.multiplier * step.dual_update)
    return curvature_pair(MetricVector(step.update, step.dual_update), y, Bp, inner)


def _check_preconditioner(update: np.ndarray, expected: np.ndarray) -> None:
    largest = float(np.max(np.abs(expected)))
    mismatch = float(np.max(np.abs(update - expected)))
    if not mismatch <= _PRECONDITIONER_MISMATCH * largest:
        raise WavetreeError(
            f"the preconditioner does not reproduce the history: relative difference "
            f"{mismatch / largest:.3g}. It is not linear, or not the one that the state was built with; "
            "restart() after a change"
        )


def _radius_after_acceptance(step: Step, ratio: float) -> tuple[float, str]:
    old = step.radius
    if ratio < _POOR_RATIO:
        new, where = max(old / 4.0, step.norm / 2.0), f"ratio below {_POOR_RATIO:g}"
    elif not step.on_boundary:
        new, where = max(old / 2.0, min(old, 2.0 * step.norm)), "step in the interior"
    elif ratio > _GOOD_RATIO:
        new, where = 2.0 * old, f"step on the boundary with ratio above {_GOOD_RATIO:g}"
    else:
        new, where = old, f"step on the boundary with ratio between {_POOR_RATIO:g} and {_GOOD_RATIO:g}"
    change = "kept at" if new == old else f"{old:.6g} ->"
    return new, f"{where}, radius {change} {new:.6g}"


def _radius_after_rejection(step: Step, actual_reduction: float) -> float:
    """Length of the step that minimises the parabola through χ, its slope and χ_trial, within bounds."""
    curvature = actual_reduction - step.slope
    t = -step.slope / (2.0 * curvature) if curvature > 0.0 else _LARGEST_SHRINK
    return min(max(t, _SMALLEST_SHRINK), _LARGEST_SHRINK) * step.norm


def _shrunk(step: Step, radius: float) -> str:
    return f"radius {step.radius:.6g} -> {radius:.6g} ({radius / step.norm:.3g} of the step's norm)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
