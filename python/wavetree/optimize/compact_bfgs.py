"""Curvature pairs and the compact L-BFGS matrix (Byrd, Nocedal & Schnabel 1994, Math. Program. 63)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wavetree.optimize.space import Inner, MetricVector

__all__ = ["CurvaturePair", "compact_matrix", "curvature_pair", "history_vectors", "pair_scaling"]

# A pair is used as it is if ⟨s, y⟩ ≥ 1e-8 ‖s‖ ‖y‖; a damped one has ⟨s, y⟩ = 0.2 ⟨s, B s⟩ (Powell 1978).
_SMALLEST_COSINE = 1e-8
_DAMPED_CURVATURE = 0.2


class CurvaturePair(NamedTuple):
    """An accepted step s with P s, and the change of the gradient y, carried as (S y, y)."""

    s: MetricVector
    y: MetricVector


def compact_matrix(S: np.ndarray, Y: np.ndarray, gamma: float) -> np.ndarray:
    """Return the L-BFGS matrix B with B0 = I/γ in coordinates where the metric is the identity.

    Parameters
    ----------
    S
        Steps as columns, oldest first, shape (r, k); k may be 0.
    Y
        Changes of the gradient as columns, shape (r, k).
    gamma
        γ > 0.

    Returns
    -------
    numpy.ndarray
        Symmetric matrix of shape (r, r).

    Notes
    -----
    γ B = I − Ψ N⁻¹ Ψᵀ with Ψ = [S, γY], N = [[SᵀS, L], [Lᵀ, −D]], D and L the diagonal and the strict
    lower triangle of γ SᵀY. B does not depend on the length of a pair, so each is scaled to ‖s‖ = 1 first:
    steps of very different length would make N ill-conditioned.
    """
    identity = np.eye(S.shape[0])
    if S.shape[1] == 0:
        return identity / gamma
    lengths = np.sqrt(np.sum(S * S, axis=0))
    S, Y = S / lengths, (gamma * Y) / lengths
    SY = S.T @ Y
    L = np.tril(SY, -1)
    Psi = np.hstack([S, Y])
    N = np.block([[S.T @ S, L], [L.T, -np.diag(np.diag(SY))]])
    B = (identity - Psi @ np.linalg.solve(N, Psi.T)) / gamma
    symmetric: np.ndarray = 0.5 * (B + B.T)
    return symmetric


def pair_scaling(pair: CurvaturePair, inner: Inner) -> float:
    """Return γ = ⟨s, y⟩/⟨y, S y⟩ of the initial matrix B0 = P/γ that belongs to the newest pair."""
    return inner(pair.s.v, pair.y.Pv) / inner(pair.y.v, pair.y.Pv)


def curvature_pair(
    s: MetricVector, y: MetricVector, Bs: MetricVector, inner: Inner
) -> tuple[CurvaturePair | None, str]:
    """Return the pair to remember, damped if its curvature is too small, or None, and the reason in words.

    Parameters
    ----------
    s
        The accepted step, as (s, P s).
    y
        The change of the gradient, as (S y, y).
    Bs
        The model's change of the gradient, as (S B s, B s).
    inner
        The inner product ⟨a, b⟩.

    Notes
    -----
    Damping replaces y by θ y + (1 − θ) B s, θ such that ⟨s, y⟩ = 0.2 ⟨s, B s⟩ (Nocedal & Wright 2006, 18.2).
    """
    cosine = _cosine(s, y, inner)
    if cosine >= _SMALLEST_COSINE:
        return CurvaturePair(s, y), f"curvature pair added (cosine of s and y {cosine:.3g})"
    why = f"cosine of s and y {cosine:.3g} below {_SMALLEST_COSINE:g}"
    sy, sBs = inner(s.v, y.Pv), inner(s.v, Bs.Pv)
    if not sBs > 0.0:
        return None, f"curvature pair skipped: {why} and the model has no positive curvature along s"
    theta = (1.0 - _DAMPED_CURVATURE) * sBs / (sBs - sy)
    damped = MetricVector(theta * y.v + (1.0 - theta) * Bs.v, theta * y.Pv + (1.0 - theta) * Bs.Pv)
    if _cosine(s, damped, inner) < _SMALLEST_COSINE:
        return None, f"curvature pair skipped: {why}, also after damping"
    return CurvaturePair(s, damped), f"curvature pair damped with {theta:.3g}: {why}"


def _cosine(s: MetricVector, y: MetricVector, inner: Inner) -> float:
    """⟨s, y⟩/(‖s‖ ‖y‖), 0 if one of them is zero."""
    scale = math.sqrt(max(inner(s.v, s.Pv), 0.0)) * math.sqrt(max(inner(y.v, y.Pv), 0.0))
    return inner(s.v, y.Pv) / scale if scale > 0.0 else 0.0


def history_vectors(history: Sequence[CurvaturePair]) -> list[MetricVector]:
    """Return s and y of all pairs, newest pair first: what is dropped as dependent is then the oldest."""
    return [vector for pair in reversed(history) for vector in pair]
