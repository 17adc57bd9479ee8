"""Point receivers that are moved onto a side set of the mesh."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

from wavetree.config import configuration
from wavetree.survey.placement import Direction2D, Direction3D, Position2D, Position3D, SideSetName
from wavetree.survey.receiver.cartesian.point import Point2D, Point3D
from wavetree.survey.receiver.receiver import Code, Fields, SideSetReceiver

__all__ = ["SideSetPoint2D", "SideSetPoint3D"]


@configuration
class SideSetPoint2D(SideSetReceiver):
    """Receiver at a point that is moved along a direction onto a side set.

    Parameters
    ----------
    point
        Position (x, y) before it is moved [m].
    direction
        Axis ("x", "y") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name
        Name of the side set.
    offset
        How far it is moved on from there along the direction [m]; negative against it.
    network_code, station_code, location_code, fields
        As of `Point2D`.
    """

    dim: ClassVar[int] = 2
    plain: ClassVar[type[Point2D]] = Point2D

    point: Position2D
    _: KW_ONLY
    direction: Direction2D
    side_set_name: SideSetName
    offset: float = 0.0
    network_code: Code = "XX"
    station_code: Code
    location_code: Code = ""
    fields: Fields


@configuration
class SideSetPoint3D(SideSetReceiver):
    """Receiver at a point that is moved along a direction onto a side set; see `SideSetPoint2D`.

    Parameters
    ----------
    point
        Position (x, y, z) before it is moved [m].
    direction
        Axis ("x", "y", "z") or vector along which it is moved, forth or back, whichever is shorter.
    side_set_name, offset
        As of `SideSetPoint2D`.
    network_code, station_code, location_code, fields
        As of `Point2D`.
    """

    dim: ClassVar[int] = 3
    plain: ClassVar[type[Point3D]] = Point3D

    point: Position3D
    _: KW_ONLY
    direction: Direction3D
    side_set_name: SideSetName
    offset: float = 0.0
    network_code: Code = "XX"
    station_code: Code
    location_code: Code = ""
    fields: Fields
