"""Source time functions that begin later."""

from __future__ import annotations

from dataclasses import KW_ONLY

import numpy as np
from pydantic import FiniteFloat

from wavetree.config import configuration
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["Delayed"]


@configuration
class Delayed(SourceTimeFunction):
    """Another source time function, later.

    Parameters
    ----------
    function
        The other function s.
    delay_in_seconds
        How much later τ [s]; earlier if negative.

    Notes
    -----
    s(t − τ), evaluated, not shifted by whole samples: of functions that are known at all times it is exact.
    """

    function: SourceTimeFunction
    _: KW_ONLY
    delay_in_seconds: FiniteFloat
    center_frequency: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "center_frequency", self.function.center_frequency)

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape that the other function takes."""
        return self.function.evaluate(np.asarray(times) - self.delay_in_seconds)

    def default_start_time(self) -> float:
        """Return the time before which the function is zero or below 1e-6 of its peak [s]."""
        return self.function.default_start_time() + self.delay_in_seconds

    def maximum_frequency(self) -> float | None:
        """Return the frequency above which the amplitude spectrum is below 1e-2 of its peak [Hz]."""
        return self.function.maximum_frequency()

    def _plot_end(self) -> float:
        return self.function._plot_end() + self.delay_in_seconds
