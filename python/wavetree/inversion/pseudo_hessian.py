"""The pseudo-Hessian: what the gradient is divided by where sources illuminate the medium strongly."""

from __future__ import annotations

from dataclasses import KW_ONLY

import numpy as np
from pydantic import PositiveFloat

from wavetree.config import Configuration, configuration

__all__ = ["PseudoHessian"]


@configuration
class PseudoHessian(Configuration):
    """Division of the gradient by the illumination of the prior by all sources.

    Parameters
    ----------
    water_level
        Added to the illumination, in parts of its mean, so that dark parts of the medium are not blown up.

    Notes
    -----
    W = ((H/h + w)/(1 + w))^(−1/2), H the sum over events of `wavetree.simulation.illumination`, h the square
    of the mean of √H over the medium, w the water level: W is 1 where H = h and at most (1 + 1/w)^(1/2). This
    mean exists with point sources of all kinds, that of H need not, so h does not depend on the mesh.
    Gradients are multiplied by W² or, with a smoothing S, by W S W (Shin, Jang & Min 2001, Geophysical
    Prospecting 49, 592–606). All parameters have the same W.
    """

    water_level: PositiveFloat = 0.1
    _: KW_ONLY

    def factor(self, illumination: np.ndarray, mass: np.ndarray) -> np.ndarray:
        """Return W (n_dofs,) of the continuous nodes.

        Parameters
        ----------
        illumination
            H (n_dofs,), not negative, in any unit.
        mass
            Lumped mass (n_dofs,) [m^d].

        Raises
        ------
        ValueError
            If H is negative or not finite somewhere, or zero throughout.
        """
        if not np.isfinite(illumination).all() or illumination.min() < 0.0:
            raise ValueError(
                f"illumination lies between {illumination.min():g} and {illumination.max():g}; expected "
                "finite numbers, none below 0."
            )
        mean = float(np.sum(mass * np.sqrt(illumination)) / np.sum(mass)) ** 2
        if mean == 0.0:
            raise ValueError(
                "illumination is zero throughout; expected sources with waves in the medium: look at the "
                "source time functions and the time span."
            )
        return np.asarray(((illumination / mean + self.water_level) / (1.0 + self.water_level)) ** -0.5)
