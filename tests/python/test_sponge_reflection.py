"""What comes back from sponge layers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from meshes import shuffled
from simulations import RHO, VP, receivers, relative, source, with_medium
from wavetree.mesh import box_mesh
from wavetree.mesh.interpolation import gll_points, lagrange_matrix
from wavetree.simulation.boundary import Absorbing, HomogeneousDirichlet
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation

FREQUENCY = 5e4
WAVELENGTH = VP / FREQUENCY
DEFAULT = 3.5 * WAVELENGTH


def sponge(*sides: str, width: float = DEFAULT, reference: float = VP) -> Absorbing:
    return Absorbing(sides, width_in_meters=width, reference_velocity=reference)


def theory(frequency: float, width: float, angle: float = 0.0, reference: float = VP) -> float:
    """Amplitude that comes back at an angle of incidence [°], from the continuous equation.

    c² u'' = (−ω² cos² + 2iωγ) u with u' = −iω/c u at the outer edge, as z' = −k² − z² for z = u'/u.
    """
    omega, peak = 2 * np.pi * frequency, 1.5 * reference * np.log(1e2) / width
    normal = omega * np.cos(np.radians(angle))

    def slope(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return -(normal**2 - 2j * omega * peak * (x / width) ** 2) / VP**2 - z**2

    outgoing = 1j * normal / VP
    z = solve_ivp(slope, (width, 0.0), [-1j * omega / VP], rtol=1e-9, atol=1e-9).y[0, -1]
    return float(abs((outgoing + z) / (outgoing - z)))


def strip(length: float, conditions: list, axis=None, turned: bool = False) -> Simulation:
    """A strip so narrow between rigid sides that only plane waves travel along it."""
    size, width = WAVELENGTH / 5, WAVELENGTH / 10
    n = round(length * 5)
    mesh = with_medium(box_mesh(((0.0, n * size), (0.0, width)), (n, 1)), 4)
    if turned:
        mesh = shuffled(mesh, np.random.default_rng(3))
    span = WaveformSimulationConfiguration(end_time_in_seconds=22 / FREQUENCY, precision="float64")
    start = source(2 * WAVELENGTH, width / 2, FREQUENCY, 1.0)
    place = receivers((4 * WAVELENGTH, width / 3))
    return Simulation(mesh, [start], place, span, conditions, time_axis=axis)


def reflection(layer: Absorbing, turned: bool = False) -> tuple[np.ndarray, np.ndarray, float]:
    """Records of φ_t: the incident wave and what the layer at a strip's end returns; and their time step."""
    conditions = [Absorbing(["x0"]), layer]
    simulation = strip(5, conditions, turned=turned)
    records = simulation.run().data["phi"][0, 0]
    incident = strip(18, [Absorbing(["x0"])], simulation.time_axis).run().data["phi"][0, 0]
    dt = simulation.time_axis.dt
    return np.gradient(incident, dt), np.gradient(records - incident, dt), dt


def spectral_ratio(incident: np.ndarray, reflected: np.ndarray, dt: float, frequency: float) -> float:
    n = 16 * len(incident)
    ratio = np.abs(np.fft.rfft(reflected, n)) / np.abs(np.fft.rfft(incident, n))
    return float(np.interp(frequency, np.fft.rfftfreq(n, dt), ratio))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [1.0, 2.0, 3.5])
def test_normal_reflection_is_that_of_the_continuous_layer(width, turned, record_property):
    incident, reflected, dt = reflection(sponge("x1", width=width * WAVELENGTH), turned)
    for f in (0.3, 0.5, 0.75, 1.0, 1.5):  # beyond them the wavelet has no incident wave to speak of
        measured = spectral_ratio(incident, reflected, dt, f * FREQUENCY)
        record_property(f"at {f} f_c", measured)
        assert measured == pytest.approx(theory(f * FREQUENCY, width * WAVELENGTH), rel=0.05, abs=5e-4)
    if width == 3.5:
        energy = np.sum(reflected**2) / np.sum(incident**2)
        record_property("energy", float(energy))
        assert energy < 4e-5  # 1.9e-5 of the continuous equation


def test_waves_of_half_the_reference_velocity_are_absorbed_better(record_property):
    # For them the layer has twice the wavelengths and twice the strength.
    incident, reflected, _ = reflection(sponge("x1", width=2 * DEFAULT, reference=2 * VP))
    energy = np.sum(reflected**2) / np.sum(incident**2)
    record_property("energy", float(energy))
    assert energy < 2e-6


@pytest.mark.parametrize(
    ("angle", "frequency", "amplitude"),
    [(0, 0.3, 1.4e-2), (0, 1.0, 1.8e-3), (45, 0.5, 2.9e-3), (60, 1.0, 2.6e-3), (75, 1.5, 3.2e-2)],
)
def test_the_documented_reflections_are_those_of_the_continuous_equation(angle, frequency, amplitude):
    assert theory(frequency * FREQUENCY, DEFAULT, angle) == pytest.approx(amplitude, rel=0.03)


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
    # φ has more of the long waves, to which the layer is a step, than displacement and pressure have.
    assert energy < 4e-4
    assert np.abs(records - larger).max() < 1e-2 * np.abs(larger).max()
    assert relative(np.diff(records), np.diff(larger)) ** 2 < 1e-5


def domain_energy(simulation: Simulation, conditions: list) -> tuple[np.ndarray, np.ndarray]:
    """Energy ½∫ φ_t²/(ρ vp²) + |∇φ|²/ρ of a box's equal elements, between stored steps, and the times."""
    mesh, order, dt = simulation.mesh, simulation.mesh.tensor_order, simulation.time_axis.dt
    compiled = simulation._core.compiled
    dofs = compiled.stored_values(0)[compiled.element_dofs(0)[: mesh.nelem], 0]
    points, step = gll_points(order), 1e-6
    slope = (lagrange_matrix(order, points + step) - lagrange_matrix(order, points - step)) / (2 * step)
    slopes = [2.0 / size * slope for size in np.ptp(mesh.points[mesh.connectivity[0]], axis=0)]
    weights, energies = mesh.mass_weights(order).reshape(-1, order + 1, order + 1), []
    steps = np.arange(0, len(simulation.wavefield) - 1, 10)
    for k in steps:
        first, second = simulation.wavefield[k][dofs], simulation.wavefield[k + 1][dofs]
        middle = 0.5 * (first + second).reshape(weights.shape)
        velocity = (second - first).reshape(weights.shape) / (dt * VP)
        gradient = np.einsum("ij,ekj->eki", slopes[0], middle), np.einsum("ij,ejk->eik", slopes[1], middle)
        energies.append(0.5 * np.sum(weights * (velocity**2 + gradient[0] ** 2 + gradient[1] ** 2)) / RHO)
    return simulation.time_axis.start + dt * (steps + 0.5), np.array(energies)


@pytest.mark.parametrize(
    ("size", "start"), [((3, 3), (1.1, 1.9)), ((3, 3), (0.3, 0.3)), ((6, 2), (1.1, 1.2))]
)
def test_the_domain_is_empty_when_the_direct_wave_has_left(size, start, record_property):
    mesh = with_medium(box_mesh([(0.0, n * WAVELENGTH) for n in size], [5 * n for n in size]), 4)
    farthest = max(np.hypot(start[0] - x, start[1] - y) for x in (0, size[0]) for y in (0, size[1]))
    left = (farthest + 1.33) / FREQUENCY  # the wavelet ends 1.33 / f_c after its centre
    span = WaveformSimulationConfiguration(end_time_in_seconds=left + 8 / FREQUENCY, precision="float64")
    sources = [source(*(WAVELENGTH * x for x in start), FREQUENCY, 1.0)]
    conditions = [sponge("x0", "x1", "y0", "y1")]
    simulation = Simulation(mesh, sources, receivers((WAVELENGTH, WAVELENGTH)), span, conditions)
    simulation.run(storage=1)
    times, energies = domain_energy(simulation, conditions)
    residual = energies[times > left + 2 / FREQUENCY].max() / energies.max()  # and it stays so
    record_property("residual", float(residual))
    assert residual < 2e-5
