"""Point force and moment tensor in a homogeneous solid: 3-D, and 2-D plane strain (line sources).

The dimension is that of the receivers. location has the shape (dim,), receivers (n, dim), force (dim,),
moment (dim, dim) symmetric; s(t) of a moment tensor is the moment, not its rate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .helmholtz import derivatives
from .media import Solid
from .spectral import Stf, synthesize

Transfer = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of omega and offset
VOIGT = {2: [(0, 0), (1, 1), (0, 1)], 3: [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]}


def green(solid: Solid, omega: np.ndarray, x: np.ndarray, order: int) -> np.ndarray:
    """Return a derivative of the Green's tensor at offset x, shape (dim,) * (2 + order) + omega.shape.

    Indices: component of displacement, component of force, then the derivatives by the receiver's
    coordinates.

    Notes
    -----
    Gᵢⱼ = gₛ δᵢⱼ/μ + ∂ᵢ∂ⱼ(gₛ − gₚ)/(ρω²) with (∇² + ω²/v²) g = −δ (Stokes 1849; Aki & Richards 2002, 4.23 is
    its inverse transform in 3-D; Eringen & Suhubi 1975 in 2-D). It solves (λ + μ)∇∇·G + μ∇²G + ρω²G
    = −I δ: ∇·G = −∇gₚ/(λ + 2μ) and curl G = curl(gₛ I)/μ.
    """
    shear = derivatives(omega / solid.vs, x, order + 2)
    pressure = derivatives(omega / solid.vp, x, order + 2)
    both = np.multiply.outer(np.eye(x.size), shear[order]) / solid.mu
    return both + (shear[order + 2] - pressure[order + 2]) / (solid.rho * omega**2)


def force_displacement(
    solid: Solid, location: np.ndarray, force: np.ndarray, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return u of the body force F s(t) δ, shape (n, dim, n_times)."""

    def one(omega: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.einsum("ijw,j->iw", green(solid, omega, x, 0), force)

    return _records(one, location, receivers, times, stf)


def moment_displacement(
    solid: Solid, location: np.ndarray, moment: np.ndarray, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return u of the body force −∇·(M s(t) δ), shape (n, dim, n_times).

    Notes
    -----
    uᵢ = −Mⱼₖ ∂Gᵢⱼ/∂xₖ (Aki & Richards 2002, 4.29; there the derivative is by the source's place).
    """

    def one(omega: np.ndarray, x: np.ndarray) -> np.ndarray:
        return -np.einsum("ijkw,jk->iw", green(solid, omega, x, 1), moment)

    return _records(one, location, receivers, times, stf)


def force_strain(
    solid: Solid, location: np.ndarray, force: np.ndarray, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return ε of the body force F s(t) δ in Voigt order, shear as ε_xy, shape (n, n_voigt, n_times)."""

    def one(omega: np.ndarray, x: np.ndarray) -> np.ndarray:
        return _voigt(np.einsum("ijlw,j->ilw", green(solid, omega, x, 1), force))

    return _records(one, location, receivers, times, stf)


def moment_strain(
    solid: Solid, location: np.ndarray, moment: np.ndarray, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return ε of the body force −∇·(M s(t) δ) in Voigt order, shear as ε_xy, shape (n, n_voigt, n_times)."""

    def one(omega: np.ndarray, x: np.ndarray) -> np.ndarray:
        return _voigt(-np.einsum("ijklw,jk->ilw", green(solid, omega, x, 2), moment))

    return _records(one, location, receivers, times, stf)


def _voigt(gradient: np.ndarray) -> np.ndarray:
    pairs = VOIGT[gradient.shape[0]]
    return np.array([0.5 * (gradient[i, j] + gradient[j, i]) for i, j in pairs])


def _records(
    one: Transfer, location: np.ndarray, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    offsets = np.asarray(receivers, dtype=float) - np.asarray(location, dtype=float)

    def transfer(omega: np.ndarray) -> np.ndarray:
        return np.array([one(omega, x) for x in offsets])

    return synthesize(transfer, times, stf)
