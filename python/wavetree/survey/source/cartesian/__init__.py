"""Sources in Cartesian coordinates."""

from wavetree.survey.source.cartesian import collections
from wavetree.survey.source.cartesian.point import ScalarPoint2D

__all__ = ["ScalarPoint2D", "collections"]
