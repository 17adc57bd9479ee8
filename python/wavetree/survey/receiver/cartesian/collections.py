"""Several receivers at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from functools import cached_property

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from wavetree.config import Configuration, configuration
from wavetree.survey.receiver.cartesian.point import Code, Fields, Point2D

__all__ = ["RingPoint2D"]


@configuration
class RingPoint2D(Configuration):
    """Receivers evenly spaced on a circle.

    Parameters
    ----------
    x, y
        Centre of the circle [m].
    radius
        Radius of the circle [m].
    count
        Number of receivers.
    fields
        What each records.
    network_code
        Network code of all of them; rings of one event need different ones.

    Notes
    -----
    Receiver k stands at the angle 2πk/count from +x, counter-clockwise; its station code is k.
    """

    x: float
    _: KW_ONLY
    y: float
    radius: PositiveFloat
    count: PositiveInt
    fields: Fields
    network_code: Code = "XX"

    def __iter__(self) -> Iterator[Point2D]:
        return iter(self._receivers)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def _receivers(self) -> list[Point2D]:  # the name is read by existing scripts
        angles = 2.0 * np.pi * np.arange(self.count) / self.count
        return [
            Point2D(
                x=self.x + self.radius * np.cos(angle),
                y=self.y + self.radius * np.sin(angle),
                network_code=self.network_code,
                station_code=f"{k:04d}",
                fields=self.fields,
            )
            for k, angle in enumerate(angles)
        ]
