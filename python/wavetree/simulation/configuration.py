"""What is simulated: mesh resolution, model, wavelet, time span and boundaries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.data.resample import SampleAxis
from wavetree.domain import BoxDomain
from wavetree.errors import unknown_name
from wavetree.material import Material
from wavetree.mesh import Mesh, MeshResolution, mesh_from_domain, resolved_frequency
from wavetree.mesh.interpolation import MAX_ORDER
from wavetree.model import OverlaidModel
from wavetree.model.background.homogeneous import IsotropicAcoustic, IsotropicElastic
from wavetree.model.background.one_dimensional import Layered
from wavetree.model.volume.cartesian import FunctionModel, GenericModel
from wavetree.simulation.boundary import AbsorbingBoundaryParameters, BoundaryCondition
from wavetree.simulation.medium import medium, slowest_velocity
from wavetree.survey.stf import SourceTimeFunction

__all__ = [
    "EventConfiguration",
    "MeshReference",
    "ModelConfiguration",
    "SimulationConfiguration",
    "UnstructuredMeshSimulationConfiguration",
    "WaveformSimulationConfiguration",
    "WavefieldCompression",
    "build_mesh",
    "resolve_boundary_conditions",
]

logger = logging.getLogger("wavetree")

# Folders and data names ("SYNTHETIC_DATA:name") are made of names.
Name = Annotated[str, Field(pattern=r"^\w[\w.\- ]*$")]
Order = Annotated[int, Field(ge=1, le=MAX_ORDER)]


@configuration
class WaveformSimulationConfiguration(Configuration):
    """Time span, time step, precision and boundary conditions of a simulation.

    Parameters
    ----------
    end_time_in_seconds
        Last time [s].
    start_time_in_seconds
        First time [s]; when None, early enough for the wavelet to begin from nothing.
    time_step_in_seconds
        Time step [s]; when None, 0.9 of the largest stable one.
    attenuation
        Must be False: media do not attenuate.
    boundary_conditions
        Conditions on side sets; without one, sides are rigid for fluids and free for solids.
    precision
        ``"float32"`` or ``"float64"``.
    receiver_sampling_interval_in_time_steps
        Receivers keep every n-th sample.
    receiver_time_axis
        Receivers are sampled at these times instead, by band-limited interpolation between the time steps;
        None for none. The simulation has to cover them.
    temporal_dispersion_correction
        Whether wavelets and records are filtered to remove the time stepping's dispersion.
    """

    end_time_in_seconds: FiniteFloat
    _: KW_ONLY
    start_time_in_seconds: FiniteFloat | None = None
    time_step_in_seconds: PositiveFloat | None = None
    attenuation: bool = False
    boundary_conditions: tuple[BoundaryCondition, ...] = ()
    precision: Literal["float32", "float64"] = "float32"
    receiver_sampling_interval_in_time_steps: PositiveInt = 1
    receiver_time_axis: SampleAxis | None = None
    temporal_dispersion_correction: bool = True

    @field_validator("attenuation")
    @classmethod
    def _no_attenuation(cls, value: bool) -> bool:
        if value:
            raise ValueError(
                "attenuation is True; expected False, for attenuating media cannot be simulated."
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> WaveformSimulationConfiguration:
        start, end = self.start_time_in_seconds, self.end_time_in_seconds
        if start is not None and not start < end:
            raise ValueError(
                f"start_time_in_seconds is {start:g} and end_time_in_seconds {end:g}; expected a start "
                "before the end."
            )
        step = self.time_step_in_seconds
        if start is not None and step is not None and step > end - start:
            raise ValueError(
                f"time_step_in_seconds is {step:g}; expected at most the simulated time, {end - start:g} s."
            )
        interval = self.receiver_sampling_interval_in_time_steps
        if self.receiver_time_axis is not None and interval > 1:
            raise ValueError(
                f"receiver_time_axis is given and receiver_sampling_interval_in_time_steps is {interval}; "
                "expected one of them, for each says when receivers are sampled."
            )
        named = [name for condition in self.boundary_conditions for name in condition.side_sets]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(
                    f"boundary_conditions name the side set {name!r} {named.count(name)} times; expected one "
                    "condition per side."
                )
        return self


@configuration
class EventConfiguration(Configuration):
    """Wavelet and time span of the events.

    Parameters
    ----------
    wavelet
        A source time function for all sources, or a list with one per source.
    waveform_simulation_configuration
        Time span, time step, precision and boundary conditions.
    """

    wavelet: SourceTimeFunction | tuple[SourceTimeFunction, ...]
    _: KW_ONLY
    waveform_simulation_configuration: WaveformSimulationConfiguration

    @field_validator("wavelet")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("wavelet is an empty list; expected a source time function, or one per source.")
        return value

    @property
    def wavelets(self) -> tuple[SourceTimeFunction, ...]:
        """The source time functions: one for all sources, or one per source."""
        return self.wavelet if isinstance(self.wavelet, tuple) else (self.wavelet,)


@configuration
class ModelConfiguration(Configuration):
    """What the medium is made of.

    Parameters
    ----------
    background_model
        Model that is defined everywhere, a homogeneous or layered one or a material of numbers, or None.
    volume_models
        Name of a volume model of the project, or a list of names from the lowest to the topmost; they
        count where they are defined, the background elsewhere.
    averaging
        Whether nodes get the average of the volume around them in place of the value at their place: for
        models finer than the elements; see `wavetree.mesh.averaging`.
    """

    background_model: IsotropicAcoustic | IsotropicElastic | Layered | Material | None = None
    _: KW_ONLY
    volume_models: Name | tuple[Name, ...] | None = None
    averaging: bool = False

    @field_validator("background_model")
    @classmethod
    def _homogeneous(cls, value: Any) -> Any:
        if isinstance(value, Material) and not value.is_homogeneous:
            raise ValueError(
                f"background_model is a {type(value).__name__} that varies in space; expected one of "
                "numbers: make a volume model of it with GenericModel(name, material.data)."
            )
        return value

    @model_validator(mode="after")
    def _not_empty(self) -> ModelConfiguration:
        if self.background_model is None and not self.volume_models:
            raise ValueError(
                "background_model is None and volume_models is empty; expected a background model, the "
                "name of a "
                "volume model or both."
            )
        return self

    @property
    def volume_model_names(self) -> tuple[str, ...]:
        """Names of the volume models, from the lowest to the topmost."""
        names = self.volume_models or ()
        return (names,) if isinstance(names, str) else names


@configuration
class SimulationConfiguration(Configuration):
    """A simulation on a mesh that is made for the configuration's own model.

    Parameters
    ----------
    name
        Name of the configuration.
    max_frequency_in_hertz, min_period_in_seconds
        Frequency [Hz] or period [s] of the shortest wave; exactly one of them.
    elements_per_wavelength
        Elements along the shortest wave.
    tensor_order
        Order of wavefield and model, 1 to 8; the geometric order is min(tensor_order, 4).
    model_configuration
        What the medium is made of.
    event_configuration
        Wavelet and time span.
    absorbing_boundaries
        Absorbing sides; when None, sides without a boundary condition are rigid for fluids and free for
        solids.
    topography_configuration
        Must be None: the domain is a box.
    """

    name: Name
    _: KW_ONLY
    max_frequency_in_hertz: PositiveFloat | None = None
    min_period_in_seconds: PositiveFloat | None = None
    elements_per_wavelength: PositiveFloat
    tensor_order: Order
    model_configuration: ModelConfiguration
    event_configuration: EventConfiguration
    absorbing_boundaries: AbsorbingBoundaryParameters | None = None
    topography_configuration: Any = None

    @field_validator("topography_configuration")
    @classmethod
    def _no_topography(cls, value: Any) -> Any:
        if value is not None:
            raise ValueError(
                f"topography_configuration is {value!r}; expected None: for other shapes than boxes use "
                "UnstructuredMeshSimulationConfiguration."
            )
        return value

    @model_validator(mode="after")
    def _one_frequency(self) -> SimulationConfiguration:
        given = (self.max_frequency_in_hertz, self.min_period_in_seconds)
        if (given[0] is None) == (given[1] is None):
            raise ValueError(
                f"max_frequency_in_hertz is {given[0]} and min_period_in_seconds {given[1]}; expected "
                "exactly one of "
                "them."
            )
        return self

    @property
    def maximum_frequency(self) -> float:
        """Frequency of the shortest wave [Hz]."""
        if self.max_frequency_in_hertz is not None:
            return self.max_frequency_in_hertz
        assert self.min_period_in_seconds is not None
        return 1.0 / self.min_period_in_seconds


@configuration
class MeshReference(Configuration):
    """Stands for a mesh in what is written as JSON.

    Parameters
    ----------
    mesh_digest
        `Mesh.digest` of the mesh.
    """

    mesh_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@configuration
class UnstructuredMeshSimulationConfiguration(Configuration):
    """A simulation on a given mesh with a given medium.

    The configuration keeps a copy of the mesh; what is written as JSON names it by its digest. What
    was read back has a `MeshReference` until `with_mesh` gives it the mesh again.

    Parameters
    ----------
    name
        Name of the configuration.
    unstructured_mesh
        Mesh with the fields of a medium, such as VP, VS [m/s] and RHO [kg/m^3], or a reference to one.
    event_configuration
        Wavelet and time span.
    tensor_order
        Order of the wavefield, 1 to 8; fields of other orders are interpolated.
    absorbing_boundaries
        Absorbing sides; when None, sides without a boundary condition are rigid for fluids and free for
        solids.
    """

    name: Name
    _: KW_ONLY
    unstructured_mesh: Mesh | MeshReference
    event_configuration: EventConfiguration
    tensor_order: Order = 4
    absorbing_boundaries: AbsorbingBoundaryParameters | None = None

    @field_validator("unstructured_mesh")
    @classmethod
    def _own_copy(cls, value: Mesh | MeshReference) -> Mesh | MeshReference:
        return value.copy() if isinstance(value, Mesh) else value

    @property
    def mesh_digest(self) -> str:
        """Digest of the mesh, known with and without the mesh itself."""
        mesh = self.unstructured_mesh
        return mesh.digest() if isinstance(mesh, Mesh) else mesh.mesh_digest

    @property
    def mesh(self) -> Mesh:
        """The mesh.

        Raises
        ------
        ValueError
            If there is only a reference to it.
        """
        if not isinstance(self.unstructured_mesh, Mesh):
            raise ValueError(
                f"unstructured_mesh of {self.name!r} is a reference to mesh {self.mesh_digest[:12]}; "
                "expected the mesh "
                "itself: read it and call with_mesh."
            )
        return self.unstructured_mesh

    def with_mesh(self, mesh: Mesh) -> UnstructuredMeshSimulationConfiguration:
        """Return the configuration with the mesh that it refers to.

        Raises
        ------
        ValueError
            If it is another mesh.
        """
        if mesh.digest() != self.mesh_digest:
            raise ValueError(
                f"mesh has the digest {mesh.digest()[:12]}; expected {self.mesh_digest[:12]}, the one that "
                f"{self.name!r} refers to."
            )
        return UnstructuredMeshSimulationConfiguration(
            self.name,
            unstructured_mesh=mesh,
            event_configuration=self.event_configuration,
            tensor_order=self.tensor_order,
            absorbing_boundaries=self.absorbing_boundaries,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON-serialisable dictionary, the mesh as `MeshReference`."""
        return {**super().to_dict(), "unstructured_mesh": MeshReference(self.mesh_digest).to_dict()}


@configuration
class WavefieldCompression(Configuration):
    """How the forward wavefield is kept for the gradient; by default all of it that fits into memory.

    Parameters
    ----------
    forward_wavefield_sampling_interval
        Keep every n-th time step.
    memory_in_bytes
        Bytes that may be used instead; the interval follows from them.
    """

    forward_wavefield_sampling_interval: PositiveInt | None = None
    _: KW_ONLY
    memory_in_bytes: PositiveInt | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> WavefieldCompression:
        if self.forward_wavefield_sampling_interval is not None and self.memory_in_bytes is not None:
            raise ValueError(
                f"forward_wavefield_sampling_interval is {self.forward_wavefield_sampling_interval} and "
                "memory_in_bytes "
                f"{self.memory_in_bytes}; expected one of them or none, for each determines the other."
            )
        return self


AnySimulationConfiguration = SimulationConfiguration | UnstructuredMeshSimulationConfiguration


def build_mesh(
    configuration: AnySimulationConfiguration,
    domain: BoxDomain,
    volume_models: Mapping[str, GenericModel | FunctionModel],
) -> Mesh:
    """Return the mesh of a simulation with its medium on the GLL nodes of the wavefield's order.

    A warning names the frequency that the mesh resolves if the wavelet has content above it.

    Parameters
    ----------
    configuration
        What is simulated.
    domain
        The box to mesh; a given mesh is taken as it is.
    volume_models
        The volume models that the configuration may name.

    Returns
    -------
    Mesh
        With the parameters of the medium as element-nodal fields, and named sides.

    Raises
    ------
    ValueError
        For unknown volume models, models that do not cover the domain, and fields that are missing or
        those of no medium.
    """
    if isinstance(configuration, SimulationConfiguration):
        mesh = _mesh_of_model(configuration, domain, volume_models)
    else:
        mesh = configuration.mesh
    mesh = medium(mesh, configuration.tensor_order)
    if not mesh.side_sets:
        mesh.find_side_sets()
    _warn_of_unresolved_wavelet(configuration, mesh)
    return mesh


def resolve_boundary_conditions(
    configuration: AnySimulationConfiguration, mesh: Mesh
) -> tuple[BoundaryCondition, ...]:
    """Return the boundary conditions of a simulation, absorbing sides included.

    Parameters
    ----------
    configuration
        What is simulated. Sides with a condition of their own are left out of ``absorbing_boundaries``.
    mesh
        The mesh that `build_mesh` returned.

    Raises
    ------
    ValueError
        If a condition names a side set that the mesh does not have.
    """
    own = configuration.event_configuration.waveform_simulation_configuration.boundary_conditions
    taken = [name for condition in own for name in condition.side_sets]
    for name in taken:
        if name not in mesh.side_sets:
            raise unknown_name("side set in boundary_conditions", name, mesh.side_sets)
    absorbing = configuration.absorbing_boundaries
    if absorbing is None:
        return own
    free = tuple(name for name in absorbing.free_surface or () if name not in taken)
    sides = [name for name in mesh.side_sets if name not in taken]
    return own + (replace(absorbing, free_surface=free or False).resolve(sides) if sides else ())


def _mesh_of_model(
    configuration: SimulationConfiguration,
    domain: BoxDomain,
    volume_models: Mapping[str, GenericModel | FunctionModel],
) -> Mesh:
    chosen = configuration.model_configuration
    for name in chosen.volume_model_names:
        if name not in volume_models:
            raise unknown_name("volume model", name, volume_models)
    model = OverlaidModel(
        chosen.background_model, [volume_models[name] for name in chosen.volume_model_names]
    )
    resolution = MeshResolution(
        configuration.maximum_frequency,
        elements_per_wavelength=configuration.elements_per_wavelength,
        model_order=configuration.tensor_order,
    )
    return mesh_from_domain(domain, model, resolution, averaging=chosen.averaging)


def _warn_of_unresolved_wavelet(configuration: AnySimulationConfiguration, mesh: Mesh) -> None:
    resolved = resolved_frequency(mesh, slowest_velocity(mesh))
    for wavelet in configuration.event_configuration.wavelets:
        content = wavelet.maximum_frequency()
        if content is None or content > resolved:
            reach = "all frequencies" if content is None else f"frequencies up to {content:.4g} Hz"
            logger.warning(
                "The wavelet of %r has %s, but its mesh resolves only %.4g Hz: expect numerical dispersion "
                "above, or choose a finer mesh or a lower wavelet.",
                configuration.name,
                reach,
                resolved,
            )
            return
