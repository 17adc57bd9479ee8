"""What is inverted, and where the work runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import KW_ONLY, field, replace
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.mapping import Mapping
from wavetree.optimize import TrustRegion
from wavetree.simulation.configuration import Name, WavefieldCompression
from wavetree.smoothing import ConstantSmoothing

__all__ = ["InverseProblemConfiguration", "SiteConfig"]


@configuration
class SiteConfig(Configuration):
    """Where and how simulations run.

    Parameters
    ----------
    site_name
        Name of the site.
    ranks_per_job
        Ranks of each simulation; as many threads where the site runs in this process.
    threads_per_rank
        Threads of each rank; one when None.
    wall_time_in_seconds_per_job
        Simulations that take longer [s] fail; None for no limit.
    """

    site_name: Annotated[str, Field(min_length=1)]
    _: KW_ONLY
    ranks_per_job: PositiveInt = 1
    threads_per_rank: PositiveInt | None = None
    wall_time_in_seconds_per_job: PositiveFloat | None = None


@configuration
class InverseProblemConfiguration(Configuration):
    """An inverse problem: prior, data, misfit, mapping, preconditioner and method.

    Parameters
    ----------
    name
        Name of the inverse problem.
    prior_model
        Name of the simulation configuration to start from; its mesh and time axis are used throughout.
    events
        Names of the events, in the order in which their misfits are summed; all of the project when None.
    misfit_configuration
        Name of the misfit configuration.
    mapping
        What is inverted for, and in which scaling.
    preconditioner
        Smoothing of the gradient; None for none.
    method
        The optimisation method.
    wavefield_compression
        How forward wavefields are kept; None keeps every time step if that takes 2 GiB or less, else fewer.
    job_submission
        Where and how simulations run; the only part that may change later, for it changes no result.

    Raises
    ------
    ValueError
        If events are named twice or none, or preconditioner or method name other parameters than the mapping.
    """

    name: Name
    _: KW_ONLY
    prior_model: Annotated[str, Field(min_length=1)]
    events: tuple[str, ...] | None = None
    misfit_configuration: Annotated[str, Field(min_length=1)]
    mapping: Mapping
    preconditioner: ConstantSmoothing | None = None
    method: TrustRegion = field(default_factory=TrustRegion)
    wavefield_compression: WavefieldCompression | None = None
    job_submission: SiteConfig = field(default_factory=lambda: SiteConfig("local"))

    @field_validator("events")
    @classmethod
    def _named_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value == ():
            raise ValueError("events is empty; expected names of events, or None for all of the project.")
        for name, times in Counter(value or ()).items():
            if times > 1:
                raise ValueError(f"events names {name!r} {times} times; name it once.")
        return value

    @model_validator(mode="after")
    def _same_parameters(self) -> InverseProblemConfiguration:
        parameters = self.mapping.inversion_parameters
        self.method.initial_change(dict.fromkeys(parameters, 1.0))
        if self.preconditioner is not None:
            for name in parameters:
                if name not in self.preconditioner.smoothing_lengths_in_meters:
                    raise ValueError(
                        f"preconditioner has no smoothing length for {name!r}, which is inverted for; "
                        "give it one (0 leaves the gradient as it is)."
                    )
        return self

    def numbers(self) -> InverseProblemConfiguration:
        """Return the configuration without what changes no result: where the work runs."""
        return replace(self, job_submission=SiteConfig("local"))
