"""Meshes of domains with media of all kinds, fluid and solid in one of them."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import wavetree
import wavetree.namespace
from wavetree import material
from wavetree.domain import BoxDomain2D, BoxDomain3D
from wavetree.mesh import Mesh
from wavetree.model.background.homogeneous import IsotropicAcoustic, IsotropicElastic
from wavetree.model.volume.cartesian import GenericModel
from wavetree.simulation.boundary import Absorbing, AbsorbingBoundaryParameters, FreeSurface
from wavetree.simulation.configuration import (
    EventConfiguration,
    ModelConfiguration,
    SimulationConfiguration,
    WaveformSimulationConfiguration,
    build_mesh,
    resolve_boundary_conditions,
)
from wavetree.simulation.medium import fluid_elements, split
from wavetree.survey.stf import FilteredHeaviside

SQUARE = BoxDomain2D(x0=0.0, x1=1.0, y0=-0.5, y1=0.5)
CUBE = BoxDomain3D(x0=0.0, x1=1.0, y0=0.0, y1=1.0, z0=-0.5, z1=0.5)
WATER = IsotropicAcoustic(vp=1500.0, rho=1000.0)
STEEL = IsotropicElastic(vp=5900.0, vs=3200.0, rho=7900.0)
TENSOR = {"C11": 30e9, "C12": 10e9, "C13": 1e9, "C22": 25e9, "C23": -1e9, "C33": 8e9, "RHO": 2500.0}
HEXAGONAL = {"VPV": 3000.0, "VPH": 3300.0, "VSV": 1600.0, "VSH": 1700.0, "ETA": 0.95, "RHO": 2500.0}


def configuration(chosen: ModelConfiguration, frequency: float, **changes: Any) -> SimulationConfiguration:
    """Two elements along the shortest wave, order 2, and a wavelet that ends at the same frequency."""
    waveforms = WaveformSimulationConfiguration(1e-3, **changes.pop("waveforms", {}))
    events = EventConfiguration(FilteredHeaviside(frequency), waveform_simulation_configuration=waveforms)
    values: dict[str, Any] = {"elements_per_wavelength": 2.0, "tensor_order": 2, **changes}
    return SimulationConfiguration(
        "s",
        max_frequency_in_hertz=frequency,
        model_configuration=chosen,
        event_configuration=events,
        **values,
    )


def volume(name: str, bounds: tuple[tuple[float, float], ...], **values: float) -> GenericModel:
    """A model of constants in a box."""
    axes = "xyz"[: len(bounds)]
    fields = {key: (tuple(axes), np.full((2,) * len(axes), value)) for key, value in values.items()}
    return GenericModel(name, xr.Dataset(fields, coords=dict(zip(axes, map(list, bounds), strict=True))))


def made(domain: Any, background: Any, frequency: float, *models: GenericModel) -> Mesh:
    chosen = ModelConfiguration(background, volume_models=[model.name for model in models] or None)
    return build_mesh(configuration(chosen, frequency), domain, {model.name: model for model in models})


@pytest.mark.parametrize(
    ("values", "slowest"),
    [
        ({"VP": 3000.0, "VS": 1500.0, "RHO": 2500.0}, 1500.0),
        ({"LAMBDA": 10e9, "MU": 5.625e9, "RHO": 2500.0}, 1500.0),
        ({"KAPPA": 15e9, "MU": 5.625e9, "RHO": 2500.0}, 1500.0),
        ({"M0": 1.0 / (1000.0 * 1500.0**2), "M1": 1e-3}, 1500.0),
        (HEXAGONAL, None),
        (TENSOR, None),
        ({**HEXAGONAL, "ORIENTATION": 0.3}, None),
    ],
)
@pytest.mark.parametrize("dim", [2, 3])
def test_volume_models_of_all_parameter_sets_become_meshes(values, slowest, dim):
    if dim == 3:
        if values is TENSOR:
            values = material.elastic.triclinic.TensorComponents.from_material(
                material.from_params(rho=2500.0, vp=3000.0, vs=1500.0)
            ).constants(3)
        turned = values.get("ORIENTATION")
        values = {k: v for k, v in values.items() if k != "ORIENTATION"}
        if turned is not None:
            values |= {f"ORIENTATION_{axis}": turned for axis in "XYZ"}
    domain = (SQUARE, CUBE)[dim - 2]
    model = volume("all", domain.bounds, **{key.lower(): value for key, value in values.items()})
    mesh = made(domain, None, 3000.0, model)
    assert set(mesh.element_nodal_fields) == set(values)
    for name, value in values.items():
        assert (mesh.element_nodal_fields[name] == value).all()
    slowest = slowest or model.slowest_velocity(domain.bounds)
    assert mesh.nelem == np.ceil(1.0 / (slowest / (3000.0 * 2.0)) - 1e-9) ** dim
    (part,) = split(mesh)
    assert part.medium == ("fluid" if "M0" in values else "solid")


def test_homogeneous_materials_are_backgrounds():
    mesh = made(SQUARE, material.from_params(**{k.lower(): v for k, v in HEXAGONAL.items()}), 1000.0)
    assert {name: float(v.min()) for name, v in mesh.element_nodal_fields.items()} == HEXAGONAL


@pytest.mark.parametrize("domain", [SQUARE, CUBE], ids=["2-D", "3-D"])
def test_fluid_and_solid_meet_on_faces_of_elements(domain):
    """The floor at 0 is a face between 4 and 4 elements: none is fluid at some nodes and solid at others."""
    *sides, (low, _) = domain.bounds
    floor = volume("floor", (*sides, (low, 0.0)), vp=3000.0, vs=1700.0, rho=2200.0)
    mesh = made(domain, WATER, 6000.0, floor)
    assert mesh.nelem == 8**domain.dim
    below = mesh.get_element_centroid()[:, -1] < 0.0
    assert below.sum() == mesh.nelem / 2
    np.testing.assert_array_equal(fluid_elements(mesh), ~below)
    for name, (solid, fluid) in {"VP": (3000.0, 1500.0), "VS": (1700.0, 0.0), "RHO": (2200.0, 1e3)}.items():
        assert (mesh.element_nodal_fields[name] == np.where(below, solid, fluid)[:, None]).all()
    water = volume("water", (*sides, (0.0, -low)), vp=1500.0, rho=1000.0)
    turned = made(domain, IsotropicElastic(vp=3000.0, vs=1700.0, rho=2200.0), 6000.0, water)
    assert turned.digest() == mesh.digest()
    solid = volume("solid", (*sides, (low, 0.0)), vp=3000.0, vs=1700.0, rho=2200.0)
    assert made(domain, None, 6000.0, solid, water).digest() == mesh.digest()


def test_interfaces_that_cut_elements_are_refused():
    floor = volume("floor", ((0.0, 1.0), (-0.5, 0.03)), vp=3000.0, vs=1700.0, rho=2200.0)
    with pytest.raises(
        ValueError,
        match=r"field 'VS' of the mesh is 0 m/s in element 32 at .* and zero at some nodes of an element "
        r"that is solid at others at .*: let fluid and solid meet at a face of elements",
    ):
        made(SQUARE, WATER, 6000.0, floor)


def test_steps_between_volume_models_are_steps_between_elements():
    models = [
        volume(name, (extent, (-0.5, 0.5)), vp=vp, rho=1000.0)
        for name, extent, vp in (("left", (0.0, 0.5), 1500.0), ("right", (0.5, 1.0), 1800.0))
    ]
    mesh = made(SQUARE, None, 6000.0, *models)
    left = mesh.get_element_centroid()[:, 0] < 0.5
    assert (mesh.element_nodal_fields["VP"] == np.where(left, 1500.0, 1800.0)[:, None]).all()


def test_the_slowest_wave_decides_what_is_resolved(caplog):
    """Shear waves of 3200 m/s, 7 elements of order 2 along 1 m: 3200 · 2 · 7 / 5 = 8960 Hz."""
    for frequency, warns in ((8950.0, False), (8970.0, True)):
        caplog.clear()
        waveforms = WaveformSimulationConfiguration(1e-3)
        events = EventConfiguration(FilteredHeaviside(frequency), waveform_simulation_configuration=waveforms)
        given = configuration(ModelConfiguration(STEEL), 11200.0)
        with caplog.at_level(logging.WARNING, logger="wavetree"):
            mesh = build_mesh(replace(given, event_configuration=events), SQUARE, {})
        assert mesh.nelem == 49
        assert bool(caplog.records) == warns
    assert "resolves only 8960 Hz" in caplog.text


def test_a_side_that_is_free_by_a_condition_may_be_named_free_once_more():
    absorbing = AbsorbingBoundaryParameters(
        reference_velocity=5900.0, number_of_wavelengths=0.0, reference_frequency=1e4, free_surface=["y1"]
    )
    own = {"boundary_conditions": [FreeSurface(["y1"])]}
    for waveforms in ({}, own):
        given = configuration(
            ModelConfiguration(STEEL), 1e4, absorbing_boundaries=absorbing, waveforms=waveforms
        )
        found = resolve_boundary_conditions(given, build_mesh(given, SQUARE, {}))
        assert found == (FreeSurface(["y1"]), Absorbing(["x0", "x1", "y0"], reference_velocity=5900.0))


@pytest.mark.parametrize("face", [wavetree, wavetree.namespace])
def test_both_faces_have_the_boundary_conditions(face):
    assert {"FreeSurface", "RigidWall", "HomogeneousDirichlet", "Absorbing"} <= set(face.boundary.__all__)
    assert face.boundary.FreeSurface(["y1"]) == FreeSurface(["y1"])
