"""Sources."""

from wavetree.survey.source import cartesian

__all__ = ["cartesian"]
