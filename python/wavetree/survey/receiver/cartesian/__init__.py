"""Receivers in Cartesian coordinates."""

from wavetree.survey.receiver.cartesian import collections
from wavetree.survey.receiver.cartesian.point import Point2D

__all__ = ["Point2D", "collections"]
