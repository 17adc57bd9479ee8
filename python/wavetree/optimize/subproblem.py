"""The trust-region subproblem min gᵀp + ½ pᵀH p, ‖p‖ ≤ Δ for a small dense symmetric H, solved exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["SubproblemSolution", "solve_subproblem"]

_MAX_NEWTON_STEPS = 200


@dataclass(frozen=True, eq=False)
class SubproblemSolution:
    """Global minimiser of the subproblem.

    Parameters
    ----------
    p
        The minimiser, shape (r,).
    multiplier
        λ ≥ 0 with (H + λ I) p = −g, H + λ I positive semidefinite and λ (Δ − ‖p‖) = 0.
    slope
        gᵀp.
    predicted_reduction
        gᵀp + ½ pᵀH p, not positive.
    kkt_residual
        Largest of ‖(H + λ I) p + g‖/‖g‖, ‖p‖/Δ − 1 and λ (Δ − ‖p‖)/‖g‖.
    """

    p: np.ndarray
    multiplier: float
    slope: float
    predicted_reduction: float
    kkt_residual: float


def solve_subproblem(H: np.ndarray, g: np.ndarray, radius: float) -> SubproblemSolution:
    """Return the global minimiser of gᵀp + ½ pᵀH p under ‖p‖ ≤ radius.

    Parameters
    ----------
    H
        Symmetric matrix, shape (r, r); may be indefinite.
    g
        Gradient, shape (r,).
    radius
        Δ > 0.

    Notes
    -----
    Moré & Sorensen (1983), SIAM J. Sci. Stat. Comput. 4. In the eigenbasis p_i = −a_i/(d_i + μ) with d_i the
    eigenvalues less the smallest one, λ₁, and μ = λ + λ₁. Solving for μ, not λ, keeps all digits next to the
    hard case, so no tolerance decides about it: it is there only if a vanishes exactly where d does.
    """
    eigenvalues, Q = np.linalg.eigh(H)
    a = Q.T @ g
    lowest = float(eigenvalues[0])
    d = eigenvalues - lowest
    start = max(0.0, lowest)
    t = _shifted_solution(a, d, start)
    if np.linalg.norm(t) <= radius:
        mu = start
        if lowest < 0.0:
            t[0] = math.copysign(_length_to_boundary(t, radius), -a[0])
    else:
        mu = _boundary_shift(a, d, start, radius)
        t = _shifted_solution(a, d, mu)
    multiplier = max(mu - lowest, 0.0)
    p = Q @ t
    slope = float(g @ p)
    predicted = slope + 0.5 * float(p @ (H @ p))
    return SubproblemSolution(p, multiplier, slope, predicted, _kkt_residual(H, g, radius, p, multiplier))


def _shifted_solution(a: np.ndarray, d: np.ndarray, mu: float) -> np.ndarray:
    """t_i = −a_i/(d_i + μ), zero where a_i is."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t: np.ndarray = np.where(a == 0.0, 0.0, -a / (d + mu))
    return t


def _length_to_boundary(t: np.ndarray, radius: float) -> float:
    """Component along the lowest eigenvector that puts t on the boundary (hard case: t[0] is zero)."""
    length = float(np.linalg.norm(t[1:]))
    return math.sqrt(max(radius - length, 0.0) * (radius + length))


def _boundary_shift(a: np.ndarray, d: np.ndarray, start: float, radius: float) -> float:
    """μ > start with ‖t(μ)‖ = Δ by Newton's method on 1/‖t‖ = 1/Δ, kept in a bracket by bisection."""
    low = max(start, float(np.max(np.abs(a) / radius - d)))
    high = max(low, float(np.linalg.norm(a)) / radius)
    mu = low
    for _ in range(_MAX_NEWTON_STEPS):
        t = _shifted_solution(a, d, mu)
        length = float(np.linalg.norm(t))
        if length > radius:
            low = mu
        else:
            high = mu
        if abs(length - radius) <= 4e-16 * radius:
            break
        # ‖t‖² = Σ a²/(d + μ)² has the derivative −2 Σ t²/(d + μ); high stands in where that overflows.
        slope = float(np.sum(np.where(a == 0.0, 0.0, t * t / np.where(d + mu > 0.0, d + mu, 1.0))))
        new = mu + (length / radius - 1.0) * length**2 / slope if math.isfinite(slope) else high
        if not low <= new <= high:
            new = 0.5 * (low + high)
        if new == mu:
            break
        mu = new
    return mu


def _kkt_residual(H: np.ndarray, g: np.ndarray, radius: float, p: np.ndarray, multiplier: float) -> float:
    scale = float(np.linalg.norm(g)) or 1.0
    length = float(np.linalg.norm(p))
    stationarity = float(np.linalg.norm(H @ p + multiplier * p + g)) / scale
    return max(stationarity, length / radius - 1.0, abs(multiplier * (radius - length)) / scale)
