"""Which time steps of a forward field are stored for the adjoint run."""

from __future__ import annotations

from math import factorial

import numpy as np

__all__ = ["storage_schedule"]

# Coefficients of 1/(1 − e^(−a)) = 1/a + Σ c_m a^m, from the Bernoulli numbers.
_SERIES = (1 / 2, 1 / 12, 0.0, -1 / 720, 0.0, 1 / 30240)


def storage_schedule(n_steps: int, interval: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored time steps and the weights that make a sum over them the sum over all steps.

    Parameters
    ----------
    n_steps
        Number of time steps; fields 1 to n_steps enter the gradient.
    interval
        Every `interval`-th step is stored, counted back from the last.

    Returns
    -------
    steps, weights
        Ascending int64 and float64, shape (n_stored,); with an interval of 1 every step with weight 1.

    Notes
    -----
    The gradient is Σ_k u_k q_k, with q from the adjoint field. Both are band-limited, so the sum over every
    s-th step times s, which is band-limited interpolation of u followed by its transpose on q, is exact up to
    aliasing: it needs s dt below half the shortest period of the field. At the last step the adjoint field
    sets in with a jump, where the sum is corrected to be exact for polynomials of degree 5 (Gregory's end
    correction, here between two step sizes): Σ_j d_j exp(−a j s) matches
    1/(1 − exp(−a)) − s/(1 − exp(−a s)) to order a^5. At the first steps the forward field is zero.

    Examples
    --------
    >>> steps, weights = storage_schedule(100, 10)
    """
    if interval < 1:
        raise ValueError(f"interval is {interval}; expected at least 1.")
    steps = np.arange(n_steps, 0, -interval, dtype=np.int64)[::-1].copy()
    weights = np.full(len(steps), float(interval))
    n = min(len(_SERIES), len(steps))
    powers = np.array([[(-j * interval) ** m / factorial(m) for j in range(n)] for m in range(n)], dtype=float)
    target = np.array([_SERIES[m] * (1.0 - float(interval) ** (m + 1)) for m in range(n)])
    if interval > 1:
        weights[::-1][:n] += np.linalg.solve(powers, target)
    return steps, weights
