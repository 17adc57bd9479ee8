"""Volume models: defined on a grid inside a box."""

from wavetree.model.volume import cartesian

__all__ = ["cartesian"]
