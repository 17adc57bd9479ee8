"""Meshes of layered models: materials, sizes, topography, absorbing layers, projects."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import wavetree
import wavetree.namespace
from wavetree import layered_meshing, material
from wavetree.config import load
from wavetree.domain import BoxDomain2D, BoxDomain3D
from wavetree.layered_meshing import (
    LayeredModel,
    MeshingProtocol,
    MeshResolution,
    interface,
    mesh_from_domain,
)
from wavetree.mesh import Mesh
from wavetree.mesh.side_sets import facet_nodes
from wavetree.model.parameters import find_set
from wavetree.project.project import Project
from wavetree.simulation.boundary import AbsorbingBoundaryParameters
from wavetree.simulation.configuration import (
    EventConfiguration,
    UnstructuredMeshSimulationConfiguration,
    WaveformSimulationConfiguration,
)
from wavetree.simulation.medium import fluid_elements
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.sponge import extend
from wavetree.survey.event import EventCollection
from wavetree.survey.receiver.cartesian import Point2D
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

WATER = material.from_params(vp=1500.0, rho=1000.0)
MUD = material.from_params(vp=1600.0, vs=500.0, rho=1800.0)
ROCK = material.from_params(vp=3000.0, vs=1700.0, rho=2200.0)
FAST = material.from_params(vp=3400.0, vs=1950.0, rho=2400.0)
TURNED = material.from_params(
    vpv=3000.0, vph=3300.0, vsv=1600.0, vsh=1700.0, eta=0.95, rho=2500.0
).with_orientation(0.3)
FLAT = interface.Hyperplane.at
SECTION = BoxDomain2D(x0=0.0, x1=2000.0, y0=-1500.0, y1=0.0)
CUBE = BoxDomain3D(x0=0.0, x1=1000.0, y0=0.0, y1=1000.0, z0=-1000.0, z1=0.0)
X = np.linspace(0.0, 2000.0, 41)
HILLS = interface.Curve.from_points(X, 60.0 * np.sin(X / 200.0))
SEABED = interface.Curve.from_points(X, -400.0 + 80.0 * np.cos(X / 300.0))


def resolution(frequency: float = 5.0, order: int = 4) -> MeshResolution:
    return MeshResolution(frequency, model_order=order)


def surface(height: float, amplitude: float) -> interface.Surface:
    x = np.linspace(0.0, 1000.0, 21)
    values = height + amplitude * np.sin(x[:, None] / 150.0) * np.cos(x / 200.0)
    return interface.Surface(xr.DataArray(values, dims=("x", "y"), coords={"x": x, "y": x}))


def in_layer(mesh: Mesh, k: int) -> np.ndarray:
    return mesh.elemental_fields["layer"] == k


# -- materials ---------------------------------------------------------------------------------


def test_materials_jump_on_interfaces():
    """Every layer has its own values at all its nodes, those on its interfaces too."""
    mesh = mesh_from_domain(SECTION, LayeredModel([WATER, SEABED, MUD, FLAT(-900.0), ROCK]), resolution())
    for k, medium in enumerate((WATER, MUD, ROCK)):
        for name in ("vp", "vs", "rho"):
            expected = getattr(medium, name, 0.0)
            assert (mesh.element_nodal_fields[name.upper()][in_layer(mesh, k)] == expected).all()
    np.testing.assert_array_equal(fluid_elements(mesh), in_layer(mesh, 0))
    y = mesh.node_coordinates(4)[..., 1]
    assert y[in_layer(mesh, 2)].max() == y[in_layer(mesh, 1)].min() == -900.0


def test_materials_that_vary_are_sampled_in_their_own_layer():
    """A velocity that is linear in depth and defined for its layer alone, beside a jump."""
    depth = xr.DataArray([-1500.0, -300.0], dims="y", coords={"y": [-1500.0, -300.0]})
    rock = material.from_params(vp=2000.0 - depth, vs=1000.0 - 0.5 * depth, rho=2200.0)
    mesh = mesh_from_domain(SECTION, LayeredModel([MUD, SEABED, rock]), resolution())
    y = mesh.node_coordinates(4)[..., 1]
    below = in_layer(mesh, 1)
    np.testing.assert_allclose(mesh.element_nodal_fields["VP"][below], 2000.0 - y[below], rtol=1e-12)
    assert (mesh.element_nodal_fields["VP"][~below] == 1600.0).all()


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ([WATER, FLAT(-300.0), replace(WATER, vp=1600.0)], {"VP", "RHO"}),
        ([WATER, FLAT(-300.0), ROCK], {"VP", "VS", "RHO"}),
        ([ROCK, FLAT(-300.0), TURNED], {"VPV", "VPH", "VSV", "VSH", "ETA", "RHO", "ORIENTATION"}),
        (
            [WATER, FLAT(-300.0), TURNED, FLAT(-700.0), material.TensorComponents.from_material(ROCK, 2)],
            {"C11", "C12", "C13", "C22", "C23", "C33", "RHO"},
        ),
    ],
)
def test_materials_of_all_kinds_share_the_most_general_parameters(layers, names):
    mesh = mesh_from_domain(SECTION, LayeredModel(layers), resolution(order=1))
    assert set(mesh.element_nodal_fields) == names
    values = dict(mesh.element_nodal_fields)
    found = find_set(values, 2)
    assert found.first_fault(values) is None
    fluid = found.is_fluid(values).all(axis=1)
    for k, medium in enumerate(layers[::2]):
        assert (fluid[in_layer(mesh, k)] == isinstance(medium, material.AcousticVelocity)).all()
        if isinstance(medium, material.AcousticVelocity | material.ElasticVelocity):
            slowest = found.slowest_velocity(values)[in_layer(mesh, k)]
            np.testing.assert_allclose(slowest, getattr(medium, "vs", medium.vp), rtol=1e-12)


# -- elements ----------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", [SECTION, CUBE], ids=["2-D", "3-D"])
def test_elements_follow_the_slowest_wave_of_their_layer(domain):
    """Edges are at most a wavelength over the number asked for, and not all below half of that."""
    frequency = 5.0 if domain.dim == 2 else 3.0
    model = LayeredModel([MUD, FLAT(-200.0), ROCK, FLAT(-600.0), FAST])
    mesh = mesh_from_domain(domain, model, resolution(frequency, 2))
    assert mesh.check().passed
    longest = mesh.quality().longest_edge
    for k, slowest in enumerate((500.0, 1700.0, 1950.0)):
        size = slowest / (2.0 * frequency)
        assert 0.5 * size < longest[in_layer(mesh, k)].max() <= size * (1.0 + 1e-9)
    upper, lower = (mesh.side_sets[f"{'xyz'[domain.dim - 1]}{end}"] for end in (1, 0))
    assert len(upper) > 2 ** (domain.dim - 1) * len(lower)


@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_topography_is_on_nodes(order):
    mesh = mesh_from_domain(SECTION, LayeredModel([HILLS, ROCK]), resolution(10.0, order))
    assert mesh.shape_order == min(order, 4)
    assert mesh.tensor_order == order
    rows = mesh.side_sets["y1"]
    top = mesh.points[mesh.connectivity[rows[:, :1], facet_nodes(2, mesh.shape_order)[rows[:, 1]]]]
    np.testing.assert_allclose(top[..., 1].ravel(), HILLS.elevation(top[..., :1].reshape(-1, 1)), rtol=1e-13)
    assert set(mesh.side_sets) == {"x0", "x1", "y0", "y1"}
    area = 2000.0 * 1500.0 + 60.0 * 200.0 * (1.0 - np.cos(10.0))
    assert mesh.mass_weights(6).sum() == pytest.approx(area, rel=1e-3 if order == 1 else 1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_random_interfaces_in_three_dimensions(seed):
    """Above and below a change of the number of elements."""
    generator = np.random.default_rng(seed)
    x = np.linspace(0.0, 1000.0, 5)
    heights = [
        xr.DataArray(z + generator.uniform(-80.0, 80.0, (5, 5)), dims=("x", "y"), coords={"x": x, "y": x})
        for z in (0.0, -300.0, -1500.0)
    ]
    top, upper, lower = map(interface.Surface, heights)
    model = LayeredModel([top, MUD, upper, ROCK, lower, FAST])
    mesh = mesh_from_domain(replace(CUBE, z0=-4000.0), model, resolution(1.5, 2))
    assert mesh.check().passed
    assert mesh.quality().scaled_jacobian.min() > 0.0
    assert len(mesh.side_sets["z1"]) >= 4 * len(mesh.side_sets["z0"])
    volumes = [mesh.mass_weights(4)[in_layer(mesh, k)].sum() for k in range(3)]
    assert sum(volumes) == pytest.approx(4e9 + 1e6 * _mean(top), rel=1e-3)


def _mean(given: interface.Surface) -> float:
    """Mean height over the square of 1000 m."""
    x = 1000.0 * (np.arange(400) + 0.5) / 400.0
    return float(given.elevation(np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)).mean())


# -- waves -------------------------------------------------------------------------------------


def shot(mesh: Mesh, conditions: list, end: float = 1.0, threads: int = 1) -> Simulation:
    places = {"W": (700.0, -150.0), "F": (1300.0, -700.0)}
    receivers = [
        Point2D(x=x, y=y, station_code=code, fields=["displacement" if code == "F" else "pressure"])
        for code, (x, y) in places.items()
    ]
    source = ScalarPoint2D(x=1000.0, y=-100.0, f=1e6, source_time_function=Ricker(5.0))
    span = WaveformSimulationConfiguration(
        end, precision="float64", temporal_dispersion_correction=False, start_time_in_seconds=-0.3
    )
    return Simulation(mesh, [source], receivers, span, conditions, threads=threads)


def test_energy_stays_in_water_over_rock():
    """Waves between hills of water, a curved sea floor and a change of the number of elements."""
    slow = material.from_params(vp=1500.0, rho=1000.0)
    deep = material.from_params(vp=5000.0, vs=4000.0, rho=2500.0)
    model = LayeredModel([HILLS, slow, SEABED, replace(deep, vs=2900.0), FLAT(-800.0), deep])
    mesh = mesh_from_domain(BoxDomain2D(x0=0.0, x1=2000.0, y0=-6000.0, y1=0.0), model, resolution(10.0))
    simulation = shot(mesh, [])
    energy = simulation.energy()[simulation.time_axis.times > 0.5]
    assert energy.min() > 0.0
    assert np.ptp(energy) < 1e-11 * energy.mean()


def test_absorbing_layers_are_added_around_layers_with_topography():
    absorbing = AbsorbingBoundaryParameters(
        reference_velocity=3000.0, number_of_wavelengths=1.0, reference_frequency=5.0, free_surface=["y1"]
    )
    model = LayeredModel([HILLS, WATER, SEABED, ROCK])
    mesh = mesh_from_domain(SECTION, MeshingProtocol(model, ab=absorbing), resolution(10.0))
    plain = mesh_from_domain(SECTION, model, resolution(10.0))
    assert plain.digest() == mesh.digest()
    conditions = absorbing.resolve(mesh.side_sets)
    extended = extend(mesh, conditions, 4)
    assert extended.mesh.nelem > mesh.nelem
    np.testing.assert_array_equal(extended.mesh.connectivity[: mesh.nelem], mesh.connectivity)
    np.testing.assert_array_equal(extended.origin[: mesh.nelem], np.arange(mesh.nelem))
    assert extended.mesh.check().passed
    layer = extended.spread(np.repeat(mesh.elemental_fields["layer"][:, None], 25, axis=1))
    places = extended.mesh.node_coordinates(4)
    inside = np.clip(places[..., 0], 0.0, 2000.0)[..., None]
    wet = places[..., 1].min(axis=1) >= SEABED.elevation(inside.reshape(-1, 1)).reshape(layer.shape).min(
        axis=1
    )
    np.testing.assert_array_equal(layer[:, 0] == 0, wet)
    energy = shot(mesh, list(conditions), 4.0).energy()
    assert energy[-1] < 0.02 * energy.max()


def test_layers_on_topography_are_refused():
    absorbing = AbsorbingBoundaryParameters(reference_velocity=3000.0, reference_frequency=5.0)
    with pytest.raises(
        ValueError,
        match=r"ab has absorbing layers at y1, whose height varies by .* give free_surface=\['y1'\]",
    ):
        mesh_from_domain(SECTION, MeshingProtocol(LayeredModel([HILLS, ROCK]), ab=absorbing), resolution())
    flat = MeshingProtocol(LayeredModel([FLAT(-10.0), ROCK]), ab=absorbing)
    assert mesh_from_domain(SECTION, flat, resolution()).bounds[1] == (-1500.0, -10.0)
    thin = MeshingProtocol(LayeredModel([HILLS, ROCK]), ab=replace(absorbing, number_of_wavelengths=0.0))
    assert mesh_from_domain(SECTION, thin, resolution()).nelem


def test_projects_simulate_layers(tmp_path):
    """With the numbers of a simulation without a project."""
    mesh = mesh_from_domain(SECTION, LayeredModel([HILLS, WATER, SEABED, ROCK]), resolution())
    source = ScalarPoint2D(x=1000.0, y=-100.0, f=1e6)
    receivers = [Point2D(x=700.0, y=-700.0, station_code="R", fields=["displacement"])]
    span = WaveformSimulationConfiguration(0.6, precision="float64")
    absorbing = AbsorbingBoundaryParameters(
        reference_velocity=3000.0, number_of_wavelengths=0.5, reference_frequency=2.0, free_surface=["y1"]
    )
    p = Project.from_domain(tmp_path / "project", SECTION)
    p += EventCollection.from_sources([source], receivers)
    p += UnstructuredMeshSimulationConfiguration(
        "layers",
        unstructured_mesh=mesh,
        event_configuration=EventConfiguration(Ricker(2.0), waveform_simulation_configuration=span),
        absorbing_boundaries=absorbing,
    )
    p.simulations.launch("layers")
    assert p.simulations.query(block=True)
    (data,) = p.waveforms.get("layers", "event_0000")
    axis = p.simulations.setup("layers").time_axis
    layer = p.simulations.get_mesh("layers").elemental_fields["layer"]
    np.testing.assert_array_equal(layer, mesh.elemental_fields["layer"])
    p.close()
    alone = Simulation(
        mesh,
        [replace(source, source_time_function=Ricker(2.0))],
        receivers,
        span,
        absorbing.resolve(mesh.side_sets),
        time_axis=axis,
    ).run()
    found = data.get_data_cube("displacement", "Y")[1]
    assert np.abs(found).max() > 0.0
    np.testing.assert_allclose(found, alone.get_data_cube("displacement", "Y")[1], rtol=1e-12, atol=0.0)


# -- what is refused, and what it costs ----------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], r"layers has 0 entries, the last one missing; expected a material at the end"),
        ([ROCK, FLAT(0.0)], r"layers has 2 entries, the last one interface; expected a material at the end"),
        ([ROCK, MUD], r"layers has two materials in a row, entries 0 and 1; expected materials and inter"),
        ([FLAT(0.0), FLAT(-1.0), MUD], r"layers has two interfaces in a row, entries 0 and 1"),
        ([ROCK, -100.0, MUD], r"layers.* is not valid"),
    ],
)
def test_lists_that_are_no_layers_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        LayeredModel(layers)


def test_interfaces_that_cross_are_refused():
    dipping = interface.Curve.from_points([0.0, 2000.0], [-100.0, -1100.0])
    with pytest.raises(
        ValueError,
        match=r"the lower interface of layer 1 lies 100 m above the upper one at x = 2000 m; expect",
    ):
        mesh_from_domain(SECTION, LayeredModel([MUD, dipping, ROCK, FLAT(-1000.0), FAST]), resolution())
    with pytest.raises(
        ValueError, match=r"the lower interface of layer 0 lies 100 m above the upper one at x"
    ):
        mesh_from_domain(SECTION, LayeredModel([MUD, FLAT(100.0), ROCK]), resolution())


def test_layers_that_become_too_thin_are_refused():
    """Elements of 50 m in 8 rows, 400 m in all: 1 m / 8 is below the limit of 2.5 m, which needs 20 m."""
    wedge = interface.Curve.from_points([0.0, 2000.0], [-1.0, -400.0])
    with pytest.raises(
        ValueError,
        match=r"layer 0 is 1 m thick at x = 0 m and 400 m at most, so that elements would be 0.125 m high; "
        r"expected at least 0.05 of their size 50 m, which is a thickness of 20 m: move an interface",
    ):
        mesh_from_domain(SECTION, LayeredModel([MUD, wedge, ROCK]), resolution())


def test_wrong_units_are_refused():
    with pytest.raises(
        ValueError, match=r"reference_frequency 1e\+08 Hz .* expected at most .*: look for wrong"
    ):
        mesh_from_domain(SECTION, LayeredModel([MUD]), MeshResolution(1e8))


def test_materials_and_interfaces_have_to_cover_the_domain():
    short = interface.Curve.from_points([0.0, 1000.0], [-500.0, -600.0])
    with pytest.raises(
        ValueError, match=r"the curve has heights for x from 0 to 1000 m, but the domain reaches"
    ):
        mesh_from_domain(SECTION, LayeredModel([MUD, short, ROCK]), resolution())
    depth = xr.DataArray([-400.0, 0.0], dims="y", coords={"y": [-400.0, 0.0]})
    shallow = material.from_params(vp=1600.0 - depth, rho=1000.0)
    with pytest.raises(
        ValueError, match=r"lies outside the volume model 'layer 0', which covers .* y \(-400.0"
    ):
        mesh_from_domain(SECTION, LayeredModel([shallow, FLAT(-500.0), ROCK]), resolution())


def test_where_patterns_would_turn_over_columns_take_their_place(caplog):
    """Ripples of an interface, finer than the wide elements below, that are higher than these."""
    x = np.linspace(0.0, 1000.0, 201)
    deep = BoxDomain2D(x0=0.0, x1=1000.0, y0=-20000.0, y1=0.0)
    for height, bottom in ((1.0, 10), (70.0, 30)):
        ripples = interface.Curve.from_points(x, -100.0 + height * np.sin(x / 12.0))
        hard = material.from_params(vp=3000.0, vs=1510.0, rho=2200.0)
        with caplog.at_level("INFO", logger="wavetree"):
            mesh = mesh_from_domain(deep, LayeredModel([MUD, ripples, hard]), resolution(7.5))
        assert len(mesh.side_sets["y0"]) == bottom
        assert len(mesh.side_sets["y1"]) == 30
        assert ("Interfaces bend too much for wider elements" in caplog.text) == (bottom == 30)


@pytest.mark.slow
def test_a_million_nodes_take_seconds(record_property):
    """Topography, a change of the number of elements and 1.2 million nodes: at most 20 s and 2 GiB."""
    script = """
import resource, time
import numpy as np, xarray as xr
from wavetree import layered_meshing as lm, material
from wavetree.domain import BoxDomain3D
x = np.linspace(0.0, 6000.0, 61)
def surface(height, amplitude):
    values = height + amplitude * np.sin(x[:, None] / 500.0) * np.cos(x / 700.0)
    return lm.interface.Surface(xr.DataArray(values, dims=("x", "y"), coords={"x": x, "y": x}))
mud, rock = (material.from_params(vp=v, vs=s, rho=r) for v, s, r in ((1800, 900, 2000), (4500, 2700, 2500)))
model = lm.LayeredModel([surface(0.0, 120.0), mud, surface(-600.0, 100.0), rock])
start = time.perf_counter()
domain = BoxDomain3D(x0=0.0, x1=6000.0, y0=0.0, y1=6000.0, z0=-6000.0, z1=0.0)
mesh = lm.mesh_from_domain(domain, model, lm.MeshResolution(3.2, model_order=4))
seconds = time.perf_counter() - start
print(mesh.n_points, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    n_points, seconds, peak = map(float, done.stdout.split())
    record_property("seconds", seconds)
    record_property("bytes", peak)
    assert n_points > 1e6
    assert seconds <= 20.0
    assert peak <= 2 * 2**30


# -- the names ---------------------------------------------------------------------------------


@pytest.mark.parametrize("face", [wavetree, wavetree.namespace])
def test_both_faces_have_the_same_names(face):
    assert face.layered_meshing is layered_meshing
    for name in ("LayeredModel", "MeshingProtocol", "mesh_from_domain", "MeshResolution", "interface"):
        assert hasattr(face.layered_meshing, name)
    assert face.layered_meshing.interface.Hyperplane.at(-1.0) == FLAT(-1.0)


def test_models_are_written_and_read():
    absorbing = AbsorbingBoundaryParameters(reference_velocity=3000.0, reference_frequency=5.0)
    protocol = MeshingProtocol(LayeredModel([HILLS, MUD, SEABED, TURNED]), ab=absorbing)
    assert load(protocol.to_dict()) == protocol
    assert LayeredModel([MUD, SEABED, TURNED]) != protocol.model
