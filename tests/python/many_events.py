"""A hundred sources on a ring around a smooth random medium, in two dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

import wavetree as wt
from wavetree.project.project import Project
from wavetree.simulation.configuration import AbsorbingBoundaryParameters

N_EVENTS = 100
NAME = "inversion"


def random_medium(seed: int = 7) -> xr.Dataset:
    """Velocities of 1500 m/s ± 60 m/s (standard deviation) that vary over 2 cm, constant outside 8 cm."""
    x = np.linspace(-0.1, 0.1, 81)
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((81, 81)), 0.02 / (x[1] - x[0]))
    X, Y = np.meshgrid(x, x, indexing="ij")
    taper = 1.0 / (1.0 + (np.hypot(X, Y) / 0.065) ** 16)
    vp = 1500.0 + 60.0 * taper * noise / noise.std()
    fields = {"vp": (("x", "y"), vp), "rho": (("x", "y"), np.full_like(vp, 1000.0))}
    return xr.Dataset(fields, coords={"x": x, "y": x})


def make_project(path: Path, n_events: int = N_EVENTS, **settings: Any) -> Project:
    """A project with events and the inverse problem for VP, all events in it."""
    p = wt.Project.from_volume_model(path, wt.model.volume.cartesian.GenericModel("random", random_medium()))
    ring = list(
        wt.simple_config.receiver.cartesian.collections.RingPoint2D(
            x=0.0, y=0.0, radius=0.085, count=40, fields=["phi"]
        )
    )
    sources = wt.simple_config.source.cartesian.collections.ScalarPoint2DRing(
        x=0.0, y=0.0, radius=0.085, count=n_events, f=1.0
    )
    for number, source in enumerate(sources):
        far = [r for r in ring if np.hypot(*np.subtract(source.location, r.location)) > 0.04]
        p += wt.Event(sources=[source], receivers=far, event_name=f"event_{number:04d}")
    waveforms = wt.WaveformSimulationConfiguration(2.2e-4)
    events = wt.EventConfiguration(
        wt.simple_config.stf.Ricker(20000.0), waveform_simulation_configuration=waveforms
    )
    homogeneous = wt.model.background.homogeneous.IsotropicAcoustic(vp=1500.0, rho=1000.0)
    edges = AbsorbingBoundaryParameters(1500.0, number_of_wavelengths=0.0, reference_frequency=20000.0)
    models = {
        "true": wt.ModelConfiguration(None, volume_models="random"),
        "initial": wt.ModelConfiguration(homogeneous),
    }
    for name, model in models.items():
        p += wt.SimulationConfiguration(
            name, max_frequency_in_hertz=40000.0, elements_per_wavelength=1.5, tensor_order=4,
            model_configuration=model, event_configuration=events,
            absorbing_boundaries=edges,
        )  # fmt: skip
    p += wt.MisfitConfiguration("L2", observed_data="true", misfit_function="L2", receiver_field="phi")
    p += configuration(NAME, **settings)
    return p


def configuration(name: str, **settings: Any) -> wt.InverseProblemConfiguration:
    values = {
        "prior_model": "initial",
        "misfit_configuration": "L2",
        "mapping": wt.Mapping("absolute", inversion_parameters=["VP"]),
        "preconditioner": wt.ConstantSmoothing({"VP": 0.008}),
        "method": wt.TrustRegion(initial_trust_region_linf=15.0),
    }
    return wt.InverseProblemConfiguration(name, **(values | settings))


def n_simulations(p: Project, name: str = NAME) -> int:
    """Forward and adjoint runs that the iterations of an inverse problem needed.

    A gradient takes an adjoint run of every event, and a forward run of those whose run is not that of the
    accepted trial; a trial takes a forward run of every event that it is judged by.
    """
    total = 0
    for one in p.inversions.tree(name):
        total += sum(len(trial.misfits or ()) for trial in one.trials)
        if one.gradient_norm is not None:
            parent = None if one.parent is None else p.inversions.get_iteration(name, one.parent)
            had = set() if parent is None else set(parent.trials[-1].misfits or ())
            total += len(one.events) + len(set(one.events) - had)
    return total
