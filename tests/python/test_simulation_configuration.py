"""Simulation configurations and the meshes made from them."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import xarray as xr

from wavetree.config import load
from wavetree.domain import dim2
from wavetree.mesh import Mesh, MeshResolution, box_mesh, mesh_from_domain
from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import GenericModel
from wavetree.simulation.boundary import (
    Absorbing,
    AbsorbingBoundaryParameters,
    HomogeneousDirichlet,
)
from wavetree.simulation.configuration import (
    EventConfiguration,
    MeshReference,
    ModelConfiguration,
    SimulationConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WavefieldCompression,
    WaveformSimulationConfiguration,
    build_mesh,
    resolve_boundary_conditions,
)
from wavetree.survey.stf import Delta, FilteredHeaviside, Ricker

DOMAIN = dim2.BoxDomain(x0=-0.1, x1=0.1, y0=-0.1, y1=0.1)
WATER = IsotropicAcoustic(vp=1500.0, rho=980.0)


def events(highest: float = 1e5, **waveform: object) -> EventConfiguration:
    return EventConfiguration(
        wavelet=FilteredHeaviside(highest),
        waveform_simulation_configuration=WaveformSimulationConfiguration(
            end_time_in_seconds=1.5e-4, **waveform
        ),
    )


def simulation(**changes: object) -> SimulationConfiguration:
    arguments = {
        "name": "initial_model",
        "elements_per_wavelength": 2,
        "tensor_order": 4,
        "max_frequency_in_hertz": 1e5,
        "model_configuration": ModelConfiguration(background_model=WATER),
        "event_configuration": events(),
    }
    return SimulationConfiguration(**{**arguments, **changes})


def phantom() -> GenericModel:
    x = np.linspace(-0.1, 0.1, 200)
    grid_x, grid_y = np.meshgrid(x, x, indexing="ij")
    vp, rho = np.full_like(grid_x, 1500.0), np.full_like(grid_x, 980.0)
    inside = np.hypot(grid_x, grid_y + 0.025) < 0.015
    vp[inside], rho[inside] = 1460.0, 1010.0
    data = {"vp": (("x", "y"), vp), "rho": (("x", "y"), rho)}
    return GenericModel("true_model", xr.Dataset(data, coords={"x": x, "y": x}))


def material_mesh(**fields: object) -> Mesh:
    mesh = box_mesh([(0.0, 1.0), (0.0, 1.0)], (4, 4))
    for name, value in {"VP": 1500.0, "RHO": 1000.0, **fields}.items():
        mesh.attach_field(name, np.full(16, value))
    return mesh


# -- configurations ----------------------------------------------------------------------------


def test_configurations_survive_json():
    everything = simulation(
        max_frequency_in_hertz=None,
        min_period_in_seconds=1e-5,
        model_configuration=ModelConfiguration(background_model=WATER, volume_models=["a", "b"]),
        event_configuration=EventConfiguration(
            wavelet=[Ricker(1.0), Delta()],
            waveform_simulation_configuration=WaveformSimulationConfiguration(
                1.0,
                start_time_in_seconds=-1.0,
                time_step_in_seconds=0.1,
                boundary_conditions=[
                    HomogeneousDirichlet(["y1"]),
                    Absorbing(["x0"], width_in_meters=1.0, reference_velocity=1500.0),
                ],
                precision="float64",
                receiver_sampling_interval_in_time_steps=2,
                temporal_dispersion_correction=False,
            ),
        ),
        absorbing_boundaries=AbsorbingBoundaryParameters(reference_velocity=1.0, reference_frequency=1.0),
    )
    back = load(json.loads(json.dumps(everything.to_dict())))
    assert back == everything
    assert back.digest() == everything.digest()
    assert back != simulation()
    assert back.maximum_frequency == pytest.approx(1e5)
    assert isinstance(back.event_configuration.wavelets[1], Delta)
    conditions = back.event_configuration.waveform_simulation_configuration.boundary_conditions
    assert isinstance(conditions[0], HomogeneousDirichlet)


def test_defaults():
    waveform = WaveformSimulationConfiguration(end_time_in_seconds=1.0)
    assert waveform.precision == "float32"
    assert waveform.temporal_dispersion_correction
    assert not waveform.attenuation
    assert waveform.boundary_conditions == ()
    assert events().wavelets == (FilteredHeaviside(1e5),)
    assert ModelConfiguration(WATER).volume_model_names == ()
    assert ModelConfiguration(background_model=None, volume_models="a").volume_model_names == ("a",)
    assert ModelConfiguration(volume_models=["a", "b"]).volume_model_names == ("a", "b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_frequency_in_hertz": None}, "expected exactly one of them"),
        (
            {"min_period_in_seconds": 1e-5},
            "100000.0 and min_period_in_seconds 1e-05; expected exactly one of them",
        ),
        (
            {"max_frequency_in_hertz": -1.0},
            "max_frequency_in_hertz=-1.0 is not valid: expected greater than 0",
        ),
        ({"max_frequency_in_hertz": np.inf}, "max_frequency_in_hertz"),
        ({"elements_per_wavelength": 0.0}, "elements_per_wavelength"),
        ({"tensor_order": 0}, "tensor_order=0 is not valid"),
        ({"tensor_order": 9}, "tensor_order=9 is not valid"),
        ({"tensor_order": 2.5}, "tensor_order=2.5 is not valid"),
        ({"name": ""}, "name='' is not valid"),
        ({"name": "a/b"}, "name='a/b' is not valid"),
        ({"name": "EXTERNAL_DATA:a"}, "name='EXTERNAL_DATA:a' is not valid"),
        ({"topography_configuration": "hill"}, "topography_configuration is 'hill'; expected None"),
        ({"model_configuration": WATER}, "model_configuration"),
        ({"event_configuration": None}, "event_configuration"),
        ({"tensor_ordr": 4}, "unknown argument 'tensor_ordr'; did you mean 'tensor_order'"),
    ],
)
def test_bad_simulation_configurations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        simulation(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end_time_in_seconds": np.nan}, "end_time_in_seconds=nan is not valid"),
        (
            {"start_time_in_seconds": 1.0},
            "start_time_in_seconds is 1 and end_time_in_seconds 1; expected a start",
        ),
        ({"time_step_in_seconds": 0.0}, "time_step_in_seconds"),
        (
            {"start_time_in_seconds": 0.0, "time_step_in_seconds": 2.0},
            "time_step_in_seconds is 2; expected at most the simulated time, 1 s",
        ),
        ({"attenuation": True}, "attenuation is True; expected False"),
        ({"precision": "float16"}, "precision='float16' is not valid: expected 'float32' or 'float64'"),
        ({"receiver_sampling_interval_in_time_steps": 0}, "receiver_sampling_interval_in_time_steps"),
        ({"boundary_conditions": ["free"]}, "boundary_conditions"),
        (
            {"boundary_conditions": [HomogeneousDirichlet(["y1"]), Absorbing(["x0", "y1"])]},
            "boundary_conditions name the side set 'y1' 2 times; expected one condition per side",
        ),
    ],
)
def test_bad_waveform_configurations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        WaveformSimulationConfiguration(**{"end_time_in_seconds": 1.0, **changes})


def test_other_bad_configurations_are_refused():
    waveform = WaveformSimulationConfiguration(1.0)
    with pytest.raises(ValueError, match=r"wavelet is an empty list; expected a source time function"):
        EventConfiguration([], waveform_simulation_configuration=waveform)
    with pytest.raises(ValueError, match=r"wavelet=50000.0 is not valid"):
        EventConfiguration(5e4, waveform_simulation_configuration=waveform)
    with pytest.raises(
        ValueError, match="background_model is None and volume_models is empty; expected a background"
    ):
        ModelConfiguration(background_model=None)
    with pytest.raises(ValueError, match=r"background_model is None and volume_models is empty"):
        ModelConfiguration(volume_models=[])
    with pytest.raises(ValueError, match=r"volume_models"):
        ModelConfiguration(volume_models=3)


def test_wavefield_compression():
    assert WavefieldCompression() == WavefieldCompression(None, memory_in_bytes=None)
    value = WavefieldCompression(forward_wavefield_sampling_interval=10)
    assert load(value.to_dict()) == value
    with pytest.raises(
        ValueError, match="interval is 10 and memory_in_bytes 5; expected one of them or none"
    ):
        WavefieldCompression(10, memory_in_bytes=5)
    with pytest.raises(ValueError, match=r"forward_wavefield_sampling_interval"):
        WavefieldCompression(0)


# -- unstructured meshes -----------------------------------------------------------------------


def test_mesh_is_named_by_its_digest_in_json():
    mesh = material_mesh()
    given = UnstructuredMeshSimulationConfiguration("u", unstructured_mesh=mesh, event_configuration=events())
    content = json.loads(json.dumps(given.to_dict()))
    assert content["unstructured_mesh"] == {"type": "MeshReference", "mesh_digest": mesh.digest()}
    back = load(content)
    assert back == given
    assert hash(back) == hash(given)
    assert back.mesh_digest == given.mesh_digest == mesh.digest()
    with pytest.raises(
        ValueError, match=r"unstructured_mesh of 'u' is a reference to mesh .*; expected the mesh itself"
    ):
        build_mesh(back, DOMAIN, {})
    again = back.with_mesh(mesh)
    assert again == given
    assert again.mesh.digest() == mesh.digest()
    with pytest.raises(ValueError, match=r"mesh has the digest .*; expected .*, the one that 'u' refers to"):
        back.with_mesh(material_mesh(VP=1600.0))
    assert mesh.digest() in str(MeshReference(mesh.digest()))


def test_mesh_of_a_configuration_is_a_copy():
    mesh = material_mesh()
    given = UnstructuredMeshSimulationConfiguration("u", unstructured_mesh=mesh, event_configuration=events())
    digest = given.digest()
    mesh.attach_field("VP", np.ones(16))
    assert given.digest() == digest
    other = UnstructuredMeshSimulationConfiguration("u", unstructured_mesh=mesh, event_configuration=events())
    assert other != given


def test_unstructured_mesh_is_checked():
    with pytest.raises(ValueError, match=r"unstructured_mesh"):
        UnstructuredMeshSimulationConfiguration(
            "u", unstructured_mesh="mesh.h5", event_configuration=events()
        )
    with pytest.raises(ValueError, match=r"mesh_digest"):
        MeshReference("abc")


def test_build_mesh_from_an_unstructured_mesh():
    mesh = material_mesh()
    mesh.side_sets.clear()
    given = UnstructuredMeshSimulationConfiguration(
        "u", unstructured_mesh=mesh, event_configuration=events(), tensor_order=3
    )
    built = build_mesh(given, DOMAIN, {})
    assert built.tensor_order == 3
    assert built.shape_order == 1
    assert sorted(built.side_sets) == ["x0", "x1", "y0", "y1"]
    assert (built.element_nodal_fields["VP"] == 1500.0).all()
    assert given.mesh.digest() == mesh.digest()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"VP": 0.0}, "field 'VP' of the mesh is 0 m/s in element 0"),
        (
            {"RHO": -1.0},
            r"field 'RHO' of the mesh is -1 kg/m\^3 in element 0 at \(0, 0\) m and not positive at 400",
        ),
        (
            {"VS": 1300.0},
            r"fields VP, VS of the mesh are 1500 m/s, 1300 m/s in element 0 .* not VS.2 < 3/4 VP",
        ),
    ],
)
def test_build_mesh_refuses_bad_material(fields, message):
    given = UnstructuredMeshSimulationConfiguration(
        "u", unstructured_mesh=material_mesh(**fields), event_configuration=events()
    )
    with pytest.raises(ValueError, match=message):
        build_mesh(given, DOMAIN, {})


# -- meshes from domains -----------------------------------------------------------------------


def test_tutorial_meshes():
    initial = build_mesh(simulation(), DOMAIN, {})
    # 1500 / (1e5 * 2) = 7.5 mm: 26.7 elements along 0.2 m.
    assert initial.nelem == 27**2
    assert (initial.shape_order, initial.tensor_order) == (4, 4)
    assert (initial.element_nodal_fields["VP"] == 1500.0).all()
    assert (initial.element_nodal_fields["RHO"] == 980.0).all()
    assert sorted(initial.element_nodal_fields) == ["RHO", "VP"]
    model = phantom()
    chosen = ModelConfiguration(background_model=None, volume_models="true_model")
    true = build_mesh(simulation(model_configuration=chosen), DOMAIN, {"true_model": model})
    assert true.nelem == 28**2  # 1460 m/s: 7.3 mm
    expected = model.evaluate(np.clip(true.get_element_nodes(), -0.1, 0.1))
    for name in ("VP", "RHO"):
        # Sampled 1e-5 of the way to the middle of the elements, where models jump from one to the next.
        np.testing.assert_allclose(true.element_nodal_fields[name], expected[name], rtol=1e-5)
    assert true.element_nodal_fields["VP"].min() == 1460.0
    assert {name: len(rows) for name, rows in true.side_sets.items()} == dict.fromkeys(
        ["x0", "x1", "y0", "y1"], 28
    )
    assert sum(true.get_mass_matrix()) == pytest.approx(0.04, rel=1e-12)


def test_slowest_wave_outside_the_domain_does_not_count():
    half = dim2.BoxDomain(x0=-0.1, x1=0.1, y0=0.0, y1=0.1)
    chosen = ModelConfiguration(volume_models="true_model")
    mesh = build_mesh(simulation(model_configuration=chosen), half, {"true_model": phantom()})
    assert mesh.nelem == 27 * 14


def test_period_and_frequency_give_the_same_mesh():
    by_period = simulation(max_frequency_in_hertz=None, min_period_in_seconds=1e-5)
    assert build_mesh(by_period, DOMAIN, {}).digest() == build_mesh(simulation(), DOMAIN, {}).digest()


@pytest.mark.parametrize(("order", "shape_order"), [(1, 1), (3, 3), (7, 4)])
def test_geometry_order(order, shape_order):
    mesh = build_mesh(simulation(tensor_order=order, max_frequency_in_hertz=1e4), DOMAIN, {})
    assert (mesh.shape_order, mesh.tensor_order) == (shape_order, order)


def test_whole_counts_are_not_rounded_up_by_rounding_errors():
    for n in range(1, 60):
        resolution = MeshResolution(0.5 * n * 1500.0 / 0.2, elements_per_wavelength=2.0)
        assert mesh_from_domain(DOMAIN, WATER, resolution).nelem == n**2
    coarse = mesh_from_domain(DOMAIN, WATER, MeshResolution(1.0))
    assert coarse.nelem == 1
    assert coarse.tensor_order == coarse.shape_order == 1


def test_background_below_a_volume_model():
    x = np.linspace(-0.05, 0.05, 5)
    fields = {"vp": (("x", "y"), np.full((5, 5), 1000.0)), "rho": (("x", "y"), np.full((5, 5), 900.0))}
    model = GenericModel("inset", xr.Dataset(fields, coords={"x": x, "y": x}))
    chosen = ModelConfiguration(background_model=WATER, volume_models="inset")
    mesh = build_mesh(simulation(model_configuration=chosen), DOMAIN, {"inset": model})
    assert mesh.nelem == 40**2
    nodes, vp = mesh.get_element_nodes(), mesh.element_nodal_fields["VP"]
    inside = (np.abs(nodes) < 0.0499).all(axis=-1)
    outside = (np.abs(nodes) > 0.0501).any(axis=-1)
    assert (vp[inside] == 1000.0).all()
    assert (vp[outside] == 1500.0).all()


def test_build_mesh_refuses_bad_models():
    unknown = simulation(model_configuration=ModelConfiguration(volume_models="true_modl"))
    with pytest.raises(ValueError, match=r"unknown volume model 'true_modl'; did you mean 'true_model'"):
        build_mesh(unknown, DOMAIN, {"true_model": phantom()})
    known = simulation(model_configuration=ModelConfiguration(volume_models="true_model"))
    wide = dim2.BoxDomain(x0=-0.2, x1=0.1, y0=-0.1, y1=0.1)
    with pytest.raises(
        ValueError, match=r"position \(-0.2, -0.1\) m lies outside the volume models 'true_model'"
    ):
        build_mesh(known, wide, {"true_model": phantom()})


def test_absurd_meshes_are_refused_before_memory_is_asked_for():
    with pytest.raises(
        ValueError, match=r"reference_frequency 1e[+]11 Hz.*more than 2147483647 nodes; look for wrong"
    ):
        build_mesh(simulation(max_frequency_in_hertz=1e11), DOMAIN, {})


def test_mesh_resolution_is_checked():
    for bad in ({"reference_frequency": 0}, {"elements_per_wavelength": -1}, {"model_order": 9}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            MeshResolution(**{"reference_frequency": 1.0, **bad})


# -- wavelet and boundaries on the mesh --------------------------------------------------------


def test_unresolved_wavelet_warns_with_the_resolved_frequency(caplog):
    # 27 elements of order 4 along 0.2 m and 1500 m/s: 4 * 27 / (5 * 0.2 / 1500) = 162 kHz.
    with caplog.at_level(logging.WARNING, logger="wavetree"):
        build_mesh(simulation(event_configuration=events(1.61e5)), DOMAIN, {})
        assert not caplog.records
        build_mesh(simulation(event_configuration=events(1.7e5)), DOMAIN, {})
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "'initial_model' has frequencies up to 1.7e+05 Hz" in caplog.text
    assert "resolves only 1.62e+05 Hz" in caplog.text


def test_wavelet_without_a_highest_frequency_warns(caplog):
    waveform = WaveformSimulationConfiguration(end_time_in_seconds=1e-4)
    wavelets = EventConfiguration([Ricker(5e4), Delta()], waveform_simulation_configuration=waveform)
    with caplog.at_level(logging.WARNING, logger="wavetree"):
        build_mesh(simulation(event_configuration=wavelets), DOMAIN, {})
    assert "'initial_model' has all frequencies, but its mesh resolves only 1.62e+05 Hz" in caplog.text


def test_tutorial_wavelet_does_not_warn(caplog):
    waveform = WaveformSimulationConfiguration(end_time_in_seconds=1.5e-4)
    tutorial = EventConfiguration(Ricker(5e4), waveform_simulation_configuration=waveform)
    with caplog.at_level(logging.WARNING, logger="wavetree"):
        build_mesh(simulation(event_configuration=tutorial), DOMAIN, {})
    assert not caplog.records


def test_boundary_conditions_of_a_configuration():
    mesh = material_mesh()
    assert resolve_boundary_conditions(simulation(), mesh) == ()
    top = HomogeneousDirichlet(["y1"])
    own = simulation(event_configuration=events(boundary_conditions=[top]))
    assert resolve_boundary_conditions(own, mesh) == (top,)
    absorbing = AbsorbingBoundaryParameters(reference_velocity=1500.0, reference_frequency=5e4)
    both = simulation(event_configuration=events(boundary_conditions=[top]), absorbing_boundaries=absorbing)
    expected = Absorbing(["x0", "x1", "y0"], width_in_meters=0.105, reference_velocity=1500.0)
    assert resolve_boundary_conditions(both, mesh) == (top, expected)
    every = events(boundary_conditions=[HomogeneousDirichlet(["x0", "x1", "y0", "y1"])])
    complete = simulation(event_configuration=every, absorbing_boundaries=absorbing)
    assert len(resolve_boundary_conditions(complete, mesh)) == 1
    wrong = simulation(event_configuration=events(boundary_conditions=[HomogeneousDirichlet(["top"])]))
    with pytest.raises(ValueError, match=r"unknown side set in boundary_conditions 'top'"):
        resolve_boundary_conditions(wrong, mesh)
