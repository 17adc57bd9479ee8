"""When receivers are sampled: from the time steps to records, and the transpose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wavetree.data.resample import SampleAxis, resample, resample_transpose
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.time_axis import TimeAxis, check_receiver_time_axis

__all__ = ["RecordSampling"]


@dataclass(frozen=True)
class RecordSampling:
    """How records are taken from the samples at all time steps.

    Attributes
    ----------
    computed
        The samples of the simulation's time axis.
    axis
        The samples of the records.
    interval
        Records have every n-th computed sample; None where they are interpolated.
    """

    computed: SampleAxis
    axis: SampleAxis
    interval: int | None

    @classmethod
    def of(cls, configuration: WaveformSimulationConfiguration, time_axis: TimeAxis) -> RecordSampling:
        """Return the sampling that a configuration asks for.

        Raises
        ------
        ValueError
            If the simulation does not cover the receivers' time axis.
        """
        check_receiver_time_axis(configuration, time_axis)
        computed = SampleAxis(time_axis.start, 1.0 / time_axis.dt, time_axis.n_samples)
        if configuration.receiver_time_axis is not None:
            return cls(computed, configuration.receiver_time_axis, None)
        every = configuration.receiver_sampling_interval_in_time_steps
        count = len(range(0, time_axis.n_samples, every))
        return cls(computed, SampleAxis(time_axis.start, 1.0 / (every * time_axis.dt), count), every)

    def sample(self, values: np.ndarray) -> np.ndarray:
        """Return records (..., axis.npts) of the samples of all steps (..., n_steps), first ones first."""
        within = values[..., : self.computed.npts]
        return within[..., :: self.interval] if self.interval else resample(within, self.computed, self.axis)

    def adjoint(self, adjoint_sources: np.ndarray, n_steps: int) -> np.ndarray:
        """Return adjoint sources by the samples of all steps.

        Parameters
        ----------
        adjoint_sources
            f† (..., axis.npts) with ∂χ/∂u_n = dt f†_n, dt the sampling interval of the records.
        n_steps
            Number of steps, at least those of the time axis.

        Returns
        -------
        np.ndarray
            f† (..., n_steps) with dt the time step: the transpose of `sample`, times the ratio of both.
        """
        result = np.zeros((*adjoint_sources.shape[:-1], n_steps))
        within = result[..., : self.computed.npts]
        if self.interval:
            within[..., :: self.interval] = self.interval * adjoint_sources
        else:
            ratio = self.computed.sampling_rate_in_hertz / self.axis.sampling_rate_in_hertz
            within[...] = ratio * resample_transpose(adjoint_sources, self.computed, self.axis)
        return result
