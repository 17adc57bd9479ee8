"""Empirical relations between the parameters of rocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["RELATIONS", "Relation", "brocher_rho", "brocher_vs", "gardner"]

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Relation:
    """A parameter as a function of another one.

    Parameters
    ----------
    name
        Name of the relation.
    target, source
        The parameter that follows, and the one that it follows; both in SI units.
    valid
        Smallest and largest value of the source that the relation was made for.
    value
        The target (...) for values of the source (...).
    derivative
        The derivative (...) of the target by the source.
    """

    name: str
    target: str
    source: str
    valid: tuple[float, float]
    value: Function
    derivative: Function

    def covers(self, source: np.ndarray) -> np.ndarray:
        """Say which values of the source (...) lie in the relation's range: bool (...)."""
        low, high = self.valid
        return np.asarray((source >= low) & (source <= high))


def _polynomial(coefficients: tuple[float, ...]) -> tuple[Function, Function]:
    """Return Σ c_k x^k and its derivative, where both x and the result are in 1000 SI units."""
    polynomial = np.polynomial.Polynomial(coefficients)
    slope = polynomial.deriv()
    return (
        lambda source: np.asarray(1e3 * polynomial(np.asarray(source) / 1e3)),
        lambda source: np.asarray(slope(np.asarray(source) / 1e3)),
    )


gardner = Relation(
    "gardner",
    target="RHO",
    source="VP",
    valid=(1500.0, 6100.0),
    value=lambda vp: np.asarray(310.0 * np.asarray(vp, dtype=np.float64) ** 0.25),
    derivative=lambda vp: np.asarray(77.5 * np.asarray(vp, dtype=np.float64) ** -0.75),
)
"""RHO = 310 VP^0.25 of saturated sediments (Gardner, Gardner & Gregory 1974, Geophysics 39, 770–780)."""

brocher_vs = Relation(
    "brocher_vs",
    "VS",
    "VP",
    (1500.0, 8000.0),
    *_polynomial((0.7858, -1.2344, 0.7949, -0.1238, 0.0064)),
)
"""VS from VP of crustal rocks (Brocher 2005, BSSA 95, 2081–2092, eq. 6); not for gabbros or serpentine."""

brocher_rho = Relation(
    "brocher_rho",
    "RHO",
    "VP",
    (1500.0, 8500.0),
    *_polynomial((0.0, 1.6612, -0.4721, 0.0671, -0.0043, 0.000106)),
)
"""RHO from VP, the Nafe–Drake curve (Brocher 2005, BSSA 95, 2081–2092, eq. 1)."""

RELATIONS: dict[str, Relation] = {relation.name: relation for relation in (gardner, brocher_vs, brocher_rho)}
"""The relations by name."""
