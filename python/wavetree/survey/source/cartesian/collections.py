"""Several sources at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from functools import cached_property

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from wavetree.config import Configuration, configuration
from wavetree.survey.source.cartesian.point import ScalarPoint2D

__all__ = ["ScalarPoint2DRing"]


@configuration
class ScalarPoint2DRing(Configuration):
    """Scalar point sources evenly spaced on a circle.

    Parameters
    ----------
    x, y
        Centre of the circle [m].
    radius
        Radius of the circle [m].
    count
        Number of sources.
    f
        Amplitude of each source.

    Notes
    -----
    Source k stands at the angle 2πk/count from +x, counter-clockwise.
    """

    x: float
    _: KW_ONLY
    y: float
    radius: PositiveFloat
    count: PositiveInt
    f: float

    def __iter__(self) -> Iterator[ScalarPoint2D]:
        return iter(self._sources)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def _sources(self) -> list[ScalarPoint2D]:  # the name is read by existing scripts
        angles = 2.0 * np.pi * np.arange(self.count) / self.count
        return [
            ScalarPoint2D(x=self.x + self.radius * np.cos(a), y=self.y + self.radius * np.sin(a), f=self.f)
            for a in angles
        ]
