"""A small inversion for tests: two events around a slow disc, 36 elements of order 4."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from wavetree.inversion import InverseProblemConfiguration
from wavetree.mapping import Mapping
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import GenericModel
from wavetree.optimize import TrustRegion
from wavetree.project.project import Project
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    SimulationConfiguration,
    WaveformSimulationConfiguration,
)
from wavetree.smoothing import ConstantSmoothing
from wavetree.survey.event import Event
from wavetree.survey.receiver.cartesian.collections import RingPoint2D
from wavetree.survey.source.cartesian.collections import ScalarPoint2DRing
from wavetree.survey.stf import Ricker

NAME = "inversion"
EVENTS = ["event_0000", "event_0001"]


def configuration(name: str = NAME, **changes: Any) -> InverseProblemConfiguration:
    values: dict[str, Any] = {
        "prior_model": "initial",
        "events": EVENTS,
        "misfit_configuration": "L2",
        "mapping": Mapping("absolute", inversion_parameters=["VP", "RHO"]),
        "preconditioner": ConstantSmoothing({"VP": 0.015, "RHO": 0.015}),
        "method": TrustRegion(initial_trust_region_linf=10.0),
    }
    return InverseProblemConfiguration(name, **(values | changes))


def make_project(path: Path, precision: str = "float32", **changes: Any) -> Project:
    """A project with observed data of a disc in it, and the inverse problem."""
    x = np.linspace(-0.1, 0.1, 41)
    X, Y = np.meshgrid(x, x, indexing="ij")
    disc = np.exp(-((X - 0.02) ** 2 + Y**2) / 0.03**2)
    fields = {"vp": (("x", "y"), 1500.0 - 60.0 * disc), "rho": (("x", "y"), 980.0 + 20.0 * disc)}
    p = Project.from_volume_model(path, GenericModel("disc", xr.Dataset(fields, coords={"x": x, "y": x})))
    ring = list(RingPoint2D(x=0.0, y=0.0, radius=0.08, count=12, fields=["phi"]))
    for name, source in zip(
        EVENTS, ScalarPoint2DRing(x=0.0, y=0.0, radius=0.08, count=2, f=1.0), strict=True
    ):
        distance = [np.hypot(*np.subtract(source.location, r.location)) for r in ring]
        chosen = [r for r, d in zip(ring, distance, strict=True) if d > 0.05]
        p += Event(sources=[source], receivers=chosen, event_name=name)
    waveforms = WaveformSimulationConfiguration(2.5e-4, precision=precision)
    events = EventConfiguration(Ricker(10000.0), waveform_simulation_configuration=waveforms)
    models = {
        "true": ModelConfiguration(None, volume_models="disc"),
        "initial": ModelConfiguration(IsotropicAcoustic(vp=1500.0, rho=980.0)),
    }
    for name, model in models.items():
        p += SimulationConfiguration(
            name, max_frequency_in_hertz=20000.0, elements_per_wavelength=2.0, tensor_order=4,
            model_configuration=model, event_configuration=events,
        )  # fmt: skip
    p += MisfitConfiguration("L2", observed_data="true", misfit_function="L2", receiver_field="phi")
    p += configuration(**changes)
    return p


def fingerprint(p: Project, iterations: Iterable[int], name: str = NAME) -> list[Any]:
    """Everything that must have the same bits: models, gradients and figures of iterations."""
    found: list[Any] = []
    for number in iterations:
        one = p.inversions.get_iteration(name, number)
        figures = (one.misfits, one.gradient_norm, one.predicted_reduction, one.actual_reduction, one.radius)
        found += [figures, [(t.misfits, t.norm_update, t.radius, t.reason) for t in one.trials]]
        model = p.inversions.get_model(name, number)
        found += [model.element_nodal_fields[k].tobytes() for k in ("VP", "RHO")]
        if one.gradient_norm is not None:
            gradient = p.inversions.get_gradient(name, number, preconditioned=True)
            found += [
                gradient.element_nodal_fields[k].tobytes() for k in one.settings.mapping.inversion_parameters
            ]
    return found
