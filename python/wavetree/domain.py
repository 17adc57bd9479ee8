"""Domains: where a project's sources, receivers and models live."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from pydantic import FiniteFloat, model_validator

from wavetree.config import Configuration, configuration

__all__ = ["BoxDomain2D", "dim2"]

Bounds = tuple[tuple[float, float], ...]


class Bounded(Protocol):
    """Anything with an extent, such as a mesh or a volume model."""

    @property
    def bounds(self) -> Bounds:
        """Smallest and largest coordinate per axis [m]."""


@configuration
class BoxDomain2D(Configuration):
    """A rectangle; ``domain.dim2.BoxDomain``.

    Parameters
    ----------
    x0, x1, y0, y1
        Smallest and largest coordinates [m].
    """

    x0: FiniteFloat
    x1: FiniteFloat
    y0: FiniteFloat
    y1: FiniteFloat

    @model_validator(mode="after")
    def _has_area(self) -> BoxDomain2D:
        for axis, (lo, hi) in zip("xy", self.bounds, strict=True):
            if not lo < hi:
                raise ValueError(
                    f"{axis}0 is {lo:g} and {axis}1 is {hi:g}; expected {axis}0 < {axis}1: swap them."
                )
        return self

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return 2

    @property
    def bounds(self) -> Bounds:
        """((x0, x1), (y0, y1)) [m]."""
        return (self.x0, self.x1), (self.y0, self.y1)

    @classmethod
    def from_bounds(cls, bounds: Sequence[Sequence[float]]) -> BoxDomain2D:
        """Make a domain from ((x0, x1), (y0, y1)) [m].

        Raises
        ------
        ValueError
            If there are not two pairs, each in increasing order.
        """
        shape = np.shape(bounds)
        if shape != (2, 2):
            raise ValueError(f"bounds has shape {shape}; expected ((x0, x1), (y0, y1)), shape (2, 2).")
        (x0, x1), (y0, y1) = bounds
        return cls(x0=x0, x1=x1, y0=y0, y1=y1)

    @classmethod
    def from_mesh(cls, mesh: Bounded) -> BoxDomain2D:
        """Make the smallest domain that holds the nodes of a mesh."""
        return cls.from_bounds(mesh.bounds)

    @classmethod
    def from_volume_model(cls, volume_model: Bounded) -> BoxDomain2D:
        """Make the domain that a volume model covers."""
        return cls.from_bounds(volume_model.bounds)

    def contains(self, positions: np.ndarray) -> np.ndarray:
        """Say which positions (..., 2) [m] lie in the domain or on its boundary: bool (...,)."""
        low, high = np.array(self.bounds).T
        positions = np.asarray(positions)
        return np.asarray(((positions >= low) & (positions <= high)).all(axis=-1))

    def plot(self, ax: Any = None) -> Any:
        """Draw the domain with matplotlib and return the figure.

        Parameters
        ----------
        ax
            Axes to draw into; a new figure when None.
        """
        from wavetree.viz.domain import plot_domain

        return plot_domain(self, ax=ax)


dim2 = SimpleNamespace(BoxDomain=BoxDomain2D)
