"""Source time functions."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from pydantic import Field, PositiveFloat, model_validator
from scipy.special import erf, lambertw

from wavetree.config import Configuration, configuration
from wavetree.data.resample import SampleAxis, interpolation_matrix
from wavetree.errors import unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Custom",
    "Delta",
    "FilteredHeaviside",
    "GaussianRate",
    "Heaviside",
    "Ricker",
    "SourceTimeFunction",
]

_QUIET = 1e-6  # of the peak: below this a function has not begun
_BAND_EDGE = 1e-2  # of the spectrum's peak: below this a frequency does not count


class SourceTimeFunction(Configuration):
    """What all source time functions have in common.

    Attributes
    ----------
    center_frequency
        Frequency of the spectrum's peak [Hz]; None where the peak is at zero.
    """

    center_frequency: float | None = None

    @abstractmethod
    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape."""

    @abstractmethod
    def default_start_time(self) -> float:
        """Return the time before which the function is zero or below 1e-6 of its peak [s]."""

    @abstractmethod
    def maximum_frequency(self) -> float | None:
        """Return the frequency above which the amplitude spectrum is below 1e-2 of its peak [Hz].

        None if there is none: the function is not band-limited.
        """

    @abstractmethod
    def _plot_end(self) -> float:
        """Return the end of the time axis of a figure [s]."""

    def plot(self) -> Figure:
        """Draw the function over time and its amplitude spectrum.

        Notes
        -----
        The spectrum is the modulus of ∫ s(t) exp(−2πift) dt over the time axis that is drawn.
        """
        from matplotlib import pyplot

        start, end = self.default_start_time(), self._plot_end()
        times = start - 0.1 * (end - start) + np.arange(2001) * 1.1 * (end - start) / 2000
        values, step = self.evaluate(times), times[1] - times[0]
        size = 16 * times.size
        spectrum, frequencies = step * np.abs(np.fft.rfft(values, size)), np.fft.rfftfreq(size, step)
        highest = self.maximum_frequency() or frequencies[-1]
        shown = frequencies <= 1.5 * highest
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3), layout="constrained")
        left.plot(times, values)
        left.set(xlabel="time [s]", ylabel="amplitude", title=self._type_name)
        right.plot(frequencies[shown], spectrum[shown])
        right.set(xlabel="frequency [Hz]", ylabel="amplitude spectrum [1/Hz]")
        for axes in (left, right):
            axes.grid(alpha=0.3)
        return figure


@configuration
class Ricker(SourceTimeFunction):
    """Second derivative of a Gaussian, amplitude 1.

    Parameters
    ----------
    center_frequency
        Frequency of the spectrum's peak f_c [Hz].
    time_shift_in_seconds
        Time of the peak t_0 [s]; None is 0.

    Notes
    -----
    s(t) = (1 − 2a) exp(−a), a = (π f_c (t − t_0))²; amplitude spectrum ∝ f² exp(−f²/f_c²)
    (Ricker 1953, Geophysics 18, 10–40). It begins 1.32/f_c before t_0 and reaches up to 2.76 f_c.
    """

    center_frequency: PositiveFloat = Field(...)  # the base class's None must not become the default
    _: KW_ONLY
    time_shift_in_seconds: float | None = None

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape."""
        a = (np.pi * self.center_frequency * (np.asarray(times) - (self.time_shift_in_seconds or 0.0))) ** 2
        return (1.0 - 2.0 * a) * np.exp(-a)

    def default_start_time(self) -> float:
        """Return the time before which the function is below 1e-6 of its peak [s]."""
        # (2a − 1) exp(−a) = q is b exp(b) = −q exp(1/2)/2 with b = 1/2 − a
        a = 0.5 - float(lambertw(-0.5 * _QUIET * np.exp(0.5), k=-1).real)
        return (self.time_shift_in_seconds or 0.0) - np.sqrt(a) / (np.pi * self.center_frequency)

    def maximum_frequency(self) -> float:
        """Return the frequency above which the amplitude spectrum is below 1e-2 of its peak [Hz]."""
        # b exp(−b) = q exp(−1) with b = (f/f_c)²
        return self.center_frequency * np.sqrt(-float(lambertw(-_BAND_EDGE * np.exp(-1.0), k=-1).real))

    def _plot_end(self) -> float:
        return 2.0 * (self.time_shift_in_seconds or 0.0) - self.default_start_time()


@configuration
class GaussianRate(SourceTimeFunction):
    """Gaussian of unit integral: the rate of a smooth step.

    Parameters
    ----------
    half_duration_in_seconds
        Half duration h of the Gaussian [s]; its decay rate is 1.628/h.
    time_shift_in_seconds
        Time of the peak t_0 [s]; None is 0.

    Notes
    -----
    s(t) = α/√π exp(−α²(t − t_0)²), α = 1.628/h, the decay rate at which the Gaussian is near to a triangle
    of half duration h (Komatitsch & Tromp 2002, Geophys. J. Int. 149, 390–412). Unit 1/s.
    """

    half_duration_in_seconds: PositiveFloat
    _: KW_ONLY
    time_shift_in_seconds: float | None = None

    @property
    def _decay(self) -> float:
        return 1.628 / self.half_duration_in_seconds

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape."""
        x = self._decay * (np.asarray(times) - (self.time_shift_in_seconds or 0.0))
        return self._decay / np.sqrt(np.pi) * np.exp(-(x**2))

    def default_start_time(self) -> float:
        """Return the time before which the function is below 1e-6 of its peak [s]."""
        return (self.time_shift_in_seconds or 0.0) - np.sqrt(-np.log(_QUIET)) / self._decay

    def maximum_frequency(self) -> float:
        """Return the frequency above which the amplitude spectrum is below 1e-2 of its peak [Hz]."""
        return self._decay * np.sqrt(-np.log(_BAND_EDGE)) / np.pi

    def _plot_end(self) -> float:
        return 2.0 * (self.time_shift_in_seconds or 0.0) - self.default_start_time()


@configuration
class Delta(SourceTimeFunction):
    """Unit impulse at t = 0, not band-limited.

    Notes
    -----
    On an axis of step dt it is the hat function max(0, 1 − |t|/dt)/dt: 1/dt at t = 0, and where 0 lies
    between two samples these share it, so that integral and first moment are exact.
    """

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values on an evenly spaced time axis.

        Parameters
        ----------
        times
            Shape (n_samples,), at least two [s]; their spacing is the width of the impulse.

        Raises
        ------
        ValueError
            If the times are not evenly spaced and increasing.
        """
        times = np.asarray(times, dtype=np.float64)
        steps = np.diff(times) if times.ndim == 1 else np.zeros(0)
        step = (times[-1] - times[0]) / steps.size if steps.size else 0.0
        if step <= 0.0 or np.ptp(steps) > 1e-6 * step:
            raise ValueError(
                f"Delta: times of shape {times.shape} are not evenly spaced and increasing; the impulse is "
                "as high "
                "as their rate, so give the time axis of a simulation"
            )
        return np.maximum(0.0, 1.0 - np.abs(times) / step) / step

    def default_start_time(self) -> float:
        """Return 0 [s]: the impulse is the first sample."""
        return 0.0

    def maximum_frequency(self) -> None:
        """Return None: the function is not band-limited."""
        return

    def _plot_end(self) -> float:
        return 1.0


@configuration
class Heaviside(SourceTimeFunction):
    """Unit step at t = 0, not band-limited; 1/2 at t = 0, as sums over samples are then of second order."""

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape."""
        times = np.asarray(times, dtype=np.float64)
        rounding = 1e-12 * np.abs(times).max(initial=0.0)  # start + n dt misses 0 by this much at most
        return np.heaviside(np.where(np.abs(times) <= rounding, 0.0, times), 0.5)

    def default_start_time(self) -> float:
        """Return 0 [s]: the step is at the first sample."""
        return 0.0

    def maximum_frequency(self) -> None:
        """Return None: the function is not band-limited."""
        return

    def _plot_end(self) -> float:
        return 1.0


@configuration
class FilteredHeaviside(SourceTimeFunction):
    """Unit step behind a Gaussian low-pass filter.

    Parameters
    ----------
    maximum_frequency_in_hertz
        Frequency at which the filter's response has fallen to 1e-2 [Hz].
    time_shift_in_seconds
        Time t_0 at which the step is half way [s]; None is 0.

    Notes
    -----
    s(t) = (1 + erf(α(t − t_0)))/2, α = π f_max/√(ln 100); the response of the filter is exp(−(πf/α)²).
    """

    maximum_frequency_in_hertz: PositiveFloat
    _: KW_ONLY
    time_shift_in_seconds: float | None = None

    @property
    def _slope(self) -> float:
        return np.pi * self.maximum_frequency_in_hertz / np.sqrt(-np.log(_BAND_EDGE))

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape."""
        return 0.5 * (1.0 + erf(self._slope * (np.asarray(times) - (self.time_shift_in_seconds or 0.0))))

    def default_start_time(self) -> float:
        """Return the time before which the function is below 1e-6 of its final value [s]."""
        return (self.time_shift_in_seconds or 0.0) - 3.3612 / self._slope  # erfc(3.3612) = 2e-6

    def maximum_frequency(self) -> float:
        """Return the frequency at which the filter's response has fallen to 1e-2 [Hz]."""
        return self.maximum_frequency_in_hertz

    def _plot_end(self) -> float:
        shift = self.time_shift_in_seconds or 0.0
        return shift + 2.0 * (shift - self.default_start_time())


@configuration
class Custom(SourceTimeFunction):
    """Evenly sampled function, read from a file or given as an array (`Custom.from_array`).

    Parameters
    ----------
    filename
        HDF5 file.
    dataset_name
        Its dataset of shape (n_samples,) or (n_samples, 1), with the attributes ``sampling_rate_in_hertz``
        and ``start_time_in_seconds`` (or ``start_time_in_nanoseconds``).
    samples, sampling_rate_in_hertz, start_time_in_seconds
        The function itself; read from the file when one is given. The file is not looked at again: the
        samples, not its name, are the content.

    Raises
    ------
    ValueError
        If the file cannot be read, has no such dataset or attributes, or holds something else than
        finite numbers; or if neither a file nor samples are given.

    Notes
    -----
    Between samples the band-limited interpolation of `wavetree.data.resample` holds; before the first and
    after the last sample the function is zero.
    """

    filename: str | Path | None = None
    _: KW_ONLY
    dataset_name: str | None = None
    samples: tuple[float, ...] = field(default=(), repr=False)
    sampling_rate_in_hertz: PositiveFloat | None = None
    start_time_in_seconds: float | None = None

    @model_validator(mode="after")
    def _read(self) -> Custom:
        if self.filename is not None:
            if (
                self.samples
                or self.sampling_rate_in_hertz is not None
                or self.start_time_in_seconds is not None
            ):
                raise ValueError(
                    f"filename={str(self.filename)!r} and samples are both given; give one of them"
                )
            if self.dataset_name is None:
                raise ValueError(
                    "dataset_name is missing; name the dataset of the file that holds the samples"
                )
            for name, value in _read_samples(Path(self.filename), self.dataset_name).items():
                object.__setattr__(self, name, value)
        if self.sampling_rate_in_hertz is None or self.start_time_in_seconds is None or len(self.samples) < 2:
            raise ValueError(
                f"{len(self.samples)} samples, sampling_rate_in_hertz={self.sampling_rate_in_hertz}, "
                f"start_time_in_seconds={self.start_time_in_seconds}: at least two samples, their rate and "
                "start "
                "are needed; give filename and dataset_name, or use Custom.from_array"
            )
        return self

    @classmethod
    def from_array(
        cls, array: np.ndarray, sampling_rate_in_hertz: float, start_time_in_seconds: float
    ) -> Custom:
        """Make a source time function of samples in memory.

        Parameters
        ----------
        array
            Samples, shape (n_samples,) or (n_samples, 1).
        sampling_rate_in_hertz
            Samples per second.
        start_time_in_seconds
            Time of the first sample.

        Raises
        ------
        ValueError
            If the array has another shape or the rate is not positive.
        """
        return cls(
            samples=_one_column(array, "array"),
            sampling_rate_in_hertz=sampling_rate_in_hertz,
            start_time_in_seconds=start_time_in_seconds,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the content; the name of the file it came from is none of it."""
        content = super().to_dict()
        return {k: v for k, v in content.items() if k not in ("filename", "dataset_name")}

    @property
    def axis(self) -> SampleAxis:
        """Where the function is sampled."""
        assert self.start_time_in_seconds is not None and self.sampling_rate_in_hertz is not None
        return SampleAxis(self.start_time_in_seconds, self.sampling_rate_in_hertz, len(self.samples))

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies [Hz] and amplitudes up to half the sampling rate."""
        size = 8 * len(self.samples)
        return np.fft.rfftfreq(size, 1.0 / self.axis.sampling_rate_in_hertz), np.abs(
            np.fft.rfft(self.samples, size)
        )

    @property
    def center_frequency(self) -> float | None:  # type: ignore[override]
        """Frequency of the spectrum's peak [Hz]; None where the peak is at zero."""
        frequencies, amplitudes = self._spectrum
        return float(frequencies[amplitudes.argmax()]) or None

    def evaluate(self, times: np.ndarray) -> np.ndarray:
        """Return the values at times [s], any shape."""
        times, axis = np.asarray(times, dtype=np.float64), self.axis
        positions = (times.ravel() - axis.start_time_in_seconds) * axis.sampling_rate_in_hertz
        last, rounding = axis.npts - 1, 1e-6
        inside = (positions >= -rounding) & (positions <= last + rounding)
        matrix = interpolation_matrix(axis.npts, np.clip(positions[inside], 0.0, last))
        values = np.zeros(times.size)
        values[inside] = matrix @ np.array(self.samples)
        return values.reshape(times.shape)

    def default_start_time(self) -> float:
        """Return the time of the first sample [s]."""
        return self.axis.start_time_in_seconds

    def maximum_frequency(self) -> float | None:
        """Return the frequency above which the amplitude spectrum is below 1e-2 of its peak [Hz].

        None if the spectrum reaches half the sampling rate.
        """
        frequencies, amplitudes = self._spectrum
        above = np.flatnonzero(amplitudes >= _BAND_EDGE * amplitudes.max())
        return None if above[-1] >= 0.99 * (amplitudes.size - 1) else float(frequencies[above[-1]])

    def _plot_end(self) -> float:
        return self.axis.end_time_in_seconds


def _one_column(array: Any, name: str) -> tuple[float, ...]:
    values = np.asarray(array, dtype=np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"Custom: {name} of shape {np.shape(array)} is not a function of time; give finite numbers of "
            "shape "
            "(n_samples,) or (n_samples, 1), at least two"
        )
    return tuple(values.tolist())


def _read_samples(path: Path, dataset_name: str) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"filename={str(path)!r} does not exist; give the path of an HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            if not isinstance(file.get(dataset_name), h5py.Dataset):
                raise unknown_name(f"dataset of {path}", dataset_name, file)
            array, attributes = file[dataset_name][()], dict(file[dataset_name].attrs)
    except OSError as error:
        raise ValueError(
            f"filename={str(path)!r} cannot be read as HDF5 ({error}); give another file"
        ) from error
    if "start_time_in_nanoseconds" in attributes:
        attributes.setdefault("start_time_in_seconds", 1e-9 * attributes["start_time_in_nanoseconds"])
    for name in ("sampling_rate_in_hertz", "start_time_in_seconds"):
        if name not in attributes:
            raise ValueError(
                f"dataset {dataset_name!r} of {path} has no attribute {name!r}; write it into the file"
            )
    rate, start = float(attributes["sampling_rate_in_hertz"]), float(attributes["start_time_in_seconds"])
    axis = SampleAxis(start, rate, 2)  # checks both
    return {
        "samples": _one_column(array, f"dataset {dataset_name!r} of {path}"),
        "sampling_rate_in_hertz": axis.sampling_rate_in_hertz,
        "start_time_in_seconds": axis.start_time_in_seconds,
    }
