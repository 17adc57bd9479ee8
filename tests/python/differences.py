"""Derivatives by finite differences, to put solutions into their equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)  # of f(x + nh) − f(x − nh), n = 1 … 4; order 8


def gradient(function: Function, step: float) -> Function:
    """Return the function of points (n, dim) that gives ∂f/∂xⱼ, the derivative as last index."""

    def derivative(x: np.ndarray) -> np.ndarray:
        columns = []
        for axis in range(x.shape[1]):
            shift = np.zeros(x.shape[1])
            shift[axis] = step
            columns.append(
                sum(w * (function(x + n * shift) - function(x - n * shift)) for n, w in enumerate(WEIGHTS, 1))
            )
        return np.stack(columns, axis=-1) / step

    return derivative


def divergence(function: Function, step: float) -> Function:
    """Return ∂fⱼ/∂xⱼ over the last index of the function."""
    derivative = gradient(function, step)
    return lambda x: np.trace(derivative(x), axis1=-2, axis2=-1)


def stress(u: Function, tensor: np.ndarray, step: float) -> Function:
    """Return σ of a displacement, tensor c_ijkl."""
    derivative = gradient(u, step)
    return lambda x: np.einsum("ijkl,nkl->nij", tensor, derivative(x))
