"""Energy of the scheme: its value in a standing wave, and that it stays."""

from __future__ import annotations

import numpy as np
import pytest

from analytic import christoffel, coupled_modes, modes
from analytic.media import Fluid, Solid
from fill import Anisotropic, fill
from meshes import make_mesh, shuffled, sinusoidal
from standing_waves import StandingWave
from wavetree import _core
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing, HomogeneousDirichlet
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.source import cartesian
from wavetree.survey.stf import Ricker

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1800.0, 2200.0)
PLATE = Solid(2000.0 * np.sqrt(2.0), 2000.0, 2200.0)
TENSOR = {
    dim: Anisotropic(christoffel.hexagonal((3000.0, 3300.0, 1700.0, 1850.0, 0.95), 2300.0, dim), 2300.0)
    for dim in (2, 3)
}
FREQUENCY = 2000.0
# Sides where φ or u is zero; the others are rigid for fluids, free for solids.
HELD = {"natural": [], "sides held": ["x0", "x1", "y0", "y1"], "top held": ["y1"]}
# Of the Ricker wavelet exp(−a) is left, below rounding.
SILENT = np.sqrt(-np.log(1e-18)) / (np.pi * FREQUENCY)


def filled(medium: str, mesh: Mesh) -> Mesh:
    """The unit square or cube; fluid and solid meet half way up, in a curved surface."""
    if medium == "coupled":
        return fill(mesh, 4, SOLID, FLUID, mesh.get_element_centroid()[:, -1] > 0.5)
    return fill(mesh, 4, {"fluid": FLUID, "solid": SOLID, "anisotropic": TENSOR[mesh.dim]}[medium])


def energies(mesh: Mesh, medium: str, conditions: list) -> np.ndarray:
    """Energy from where the source is silent on."""
    place = dict(zip("xyz", (0.3, 0.4, 0.3)[: mesh.dim], strict=False))
    amplitudes = {"f": 1e3} if medium == "fluid" else {f"f{axis}": 1.0 for axis in place}
    kind = getattr(cartesian, f"{'Scalar' if medium == 'fluid' else 'Vector'}Point{mesh.dim}D")
    source = kind(**place, **amplitudes, source_time_function=Ricker(FREQUENCY))
    span = WaveformSimulationConfiguration(
        end_time_in_seconds=3e-3, precision="float64", temporal_dispersion_correction=False
    )
    simulation = Simulation(filled(medium, mesh), [source], [], span, conditions)
    # energy()[n] is that of the step that led to sample n
    return simulation.energy()[simulation.time_axis.times - simulation.time_axis.dt > SILENT]


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("medium", ["fluid", "solid", "anisotropic", "coupled"])
@pytest.mark.parametrize(("kind", "dim"), [("sinusoidal", 2), ("perturbed", 2), ("sinusoidal", 3)])
def test_energy_stays(kind, dim, medium, held, record_property):
    conditions = [HomogeneousDirichlet(HELD[held])] if HELD[held] else []
    found = energies(make_mesh(kind, dim, 2, 3, np.random.default_rng(dim)), medium, conditions)
    assert len(found) > 100
    change = float(np.ptp(found) / found.mean())
    record_property("change", change)
    assert change < 1e-12
    assert found.min() > 0


def test_damping_takes_energy():
    found = energies(make_mesh("sinusoidal", 2, 2, 3), "coupled", [Absorbing(["x0"])])
    assert found[-1] < 0.5 * found[0]


def gradient(function, x: np.ndarray) -> np.ndarray:
    """Central differences (n, dim) of a function of points."""
    steps = 1e-5 * np.eye(x.shape[1])
    return np.stack([(function(x + step) - function(x - step)) / 2e-5 for step in steps], axis=1)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("medium", ["fluid", "solid", "coupled"])
def test_energy_of_a_standing_wave(medium, dim, record_property):
    # ½ vᵀWv + ½ u_{n−1}ᵀWLu_n of cos(nθ) U with L U = ω² U is ½ ω² (1 − (ω dt/2)²) UᵀWU.
    mesh = box_mesh(
        [(0.0, 1.0)] * dim, [4] * dim, shape_order=2, deformation=sinusoidal if dim == 2 else None
    )
    mesh = shuffled(mesh, np.random.default_rng(1))
    if medium == "fluid":
        mode, filling = modes.acoustic_box(FLUID, [1.0] * dim, [1] * dim), (FLUID,)
    elif medium == "solid":
        tensor = christoffel.isotropic(SOLID.vp, SOLID.vs, SOLID.rho, dim)
        mode, filling = modes.lame_box(tensor, SOLID.rho, 1.0, (1, 1))[0], (SOLID,)
    else:
        mode = coupled_modes.plate(FLUID, PLATE, (0.5, 0.5), 2)
        filling = PLATE, FLUID, mesh.get_element_centroid()[:, -1] > 0.5
    wave = StandingWave(fill(mesh, 6, *filling), mode)
    dt, n = 0.8 * wave.limit, 200
    found = np.zeros(n)
    wave.core.compiled.forward(wave.start(dt), n, [], [], n, n, [], found, _core.Control())
    weight = 0.0
    for part, field, mass in zip(wave.core.parts, wave.fields, wave.mass, strict=True):
        x = mesh.node_coordinates(6)[part.elements].reshape(-1, dim)
        volume = mesh.mass_weights(6)[part.elements].ravel()
        if part.medium == "solid":
            weight += (SOLID if medium == "solid" else PLATE).rho * (mass @ np.sum(field**2, axis=1))
        elif medium == "coupled":  # W = K_f
            weight += volume @ np.sum(gradient(mode.phi, x) ** 2, axis=1) / FLUID.rho
        else:
            weight += mass @ field[:, 0] ** 2 / FLUID.kappa
    expected = 0.5 * mode.omega**2 * (1 - (0.5 * mode.omega * dt) ** 2) * weight
    record_property("error", float(np.abs(found / expected - 1).max()))
    np.testing.assert_allclose(found, expected, rtol=1e-8)
