"""Domains: where a project's sources, receivers and models live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from pydantic import FiniteFloat, model_validator

from wavetree.config import Configuration, configuration

__all__ = ["BoxDomain", "BoxDomain2D", "BoxDomain3D", "box_domain", "dim2", "dim3"]

Bounds = tuple[tuple[float, float], ...]
B = TypeVar("B", bound="_Box")


class Bounded(Protocol):
    """Anything with an extent, such as a mesh or a volume model."""

    @property
    def bounds(self) -> Bounds:
        """Smallest and largest coordinate per axis [m]."""


class _Box(Configuration):
    """What boxes have in common; their fields are the smallest and largest coordinate of every axis."""

    @model_validator(mode="after")
    def _has_extent(self: B) -> B:
        for axis, (lo, hi) in zip("xyz", self.bounds, strict=False):
            if not lo < hi:
                raise ValueError(
                    f"{axis}0 is {lo:g} and {axis}1 is {hi:g}; expected {axis}0 < {axis}1: swap them."
                )
        return self

    @classmethod
    def _names(cls) -> list[str]:
        return [field.name for field in fields(cast(Any, cls))]

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self._names()) // 2

    @property
    def bounds(self) -> Bounds:
        """Smallest and largest coordinate per axis [m]: ((x0, x1), (y0, y1)), in 3-D (z0, z1) too."""
        values = [float(getattr(self, name)) for name in self._names()]
        return tuple(zip(values[::2], values[1::2], strict=True))

    @classmethod
    def from_bounds(cls: type[B], bounds: Sequence[Sequence[float]]) -> B:
        """Make a domain from the smallest and largest coordinate per axis [m].

        Raises
        ------
        ValueError
            If there are not as many pairs as axes, each in increasing order.
        """
        names, shape = cls._names(), np.shape(bounds)
        expected = (len(names) // 2, 2)
        if shape != expected:
            pairs = ", ".join(f"({lo}, {hi})" for lo, hi in zip(names[::2], names[1::2], strict=True))
            raise ValueError(f"bounds has shape {shape}; expected ({pairs}), shape {expected}.")
        values = [value for pair in bounds for value in pair]
        return cls(**dict(zip(names, values, strict=True)))

    @classmethod
    def from_mesh(cls: type[B], mesh: Bounded) -> B:
        """Make the smallest domain that holds the nodes of a mesh."""
        return cls.from_bounds(mesh.bounds)

    @classmethod
    def from_volume_model(cls: type[B], volume_model: Bounded) -> B:
        """Make the domain that a volume model covers."""
        return cls.from_bounds(volume_model.bounds)

    def contains(self, positions: np.ndarray) -> np.ndarray:
        """Say which positions (..., dim) [m] lie in the domain or on its boundary: bool (...,)."""
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

        return plot_domain(cast(Any, self), ax=ax)


@configuration
class BoxDomain2D(_Box):
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


@configuration
class BoxDomain3D(_Box):
    """A box; ``domain.dim3.BoxDomain``.

    Parameters
    ----------
    x0, x1, y0, y1, z0, z1
        Smallest and largest coordinates [m].
    """

    x0: FiniteFloat
    x1: FiniteFloat
    y0: FiniteFloat
    y1: FiniteFloat
    z0: FiniteFloat
    z1: FiniteFloat


BoxDomain = BoxDomain2D | BoxDomain3D


def box_domain(bounded: Bounded) -> BoxDomain:
    """Return the domain, of as many dimensions, that a mesh or a volume model covers.

    Raises
    ------
    ValueError
        If it has no bounds along two or three axes.
    """
    if len(bounded.bounds or ()) not in (2, 3):
        raise ValueError(
            f"the {type(bounded).__name__} has the bounds {bounded.bounds}; expected those of two or three "
            "axes: give the domain itself, with Project.from_domain for example."
        )
    return (BoxDomain3D if len(bounded.bounds) == 3 else BoxDomain2D).from_bounds(bounded.bounds)


dim2 = SimpleNamespace(BoxDomain=BoxDomain2D)
dim3 = SimpleNamespace(BoxDomain=BoxDomain3D)
