"""Rayleigh wave of a half-space, and Scholte wave of a fluid over a solid: speed and displacement.

The solid fills y < 0, the fluid y > 0; the waves travel along +x, in 2-D.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from .media import Fluid, Solid


class SurfaceWave:
    """Rayleigh wave (no fluid) or Scholte wave (with a fluid).

    Attributes
    ----------
    speed
        Phase velocity c [m/s].

    Notes
    -----
    With γ_v = √(1 − c²/v²): (2 − c²/β²)² − 4 γ_α γ_β + (ρ_f/ρ)(c/β)⁴ γ_α/γ_f = 0 (Rayleigh 1885; Scholte
    1947). Potentials: solid A e^{kγ_α y} cos(kx − ωt) and B
    e^{kγ_β y} sin(kx − ωt), u = (∂ₓΦ + ∂_yΨ, ∂_yΦ − ∂ₓΨ), B = 2γ_α A/(1 + γ_β²) from σ_xy = 0; fluid φ = F
    e^{−kγ_f y} cos(kx − ωt), F = −ρ_f (γ_α A − B)/γ_f from u_y. The remaining condition σ_yy = φ_tt is the
    equation above.
    """

    def __init__(self, solid: Solid, fluid: Fluid | None = None) -> None:
        self.solid, self.fluid = solid, fluid
        limit = min(solid.vs, fluid.vp) if fluid else solid.vs
        self.speed = float(brentq(self._function, 1e-3 * limit, (1 - 1e-12) * limit, xtol=1e-12 * limit))
        self._a, self._b = self._decay(solid.vp), self._decay(solid.vs)
        self._shear = 2 * self._a / (1 + self._b**2)

    def displacement(self, k: float, x: np.ndarray, t: float) -> np.ndarray:
        """Return u of wavenumber k [rad/m] at x of shape (n, 2) in the solid, shape (n, 2)."""
        a, b, shear = self._a, self._b, self._shear
        phase = k * (x[:, 0] - self.speed * t)
        pressure, rotation = np.exp(k * a * x[:, 1]), np.exp(k * b * x[:, 1])
        along = (-pressure + b * shear * rotation) * np.sin(phase)
        return k * np.stack([along, (a * pressure - shear * rotation) * np.cos(phase)], axis=-1)

    def potential(self, k: float, x: np.ndarray, t: float) -> np.ndarray:
        """Return φ at x of shape (n, 2) in the fluid, shape (n,)."""
        decay = self._decay(self.fluid.vp)
        amplitude = -self.fluid.rho * (self._a - self._shear) / decay
        return amplitude * np.exp(-k * decay * x[:, 1]) * np.cos(k * (x[:, 0] - self.speed * t))

    def _decay(self, velocity: float, speed: float | None = None) -> float:
        return np.sqrt(1 - ((speed or self.speed) / velocity) ** 2)

    def _function(self, c: float) -> float:
        a, b, ratio = self._decay(self.solid.vp, c), self._decay(self.solid.vs, c), (c / self.solid.vs) ** 2
        value = (2 - ratio) ** 2 - 4 * a * b
        if self.fluid:
            value += self.fluid.rho / self.solid.rho * ratio**2 * a / self._decay(self.fluid.vp, c)
        return value
