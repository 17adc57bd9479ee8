"""Several receivers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, PositiveFloat, PositiveInt

from wavetree.config import Configuration, configuration
from wavetree.survey.placement import SideSetName, listed
from wavetree.survey.receiver.cartesian.point import Point2D
from wavetree.survey.receiver.cartesian.side_set import SideSetPoint2D
from wavetree.survey.receiver.receiver import Code, Fields

__all__ = ["RingPoint2D", "SideSetHorizontalPointCollection2D", "SideSetVerticalPointCollection2D"]


def _not_empty(positions: tuple[float, ...]) -> tuple[float, ...]:
    if not positions:
        raise ValueError("positions=() is empty; give at least one [m]")
    return positions


Positions = Annotated[tuple[float, ...], BeforeValidator(listed), AfterValidator(_not_empty)]


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


@configuration
class SideSetHorizontalPointCollection2D(Configuration):
    """Receivers at positions x that are moved along y onto a side set.

    Parameters
    ----------
    x
        Positions along the side set, shape (n_receivers,) [m].
    y
        Height from which they are moved, up or down, whichever is shorter [m].
    side_set_name
        Name of the side set.
    offset
        How far they are moved on from there along y [m]; negative downwards.
    network_code, location_code
        Codes of all of them; collections of one event need different ones.
    station_code
        What precedes the number k of a receiver in its station code.
    fields
        What each records.
    """

    x: Positions
    _: KW_ONLY
    y: float = 0.0
    side_set_name: SideSetName
    offset: float = 0.0
    network_code: Code = "XX"
    station_code: Code = ""
    location_code: Code = ""
    fields: Fields

    def __iter__(self) -> Iterator[SideSetPoint2D]:
        return iter(self._receivers)

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def _receivers(self) -> list[SideSetPoint2D]:  # the name is read by existing scripts
        return _on_side_set(self, [(x, self.y) for x in self.x], "y")


@configuration
class SideSetVerticalPointCollection2D(Configuration):
    """Receivers at heights y that are moved along x onto a side set.

    Parameters
    ----------
    y
        Positions along the side set, shape (n_receivers,) [m].
    x
        Where they are moved from, right or left, whichever is shorter [m].
    side_set_name, network_code, station_code, location_code, fields
        As of `SideSetHorizontalPointCollection2D`.
    offset
        How far they are moved on from there along x [m]; negative to the left.
    """

    y: Positions
    _: KW_ONLY
    x: float = 0.0
    side_set_name: SideSetName
    offset: float = 0.0
    network_code: Code = "XX"
    station_code: Code = ""
    location_code: Code = ""
    fields: Fields

    def __iter__(self) -> Iterator[SideSetPoint2D]:
        return iter(self._receivers)

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def _receivers(self) -> list[SideSetPoint2D]:  # the name is read by existing scripts
        return _on_side_set(self, [(self.x, y) for y in self.y], "x")


def _on_side_set(
    collection: SideSetHorizontalPointCollection2D | SideSetVerticalPointCollection2D,
    points: Sequence[tuple[float, float]],
    direction: Literal["x", "y"],
) -> list[SideSetPoint2D]:
    """The receivers of a collection, numbered in their order."""
    return [
        SideSetPoint2D(
            point,
            direction=direction,
            side_set_name=collection.side_set_name,
            offset=collection.offset,
            network_code=collection.network_code,
            station_code=f"{collection.station_code}{k:04d}",
            location_code=collection.location_code,
            fields=collection.fields,
        )
        for k, point in enumerate(points)
    ]
