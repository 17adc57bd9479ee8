"""A search along a quasi-Newton direction that needs misfits only, no gradients at trial models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from wavetree.config import Configuration
from wavetree.optimize.compact_bfgs import CurvaturePair, curvature_pair, pair_scaling
from wavetree.optimize.convergence import why_converged
from wavetree.optimize.first_step import (
    ChangeLinf,
    change_by_parameter,
    first_state,
    restarted,
    scale_by_parameter,
)
from wavetree.optimize.judgement import (
    Control,
    check_accepted,
    check_can_go_on,
    expected_of,
    refused,
    rejected,
    shorter_step,
    shrunk,
)
from wavetree.optimize.space import Inner, MetricVector, Point, Space, check_preconditioner
from wavetree.optimize.state import State, Step, Verdict

__all__ = ["LineSearch"]

# Armijo's condition asks for this part of the reduction that the slope promises (Nocedal & Wright 2006, 3.1).
_SUFFICIENT_DECREASE = 1e-4
_LARGEST_GROWTH = 10.0
_BOUNDARY = 1.0 - 1e-6


class LineSearch(Configuration):
    """Base of the methods that search along d = −H g.

    Notes
    -----
    H is the inverse L-BFGS matrix of the pairs kept, with H0 = γ S and γ from the newest pair, also if it is
    not kept. The trial is p = t d with t = 1, or less if ‖d‖ exceeds the radius: ten times the last step's
    length; after rejections the length that minimises the parabola through χ, its slope and the trial's
    misfit, kept between 0.1 and 0.5 of the rejected step. It is accepted by Armijo's condition
    χ_trial − χ ≤ 1e-4 ⟨g, p⟩. The prediction belongs to the model B = H⁻¹/t, whose minimum is p:
    pred = ½ ⟨g, p⟩, and B p = −g, which is also what pairs of too small a curvature are damped with (Powell
    1978).
    """

    tests_steps: ClassVar[bool] = True
    initial_step_linf: ChangeLinf

    @property
    def _pairs_kept(self) -> int:
        raise NotImplementedError

    def initial_change(self, defaults: Mapping[str, float]) -> dict[str, float]:
        """Return the largest change in the first step for each parameter in `defaults`.

        Raises
        ------
        ValueError
            If `initial_step_linf` names a parameter that is not inverted for.
        """
        return change_by_parameter("initial_step_linf", self.initial_step_linf, defaults)

    def parameter_scales(self, initial_change: Mapping[str, float]) -> dict[str, float]:
        """Return r_k of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k²: the initial changes, or 1 if one number is given."""
        return scale_by_parameter(self.initial_step_linf, initial_change)

    def begin(self, point: Point, space: Space) -> State:
        """Return the state at a first point, whose radius is the first step's length; see `first_state`."""
        return first_state(point, space)

    def restart(self, state: State, point: Point, space: Space, changed: Sequence[str]) -> State:
        """Return a first state for a branch in which what `changed` names differs from its parent's."""
        return restarted(self.begin(point, space), state, changed)

    def propose(self, state: State, space: Space) -> Step:
        """Return the step along the search direction; applies S once.

        Raises
        ------
        ValueError
            If the gradient is zero or the method has stopped.
        WavetreeError
            If the preconditioner is not the one that the state was built with.
        """
        check_can_go_on(state)
        direction = _direction(state, space.inner)
        length = math.sqrt(max(space.inner(direction.v, direction.Pv), 0.0))
        t = min(1.0, state.radius / length)
        dual_update = t * direction.Pv
        update = space.precondition(dual_update)
        check_preconditioner(update, t * direction.v)
        slope = space.inner(state.point.gradient, update)
        return Step(
            update=update,
            dual_update=dual_update,
            predicted_reduction=0.5 * slope,
            slope=slope,
            norm=t * length,
            radius=state.radius,
            on_boundary=t * length >= _BOUNDARY * state.radius,
            multiplier=0.0,
            kkt_residual=0.0,
        )

    def judge(
        self, state: State, step: Step, trial_misfit: float | None, control: Control | None = None
    ) -> Verdict:
        """Return whether the step satisfies Armijo's condition, and the largest length of the next one.

        Parameters
        ----------
        state
            The state that proposed the step.
        step
            The step.
        trial_misfit
            χ at the trial model, of the control group if there is one; a value that is not finite rejects the
            step.
        control
            The control group at the iterate; None if all events of the state are compared. Of its model, too,
            p is the minimum: its predicted reduction is half of its slope.
        """
        expected = expected_of(state, step, control)
        expected = expected._replace(predicted_reduction=0.5 * expected.slope)
        verdict = refused(step, trial_misfit, expected)
        if verdict is not None:
            return verdict
        assert trial_misfit is not None
        actual = float(trial_misfit) - expected.misfit
        share = actual / expected.slope
        ratio = actual / expected.predicted_reduction
        accepted = share >= _SUFFICIENT_DECREASE
        if accepted:
            radius = _LARGEST_GROWTH * step.norm
            reason = f"accepted: {share:.3g} of the slope, at least {_SUFFICIENT_DECREASE:g}"
        else:
            radius = shorter_step(step, expected.slope, actual)
            reason = (
                f"rejected: {share:.3g} of the slope, below {_SUFFICIENT_DECREASE:g}; {shrunk(step, radius)}"
            )
        return Verdict(accepted, float(trial_misfit), actual, ratio, step.on_boundary, radius, reason)

    def reject(self, state: State, step: Step, verdict: Verdict) -> State:
        """Return the state after a rejected step: shorter, then steepest descent, then stopped.

        Raises
        ------
        ValueError
            If the verdict accepted the step.
        """
        return rejected(state, step, verdict)

    def accept(
        self,
        state: State,
        step: Step,
        verdict: Verdict,
        new_point: Point,
        space: Space,
        ends: tuple[Point, Point] | None = None,
    ) -> State:
        """Return the state at the accepted trial, with the step's curvature pair.

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
        ends
            Points at the old and the new model of the events that both iterates have, for the curvature pair;
            None if all events are the same.

        Raises
        ------
        ValueError
            If the verdict rejected the step, or the new point does not fit the space.
        """
        check_accepted(verdict)
        space.check_size(new_point.gradient.size)
        old, new = ends or (state.point, new_point)
        y = MetricVector(new.preconditioned - old.preconditioned, new.gradient - old.gradient)
        Bp = MetricVector(-state.point.preconditioned, -state.point.gradient)
        pair, reason = curvature_pair(MetricVector(step.update, step.dual_update), y, Bp, space.inner)
        history = state.history if pair is None else (*state.history, pair)
        return State(
            point=new_point,
            radius=verdict.radius,
            gamma=state.gamma if pair is None else pair_scaling(pair, space.inner),
            gradient_norm=space.gradient_norm(new_point),
            first_gradient_norm=state.first_gradient_norm,
            history=history[max(len(history) - self._pairs_kept, 0) :],
            reason=f"{verdict.reason}; {reason}",
        )

    def converged(
        self, state: State, step: Step | None, precision: str, space: Space | None = None
    ) -> str | None:
        """Return why the iteration is at its end, in words, or None; see `why_converged`."""
        return why_converged(state, step, precision, space)


def _direction(state: State, inner: Inner) -> MetricVector:
    """−H g by the two-loop recursion (Nocedal 1980, Math. Comput. 35), with P d beside d."""
    v, Pv = state.point.preconditioned, state.point.gradient
    used: list[tuple[CurvaturePair, float, float]] = []
    for pair in reversed(state.history):
        curvature = inner(pair.s.v, pair.y.Pv)
        a = inner(pair.s.v, Pv) / curvature
        v, Pv = v - a * pair.y.v, Pv - a * pair.y.Pv
        used.append((pair, curvature, a))
    v, Pv = state.gamma * v, state.gamma * Pv
    for pair, curvature, a in reversed(used):
        c = a - inner(pair.y.Pv, v) / curvature
        v, Pv = v + c * pair.s.v, Pv + c * pair.s.Pv
    return MetricVector(np.negative(v), np.negative(Pv))
