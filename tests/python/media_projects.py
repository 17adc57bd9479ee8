"""Projects for tests: water over rock in two and three dimensions, and a fast lens in rock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from wavetree.domain import BoxDomain2D, BoxDomain3D
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.model.background.homogeneous import IsotropicAcoustic, IsotropicElastic
from wavetree.model.volume.cartesian import GenericModel
from wavetree.project.project import Project
from wavetree.simulation.boundary import AbsorbingBoundaryParameters
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    SimulationConfiguration,
    WaveformSimulationConfiguration,
)
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import VectorPoint2D
from wavetree.survey.stf import Ricker

SQUARE = BoxDomain2D(x0=0.0, x1=1.0, y0=-0.5, y1=0.5)
CUBE = BoxDomain3D(x0=0.0, x1=1.0, y0=0.0, y1=1.0, z0=-0.5, z1=0.5)
EVENTS = EventConfiguration(
    Ricker(2000.0), waveform_simulation_configuration=WaveformSimulationConfiguration(4e-4)
)


def floor(dim: int) -> GenericModel:
    """Rock below 0 in a box of 1 m."""
    axes = "xyz"[:dim]
    bounds = [[0.0, 1.0]] * (dim - 1) + [[-0.5, 0.0]]
    values = {"vp": 3000.0, "vs": 1700.0, "rho": 2200.0}
    fields = {key: (tuple(axes), np.full((2,) * dim, value)) for key, value in values.items()}
    return GenericModel("floor", xr.Dataset(fields, coords=dict(zip(axes, bounds, strict=True))))


def configuration(name: str = "s", vp: float = 1500.0, **changes: Any) -> SimulationConfiguration:
    values: dict[str, Any] = {
        "max_frequency_in_hertz": 3000.0,
        "elements_per_wavelength": 2.0,
        "tensor_order": 3,
        "model_configuration": ModelConfiguration(
            IsotropicAcoustic(vp=vp, rho=1000.0), volume_models="floor"
        ),
        "event_configuration": EVENTS,
    }
    return SimulationConfiguration(name, **(values | changes))


def seabed(path: Path, dim: int = 2) -> Project:
    """Water of 0.5 m above rock of 0.5 m, four elements along a side."""
    p = Project.from_domain(path, (SQUARE, CUBE)[dim - 2])
    p += floor(dim)
    p += configuration()
    return p


def misfit(field: str, observed: str = "true") -> MisfitConfiguration:
    return MisfitConfiguration(f"L2 of {field}", observed_data=observed, receiver_field=field)


def station(y: float, *fields: str, x: float = 0.7, code: str = "A") -> Point2D:
    return Point2D(x=x, y=y, station_code=code, fields=fields)


def rock(path: Path) -> Project:
    """A fast lens in rock, two forces and eight receivers around it, free surface on top."""
    x = np.linspace(0.0, 1.0, 21)
    lens = np.exp(-((x[:, None] - 0.5) ** 2 + (x - 0.5) ** 2) / 0.15**2)
    fields = {"vp": 3000.0 + 150.0 * lens, "vs": 1700.0 + 100.0 * lens, "rho": 2200.0 + 0.0 * lens}
    data = xr.Dataset({k: (("x", "y"), v) for k, v in fields.items()}, coords={"x": x, "y": x - 0.5})
    p = Project.from_volume_model(path, GenericModel("lens", data))
    across = [station(y, "velocity", x=0.9, code=f"R{k}") for k, y in enumerate((-0.3, -0.1, 0.1, 0.3))]
    along = [station(0.4, "velocity", x=x, code=f"T{k}") for k, x in enumerate((0.2, 0.4, 0.6, 0.8))]
    for k, (at, force) in enumerate(((0.2, {"fx": 1e6, "fy": 0.0}), (-0.2, {"fx": 0.0, "fy": 1e6}))):
        source = VectorPoint2D(x=0.1, y=at, **force)
        p += Event(sources=[source], receivers=across + along, event_name=f"e{k}")
    absorbing = AbsorbingBoundaryParameters(
        reference_velocity=3000.0, number_of_wavelengths=0.5, reference_frequency=5e3, free_surface=["y1"]
    )
    span = WaveformSimulationConfiguration(6e-4)
    events = EventConfiguration(Ricker(5000.0), waveform_simulation_configuration=span)
    models = {
        "true": ModelConfiguration(volume_models="lens"),
        "initial": ModelConfiguration(IsotropicElastic(vp=3000.0, vs=1700.0, rho=2200.0)),
    }
    for name, chosen in models.items():
        p += configuration(
            name, model_configuration=chosen, event_configuration=events, max_frequency_in_hertz=8000.0,
            elements_per_wavelength=1.5, tensor_order=4, absorbing_boundaries=absorbing,
        )  # fmt: skip
    p += misfit("velocity")
    return p
