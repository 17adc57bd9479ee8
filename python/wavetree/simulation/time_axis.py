"""The time steps of a simulation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wavetree.mesh import Mesh
from wavetree.ranks import Ranks
from wavetree.simulation import dispersion
from wavetree.simulation.boundary import BoundaryCondition
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import make_core_over_ranks
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["TimeAxis", "check_receiver_time_axis", "computed_steps", "maximum_time_step", "resolve"]

_SAFETY = 0.9
# The residual bounds the distance to some eigenvalue; where the largest ones cluster, a larger one may be
# missed by some tenths of a percent.
_MISSED = 0.995


@dataclass(frozen=True)
class TimeAxis:
    """Evenly spaced times start, start + dt, ..., n_steps steps and so n_steps + 1 samples.

    Attributes
    ----------
    start
        First time [s].
    dt
        Time step [s].
    n_steps
        Number of steps.
    """

    start: float
    dt: float
    n_steps: int

    @property
    def n_samples(self) -> int:
        """Number of samples, one more than steps."""
        return self.n_steps + 1

    @property
    def times(self) -> np.ndarray:
        """Times of the samples (n_samples,) [s]."""
        return self.start + self.dt * np.arange(self.n_samples)

    @property
    def end(self) -> float:
        """Last time [s]."""
        return self.start + self.dt * self.n_steps


def computed_steps(axis: TimeAxis, filtered: bool) -> int:
    """Return how many time steps a run computes: the samples and, if records are filtered, some more."""
    return axis.n_samples + (dispersion.margin(axis.n_samples) if filtered else 0)


def maximum_time_step(
    mesh: Mesh, boundary_conditions: Iterable[BoundaryCondition] = (), ranks: Ranks | None = None
) -> float:
    """Return the largest stable time step of central differences on a mesh [s].

    Parameters
    ----------
    mesh, boundary_conditions
        What is simulated.
    ranks
        The ranks that share the elements, all of which must call; None for this process alone.

    Notes
    -----
    dt_max = 2 / sqrt(λ_max(M⁻¹K)), the eigenvalue from a few Lanczos steps on the operator itself, with
    the residual norm and a margin of 1 % added so that it is an upper bound. Always in double precision.
    """
    core = make_core_over_ranks(mesh, boundary_conditions, "float64", 1, None, ranks)
    return _MISSED * float(core.compiled.maximum_time_step())


def resolve(
    mesh: Mesh,
    source_time_functions: Iterable[SourceTimeFunction],
    configuration: WaveformSimulationConfiguration,
    boundary_conditions: Iterable[BoundaryCondition] = (),
    ranks: Ranks | None = None,
) -> TimeAxis:
    """Return the time axis of a simulation.

    Parameters
    ----------
    mesh
        The domain with VP and RHO.
    source_time_functions
        Those of all sources; they decide when the simulation starts unless a start is given.
    configuration
        Time span and, if given, time step.
    boundary_conditions
        Conditions on the sides.
    ranks
        As for `maximum_time_step`.

    Raises
    ------
    ValueError
        If the given time step is larger than the largest stable one, the simulation would end before it
        starts, or it does not cover the receivers' time axis.

    Notes
    -----
    Without a given step it is 0.9 of the largest stable one, rounded down to a whole number of steps.
    """
    axis = _resolve(mesh, source_time_functions, configuration, boundary_conditions, ranks)
    check_receiver_time_axis(configuration, axis)
    return axis


def check_receiver_time_axis(configuration: WaveformSimulationConfiguration, axis: TimeAxis) -> None:
    """Raise ValueError if the receivers are to be sampled at times that are not simulated."""
    wanted = configuration.receiver_time_axis
    if wanted is None:
        return
    slack = 1e-6 * axis.dt  # rounding of times and rates
    if wanted.start_time_in_seconds < axis.start - slack or wanted.end_time_in_seconds > axis.end + slack:
        raise ValueError(
            f"receiver_time_axis is from {wanted.start_time_in_seconds:.9g} s to "
            f"{wanted.end_time_in_seconds:.9g} s, but the simulation is from {axis.start:.9g} s to "
            f"{axis.end:.9g} s; expected an axis within: shorten it, or change start_time_in_seconds or "
            "end_time_in_seconds."
        )


def _resolve(
    mesh: Mesh,
    source_time_functions: Iterable[SourceTimeFunction],
    configuration: WaveformSimulationConfiguration,
    boundary_conditions: Iterable[BoundaryCondition],
    ranks: Ranks | None,
) -> TimeAxis:
    start = configuration.start_time_in_seconds
    if start is None:
        start = min(float(stf.default_start_time()) for stf in source_time_functions)
    span = configuration.end_time_in_seconds - start
    if not span > 0.0:
        raise ValueError(
            f"end_time_in_seconds is {configuration.end_time_in_seconds:g}, but the wavelet starts at "
            f"{start:g} s; expected an end after the start."
        )
    largest = maximum_time_step(mesh, boundary_conditions, ranks)
    step = configuration.time_step_in_seconds
    if step is None:
        n_steps = math.ceil(span / (_SAFETY * largest))
        return TimeAxis(start, span / n_steps, n_steps)
    if step > largest:
        raise ValueError(
            f"time_step_in_seconds is {step:g}, larger than the largest stable step {largest:g} s of this "
            "mesh and model; choose a smaller one or leave it out."
        )
    return TimeAxis(start, step, math.ceil(span / step - 1e-9))
