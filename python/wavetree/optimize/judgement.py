"""What methods that test their steps have in common: expected change, refusals, shorter steps, the end."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from wavetree.optimize.first_step import count
from wavetree.optimize.space import Space
from wavetree.optimize.state import State, Step, Verdict

__all__ = [
    "Control",
    "Expected",
    "check_accepted",
    "check_can_go_on",
    "expected_of",
    "refused",
    "rejected",
    "shorter_step",
    "shrunk",
]

_SMALLEST_SHRINK, _LARGEST_SHRINK = 0.1, 0.5
_MAX_REJECTIONS = 5
# Simulations in single precision know the misfit to about this part of it.
_NOISE = 1e-6


class Control(NamedTuple):
    """What is known of the control group at the iterate, scaled to the size of the whole.

    Attributes
    ----------
    misfit
        χ_c, the control group's misfit at the iterate.
    slope_difference
        ⟨g_c − g, p⟩ with g_c the control group's gradient and g that of the state; exactly zero if they are
        the same numbers, so that a control group of all events changes no bit.
    """

    misfit: float
    slope_difference: float

    @classmethod
    def of(cls, misfit: float, gradient: np.ndarray, state: State, step: Step, space: Space) -> Control:
        """Return the control group's figures along a step.

        Parameters
        ----------
        misfit
            Misfit of the control group at the iterate, scaled to the size of the whole.
        gradient
            Riesz representative of its derivative, scaled likewise, shape (n,).
        state
            The state that proposed the step.
        step
            The step.
        space
            The space that the step was proposed in.
        """
        return cls(misfit, space.inner(gradient - state.point.gradient, step.update))


class Expected(NamedTuple):
    """Misfit at the iterate, slope and predicted reduction of what the trial is compared with."""

    misfit: float
    slope: float
    predicted_reduction: float


def check_can_go_on(state: State) -> None:
    """Raise ValueError if there is no step to propose: the method has stopped or the gradient is zero."""
    if state.stopped is not None:
        raise ValueError(f"the state has {state.stopped}; branch from an earlier iteration or restart")
    if state.gradient_norm == 0.0:
        raise ValueError("the gradient is zero, there is no step to propose; ask converged() first")


def check_accepted(verdict: Verdict) -> None:
    """Raise ValueError if the verdict is for reject()."""
    if not verdict.accepted:
        raise ValueError(f"verdict rejected the step ({verdict.reason}); pass it to reject()")


def expected_of(state: State, step: Step, control: Control | None) -> Expected:
    """Return what the trial is compared with.

    Notes
    -----
    The control group has the model's curvature and its own slope: pred_c = pred − ⟨g, p⟩ + ⟨g_c, p⟩.
    """
    if control is None:
        return Expected(state.point.misfit, step.slope, step.predicted_reduction)
    slope, predicted = (x + control.slope_difference for x in (step.slope, step.predicted_reduction))
    return Expected(control.misfit, slope, predicted)


def refused(step: Step, trial_misfit: float | None, expected: Expected) -> Verdict | None:
    """Return the verdict on a trial that cannot be compared, None if it can be."""
    if trial_misfit is None or not math.isfinite(trial_misfit):
        radius = _SMALLEST_SHRINK * step.norm
        reason = f"rejected: the trial's misfit is {trial_misfit}; {shrunk(step, radius)}"
        return Verdict(False, None, None, None, step.on_boundary, radius, reason)
    if expected.predicted_reduction < 0.0:
        return None
    radius = _LARGEST_SHRINK * step.norm
    reason = (
        f"rejected: the predicted reduction {expected.predicted_reduction:.3g} of the control group is not "
        f"negative; {shrunk(step, radius)}"
    )
    actual = float(trial_misfit) - expected.misfit
    return Verdict(False, float(trial_misfit), actual, None, step.on_boundary, radius, reason)


def shorter_step(step: Step, slope: float, actual_reduction: float) -> float:
    """Length of the step that minimises the parabola through χ, its slope and χ_trial, within bounds."""
    curvature = actual_reduction - slope
    t = -slope / (2.0 * curvature) if curvature > 0.0 else _LARGEST_SHRINK
    return min(max(t, _SMALLEST_SHRINK), _LARGEST_SHRINK) * step.norm


def shrunk(step: Step, radius: float) -> str:
    """Return in words how the radius shrinks."""
    return f"radius {step.radius:.6g} -> {radius:.6g} ({radius / step.norm:.3g} of the step's norm)"


def rejected(state: State, step: Step, verdict: Verdict) -> State:
    """Return the state after a rejected step: smaller radius, then steepest descent, then stopped.

    Raises
    ------
    ValueError
        If the verdict accepted the step.
    """
    if verdict.accepted:
        raise ValueError(f"verdict accepted the step ({verdict.reason}); pass it to accept()")
    rejections = state.rejections + 1
    changed = dataclasses.replace(state, radius=verdict.radius, rejections=rejections, reason=verdict.reason)
    if state.steepest_descent:
        stopped = (
            f"stopped after {rejections} rejected steps, the last along steepest descent of length "
            f"{step.norm:.3g} with predicted reduction {step.predicted_reduction:.3g}: {_why(state, step)}"
        )
        return dataclasses.replace(changed, stopped=stopped, reason=stopped)
    if rejections < _MAX_REJECTIONS:
        return changed
    dropped = count(len(state.history), "pair")
    return dataclasses.replace(
        changed,
        history=(),
        gamma=verdict.radius / state.gradient_norm,
        steepest_descent=True,
        reason=f"{verdict.reason}; {rejections} rejections in a row: history of {dropped} dropped, "
        "steepest descent is tried",
    )


def _why(state: State, step: Step) -> str:
    """What a misfit that does not fall along steepest descent means."""
    share = abs(step.predicted_reduction) / abs(state.point.misfit) if state.point.misfit else math.inf
    if share <= _NOISE:
        return (
            f"that is {share:.3g} of the misfit {state.point.misfit:.6g}, so the gradient is at the noise "
            "level of the simulations and nothing is left to gain at this precision"
        )
    return (
        f"the misfit {state.point.misfit:.6g} does not follow its gradient there (check the gradient, or "
        "the misfit has a jump or noise of that size)"
    )
