"""Checks of linear maps and of derivatives of functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = [
    "central_difference_errors",
    "central_differences",
    "dot_product_defect",
    "taylor_remainders",
    "taylor_slopes",
]

Function = Callable[[np.ndarray], float]
LinearMap = Callable[[np.ndarray], np.ndarray]


def dot_product_defect(forward: LinearMap, adjoint: LinearMap, x: np.ndarray, y: np.ndarray) -> float:
    """Return how far two linear maps are from being each other's transposes.

    Parameters
    ----------
    forward
        A, from arrays shaped as x to arrays shaped as y.
    adjoint
        Its transpose Aᵀ.
    x, y
        Where the maps are compared; random ones see every entry.

    Returns
    -------
    float
        At most about 1e-12 for maps evaluated in float64, 1e-5 in float32.

    Raises
    ------
    ValueError
        If Ax has not the shape of y or Aᵀy not that of x, or if Ax or y is zero.

    Notes
    -----
    |⟨Ax, y⟩ − ⟨x, Aᵀy⟩| / (‖Ax‖ ‖y‖) with Euclidean products.
    """
    image, preimage = np.asarray(forward(x)), np.asarray(adjoint(y))
    for name, result, like in (("forward(x)", image, y), ("adjoint(y)", preimage, x)):
        if result.shape != np.shape(like):
            raise ValueError(
                f"{name} has shape {result.shape}; expected {np.shape(like)}, that of the other argument."
            )
    scale = float(np.linalg.norm(image) * np.linalg.norm(y))
    if scale == 0.0:
        raise ValueError("forward(x) or y is zero; expected arguments that the map does not lose.")
    return abs(float(np.vdot(image, y)) - float(np.vdot(x, preimage))) / scale


def taylor_remainders(
    function: Function, gradient: np.ndarray, point: np.ndarray, direction: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return what the linear model of a function leaves.

    Parameters
    ----------
    function
        χ, from an array to a number.
    gradient
        Its derivative at the point by every entry, shaped as the point.
    point, direction
        Where χ is expanded and along what, arrays of one shape. Along the gradient itself a wrong
        gradient can look right: take a random direction.
    steps
        Step lengths h (n_steps,).

    Returns
    -------
    np.ndarray
        r(h) = |χ(p + h d) − χ(p) − h ⟨g, d⟩|, (n_steps,).

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than two steps.
    """
    if not np.shape(gradient) == np.shape(point) == np.shape(direction):
        raise ValueError(
            f"gradient, point and direction have the shapes {np.shape(gradient)}, {np.shape(point)} and "
            f"{np.shape(direction)}; expected one shape for all."
        )
    steps = np.asarray(steps, dtype=np.float64)
    if steps.ndim != 1 or steps.size < 2:
        raise ValueError(f"steps has shape {steps.shape}; expected at least two step lengths (n_steps,).")
    here, slope = function(point), float(np.vdot(gradient, direction))
    return np.array([abs(function(point + h * direction) - here - h * slope) for h in steps])


def taylor_slopes(
    function: Function, gradient: np.ndarray, point: np.ndarray, direction: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return how fast the remainder of the linear model falls with the step.

    Parameters
    ----------
    function, gradient, point, direction
        As of `taylor_remainders`.
    steps
        Step lengths, at least two, all of one sign.

    Returns
    -------
    np.ndarray
        One slope per pair of neighbouring steps, (n_steps − 1,): 2 for the derivative of χ, 1 for anything
        else, less where rounding takes over.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer than two steps.

    Notes
    -----
    d log r / d log h of the remainders r(h), a difference quotient.
    """
    remainders = taylor_remainders(function, gradient, point, direction, steps)
    return np.asarray(np.diff(np.log(remainders)) / np.diff(np.log(np.abs(steps))))


def central_difference_errors(
    function: Function,
    gradient: np.ndarray,
    point: np.ndarray,
    generator: np.random.Generator,
    count: int = 20,
    step: float = 1e-3,
) -> np.ndarray:
    """Return how far random entries of a gradient are from central differences.

    Parameters
    ----------
    function
        χ, from an array to a number.
    gradient
        Its derivative at the point by every entry, shaped as the point.
    point
        Where the derivative was taken.
    generator
        Draws the entries, each once.
    count
        Number of entries; all of them if there are fewer.
    step
        Change of an entry, in its own unit.

    Returns
    -------
    np.ndarray
        |Δ_i − g_i| / max |g| with the differences Δ of `central_differences`, (count,).

    Raises
    ------
    ValueError
        If gradient and point differ in shape, or the gradient is zero.
    """
    if np.shape(gradient) != np.shape(point):
        raise ValueError(f"gradient has shape {np.shape(gradient)}; expected {np.shape(point)}, the point's.")
    largest = float(np.max(np.abs(gradient)))
    if largest == 0.0:
        raise ValueError("gradient is zero; expected a point that is not stationary.")
    entries = generator.choice(np.size(point), min(count, np.size(point)), replace=False)
    differences = central_differences(function, point, entries, step)
    return np.asarray(np.abs(differences - np.ravel(gradient)[entries]) / largest)


def central_differences(
    function: Function, point: np.ndarray, entries: np.ndarray, step: float
) -> np.ndarray:
    """Return the derivatives of a function by entries of its argument (n_entries,).

    Parameters
    ----------
    function
        χ, from an array to a number; evaluated four times for each entry.
    point
        Where.
    entries
        Indices into the flat point (n_entries,).
    step
        Change h of an entry.

    Notes
    -----
    Of fourth order, (8 (χ(h) − χ(−h)) − (χ(2h) − χ(−2h))) / 12h: it errs by h⁴/30 of the fifth derivative and
    by the rounding of χ over h.
    """
    result = []
    for entry in entries:
        unit = np.zeros(np.shape(point))
        unit.flat[entry] = step
        near, far = (function(point + k * unit) - function(point - k * unit) for k in (1.0, 2.0))
        result.append((8.0 * near - far) / (12.0 * step))
    return np.array(result)
