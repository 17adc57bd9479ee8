"""The homogeneous media of all solutions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fluid:
    """Fluid of velocity vp [m/s] and density rho [kg/m³]."""

    vp: float
    rho: float

    @property
    def kappa(self) -> float:
        return self.rho * self.vp**2


@dataclass(frozen=True)
class Solid:
    """Isotropic solid of velocities vp, vs [m/s] and density rho [kg/m³]."""

    vp: float
    vs: float
    rho: float

    @property
    def mu(self) -> float:
        return self.rho * self.vs**2

    @property
    def lam(self) -> float:
        return self.rho * (self.vp**2 - 2 * self.vs**2)
