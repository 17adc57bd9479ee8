"""Receivers."""

from wavetree.survey.receiver import cartesian

__all__ = ["cartesian"]
