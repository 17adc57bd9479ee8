"""What all models have in common that are defined on grids, by tables or by functions."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from wavetree.model.averaging import effective_medium
from wavetree.model.parameters import find_set

__all__ = ["Bounds", "Model"]

Bounds = tuple[tuple[float, float], ...]


class Model(ABC):
    """A medium as a function of position.

    Attributes
    ----------
    dims
        Numbers of space dimensions in which the model can be used.
    """

    dims: tuple[int, ...]

    @abstractmethod
    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters by upper-case name, shape (...,), at coordinates (..., dim) [m].

        Raises
        ------
        ValueError
            If the model is not defined at a position.
        """

    @abstractmethod
    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Say at which coordinates (..., dim) [m] the model is defined: bool (...,)."""

    @abstractmethod
    def knots(self, bounds: Bounds) -> list[np.ndarray]:
        """Return, per axis, where inside a box its values may bend or jump, sorted (n,) [m]."""

    @abstractmethod
    def spacing(self, dim: int) -> np.ndarray:
        """Return the smallest distance over which the model changes, per axis (dim,) [m]; inf if unknown."""

    def slowest_velocity(self, bounds: Bounds) -> float:
        """Return the velocity of the slowest wave [m/s] inside a box: shear in solids, sound in fluids.

        Raises
        ------
        ValueError
            If the model is defined nowhere in the box.

        Notes
        -----
        Taken at knots and on the box's edges, where multilinear functions and their ratios have their
        extremes, as far as the model is defined there. Cells between fluid and solid nodes, where shear falls
        to nothing, do not count.
        """
        axes = [
            np.unique(np.concatenate([edges, positions]))
            for edges, positions in zip(bounds, self.knots(bounds), strict=True)
        ]
        positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        defined = positions[self.contains(positions)]
        if not len(defined):
            raise ValueError(
                f"the box {bounds} m holds no position where the model is defined; expected one that "
                "overlaps with it: look for wrong units or another sign of depth."
            )
        values = self.evaluate(defined)
        return float(find_set(values, len(bounds)).slowest_velocity(values).min())

    def average(self, coordinates: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters of volumes that are small against the waves.

        Parameters
        ----------
        coordinates
            Positions inside every volume (..., n_samples, dim) [m].
        weights
            Share of the volume that each stands for (..., n_samples), of any sum.

        Returns
        -------
        dict
            Parameters by upper-case name, shape (...,); see `wavetree.model.averaging.effective_medium`.

        Raises
        ------
        ValueError
            If the model is not defined at a position, or for what `effective_medium` refuses.
        """
        return effective_medium(self.evaluate(coordinates), weights, coordinates.shape[-1])
