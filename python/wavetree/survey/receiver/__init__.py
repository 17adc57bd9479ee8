"""Receivers and the fields that they record."""

from wavetree.survey.receiver import cartesian, fields

__all__ = ["cartesian", "fields"]
