"""The medium that a small volume of many media is to long waves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wavetree.model.isotropic import BulkModuli
from wavetree.model.parameters import find_set

__all__ = ["effective_medium"]


def effective_medium(
    values: Mapping[str, np.ndarray], weights: np.ndarray, dim: int
) -> dict[str, np.ndarray]:
    """Average isotropic media over volumes that are small against the waves.

    Parameters
    ----------
    values
        Parameters by upper-case name, shape (..., n_samples).
    weights
        Share of the volume that every sample stands for (..., n_samples), of any sum.
    dim
        Number of space dimensions.

    Returns
    -------
    dict
        The same parameters, shape (...,).

    Raises
    ------
    ValueError
        If the medium is anisotropic.

    Notes
    -----
    Averaged is what adds up: mass and compliance. With ⟨·⟩ the weighted mean, ρ̄ = ⟨ρ⟩, 1/κ̄ = ⟨1/κ⟩ and
    1/μ̄ = ⟨1/μ⟩ (Moczo et al. 2002, Bull. Seismol. Soc. Am. 92, 3042–3066). Of a stack of fluid layers
    it is the exact long-wave limit across the layers (Backus 1962, J. Geophys. Res. 67, 4427–4440): travel
    times √(⟨ρ⟩⟨1/κ⟩). Velocities are not averaged themselves. A volume with some fluid bears no shear.
    """
    given = find_set(values, dim)
    if given.physics == "anisotropic":
        raise ValueError(
            f"the model has the parameters {', '.join(given.names)} of anisotropic media; expected isotropic "
            "ones for averaging: sample the model without it."
        )
    moduli = BulkModuli(dim)
    found = given.convert(values, moduli)
    total = weights.sum(axis=-1)
    mean = {
        "RHO": (weights * found["RHO"]).sum(axis=-1) / total,
        **{name: _harmonic(found[name], weights, total) for name in ("KAPPA", "MU")},
    }
    return moduli.convert(mean, given)


def _harmonic(values: np.ndarray, weights: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Weighted harmonic mean along the last axis, zero where a value is."""
    with np.errstate(divide="ignore"):
        return np.asarray(total / (weights / values).sum(axis=-1))
