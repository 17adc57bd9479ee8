"""Point receivers."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import ClassVar

from wavetree.config import configuration
from wavetree.survey.receiver.receiver import Code, Fields, PointReceiver

__all__ = ["Point2D", "Point3D"]


@configuration
class Point2D(PointReceiver):
    """Receiver at a point of a two-dimensional domain.

    Parameters
    ----------
    x, y
        Position [m].
    network_code, station_code, location_code
        Parts of the receiver's name.
    fields
        What it records; see `wavetree.survey.receiver.fields`.

    Raises
    ------
    ValueError
        If a field is unknown, named twice or none is named, or a code holds a dot, slash or blank.
    """

    dim: ClassVar[int] = 2

    x: float
    _: KW_ONLY
    y: float
    network_code: Code = "XX"
    station_code: Code
    location_code: Code = ""
    fields: Fields


@configuration
class Point3D(PointReceiver):
    """Receiver at a point of a three-dimensional domain; see `Point2D`.

    Parameters
    ----------
    x, y, z
        Position [m].
    network_code, station_code, location_code, fields
        As of `Point2D`.
    """

    dim: ClassVar[int] = 3

    x: float
    _: KW_ONLY
    y: float
    z: float
    network_code: Code = "XX"
    station_code: Code
    location_code: Code = ""
    fields: Fields
