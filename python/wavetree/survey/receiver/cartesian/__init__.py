"""Receivers in Cartesian coordinates."""

from wavetree.survey.receiver.cartesian import collections
from wavetree.survey.receiver.cartesian.collections import (
    SideSetHorizontalPointCollection2D,
    SideSetVerticalPointCollection2D,
)
from wavetree.survey.receiver.cartesian.point import Point2D, Point3D
from wavetree.survey.receiver.cartesian.side_set import SideSetPoint2D, SideSetPoint3D

__all__ = [
    "Point2D",
    "Point3D",
    "SideSetHorizontalPointCollection2D",
    "SideSetPoint2D",
    "SideSetPoint3D",
    "SideSetVerticalPointCollection2D",
    "collections",
]
