"""What is inverted, and where the work runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import KW_ONLY, field, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, field_validator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.data.frequency_band import FrequencyBand
from wavetree.inversion.pseudo_hessian import PseudoHessian
from wavetree.mapping import Mapping
from wavetree.mesh import Mesh
from wavetree.optimize import LBFGS, Adam, BatchSelection, SteepestDescent, TrustRegion
from wavetree.simulation.configuration import Name, WavefieldCompression
from wavetree.smoothing import ConstantSmoothing, ModelDependentSmoothing, Smoothing

__all__ = ["InverseProblemConfiguration", "PreconditionerConfiguration", "SiteConfig"]

_Factor = ConstantSmoothing | ModelDependentSmoothing | PseudoHessian
PreconditionerConfiguration = _Factor | tuple[_Factor, _Factor]

_METHODS = (TrustRegion, SteepestDescent, LBFGS, Adam)


@configuration
class SiteConfig(Configuration):
    """Where and how simulations run.

    Parameters
    ----------
    site_name
        Name of the site: "local", "slurm", or one that `LocalSettings` or `SlurmSettings` describe, in the
        project or in the user's file of sites.
    ranks_per_job
        Ranks of each simulation; each is one thread of its process.
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
    frequency_band
        Replaces that of the misfit configuration; None for the misfit configuration's own.
    mapping
        What is inverted for, and in which scaling.
    preconditioner
        Smoothing of the gradient, division by a pseudo-Hessian, or a tuple of both; None for none.
    method
        The optimisation method.
    wavefield_compression
        How forward wavefields are kept; None keeps every time step if that takes 2 GiB or less, else fewer.
    batch
        Which events each iteration takes; all of them when None.
    validation_events
        Names of events whose misfits are reported at every iteration, but which are not inverted.
    job_submission
        Where and how simulations run; the only part that may change later, for it changes no result.

    Raises
    ------
    ValueError
        If events are named twice or none, or preconditioner or method name other parameters than the mapping.
    """

    _left_out_while_none: ClassVar[tuple[str, ...]] = ("frequency_band",)

    name: Name
    _: KW_ONLY
    prior_model: Annotated[str, Field(min_length=1)]
    events: tuple[str, ...] | None = None
    misfit_configuration: Annotated[str, Field(min_length=1)]
    frequency_band: FrequencyBand | None = None
    mapping: Mapping
    preconditioner: PreconditionerConfiguration | None = None
    method: TrustRegion | SteepestDescent | LBFGS | Adam = field(default_factory=TrustRegion)
    wavefield_compression: WavefieldCompression | None = None
    batch: BatchSelection | None = None
    validation_events: tuple[str, ...] | None = None
    job_submission: SiteConfig = field(default_factory=lambda: SiteConfig("local"))

    @field_validator("method", mode="before")
    @classmethod
    def _known_method(cls, value: Any) -> Any:
        if not isinstance(value, _METHODS):
            names = ", ".join(f"{method.__name__}(...)" for method in _METHODS)
            raise ValueError(f"method is {value!r}, expected one of {names}.")
        return value

    @field_validator("events", "validation_events")
    @classmethod
    def _named_once(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if value == ():
            meant = "all of the project" if info.field_name == "events" else "no validation"
            raise ValueError(f"{info.field_name} is empty; expected names of events, or None for {meant}.")
        for name, times in Counter(value or ()).items():
            if times > 1:
                raise ValueError(f"{info.field_name} names {name!r} {times} times; name it once.")
        return value

    @model_validator(mode="after")
    def _events_apart(self) -> InverseProblemConfiguration:
        for name in self.validation_events or ():
            if self.events is not None and name in self.events:
                raise ValueError(
                    f"validation_events names {name!r}, which is one of events too; name it in one of them."
                )
        return self

    @model_validator(mode="after")
    def _same_parameters(self) -> InverseProblemConfiguration:
        parameters = self.mapping.inversion_parameters
        self.method.initial_change(dict.fromkeys(parameters, 1.0))
        factors = self.preconditioner if isinstance(self.preconditioner, tuple) else (self.preconditioner,)
        smoothings = [factor for factor in factors if isinstance(factor, Smoothing)]
        if len(factors) == 2 and len(smoothings) != 1:
            names = " and ".join(type(factor).__name__ for factor in factors)
            raise ValueError(f"preconditioner is {names}; expected one smoothing and one PseudoHessian.")
        for smoothing in smoothings:
            _check_smoothing(smoothing, parameters)
        return self

    def numbers(self) -> InverseProblemConfiguration:
        """Return the configuration without what changes no result: where the work runs."""
        return replace(self, job_submission=SiteConfig("local"))


def _check_smoothing(smoothing: Smoothing, parameters: tuple[str, ...]) -> None:
    for name in parameters:
        if name not in smoothing.lengths:
            raise ValueError(
                f"preconditioner has no smoothing length for {name!r}, which is inverted for; "
                "give it one (0 leaves the gradient as it is)."
            )
    if isinstance(smoothing, ModelDependentSmoothing) and isinstance(smoothing.reference_model, Mesh):
        raise ValueError(
            "reference_model of the preconditioner is a mesh; expected the name of a simulation "
            "configuration: add the mesh to the project as an UnstructuredMeshSimulationConfiguration and "
            "name that."
        )
