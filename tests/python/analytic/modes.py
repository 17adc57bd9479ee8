"""Standing waves of boxes, discs and balls of one medium: exact eigenmodes.

Boxes begin at the origin, discs and balls are centred at it. Fields are those at t = 0; they vary as cos(ωt).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import jv, jvp, spherical_jn

from .media import Fluid, Solid

Function = Callable[[np.ndarray], np.ndarray]
# Homogeneous harmonic polynomials of degree 0 to 3 and their gradients.
HARMONIC: list[tuple[Function, Function]] = [
    (lambda x: np.ones(len(x)), np.zeros_like),
    (lambda x: x[:, 2], lambda x: np.broadcast_to([0.0, 0.0, 1.0], x.shape)),
    (lambda x: x[:, 0] * x[:, 1], lambda x: np.stack([x[:, 1], x[:, 0], 0 * x[:, 2]], axis=-1)),
    (lambda x: x.prod(axis=1), lambda x: np.roll(x, -1, axis=1) * np.roll(x, -2, axis=1)),
]


@dataclass(frozen=True)
class Mode:
    """Standing wave of angular frequency omega [rad/s].

    phi takes points (n, dim) of the fluid to (n,), u points of the solid to (n, dim); None where there is
    no such medium.
    """

    omega: float
    phi: Function | None = None
    u: Function | None = None


def nth_root(function: Callable[[float], float], n: int, step: float, start: float = 1e-6) -> float:
    """Return the n-th root (from 1) of a continuous function beyond start; steps must part the roots."""
    left, value = start, function(start)
    while True:
        right = left + step
        following = function(right)
        if value * following < 0:
            n -= 1
            if n == 0:
                return float(brentq(function, left, right, xtol=1e-15 * right, rtol=1e-15))
        left, value = right, following


# -- fluids ------------------------------------------------------------------------------------


def acoustic_box(fluid: Fluid, lengths: Sequence[float], counts: Sequence[int], sides: str = "rigid") -> Mode:
    """Return the mode Π cos(nᵢπxᵢ/Lᵢ) of a rigid box, Π sin of a pressure-free one, in 2-D or 3-D."""
    k = np.pi * np.array(counts) / np.array(lengths)
    shape = {"rigid": np.cos, "free": np.sin}[sides]
    return Mode(fluid.vp * float(np.linalg.norm(k)), phi=lambda x: shape(k * x).prod(axis=1))


def acoustic_disc(fluid: Fluid, radius: float, m: int, n: int, surface: str = "rigid") -> Mode:
    """Return the n-th mode J_m(kr) cos(mθ) of a rigid (J_m'(kR) = 0) or pressure-free (J_m(kR) = 0) disc."""
    function = {"rigid": lambda z: jvp(m, z), "free": lambda z: jv(m, z)}[surface]
    k = nth_root(function, n, 0.1, start=1e-2) / radius

    def phi(x: np.ndarray) -> np.ndarray:
        return jv(m, k * np.hypot(*x.T)) * np.cos(m * np.arctan2(x[:, 1], x[:, 0]))

    return Mode(fluid.vp * k, phi=phi)


def acoustic_ball(fluid: Fluid, radius: float, degree: int, n: int, surface: str = "rigid") -> Mode:
    """Return the n-th mode j_l(kr) P(x)/rˡ of a rigid or pressure-free ball; P harmonic of degree l ≤ 3."""
    function = {
        "rigid": lambda z: spherical_jn(degree, z, derivative=True),
        "free": lambda z: spherical_jn(degree, z),
    }[surface]
    k = nth_root(function, n, 0.1, start=1e-2) / radius
    return Mode(fluid.vp * k, phi=lambda x: _over_power(degree, k, x) * HARMONIC[degree][0](x))


# -- solids ------------------------------------------------------------------------------------


def lame_box(stiffness: np.ndarray, rho: float, length: float, counts: tuple[int, int]) -> tuple[Mode, float]:
    """Return the Lamé mode of a box free of traction on all sides, and the length along y that it asks for.

    Parameters
    ----------
    stiffness
        Voigt matrix [Pa], 3 × 3 in 2-D or 6 × 6 in 3-D, orthotropic along the coordinates; in 3-D C13 k² =
        C23 l² (as in isotropic, hexagonal and cubic solids, with k = l).
    rho
        Density [kg/m³].
    length
        Along x [m]. In 3-D the mode does not depend on z and fits every length along z.
    counts
        Half waves m along x, n along y.

    Notes
    -----
    u = (k cos kx sin ly, −l sin kx cos ly), k = mπ/L_x, l = nπ/L_y (Lamé 1852, for isotropic solids;
    there k = l, ω = √2 k vₛ). σ_xy = C33 (u_x,y + u_y,x) = 0 everywhere, σ_xx = (C12 l² − C11
    k²) sin kx sin ly and σ_yy = (C22 l² − C12 k²) sin kx sin ly vanish on the sides. Both equations of
    motion give ρω² = C11 k² − C12 l² = C22 l² − C12 k², hence (C11 + C12) k² = (C22 + C12) l².
    """
    C = np.asarray(stiffness, dtype=float)
    k = np.pi * counts[0] / length
    ell = k * np.sqrt((C[0, 0] + C[0, 1]) / (C[1, 1] + C[0, 1]))
    dim = {3: 2, 6: 3}[len(C)]
    coupling = np.abs(C[:dim, dim:]).max() + np.abs(C[dim:, dim:] - np.diag(np.diag(C)[dim:])).max()
    sideways = abs(C[0, 2] * k**2 - C[1, 2] * ell**2) / k**2 if dim == 3 else 0.0
    if max(coupling, sideways) > 1e-12 * C.max():
        raise ValueError(
            "there is no Lamé mode: the solid is not orthotropic along x and y, or σ_zz not zero"
        )

    def u(x: np.ndarray) -> np.ndarray:
        a, b = k * x[:, 0], ell * x[:, 1]
        field = np.zeros_like(x)
        field[:, 0], field[:, 1] = np.cos(a) * np.sin(b), -ell / k * np.sin(a) * np.cos(b)
        return field

    omega = np.sqrt((C[0, 0] * k**2 - C[0, 1] * ell**2) / rho)
    return Mode(float(omega), u=u), float(np.pi * counts[1] / ell)


def torsional_disc(solid: Solid, radius: float, n: int, dim: int = 2) -> Mode:
    """Return the n-th torsional mode u_θ = J₁(kr) of a free disc, or of a free cylinder along z if dim is 3.

    Notes
    -----
    σ_rθ = μ (∂_r u_θ − u_θ/r) = −μ k J₂(kr), so J₂(kR) = 0 (Love 1927, on circular cylinders). All other
    stresses vanish: the ends of the cylinder are free too, for every length.
    """
    k = nth_root(lambda z: jv(2, z), n, 0.1, start=1e-2) / radius

    def u(x: np.ndarray) -> np.ndarray:
        r = np.maximum(np.hypot(x[:, 0], x[:, 1]), 1e-9 * radius)
        field = np.zeros((len(x), dim))
        field[:, 0], field[:, 1] = -x[:, 1] * jv(1, k * r) / r, x[:, 0] * jv(1, k * r) / r
        return field

    return Mode(solid.vs * k, u=u)


def toroidal_ball(solid: Solid, radius: float, degree: int, n: int) -> Mode:
    """Return the n-th toroidal mode ∇P × x j_l(kr)/rˡ of a free ball, P harmonic of degree l = 1, 2, 3.

    Notes
    -----
    Traction μ r ∂_r(u/r) = 0: (l − 1) j_l(kR) = kR j_{l+1}(kR) (Lamb 1882; Dahlen & Tromp 1998, ch. 8).
    For l = 1 u_φ = j₁(kr) sin θ and j₂(kR) = 0.
    """

    def traction(z: float) -> float:
        return (degree - 1) * spherical_jn(degree, z) - z * spherical_jn(degree + 1, z)

    k = nth_root(traction, n, 0.1, start=1e-2) / radius

    def u(x: np.ndarray) -> np.ndarray:
        return _over_power(degree, k, x)[:, None] * np.cross(HARMONIC[degree][1](x), x)

    return Mode(solid.vs * k, u=u)


def breathing(solid: Solid, radius: float, n: int, dim: int) -> Mode:
    """Return the n-th radial mode J₁(kr) of a free disc (dim 2, plane strain) or j₁(kr) of a free ball (dim
    3).

    Notes
    -----
    From u = −∇f₀(kr)/k, f = J or j: σ_rr = (λ + 2μ) k f₀ − 2μ (dim − 1) f₁/r = 0 at r = R (Lamb 1882).
    """
    bulk, mu = solid.lam + 2 * solid.mu, solid.mu

    def f(order: int, z: np.ndarray | float) -> np.ndarray:
        return jv(order, z) if dim == 2 else spherical_jn(order, z)

    k = nth_root(lambda z: bulk * z * f(0, z) - 2 * mu * (dim - 1) * f(1, z), n, 0.1, start=1e-2) / radius

    def u(x: np.ndarray) -> np.ndarray:
        r = np.maximum(np.linalg.norm(x, axis=1), 1e-9 * radius)
        return (f(1, k * r) / r)[:, None] * x

    return Mode(solid.vp * k, u=u)


def _over_power(degree: int, k: float, x: np.ndarray) -> np.ndarray:
    """Return j_l(kr)/(kr)ˡ."""
    z = np.maximum(k * np.linalg.norm(x, axis=1), 1e-4)
    return spherical_jn(degree, z) / z**degree
