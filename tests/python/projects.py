"""A small project for tests: two events of two receivers in a box, two homogeneous models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from wavetree.domain import BoxDomain2D
from wavetree.errors import Cancelled
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import GenericModel
from wavetree.project.project import Project
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    SimulationConfiguration,
    WaveformSimulationConfiguration,
)
from wavetree.survey.event import Event, EventCollection
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

DOMAIN = BoxDomain2D(x0=-0.1, x1=0.1, y0=-0.1, y1=0.1)
WAVEFORMS = WaveformSimulationConfiguration(2e-4)
EVENT_CONFIGURATION = EventConfiguration(
    Ricker(center_frequency=8000.0), waveform_simulation_configuration=WAVEFORMS
)


def simulation(name: str, vp: float = 1500.0, **changes: Any) -> SimulationConfiguration:
    values: dict[str, Any] = {
        "max_frequency_in_hertz": 25000.0,
        "elements_per_wavelength": 1.0,
        "tensor_order": 4,
        "model_configuration": ModelConfiguration(IsotropicAcoustic(vp=vp, rho=980.0)),
        "event_configuration": EVENT_CONFIGURATION,
    }
    return SimulationConfiguration(name, **(values | changes))


def event(index: int = 0, **changes: Any) -> Event:
    source = ScalarPoint2D(x=-0.05, y=0.01 * index, f=1.0)
    receivers = [Point2D(x=0.05, y=0.02 * k, station_code=f"{k}", fields=["phi"]) for k in range(2)]
    values = {"sources": [source], "receivers": receivers, "event_name": f"event_{index:04d}"}
    return Event(**(values | changes))


def misfit(name: str = "L2", observed: str = "true") -> MisfitConfiguration:
    return MisfitConfiguration(name, observed_data=observed, misfit_function="L2", receiver_field="phi")


def volume_model(vp: float = 1500.0) -> GenericModel:
    x = np.linspace(-0.1, 0.1, 5)
    fields = {"vp": (("x", "y"), np.full((5, 5), vp)), "rho": (("x", "y"), np.full((5, 5), 980.0))}
    return GenericModel("model", xr.Dataset(fields, coords={"x": x, "y": x}))


def small_project(path: Path) -> Project:
    p = Project.from_domain(path, DOMAIN)
    p += EventCollection([event(0), event(1)])
    p += simulation("initial")
    p += simulation("true", 1520.0)
    return p


def run(project: Project, *names: str) -> None:
    for name in names:
        project.simulations.launch(name)
    assert project.simulations.query(block=True)


def until_cancelled(task: Any, folder: Path, control: Any, threads: int = 1) -> None:
    while not control.cancelled:
        time.sleep(0.005)
    raise Cancelled("stopped")
