"""Background models: defined everywhere."""

from wavetree.model.background import homogeneous, one_dimensional

__all__ = ["homogeneous", "one_dimensional"]
