"""Background models: defined everywhere."""

from wavetree.model.background import homogeneous

__all__ = ["homogeneous"]
