"""Media that are the same everywhere."""

from __future__ import annotations

from dataclasses import KW_ONLY

import numpy as np
from pydantic import PositiveFloat

from wavetree.config import Configuration, configuration

__all__ = ["IsotropicAcoustic"]


@configuration
class IsotropicAcoustic(Configuration):
    """A homogeneous fluid.

    Parameters
    ----------
    vp
        Velocity of sound [m/s].
    rho
        Density [kg/m^3].
    """

    vp: PositiveFloat
    _: KW_ONLY
    rho: PositiveFloat

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return VP [m/s] and RHO [kg/m^3], shape (...,), at coordinates (..., dim) [m]."""
        shape = np.shape(coordinates)[:-1]
        return {"VP": np.full(shape, self.vp), "RHO": np.full(shape, self.rho)}

    def slowest_velocity(self, bounds: tuple[tuple[float, float], ...]) -> float:
        """Return VP [m/s]; the box does not matter."""
        return self.vp
