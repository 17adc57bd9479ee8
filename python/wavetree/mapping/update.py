"""What of an update on the inversion mesh reaches the nodes of the simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from wavetree.mapping.postprocessing import LinearPostprocessing

__all__ = ["UpdateOperator"]

Fields = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class UpdateOperator:
    """The linear part of a mapping, W P F, on one nodal field per parameter.

    Parameters
    ----------
    postprocessing
        F, on the nodes of the inversion mesh; None is the identity.
    interpolation
        P, from the nodes of the inversion mesh to those of the simulation; None where they are the same.
    weights
        The diagonal of W (n_dofs,) at the nodes of the simulation; None is the identity.
    """

    postprocessing: LinearPostprocessing | None = None
    interpolation: csr_array | None = None
    weights: np.ndarray | None = None

    def forward(self, update: Fields) -> dict[str, np.ndarray]:
        """Return the update at the nodes of the simulation, by parameter, for one on the inversion mesh."""
        if self.postprocessing is not None:
            update = self.postprocessing.forward(update)
        if self.interpolation is not None:
            update = {name: self.interpolation @ values for name, values in update.items()}
        if self.weights is not None:
            update = {name: self.weights * values for name, values in update.items()}
        return dict(update)

    def adjoint(self, derivative: Fields) -> dict[str, np.ndarray]:
        """Apply the transpose of `forward`, to derivatives by nodal values."""
        if self.weights is not None:
            derivative = {name: self.weights * values for name, values in derivative.items()}
        if self.interpolation is not None:
            derivative = {name: self.interpolation.T @ values for name, values in derivative.items()}
        if self.postprocessing is not None:
            derivative = self.postprocessing.adjoint(derivative)
        return dict(derivative)
