"""Scalar point source in a homogeneous fluid, 2-D and 3-D: full space and half-space.

The source is f s(t) δ(x − location) on the right-hand side of φ's equation; in 2-D it is a line. All fields
have the signature (fluid, location, f, receivers, times, stf): location of shape (dim,), receivers of shape
(n, dim).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .helmholtz import derivatives
from .media import Fluid
from .spectral import Stf, synthesize

Field = Callable[[Fluid, np.ndarray, float, np.ndarray, np.ndarray, Stf], np.ndarray]


def potential(
    fluid: Fluid, location: np.ndarray, f: float, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return φ, shape (n, 1, n_times).

    Notes
    -----
    φ = ρ f g S with the Green's function g of (∇² + k²) g = −δ: −φ_tt/(ρc²) + Δφ/ρ = −f s δ, times ρ. In 3-D
    φ = ρ f s(t − r/c)/(4πr).
    """

    def transfer(omega: np.ndarray) -> np.ndarray:
        waves = [derivatives(omega / fluid.vp, x, 0)[0] for x in _offsets(location, receivers)]
        return f * fluid.rho * np.array(waves)[:, None]

    return synthesize(transfer, times, stf)


def pressure(
    fluid: Fluid, location: np.ndarray, f: float, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return p = −φ_tt, shape (n, 1, n_times)."""

    def transfer(omega: np.ndarray) -> np.ndarray:
        waves = [omega**2 * derivatives(omega / fluid.vp, x, 0)[0] for x in _offsets(location, receivers)]
        return f * fluid.rho * np.array(waves)[:, None]

    return synthesize(transfer, times, stf)


def displacement(
    fluid: Fluid, location: np.ndarray, f: float, receivers: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    """Return u = (1/ρ)∇φ, shape (n, dim, n_times)."""

    def transfer(omega: np.ndarray) -> np.ndarray:
        return f * np.array([derivatives(omega / fluid.vp, x, 1)[1] for x in _offsets(location, receivers)])

    return synthesize(transfer, times, stf)


def half_space(field: Field, axis: int, level: float, surface: str = "free") -> Field:
    """Return one of the fields above for a half-space that ends at the coordinate ``level`` along ``axis``.

    A pressure-free surface (φ = 0, "free") has a source of opposite sign at the mirrored place, a rigid one
    (∂φ/∂n = 0, "rigid") of the same sign.
    """
    sign = {"free": -1.0, "rigid": 1.0}[surface]

    def mirrored(
        fluid: Fluid, location: np.ndarray, f: float, receivers: np.ndarray, times: np.ndarray, stf: Stf
    ) -> np.ndarray:
        image = np.array(location, dtype=float)
        image[axis] = 2 * level - image[axis]
        direct = field(fluid, location, f, receivers, times, stf)
        return direct + field(fluid, image, sign * f, receivers, times, stf)

    return mirrored


def _offsets(location: np.ndarray, receivers: np.ndarray) -> np.ndarray:
    return np.asarray(receivers, dtype=float) - np.asarray(location, dtype=float)
