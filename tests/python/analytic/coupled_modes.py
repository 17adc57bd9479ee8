"""Standing waves of fluid and solid together: a layered plate, a fluid disc or ball inside a solid shell.

φ = Φ cos(ωt) and u = U cos(ωt) are in phase: on the interface u·n = (1/ρ_f) ∂φ/∂n and σ·n = φ_tt n = −ω²φ n.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import jv, jvp, spherical_jn, spherical_yn, yv, yvp

from .media import Fluid, Solid
from .modes import Mode, nth_root


def plate(fluid: Fluid, solid: Solid, thickness: tuple[float, float], n: int, top: str = "rigid") -> Mode:
    """Return the n-th mode of a fluid layer on a solid layer, motion along the last coordinate only.

    Parameters
    ----------
    fluid, solid
        The solid must have λ = 0, VP² = 2 VS²: then its side faces are free of traction. Fluid sides are
        rigid.
    thickness
        Of the solid, which begins at 0 and whose bottom is free, and of the fluid on top of it [m].
    n
        Counts from 1.
    top
        "rigid" or "free" (φ = 0) upper side of the fluid.

    Notes
    -----
    U = cos(k_s y), σ_yy = −ρ_s v_s ω sin(k_s y); Φ = B cos(k_f (H − y)), or B sin for φ = 0 on top. u_y =
    φ_y/ρ_f and σ_yy = −ω²Φ on y = h eliminate B.
    """
    if abs(solid.lam) > 1e-12 * solid.mu:
        raise ValueError(f"the sides of {solid} are not free of traction: expected lambda = 0")
    h, depth = thickness
    impedance, inside = solid.rho * solid.vp, fluid.rho * fluid.vp
    # Φ and its derivative by the distance d from the top: for sin the derivative is cos, for cos it is −sin.
    shape, slope = {"rigid": (np.cos, lambda z: -np.sin(z)), "free": (np.sin, np.cos)}[top]

    def mismatch(omega: float) -> float:
        solid_phase, fluid_phase = omega * h / solid.vp, omega * depth / fluid.vp
        return impedance * np.sin(solid_phase) * slope(fluid_phase) + inside * np.cos(solid_phase) * shape(
            fluid_phase
        )

    step = 0.02 * min(solid.vp / h, fluid.vp / depth)
    omega = nth_root(mismatch, n, step, start=1e-3 * step)
    # From the larger of both conditions: the other may be 0 = 0.
    by_stress = impedance * np.sin(omega * h / solid.vp) / omega, shape(omega * depth / fluid.vp)
    by_motion = -inside * np.cos(omega * h / solid.vp) / omega, slope(omega * depth / fluid.vp)
    numerator, denominator = max(by_stress, by_motion, key=lambda pair: abs(pair[1]))

    def phi(x: np.ndarray) -> np.ndarray:
        return numerator / denominator * shape(omega / fluid.vp * (h + depth - x[:, -1]))

    def u(x: np.ndarray) -> np.ndarray:
        field = np.zeros_like(x)
        field[:, -1] = np.cos(omega / solid.vp * x[:, -1])
        return field

    return Mode(omega, phi, u)


def radial(fluid: Fluid, solid: Solid, radii: tuple[float, float], n: int, dim: int) -> Mode:
    """Return the n-th radial mode of a fluid disc (dim 2) or ball (dim 3) inside a solid shell.

    The fluid ends at radii[0], the shell, free outside, at radii[1].

    Notes
    -----
    Φ = A f₀(k_f r), and U = ∇(B f₀(k_p r) + C g₀(k_p r)), f, g = J, Y or j, y; f₀' = −f₁. σ_rr of a
    potential w₀(kr) is −(λ + 2μ) k² w₀ + 2μ (dim − 1) k w₁/r. Root of the determinant of u_r and σ_rr at
    the interface and σ_rr outside.
    """
    inner, outer = radii
    f, g = (jv, yv) if dim == 2 else (spherical_jn, spherical_yn)

    def stress(w: Callable, k: float, r: float) -> float:
        bulk = (solid.lam + 2 * solid.mu) * k**2 * w(0, k * r)
        return 2 * solid.mu * (dim - 1) * k / r * w(1, k * r) - bulk

    def matrix(omega: float) -> np.ndarray:
        kf, kp = omega / fluid.vp, omega / solid.vp
        return np.array(
            [
                [kf / fluid.rho * f(1, kf * inner), -kp * f(1, kp * inner), -kp * g(1, kp * inner)],
                [omega**2 * f(0, kf * inner), stress(f, kp, inner), stress(g, kp, inner)],
                [0.0, stress(f, kp, outer), stress(g, kp, outer)],
            ]
        )

    step = 0.02 * min(solid.vp, fluid.vp) / outer
    omega, (a, b, c) = _null(matrix, n, step)
    kf, kp = omega / fluid.vp, omega / solid.vp

    def phi(x: np.ndarray) -> np.ndarray:
        return a * f(0, kf * np.linalg.norm(x, axis=1))

    def u(x: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(x, axis=1)[:, None]
        return -kp * (b * f(1, kp * r) + c * g(1, kp * r)) * x / r

    return Mode(omega, phi, u)


def ring(fluid: Fluid, solid: Solid, radii: tuple[float, float], m: int, n: int) -> Mode:
    """Return the n-th mode of azimuthal order m ≥ 1 of a fluid disc of radius radii[0] in a solid ring (2-D).

    P and SV waves and the fluid all take part; the outer boundary, at radii[1], is free.

    Notes
    -----
    Φ_f = A J_m cos mθ; solid potentials Φ = (B J_m + C Y_m)(k_p r) cos mθ, Ψ = (D J_m + E Y_m)(k_s r) sin
    mθ with u_r = Φ,r + Ψ,θ/r and u_θ = Φ,θ/r − Ψ,r (e.g. Graff 1975, ch. 8). Root of the determinant of u_r,
    σ_rr, σ_rθ at the interface and σ_rr, σ_rθ outside.
    """
    inner, outer = radii

    def matrix(omega: float) -> np.ndarray:
        kf = omega / fluid.vp
        at_inner, at_outer = (_ring_columns(solid, omega, m, r) for r in radii)
        rows = np.zeros((5, 5))
        rows[:3, 1:], rows[3:, 1:] = at_inner[[0, 2, 3]], at_outer[2:]
        rows[0, 0] = -kf / fluid.rho * jvp(m, kf * inner)
        rows[1, 0] = omega**2 * jv(m, kf * inner)
        return rows

    step = 0.01 * min(solid.vs, fluid.vp) / outer
    omega, c = _null(matrix, n, step, start=0.05 * solid.vs / outer)

    def phi(x: np.ndarray) -> np.ndarray:
        r, theta = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
        return c[0] * jv(m, omega / fluid.vp * r) * np.cos(m * theta)

    def u(x: np.ndarray) -> np.ndarray:
        r, theta = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
        columns = _ring_columns(solid, omega, m, r)
        ur, ut = (np.einsum("c...,c->...", columns[i], c[1:]) for i in (0, 1))
        ur, ut = ur * np.cos(m * theta), ut * np.sin(m * theta)
        cos, sin = np.cos(theta), np.sin(theta)
        return np.stack([ur * cos - ut * sin, ur * sin + ut * cos], axis=-1)

    return Mode(omega, phi, u)


def _ring_columns(solid: Solid, omega: float, m: int, r: np.ndarray | float) -> np.ndarray:
    """Return the radial factors of u_r, u_θ, σ_rr, σ_rθ of the four potentials, shape (4, 4) + r.shape."""
    kp, ks = omega / solid.vp, omega / solid.vs
    columns = []
    for w, wp in ((jv, jvp), (yv, yvp)):
        f, df, ddf = w(m, kp * r), kp * wp(m, kp * r), kp**2 * wp(m, kp * r, 2)
        around = 2 * solid.mu * m * (f / r**2 - df / r)
        columns.append([df, -m * f / r, 2 * solid.mu * ddf - solid.lam * kp**2 * f, around])
    for w, wp in ((jv, jvp), (yv, yvp)):
        f, df, ddf = w(m, ks * r), ks * wp(m, ks * r), ks**2 * wp(m, ks * r, 2)
        radial_stress = 2 * solid.mu * m * (df / r - f / r**2)
        columns.append([m * f / r, -df, radial_stress, solid.mu * (df / r - ddf - m**2 * f / r**2)])
    return np.moveaxis(np.array(columns), 0, 1)


def _null(
    matrix: Callable[[float], np.ndarray], n: int, step: float, start: float | None = None
) -> tuple[float, np.ndarray]:
    """Return the n-th frequency at which a matrix is singular, and its null vector."""
    start = step if start is None else start
    # Rows of different units; fixed scales keep the determinant continuous.
    reference = matrix(start + 10 * step)
    rows = 1 / np.abs(reference).max(axis=1, keepdims=True)
    columns = 1 / np.abs(rows * reference).max(axis=0)
    omega = nth_root(lambda w: float(np.linalg.det(rows * matrix(w) * columns)), n, step, start)
    vector = columns * np.linalg.svd(rows * matrix(omega) * columns)[2][-1]
    return omega, vector / np.abs(vector[1:]).max()
