"""Sponge layers: what is added, where its material comes from, and what comes back from it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from meshes import sheared, shuffled, sinusoidal
from simulations import UNIT, VP, receivers, relative, source, with_medium
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing, HomogeneousDirichlet
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import make_core
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.sponge import ExtendedMesh, extend

FREQUENCY = 5e4
WAVELENGTH = VP / FREQUENCY
DEFAULT = 3.5 * WAVELENGTH


def sponge(*sides: str, width: float = DEFAULT) -> Absorbing:
    return Absorbing(sides, width_in_meters=width, reference_velocity=VP)


def box(shape_order: int = 2, deformation=None, turned: bool = False) -> Mesh:
    mesh = box_mesh(UNIT, (4, 3), shape_order=shape_order, deformation=deformation)
    return shuffled(mesh, np.random.default_rng(1)) if turned else mesh


def three_quads() -> Mesh:
    """The unit square with an edge into its corner at the origin, which so belongs to two elements."""
    points = [[0, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0.6, 0.4]]
    mesh = Mesh(np.array(points), [[0, 1, 6, 2], [6, 2, 4, 3], [0, 6, 5, 4]])
    mesh.find_side_sets()
    return mesh


def length(mesh: Mesh, name: str) -> float:
    """Length of a straight side."""
    nodes = mesh.points[mesh.connectivity[mesh.side_sets[name][:, 0]]]
    side = mesh.side_sets[name][:, 1]
    n = mesh.shape_order + 1
    grid = nodes.reshape(len(nodes), n, n, 2)
    ends = [(grid[:, 0, 0], grid[:, -1, 0]), (grid[:, 0, -1], grid[:, -1, -1])]
    ends += [(grid[:, 0, 0], grid[:, 0, -1]), (grid[:, -1, 0], grid[:, -1, -1])]
    return sum(float(np.linalg.norm(ends[s][1][i] - ends[s][0][i])) for i, s in enumerate(side))


# -- what is added -----------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("shape_order", [1, 2, 4])
@pytest.mark.parametrize(
    ("sides", "extent"),
    [
        (("x0",), ((-0.5, 1.0), (0.0, 1.0))),
        (("x0", "y1"), ((-0.5, 1.0), (0.0, 1.5))),
        (("y1", "y0", "x1"), ((0.0, 1.5), (-0.5, 1.5))),
        (("x0", "x1", "y0", "y1"), ((-0.5, 1.5), (-0.5, 1.5))),
    ],
)
def test_layers_and_their_corners_fill_a_larger_box(sides, extent, shape_order, turned):
    mesh = box(shape_order, sinusoidal if shape_order > 1 else None, turned)
    extended = extend(mesh, [sponge(*sides, width=0.5)], 4).mesh
    assert np.allclose(extended.bounds, extent, atol=1e-12)
    (x0, x1), (y0, y1) = extent
    assert extended.mass_weights(8).sum() == pytest.approx((x1 - x0) * (y1 - y0), rel=1e-12)
    # Nothing lies on top of anything else, and nothing hangs loose: as many nodes as a box has.
    n = [c + 2 * ("x0" in sides) + 2 * ("x1" in sides) if a == "x" else c for a, c in (("x", 4), ("y", 3))]
    n[1] += 2 * ("y0" in sides) + 2 * ("y1" in sides)
    if shape_order == 1:
        assert extended.nelem == n[0] * n[1]
        assert extended.dof_map(4).n_dofs == (4 * n[0] + 1) * (4 * n[1] + 1)
    named = {name: set(map(tuple, rows)) for name, rows in extended.side_sets.items()}
    extended.side_sets.clear()
    extended.find_side_sets()
    assert {name: set(map(tuple, rows)) for name, rows in extended.side_sets.items()} == named


def test_the_domain_stays_as_it_is():
    mesh = box(4, sinusoidal)
    extended = extend(mesh, [sponge("x0", "y1", width=0.3)], 3)
    np.testing.assert_array_equal(extended.mesh.connectivity[: mesh.nelem], mesh.connectivity)
    np.testing.assert_array_equal(extended.mesh.points[: mesh.n_points], mesh.points)
    without = extend(mesh, [HomogeneousDirichlet(["y1"]), Absorbing(["x0"])], 3)
    assert without.mesh is mesh
    assert without.rate().shape == (0, 16)


@pytest.mark.parametrize("conditions", [(1, 0), (0, 1)])
def test_other_sides_are_continued(conditions):
    both = [sponge("x0", "x1", width=0.5), HomogeneousDirichlet(["y1"])]
    extended = extend(box(2, turned=True), [both[k] for k in conditions], 2).mesh
    assert length(extended, "y1") == pytest.approx(2.0)
    assert length(extended, "y0") == pytest.approx(2.0)
    assert length(extended, "x0") == length(extended, "x1") == pytest.approx(1.0)


def test_corners_of_two_elements_are_filled():
    whole = extend(three_quads(), [sponge("x0", "y0", width=0.5)], 2).mesh
    assert whole.mass_weights(2).sum() == pytest.approx(2.25)
    side = extend(three_quads(), [sponge("x0", width=0.5)], 2).mesh
    assert length(side, "y0") == length(side, "y1") == pytest.approx(1.5)


def test_layers_side_by_side_are_refused():
    mesh = box()
    rows = mesh.side_sets["x0"]
    mesh.side_sets["low"], mesh.side_sets["high"] = rows[:1], rows[1:]
    with pytest.raises(ValueError, match=r"side sets 'low' and 'high' touch and lie in one plane; expected"):
        extend(mesh, [sponge("low", "high", width=0.5)], 2)
    part = extend(mesh, [sponge("low", width=0.5)], 2).mesh
    assert length(part, "high") == pytest.approx(2 / 3)  # not continued into the layer's end
    assert length(part, "y0") == pytest.approx(1.5)
    assert length(part, "y1") == pytest.approx(1.0)


def test_sides_that_are_not_planes_are_refused():
    with pytest.raises(ValueError, match=r"side set 'x0' is not a plane normal to an axis \(it spans \[0.3"):
        extend(box(2, sheared), [sponge("x0")], 2)


def test_sides_of_a_notch_are_refused():
    whole = box_mesh(((0.0, 1.0), (0.0, 1.0)), (2, 2))
    notched = Mesh(whole.points, whole.connectivity[:3], 1, {"notch": np.array([[1, 3]])})
    with pytest.raises(ValueError, match=r"'notch' lies at 0\.5 m, inside the mesh's extent from 0 to 1 m"):
        extend(notched, [sponge("notch")], 2)


def test_empty_side_sets_are_refused():
    mesh = box()
    for name in ("VP", "RHO"):
        mesh.attach_field(name, np.full((mesh.nelem, 9), 1500.0))
    mesh.side_sets["nothing"] = np.zeros((0, 2), dtype=np.int64)
    with pytest.raises(ValueError, match="side set 'nothing' is empty"):
        make_core(mesh, [sponge("nothing")], "float64", threads=1)


# -- material and damping ----------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_material_is_that_of_the_nearest_edge_node(turned):
    order, mesh = 4, box(2, sinusoidal, turned)
    extended = extend(mesh, [sponge("x0", "x1", "y0", "y1", width=0.5)], order)
    x = extended.mesh.node_coordinates(order)
    # Continuous values that name their place: what is spread is the value at the nearest place.
    for values in (lambda p: p[..., 0], lambda p: p[..., 1], lambda p: np.sin(3 * p[..., 0] + 2 * p[..., 1])):
        spread = extended.spread(values(mesh.node_coordinates(order)))
        np.testing.assert_allclose(spread, values(np.clip(x, 0.0, 1.0)), atol=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_collect_is_the_transpose_of_spread(turned):
    rng = np.random.default_rng(2)
    extended = extend(box(2, turned=turned), [sponge("x0", "y1", "y0", width=0.5)], 3)
    x, y = rng.standard_normal((12, 16)), rng.standard_normal((extended.mesh.nelem, 16))
    assert np.vdot(extended.spread(x), y) == pytest.approx(np.vdot(x, extended.collect(y)), rel=1e-13)
    assert extended.collect(y).shape == x.shape
    plain = ExtendedMesh(box(), 3, np.arange(12 * 16).reshape(12, 16))
    np.testing.assert_array_equal(plain.collect(plain.spread(x)), x)


def test_the_damping_rises_with_the_cube_of_the_depth():
    extended = extend(box(), [sponge("x1", "y0", width=0.5)], 4)
    x = extended.mesh.node_coordinates(4)
    depth = np.maximum(0.0, x[..., 0] - 1.0) / 0.5, np.maximum(0.0, -x[..., 1]) / 0.5
    peak = 2 * VP * np.log(1e4) / 0.5  # both ways through the layer a wave keeps 1e-4 of its amplitude
    np.testing.assert_allclose(extended.rate(), peak * (depth[0] ** 3 + depth[1] ** 3), rtol=1e-9, atol=1e-6)
    assert extended.rate()[:12].max() < 1e-30  # the domain itself is not damped


# -- reflection --------------------------------------------------------------------------------


def theory(frequency: float, width: float) -> float:
    """Amplitude that comes back at normal incidence, from the continuous equation.

    c² u'' = (−ω² + 2iωγ) u with u' = −iω/c u at the outer edge, as z' = −k² − z² for z = u'/u.
    """
    omega, peak = 2 * np.pi * frequency, 2 * VP * np.log(1e4) / width

    def slope(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -(omega**2 - 2j * omega * peak * (x / width) ** 3) / VP**2 - z**2

    outgoing = 1j * omega / VP
    z = solve_ivp(slope, (width, 0.0), [-outgoing], rtol=1e-9, atol=1e-9).y[0, -1]
    return float(abs((outgoing + z) / (outgoing - z)))


def strip(length: float, conditions: list, axis=None, turned: bool = False) -> Simulation:
    """A strip so narrow between rigid sides that only plane waves travel along it."""
    size, width = WAVELENGTH / 5, WAVELENGTH / 10
    n = round(length * 5)
    mesh = with_medium(box_mesh(((0.0, n * size), (0.0, width)), (n, 1)), 4)
    if turned:
        mesh = shuffled(mesh, np.random.default_rng(3))
    span = WaveformSimulationConfiguration(end_time_in_seconds=16 / FREQUENCY, precision="float64")
    start = source(2 * WAVELENGTH, width / 2, FREQUENCY, 1.0)
    place = receivers((4 * WAVELENGTH, width / 3))
    return Simulation(mesh, [start], place, span, conditions, time_axis=axis)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [1.0, 2.0, 3.5])
def test_normal_reflection_is_that_of_the_continuous_layer(width, turned, record_property):
    conditions = [Absorbing(["x0"]), sponge("x1", width=width * WAVELENGTH)]
    simulation = strip(5, conditions, turned=turned)
    records = simulation.run().data["phi"][0, 0]
    incident = strip(16, [Absorbing(["x0"])], simulation.time_axis).run().data["phi"][0, 0]
    n = 16 * len(records)
    frequencies = np.fft.rfftfreq(n, simulation.time_axis.dt)
    reflected = np.abs(np.fft.rfft(records - incident, n)) / np.abs(np.fft.rfft(incident, n))

    def measured(times_center: float) -> float:
        return float(np.interp(times_center * FREQUENCY, frequencies, reflected))

    for f in (0.3, 0.5, 0.75, 1.0):  # a wider band than that of the wavelet has no incident wave to speak of
        assert measured(f) == pytest.approx(theory(f * FREQUENCY, width * WAVELENGTH), rel=0.05, abs=5e-4)
    record_property("at the centre frequency", measured(1.0))
    if width == 3.5:
        energy = np.sum((records - incident) ** 2) / np.sum(incident**2)
        record_property("energy", float(energy))
        assert measured(1.0) < 1e-3
        assert measured(0.5) < 5e-3
        assert energy < 2e-3  # the rest is of longer waves, to which the layer is thin


def around_a_corner(x, y, conditions, axis=None, turned: bool = False) -> Simulation:
    """A box with these bounds in wavelengths around a source and two receivers."""
    bounds = [(WAVELENGTH * low, WAVELENGTH * high) for low, high in (x, y)]
    mesh = with_medium(box_mesh(bounds, [round(5 * (high - low)) for low, high in (x, y)]), 4)
    if turned:
        mesh = shuffled(mesh, np.random.default_rng(4))
    span = WaveformSimulationConfiguration(end_time_in_seconds=8 / FREQUENCY, precision="float64")
    start = source(1.1 * WAVELENGTH, 1.9 * WAVELENGTH, FREQUENCY, 1.0)
    places = receivers((2.2 * WAVELENGTH, 2.3 * WAVELENGTH), (0.4 * WAVELENGTH, 0.5 * WAVELENGTH))
    return Simulation(mesh, [start], places, span, conditions, time_axis=axis)


TOP = HomogeneousDirichlet(["y1"])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("conditions", "y", "outer"),
    [
        ([sponge("x0", "x1", "y0", "y1")], (-5, 8), []),
        ([TOP, sponge("x0", "x1", "y0")], (-5, 3), [TOP]),
        ([sponge("x0", "x1", "y0")], (-5, 3), []),
    ],
    ids=["around", "under a free surface", "under a rigid surface"],
)
def test_a_box_with_sponges_is_a_cutout_of_a_larger_one(conditions, y, outer, turned, record_property):
    simulation = around_a_corner((0, 3), (0, 3), conditions, turned=turned)
    records = simulation.run().data["phi"]
    larger = around_a_corner((-5, 8), y, outer, simulation.time_axis).run().data["phi"]
    energy = relative(records, larger) ** 2
    record_property("energy", float(energy))
    assert energy < 1e-3
    assert np.abs(records - larger).max() < 1e-2 * np.abs(larger).max()
