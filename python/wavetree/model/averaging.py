"""The medium that a small volume of many media is to long waves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wavetree.model import voigt
from wavetree.model.isotropic import BulkModuli
from wavetree.model.parameter_set import ParameterSet, Values
from wavetree.model.parameters import find_set

__all__ = ["effective_medium"]

_ROWS = 50_000  # tensors that are inverted at a time


def effective_medium(
    values: Mapping[str, np.ndarray], weights: np.ndarray, dim: int
) -> dict[str, np.ndarray]:
    """Average media over volumes that are small against the waves.

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
        The same parameters, shape (...,). Tensor components with an orientation are turned into the axes of
        the domain, and their orientation is 0.

    Raises
    ------
    ValueError
        If velocities of hexagonal symmetry stand for axes that turn within a volume.

    Notes
    -----
    Averaged is what adds up: mass and compliance. With ⟨·⟩ the weighted mean, ρ̄ = ⟨ρ⟩, 1/κ̄ = ⟨1/κ⟩ and
    1/μ̄ = ⟨1/μ⟩ (Moczo et al. 2002, Bull. Seismol. Soc. Am. 92, 3042–3066). Of a stack of fluid layers
    it is the exact long-wave limit across the layers (Backus 1962, J. Geophys. Res. 67, 4427–4440): travel
    times √(⟨ρ⟩⟨1/κ⟩). Velocities are not averaged themselves. A volume with some fluid bears no shear.

    Of anisotropic media the compliance tensor is averaged, C̄⁻¹ = ⟨C⁻¹⟩ (Reuss 1929, Z. Angew. Math. Mech. 9,
    49–58), in the axes of the domain: it adds up where parts bear the same stress, needs no guess of how they
    are arranged, and in 3-D it is the rule above where they are isotropic. (In 2-D, plane strain, it takes
    1/(λ + μ) in the place of 1/κ.) It is the softest that any arrangement can be; of a stack of layers shear
    across them is exact, C44 = 1/⟨1/C44⟩. With some fluid in a volume what remains is 1/κ̄ = ⟨Σ_ij C⁻¹_ij⟩, i
    and j the normal components. Media of hexagonal symmetry about one axis have that symmetry again.
    """
    given = find_set(values, dim)
    if given.physics == "anisotropic":
        return _anisotropic(given, values, weights)
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


def _anisotropic(given: ParameterSet, values: Values, weights: np.ndarray) -> dict[str, np.ndarray]:
    hexagonal = "ETA" in given.names
    axes = {name: values[name] for name in given.orientation if name in values}
    if hexagonal:
        for name, angle in axes.items():
            if np.ptp(angle, axis=-1).max() > 0.0:
                raise ValueError(
                    f"{name} differs within the volume of a node, of which the average has no axis of "
                    "symmetry; expected one orientation for each: give the medium by tensor components."
                )
    # Hexagonal media stay in their own axes, which all samples of a volume share.
    in_axes = {name: values[name] for name in (given.names if hexagonal else (*given.names, *axes))}
    total = weights.sum(axis=-1)
    rho = (weights * values["RHO"]).sum(axis=-1) / total
    tensor = _mean_stiffness(given, in_axes, weights / total[..., None])
    if hexagonal:
        vsh = _harmonic(values["RHO"] * values["VSH"] ** 2, weights, total)
        mean = _hexagonal(tensor, rho, vsh, given.dim)
        return {**mean, **{name: angle[..., 0] for name, angle in axes.items()}}
    mean = given.from_core(np.concatenate([rho[None], tensor]), "anisotropic")
    return {**mean, **{name: np.zeros_like(rho) for name in axes}}


def _mean_stiffness(given: ParameterSet, values: Values, share: np.ndarray) -> np.ndarray:
    """Inverse of the mean compliance, packed (n_entries, ...), of samples along the last axis."""
    flat = {name: value.reshape(-1, share.shape[-1]) for name, value in values.items()}
    shares = share.reshape(-1, share.shape[-1])
    n_chunks = 1 + shares.size // _ROWS
    parts = []
    for rows in np.array_split(np.arange(len(shares)), min(n_chunks, len(shares))):
        part = {name: value[rows] for name, value in flat.items()}
        parts.append(_stiffness(given, part, shares[rows]))
    return np.concatenate(parts, axis=1).reshape(-1, *share.shape[:-1])


def _stiffness(given: ParameterSet, values: Values, share: np.ndarray) -> np.ndarray:
    """As `_mean_stiffness`, of samples (n, n_samples)."""
    dim, fluid = given.dim, given.is_fluid(values)
    matrix = voigt.to_matrix(given.to_core(values)[1:], dim)
    matrix[fluid] = np.eye(matrix.shape[-1])  # fluids have no compliance to shear: they are dealt with below
    compliance = np.linalg.inv(matrix)
    mean = voigt.to_entries(np.linalg.inv(np.einsum("rs,rsij->rij", share, compliance)), dim)
    softness = np.where(
        fluid, given.to_core(values, "acoustic")[0], compliance[..., :dim, :dim].sum(axis=(-2, -1))
    )
    bulk = 1.0 / (share * softness).sum(axis=-1)
    return np.where(fluid.any(axis=-1), voigt.isotropic_entries(bulk, np.zeros_like(bulk), dim), mean)


def _hexagonal(tensor: np.ndarray, rho: np.ndarray, across: np.ndarray, dim: int) -> dict[str, np.ndarray]:
    """Velocities of a stiffness with the last axis as that of symmetry; `across` is ρ VSH² in 2-D."""
    entries = dict(zip(voigt.component_names(dim), tensor, strict=True))
    names = ("C22", "C11", "C33", "C12") if dim == 2 else ("C33", "C11", "C44", "C13")
    stiff, flat, soft, mixed = (entries[name] for name in names)
    moduli = {"VPV": stiff, "VPH": flat, "VSV": soft, "VSH": across if dim == 2 else entries["C66"]}
    found = {name: np.sqrt(modulus / rho) for name, modulus in moduli.items()}
    return {**found, "ETA": mixed / (flat - 2.0 * soft), "RHO": rho}
