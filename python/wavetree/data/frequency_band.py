"""Filter that passes a band of frequencies: zero-phase and equal to its transpose."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy.fft import irfft, next_fast_len, rfft

from wavetree.config import Configuration, configuration

__all__ = ["FrequencyBand"]

# Length with the zeros, in records: twice would keep one end of the filtered record from the other, more
# samples the response finely, so that the filter hardly depends on the length of the record.
_PADDED = 4


@configuration
class FrequencyBand(Configuration):
    """Band of frequencies that records are reduced to before they are compared.

    Parameters
    ----------
    minimum_in_hertz
        Lower corner [Hz]; None lets everything below the upper one pass.
    maximum_in_hertz
        Upper corner [Hz]; None lets everything above the lower one pass.
    taper
        Widths of the tapers outside of the band, in parts of their corners: the gain falls from 1 to 0
        between the lower corner and (1 − taper) times it, and between the upper one and (1 + taper) times it.

    Raises
    ------
    ValueError
        If no corner is given, or they are not positive and in ascending order.

    Examples
    --------
    >>> low = wt.FrequencyBand(None, 5.0)
    >>> p += wt.MisfitConfiguration("low", observed_data="field", receiver_field="phi", frequency_band=low)

    Notes
    -----
    F = Pᵀ C P: P appends zeros, C is the circular convolution with the real and even response

        H(f) = L(f) U(f),   U(f) = 1 for f ≤ b, ½ (1 + cos π (f − b)/(τ b)) for b ≤ f ≤ (1 + τ) b, else 0,
                            L(f) = 1 for f ≥ a, ½ (1 + cos π (a − f)/(τ a)) for (1 − τ) a ≤ f ≤ a, else 0

    of corners a and b, taper τ, and Pᵀ cuts what was appended. C is symmetric, and so is F: it is its own
    transpose, without delay and with gain ≤ 1.

    A filter without delay answers before the signal begins. With the default taper the response to a spike is
    below 2 % of its peak at more than 2/b before it and below 0.2 % at more than 4/b if only b is given,
    below 8 % and 1 % for a band of one octave; it decays with the third power of time. Beyond the ends of a
    record there is silence: one that does not begin and end in silence should be longer than what is looked
    at by some periods of the lowest frequency.
    """

    minimum_in_hertz: PositiveFloat | None = None
    maximum_in_hertz: PositiveFloat | None = None
    _: KW_ONLY
    taper: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5

    @model_validator(mode="after")
    def _has_corners(self) -> FrequencyBand:
        low, high = self.minimum_in_hertz, self.maximum_in_hertz
        if low is None and high is None:
            raise ValueError(
                "minimum_in_hertz and maximum_in_hertz are both None; give one of them, or no frequency band."
            )
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"minimum_in_hertz={low:g} is not below maximum_in_hertz={high:g}; expected it to be."
            )
        return self

    def response(self, frequencies: np.ndarray) -> np.ndarray:
        """Return the gain H at frequencies f [Hz] of any shape, 0 to 1."""
        f = np.abs(np.asarray(frequencies, dtype=np.float64))
        gain = np.ones_like(f)
        if self.minimum_in_hertz is not None:
            a = self.minimum_in_hertz
            gain *= _taper((a - f) / (self.taper * a))
        if self.maximum_in_hertz is not None:
            b = self.maximum_in_hertz
            gain *= _taper((f - b) / (self.taper * b))
        return gain

    def apply(self, samples: np.ndarray, sampling_rate_in_hertz: float) -> np.ndarray:
        """Return records reduced to the band; the operator is its own transpose.

        Parameters
        ----------
        samples
            Records, shape (..., n_samples).
        sampling_rate_in_hertz
            Samples per second.

        Returns
        -------
        numpy.ndarray
            Shape (..., n_samples), float64.

        Raises
        ------
        ValueError
            If the records hold no frequency that passes.
        """
        samples = np.asarray(samples, dtype=np.float64)
        nyquist = 0.5 * sampling_rate_in_hertz
        if self.minimum_in_hertz is not None and (1.0 - self.taper) * self.minimum_in_hertz >= nyquist:
            raise ValueError(
                f"minimum_in_hertz={self.minimum_in_hertz:g} of the frequency band: nothing passes of "
                f"{sampling_rate_in_hertz:g} samples per second; expected less than {nyquist:g} Hz."
            )
        n = samples.shape[-1]
        padded = next_fast_len(_PADDED * n, real=True)
        gain = self.response(np.fft.rfftfreq(padded, 1.0 / sampling_rate_in_hertz))
        return np.ascontiguousarray(irfft(gain * rfft(samples, padded), padded)[..., :n])


def _taper(distance: np.ndarray) -> np.ndarray:
    """Gain at a distance outside of a corner, in widths of the taper."""
    return 0.5 * (1.0 + np.cos(np.pi * np.clip(distance, 0.0, 1.0)))
