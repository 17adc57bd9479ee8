"""Models of the medium, to be sampled on a mesh."""

from wavetree.model import background, relations, volume
from wavetree.model.completion import complete
from wavetree.model.overlay import OverlaidModel

__all__ = ["OverlaidModel", "background", "complete", "relations", "volume"]
