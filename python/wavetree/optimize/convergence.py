"""When there is nothing left to gain, in words."""

from __future__ import annotations

import numpy as np

from wavetree.errors import unknown_name
from wavetree.optimize.space import Space
from wavetree.optimize.state import State, Step

__all__ = ["why_converged"]

_SMALLEST_GRADIENT = 1e-6
_SMALLEST_PREDICTION = {"float32": 1e-7, "float64": 1e-13}
# A change of the model by this part of its size is lost when the model is rounded.
_SMALLEST_CHANGE = {"float32": 1e-7, "float64": 1e-15}


def why_converged(state: State, step: Step | None, precision: str, space: Space | None = None) -> str | None:
    """Return why the iteration is at its end, in words, or None.

    The words start with "converged" if the misfit has reached its minimum, with "stopped" if the step is
    too small to change the model.

    Parameters
    ----------
    state
        The state at the iterate.
    step
        The step proposed from it; None tests the gradient alone.
    precision
        Precision of the simulations, "float32" or "float64".
    space
        The space of the step; with its `sizes` the step is compared with the model's rounding.

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
    if step is None:
        return None
    smallest = _SMALLEST_PREDICTION[precision] * abs(state.point.misfit)
    if abs(step.predicted_reduction) <= smallest:
        return (
            f"converged: predicted reduction {step.predicted_reduction:.3g} is at most "
            f"{_SMALLEST_PREDICTION[precision]:g} of the misfit {state.point.misfit:.6g}, its error in "
            f"{precision}"
        )
    return None if space is None else _why_at_rounding(state, step, precision, space)


def _why_at_rounding(state: State, step: Step, precision: str, space: Space) -> str | None:
    changes = {
        name: float(np.max(np.abs(step.update[space.blocks[name]]), initial=0.0)) / size
        for name, size in space.sizes.items()
    }
    if not changes or max(changes.values()) > _SMALLEST_CHANGE[precision]:
        return None
    name = max(changes, key=lambda k: changes[k])
    after = f" after {state.rejections} rejected steps" if state.rejections else ""
    return (
        f"stopped: radius {step.radius:.3g} is at the rounding of the model in {precision}{after}: the step "
        f"changes {name} by at most {changes[name]:.3g} of its size, {space.sizes[name]:.6g}"
    )
