"""Point sources."""

from __future__ import annotations

from dataclasses import KW_ONLY

from wavetree.config import Configuration, configuration
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["ScalarPoint2D"]


@configuration
class ScalarPoint2D(Configuration):
    """Scalar point source in a two-dimensional fluid.

    Parameters
    ----------
    x, y
        Position [m].
    f
        Amplitude, multiplies the source time function: the right-hand side of the potential's
        equation is f s(t) δ(x − x_s).
    source_time_function
        Overrides the wavelet of the event configuration for this source.
    """

    x: float
    _: KW_ONLY
    y: float
    f: float
    source_time_function: SourceTimeFunction | None = None

    @property
    def location(self) -> tuple[float, float]:
        """Position (x, y) [m]."""
        return (self.x, self.y)
