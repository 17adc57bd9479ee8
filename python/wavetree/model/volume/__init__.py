"""Volume models: defined on a grid or by a function inside a box, and their files."""

from wavetree.model.volume import cartesian, readers
from wavetree.model.volume.grid import Grid

__all__ = ["Grid", "cartesian", "readers"]
