"""Boundary conditions: what they are made of and where they hold the wavefield."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wavetree.config import load
from wavetree.mesh import box_mesh
from wavetree.simulation.boundary import (
    Absorbing,
    AbsorbingBoundaryParameters,
    FreeSurface,
    HomogeneousDirichlet,
    RigidWall,
)
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D, VectorPoint2D
from wavetree.survey.stf import Ricker


def test_boundary_conditions_are_configurations():
    for condition in (
        HomogeneousDirichlet(["y1"]),
        FreeSurface(["y1"]),
        RigidWall(["y0"]),
        Absorbing(["x0", "x1"], width_in_meters=0.1, reference_velocity=1500.0),
    ):
        assert load(json.loads(json.dumps(condition.to_dict()))) == condition
    assert Absorbing(["x0"]).width_in_meters == 0.0
    assert Absorbing(["x0"]).target_reflection == 1e-2


@pytest.mark.parametrize("kind", [HomogeneousDirichlet, FreeSurface, RigidWall, Absorbing])
def test_bad_side_sets_are_refused(kind):
    with pytest.raises(
        ValueError, match=r"side_sets: side set 'x0' is named 2 times; expected every name once"
    ):
        kind(["x0", "x1", "x0"])
    with pytest.raises(ValueError, match=r"side_sets"):
        kind([])
    with pytest.raises(ValueError, match=r"side_sets='x0' is not valid"):
        kind("x0")


@pytest.mark.parametrize(
    "bad",
    [
        {"width_in_meters": 0.1},
        {"width_in_meters": -1.0},
        {"reference_velocity": 0.0},
        {"target_reflection": 0.0},
        {"target_reflection": 1.0},
        {"strength": 1.0},
    ],
)
def test_bad_absorbing_parameters_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Absorbing(["x0"], **bad)


def test_absorbing_parameters_resolve():
    parameters = AbsorbingBoundaryParameters(
        reference_velocity=1500.0, reference_frequency=5e4, free_surface=["y1"]
    )
    surface, absorbing = parameters.resolve(["x0", "x1", "y0", "y1"])
    assert surface == FreeSurface(["y1"])
    assert absorbing.side_sets == ("x0", "x1", "y0")
    assert absorbing.width_in_meters == pytest.approx(3.5 * 0.03)
    assert absorbing.reference_velocity == 1500.0
    closed = AbsorbingBoundaryParameters(
        reference_velocity=1500.0, number_of_wavelengths=0, reference_frequency=1.0
    )
    assert closed.resolve({"surface": None}) == (Absorbing(["surface"], reference_velocity=1500.0),)
    free = AbsorbingBoundaryParameters(reference_velocity=1.0, reference_frequency=1.0, free_surface=["a"])
    assert free.resolve(["a"]) == (FreeSurface(["a"]),)
    assert load(parameters.to_dict()) == parameters
    assert load(closed.to_dict()) == closed


def test_absorbing_parameters_refuse():
    parameters = AbsorbingBoundaryParameters(
        reference_velocity=1.0, reference_frequency=1.0, free_surface=["y2"]
    )
    with pytest.raises(ValueError, match=r"unknown side set in free_surface 'y2'; did you mean 'y1'"):
        parameters.resolve(["y0", "y1"])
    with pytest.raises(ValueError, match=r"side_sets is empty; .* call mesh.find_side_sets\(\) first"):
        parameters.resolve([])
    for bad in (True, [], "y1", "no"):
        with pytest.raises(ValueError, match=r"free_surface is .*; expected False or the names of sides"):
            AbsorbingBoundaryParameters(reference_velocity=1.0, reference_frequency=1.0, free_surface=bad)
    for bad in ({"reference_velocity": 0}, {"reference_frequency": -1}, {"number_of_wavelengths": -1}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            AbsorbingBoundaryParameters(**{"reference_velocity": 1.0, "reference_frequency": 1.0, **bad})


def side_waves(condition, kind: str) -> np.ndarray:
    """Largest field on the side y1 of a unit square when a wave has been there, relative to all of it."""
    mesh = box_mesh(((0.0, 1.0), (0.0, 1.0)), (4, 4), shape_order=1)
    fields = {"VP": 2.0, "VS": 0.0 if kind == "fluid" else 1.0, "RHO": 1.0}
    for name, value in fields.items():
        mesh.attach_field(name, np.full((16, 25), value))
    wavelet = Ricker(2.0)
    here = {"x": 0.4, "y": 0.7, "source_time_function": wavelet}
    fluid = kind == "fluid"
    source = ScalarPoint2D(f=1.0, **here) if fluid else VectorPoint2D(fx=1.0, fy=0.7, **here)
    recorded = "phi" if fluid else "displacement"
    receivers = [
        Point2D(x=0.55, y=y, station_code=f"A{k}", fields=[recorded]) for k, y in enumerate((1.0, 0.8))
    ]
    span = WaveformSimulationConfiguration(end_time_in_seconds=1.0)
    records = Simulation(mesh, [source], receivers, span, condition).run().data[recorded]
    size = np.abs(records).max(axis=(1, 2))
    return size[0] / size[1]


@pytest.mark.parametrize("kind", ["fluid", "solid"])
@pytest.mark.parametrize("condition", [FreeSurface, RigidWall, HomogeneousDirichlet])
def test_what_is_held_at_zero(kind, condition):
    # phi is zero on a free surface of a fluid, u on a rigid wall of a solid; the other is natural.
    zero = condition is HomogeneousDirichlet or (condition is FreeSurface) == (kind == "fluid")
    relative = side_waves([condition(["y1"])], kind)
    assert relative == 0.0 if zero else relative > 0.3
