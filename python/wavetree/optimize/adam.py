"""Adam for stochastic batches, with moments that respect the metric of the preconditioner."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat

from wavetree.config import Configuration, configuration
from wavetree.optimize.convergence import why_converged
from wavetree.optimize.first_step import (
    ChangeLinf,
    change_by_parameter,
    count,
    first_state,
    restarted,
    scale_by_parameter,
)
from wavetree.optimize.judgement import Control, check_accepted, check_can_go_on
from wavetree.optimize.space import Point, Space
from wavetree.optimize.state import State, Step, Verdict

__all__ = ["Adam"]

_SHRINK = 0.5
_MAX_REJECTIONS = 10

_Decay = Annotated[float, Field(ge=0.0, lt=1.0)]


@configuration
class Adam(Configuration):
    """Momentum with steps of a given size, taken without a test, for gradients of changing batches.

    Parameters
    ----------
    learning_rate_linf
        About the largest absolute change of a step in the unit of the inversion parameter: one number for all
        parameters, or a number per parameter (parameters left out get the default). Default: 1 % of the mean
        absolute value for absolute scaling, 0.01 for relative and logarithmic scaling.
    beta1, beta2
        Decay of the first and the second moment.
    epsilon
        Smallest size that gradients are divided by, relative to the largest of the parameter so far.

    Raises
    ------
    ValueError
        If a number is not positive, or a decay not in [0, 1).

    Notes
    -----
    With η_k the learning rate of parameter k, in step t

        m = β1 m + (1 − β1) g,   v_k = β2 v_k + (1 − β2) max |S g|_k²,
        p = −S Σ_k η_k m_k/(1 − β1ᵗ) / (√(v_k/(1 − β2ᵗ)) + ε max_{i ≤ t} max |S g_i|_k).

    This is Adam (Kingma & Ba 2015) with one second moment a parameter (as Ginsburg et al. 2019 have one a
    layer). A second moment a node would turn S g into its signs and so undo the smoothing; here p is S
    applied to a sum of gradients, and its largest change is η_k as long as the gradient does not change.
    Steps do not depend on the unit of the misfit, nor on that of a parameter with a learning rate of its own.
    """

    tests_steps: ClassVar[bool] = False

    learning_rate_linf: ChangeLinf = None
    _: KW_ONLY
    beta1: _Decay = 0.9
    beta2: _Decay = 0.999
    epsilon: PositiveFloat = 1e-8

    def initial_change(self, defaults: Mapping[str, float]) -> dict[str, float]:
        """Return the learning rate of each parameter in `defaults`.

        Raises
        ------
        ValueError
            If `learning_rate_linf` names a parameter that is not inverted for.
        """
        return change_by_parameter("learning_rate_linf", self.learning_rate_linf, defaults)

    def parameter_scales(self, initial_change: Mapping[str, float]) -> dict[str, float]:
        """Return r_k of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k²: the learning rates, or 1 if one number is given."""
        return scale_by_parameter(self.learning_rate_linf, initial_change)

    def begin(self, point: Point, space: Space) -> State:
        """Return the state at a first point, with the moments of its gradient."""
        begun = first_state(point, space)
        nothing = np.zeros_like(point.gradient)
        none_yet: dict[str, Any] = {"steps": 0, **{k: dict.fromkeys(space.blocks, 0.0) for k in _SIZES}}
        reason = f"steps change {', '.join(f'{k} by about {c:.6g}' for k, c in space.initial_change.items())}"
        if begun.gradient_norm == 0.0:
            reason = "the gradient is zero: there is no first step"
        return self._with_moments(
            dataclasses.replace(begun, vectors={"first_moment": nothing}, scalars=none_yet, reason=reason),
            point,
            space,
        )

    def restart(self, state: State, point: Point, space: Space, changed: Sequence[str]) -> State:
        """Return a first state for a branch in which what `changed` names differs from its parent's."""
        return restarted(self.begin(point, space), state, changed)

    def propose(self, state: State, space: Space) -> Step:
        """Return the next step; applies S once.

        Raises
        ------
        ValueError
            If the gradient is zero, the method has stopped or the state is that of another method.
        """
        check_can_go_on(state)
        moment, sizes = _moments(state)
        t = sizes["steps"]
        dual_update = np.zeros_like(moment)
        for name, block in space.blocks.items():
            size = math.sqrt(sizes["second_moment"][name] / (1.0 - self.beta2**t))
            size += self.epsilon * sizes["largest"][name]
            if size > 0.0:
                rate = space.initial_change[name] / (1.0 - self.beta1**t)
                dual_update[block] = -rate * (moment[block] / size)
        update = space.precondition(dual_update)
        norm = math.sqrt(max(space.inner(update, dual_update), 0.0))
        if state.rejections:
            shorter = _SHRINK**state.rejections
            update, dual_update, norm = shorter * update, shorter * dual_update, shorter * norm
        slope = space.inner(state.point.gradient, update)
        return Step(
            update=update,
            dual_update=dual_update,
            predicted_reduction=slope,
            slope=slope,
            norm=norm,
            radius=norm,
            on_boundary=False,
            multiplier=0.0,
            kkt_residual=0.0,
        )

    def judge(
        self, state: State, step: Step, trial_misfit: float | None, control: Control | None = None
    ) -> Verdict:
        """Return an accepting verdict, unless the trial's misfit was asked for and is not finite.

        Parameters
        ----------
        state
            The state that proposed the step.
        step
            The step.
        trial_misfit
            χ at the trial model, None if it is not known; NaN if the trial model cannot be simulated.
        control
            The control group at the iterate; taken for the recorded reduction alone.
        """
        if trial_misfit is None:
            return Verdict(True, None, None, None, False, step.norm, "accepted: steps are not tested")
        if not math.isfinite(trial_misfit):
            radius = _SHRINK * step.norm
            reason = f"rejected: the trial's misfit is {trial_misfit}; the step is halved to {radius:.6g}"
            return Verdict(False, None, None, None, False, radius, reason)
        actual = float(trial_misfit) - (state.point.misfit if control is None else control.misfit)
        slope = step.slope + (0.0 if control is None else control.slope_difference)
        ratio = actual / slope if slope < 0.0 else None
        reason = "accepted: steps are taken whatever the misfit"
        return Verdict(True, float(trial_misfit), actual, ratio, False, step.norm, reason)

    def reject(self, state: State, step: Step, verdict: Verdict) -> State:
        """Return the state after a rejected step: half the step, after too many of them stopped.

        Raises
        ------
        ValueError
            If the verdict accepted the step.
        """
        if verdict.accepted:
            raise ValueError(f"verdict accepted the step ({verdict.reason}); pass it to accept()")
        rejections = state.rejections + 1
        stopped = None
        if rejections >= _MAX_REJECTIONS:
            stopped = (
                f"stopped after {count(rejections, 'rejected step')}, the last of length {step.norm:.3g}: no "
                f"model along the step can be simulated ({verdict.reason})"
            )
        return dataclasses.replace(
            state,
            radius=verdict.radius,
            rejections=rejections,
            stopped=stopped,
            reason=stopped or verdict.reason,
        )

    def accept(
        self,
        state: State,
        step: Step,
        verdict: Verdict,
        new_point: Point,
        space: Space,
        ends: tuple[Point, Point] | None = None,
    ) -> State:
        """Return the state at the trial, its gradient added to the moments.

        Parameters
        ----------
        state
            The state that proposed the step.
        step
            The accepted step.
        verdict
            Its verdict.
        new_point
            Misfit and gradient of the next batch at the trial model.
        space
            The space that the step was proposed in.
        ends
            Not used: there are no curvature pairs.

        Raises
        ------
        ValueError
            If the verdict rejected the step, or the new point does not fit the space.
        """
        check_accepted(verdict)
        space.check_size(new_point.gradient.size)
        moved = dataclasses.replace(
            state,
            point=new_point,
            radius=verdict.radius,
            gradient_norm=space.gradient_norm(new_point),
            rejections=0,
            reason=verdict.reason,
        )
        return self._with_moments(moved, new_point, space)

    def converged(
        self, state: State, step: Step | None, precision: str, space: Space | None = None
    ) -> str | None:
        """Return why the iteration is at its end, in words, or None: by the gradient alone."""
        return why_converged(state, None, precision)

    def _with_moments(self, state: State, point: Point, space: Space) -> State:
        """The state with a gradient added to its moments."""
        moment, sizes = _moments(state)
        second, largest = dict(sizes["second_moment"]), dict(sizes["largest"])
        for name, block in space.blocks.items():
            size = float(np.max(np.abs(point.preconditioned[block]), initial=0.0))
            second[name] = self.beta2 * second[name] + (1.0 - self.beta2) * size**2
            largest[name] = max(largest[name], size)
        return dataclasses.replace(
            state,
            vectors={"first_moment": self.beta1 * moment + (1.0 - self.beta1) * point.gradient},
            scalars={"steps": sizes["steps"] + 1, "second_moment": second, "largest": largest},
        )


_SIZES = ("second_moment", "largest")


def _moments(state: State) -> tuple[np.ndarray, Mapping[str, Any]]:
    if "first_moment" not in state.vectors or not {"steps", *_SIZES} <= set(state.scalars):
        raise ValueError(
            "state has no moments: it is damaged or that another method's; restart() after a change of method"
        )
    return state.vectors["first_moment"], state.scalars
