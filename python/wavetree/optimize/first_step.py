"""The length of the first step, given as the largest absolute change of each parameter."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, ValidationInfo

from wavetree.errors import unknown_name
from wavetree.optimize.space import Point, Space
from wavetree.optimize.state import State

__all__ = ["ChangeLinf", "change_by_parameter", "count", "first_state", "restarted", "scale_by_parameter"]


def _positive(
    value: float | dict[str, float] | None, info: ValidationInfo
) -> float | dict[str, float] | None:
    if isinstance(value, dict) and not value:
        raise ValueError(f"{info.field_name} is {{}}, expected one number, numbers per parameter or None")
    for name, change in (value if isinstance(value, dict) else {"": value}).items():
        if change is not None and not change > 0.0:
            of = f" of {name!r}" if name else ""
            raise ValueError(
                f"{info.field_name}{of} is {change}, expected a positive number: the largest "
                "change of the parameter in the first step, in the parameter's unit"
            )
    return value


ChangeLinf = Annotated[float | dict[str, float] | None, AfterValidator(_positive)]
"""One positive number for all parameters, numbers per parameter, or None for the defaults."""


def change_by_parameter(
    argument: str, given: float | dict[str, float] | None, defaults: Mapping[str, float]
) -> dict[str, float]:
    """Return the largest change of each parameter in `defaults`, the default where none is given.

    Raises
    ------
    ValueError
        If `given` names a parameter that is not in `defaults`.
    """
    if given is None:
        return dict(defaults)
    if not isinstance(given, dict):
        return dict.fromkeys(defaults, given)
    for name in given:
        if name not in defaults:
            raise unknown_name(f"inversion parameter in {argument}", name, defaults)
    return {name: given.get(name, default) for name, default in defaults.items()}


def scale_by_parameter(
    given: float | dict[str, float] | None, changes: Mapping[str, float]
) -> dict[str, float]:
    """Return r_k of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k²: the changes, or 1 if one number is given."""
    if isinstance(given, float):
        return dict.fromkeys(changes, 1.0)
    return dict(changes)


def first_state(point: Point, space: Space) -> State:
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
    norm = space.gradient_norm(point)
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


def restarted(begun: State, parent: State, changed: Sequence[str]) -> State:
    """Return a state that has just begun, its reason saying what of the parent's was dropped.

    Raises
    ------
    ValueError
        If `changed` is empty.
    """
    if not changed:
        raise ValueError("changed is empty, expected what differs from the parent; else keep its state")
    what = f"{', '.join(changed)} changed: history of {count(len(parent.history), 'pair')} dropped"
    return dataclasses.replace(begun, reason=f"{what}, {begun.reason}")


def count(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
