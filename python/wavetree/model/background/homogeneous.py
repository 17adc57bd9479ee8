"""Media that are the same everywhere."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from wavetree.config import Configuration, configuration
from wavetree.model.parameters import find_set

__all__ = ["Homogeneous", "IsotropicAcoustic", "IsotropicElastic"]


class Homogeneous(Configuration):
    """Base of media that are the same everywhere."""

    @abstractmethod
    def constants(self, dim: int) -> dict[str, float]:
        """Return the parameters of the medium, and its orientation if it has one, in dim dimensions."""

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters of the medium by name, shape (...,), at coordinates (..., dim) [m]."""
        *shape, dim = np.shape(coordinates)
        return {name: np.full(shape, value) for name, value in self.constants(dim).items()}

    def slowest_velocity(self, bounds: tuple[tuple[float, float], ...]) -> float:
        """Return the velocity of the slowest wave [m/s]; the box does not matter."""
        values = {name: np.array([value]) for name, value in self.constants(len(bounds)).items()}
        return float(find_set(values, len(bounds)).slowest_velocity(values)[0])


@configuration
class IsotropicAcoustic(Homogeneous):
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

    def constants(self, dim: int) -> dict[str, float]:
        """Return VP [m/s] and RHO [kg/m^3]."""
        return {"VP": self.vp, "RHO": self.rho}


@configuration
class IsotropicElastic(Homogeneous):
    """A homogeneous isotropic solid.

    Parameters
    ----------
    vp
        Velocity of compressional waves [m/s].
    vs
        Velocity of shear waves [m/s]; 0 is a fluid.
    rho
        Density [kg/m^3].

    Raises
    ------
    ValueError
        If vs² is not below 3/4 vp².
    """

    vp: PositiveFloat
    _: KW_ONLY
    vs: NonNegativeFloat
    rho: PositiveFloat

    @model_validator(mode="after")
    def _has_a_bulk_modulus(self) -> IsotropicElastic:
        if not self.vs**2 < 0.75 * self.vp**2:
            raise ValueError(
                f"vs is {self.vs:g} and vp {self.vp:g} m/s; expected vs^2 < 3/4 vp^2, a positive bulk "
                "modulus: lower vs or raise vp."
            )
        return self

    def constants(self, dim: int) -> dict[str, float]:
        """Return VP, VS [m/s] and RHO [kg/m^3]."""
        return {"VP": self.vp, "VS": self.vs, "RHO": self.rho}
