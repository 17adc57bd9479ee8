"""Trust region with a compact L-BFGS model in the metric of the preconditioner.

The misfit about the iterate is modelled by χ + ⟨g, p⟩ + ½ ⟨p, B p⟩ within ‖p‖ ≤ Δ, ‖p‖² = ⟨p, P p⟩, P = S⁻¹.
All transitions are pure functions from one state to the next: a driver may store the state after any of them,
be killed, and continue with the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from wavetree.config import Configuration, configuration
from wavetree.optimize.compact_bfgs import (
    CurvaturePair,
    compact_matrix,
    curvature_pair,
    history_vectors,
    pair_scaling,
)
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
from wavetree.optimize.space import (
    Inner,
    MetricVector,
    Point,
    Space,
    check_preconditioner,
    combine,
    orthonormalise,
)
from wavetree.optimize.state import State, Step, Verdict
from wavetree.optimize.subproblem import solve_subproblem

__all__ = ["TrustRegion"]

_ACCEPT_ABOVE = 1e-4
_GOOD_RATIO, _POOR_RATIO = 0.75, 0.25
_BOUNDARY = 1.0 - 1e-6


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

    tests_steps: ClassVar[bool] = True

    initial_trust_region_linf: ChangeLinf = None
    _: KW_ONLY
    history_size: PositiveInt = 10

    def initial_change(self, defaults: Mapping[str, float]) -> dict[str, float]:
        """Return the largest change in the first step for each parameter in `defaults`.

        Raises
        ------
        ValueError
            If `initial_trust_region_linf` names a parameter that is not inverted for.
        """
        return change_by_parameter("initial_trust_region_linf", self.initial_trust_region_linf, defaults)

    def parameter_scales(self, initial_change: Mapping[str, float]) -> dict[str, float]:
        """Return r_k of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k²: the initial changes, or 1 if one number is given."""
        return scale_by_parameter(self.initial_trust_region_linf, initial_change)

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
        return first_state(point, space)

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
        return restarted(self.begin(point, space), state, changed)

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
        check_can_go_on(state)
        gradient = MetricVector(state.point.preconditioned, state.point.gradient)
        basis, coordinates = orthonormalise([gradient, *history_vectors(state.history)], space.inner)
        S, Y = coordinates[:, 1::2][:, ::-1], coordinates[:, 2::2][:, ::-1]
        B = compact_matrix(S, Y, state.gamma)
        solution = solve_subproblem(B, coordinates[:, 0], state.radius)
        dual_update = combine(solution.p, [u.Pv for u in basis])
        # p is S (P p) rather than the sum over the basis: the pair stays consistent however long the history.
        update = space.precondition(dual_update)
        check_preconditioner(update, combine(solution.p, [u.v for u in basis]))
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

    def judge(
        self, state: State, step: Step, trial_misfit: float | None, control: Control | None = None
    ) -> Verdict:
        """Return whether the step is accepted, and the new radius.

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
            The control group at the iterate; None if all events of the state are compared.
        """
        expected = expected_of(state, step, control)
        verdict = refused(step, trial_misfit, expected)
        if verdict is not None:
            return verdict
        assert trial_misfit is not None
        actual = float(trial_misfit) - expected.misfit
        ratio = actual / expected.predicted_reduction
        accepted = ratio > _ACCEPT_ABOVE
        if accepted:
            radius, why = _radius_after_acceptance(step, ratio)
            reason = f"accepted: ratio {ratio:.3g} above {_ACCEPT_ABOVE:g}; {why}"
        else:
            radius = shorter_step(step, expected.slope, actual)
            reason = f"rejected: ratio {ratio:.3g} not above {_ACCEPT_ABOVE:g}; {shrunk(step, radius)}"
        return Verdict(accepted, float(trial_misfit), actual, ratio, step.on_boundary, radius, reason)

    def reject(self, state: State, step: Step, verdict: Verdict) -> State:
        """Return the state after a rejected step: smaller radius, then steepest descent, then stopped.

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
        pair, reason = _pair_of(state, step, ends or (state.point, new_point), space.inner)
        gamma = state.gamma if pair is None else pair_scaling(pair, space.inner)
        history = state.history if pair is None else (*state.history, pair)
        return State(
            point=new_point,
            radius=verdict.radius,
            gamma=gamma,
            gradient_norm=space.gradient_norm(new_point),
            first_gradient_norm=state.first_gradient_norm,
            history=history[-self.history_size :],
            reason=f"{verdict.reason}; {reason}",
        )

    def converged(
        self, state: State, step: Step | None, precision: str, space: Space | None = None
    ) -> str | None:
        """Return why the iteration is at its end, in words, or None; see `why_converged`."""
        return why_converged(state, step, precision, space)


def _pair_of(
    state: State, step: Step, ends: tuple[Point, Point], inner: Inner
) -> tuple[CurvaturePair | None, str]:
    """The curvature pair of an accepted step; optimality gives B p = −g − λ P p without B."""
    old, new = ends
    y = MetricVector(new.preconditioned - old.preconditioned, new.gradient - old.gradient)
    g, Sg = state.point.gradient, state.point.preconditioned
    Bp = MetricVector(-Sg - step.multiplier * step.update, -g - step.multiplier * step.dual_update)
    return curvature_pair(MetricVector(step.update, step.dual_update), y, Bp, inner)


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
