"""Speeds of Rayleigh and Scholte waves, and group velocities of anisotropic solids."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from analytic import christoffel
from analytic.media import Fluid, Solid
from analytic.rayleigh import SurfaceWave
from fill import Anisotropic, fill, recorders
from meshes import shuffled
from simulations import evolve
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.core import make_core
from wavetree.simulation.medium import medium
from wavetree.simulation.simulation import Simulation
from wavetree.survey.source.cartesian import VectorPoint2D
from wavetree.survey.stf import Ricker

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1700.0, 2200.0)
ORDER = 6

# -- waves of one wavenumber -------------------------------------------------------------------
# They begin in a box as they are in an unbounded medium. What the box's sides change travels inwards no
# faster than the fastest wave, and phases are taken where it has not come yet.


Wave = Callable[[np.ndarray, float], np.ndarray]  # field (n, n_components) of points (n, dim) and time


class Harmonic:
    """A mesh of one or two media in which waves of one frequency begin."""

    def __init__(self, mesh: Mesh) -> None:
        mesh = shuffled(mesh, np.random.default_rng(mesh.dim))
        self.core = make_core(medium(mesh, ORDER), (), "float64", threads=1)
        self.limit = self.core.compiled.maximum_time_step()
        self.places = []
        for index, part in enumerate(self.core.parts):
            x = np.zeros((self.core.compiled.n_dofs(index), mesh.dim))
            x[self.core.compiled.element_dofs(index)] = mesh.node_coordinates(ORDER)[part.elements]
            self.places.append(x)

    def frequency(self, waves: dict[str, Wave], omega: float, end: float, reach: np.ndarray) -> float:
        """Angular frequency with which waves of omega have moved on until the end, near the origin.

        Parameters
        ----------
        waves
            By "fluid" and "solid", cos(k·x − ωt) and the like.
        omega
            The frequency that they should have [rad/s].
        end
            Time [s].
        reach
            Half the lengths of the box around the origin in which their phase is taken (dim,) [m].

        Notes
        -----
        Central differences turn a wave of frequency ω by the angle 2 arcsin(ω dt/2) a step, which is
        accounted for.
        """
        n_steps = int(np.ceil(end / (0.9 * self.limit)))
        dt = end / n_steps
        angle = 2 * np.arcsin(0.5 * omega * dt)
        functions = [waves[medium] for medium in self.core.media]
        turned = angle / omega
        start, before = (
            [f(x, t) for f, x in zip(functions, self.places, strict=True)] for t in (0.0, -turned)
        )
        velocities = [(now - then) / dt for now, then in zip(start, before, strict=True)]
        found = evolve(self.core, dt, n_steps, start, velocities)
        ahead = []
        for function, x, values in zip(functions, self.places, found, strict=True):
            chosen, after = (np.abs(x) < reach).all(axis=1), n_steps * turned
            cosine, sine = function(x[chosen], after), function(x[chosen], after + 0.5 * np.pi / omega)
            basis = np.stack([cosine.ravel(), sine.ravel()], axis=1)
            (a, b), *_ = np.linalg.lstsq(basis, values[chosen].ravel(), rcond=None)
            assert np.hypot(a, b) == pytest.approx(1.0, abs=5e-3)
            ahead.append(np.arctan2(b, a) / n_steps)
        return 2 / dt * np.sin(0.5 * (angle + np.mean(ahead)))


@pytest.mark.parametrize(
    "fluid", [None, FLUID, Fluid(1500.0, 2000.0)], ids=["Rayleigh", "Scholte", "Scholte, dense"]
)
def test_surface_wave(fluid, record_property):
    wave = SurfaceWave(SOLID, fluid)
    length = 100.0  # of the wave [m]
    k = 2 * np.pi / length
    height = 10 * length if fluid else 0.0
    half, depth, end = 7 * length, 6 * length, 1.8 * length / wave.speed
    bounds, counts = [(-half, half), (-depth, height)], [14, 6 + round(height / length)]
    mesh = box_mesh(bounds, counts)
    above = mesh.get_element_centroid()[:, 1] > 0
    fill(mesh, ORDER, SOLID, fluid, above) if fluid else fill(mesh, ORDER, SOLID)
    fields = {
        "solid": lambda x, t: wave.displacement(k, x, t),
        "fluid": lambda x, t: wave.potential(k, x, t)[:, None],
    }
    reach = np.array([half - SOLID.vp * end, 0.5 * length])
    speed = Harmonic(mesh).frequency(fields, k * wave.speed, end, reach) / k
    record_property("error", speed / wave.speed - 1)
    assert speed == pytest.approx(wave.speed, rel=5e-4)


# -- anisotropic solids ------------------------------------------------------------------------

HEXAGONAL = (3000.0, 3550.0, 1600.0, 1800.0, 0.68)  # weak enough for shear wave fronts without cusps
RHO = 2500.0


def triclinic() -> np.ndarray:
    """A tensor with 21 different components, in which no two waves have one velocity."""
    noise = np.random.default_rng(7).uniform(-1.0, 1.0, (6, 6))
    return christoffel.hexagonal(HEXAGONAL, RHO, 3) + 1.5e9 * (noise @ noise.T)


TENSORS = {
    "hexagonal 2-D": christoffel.hexagonal(HEXAGONAL, RHO, 2),
    "hexagonal 3-D": christoffel.hexagonal(HEXAGONAL, RHO, 3),
    "triclinic 3-D": triclinic(),
}


@pytest.mark.parametrize(("name", "mode"), [(n, m) for n in TENSORS for m in range(2 if "2-D" in n else 3)])
def test_group_velocity(name, mode, record_property):
    # ∂ω/∂k by central differences of the frequencies of plane waves
    stiffness = TENSORS[name]
    dim = {3: 2, 6: 3}[len(stiffness)]
    normal = np.array([0.6, 0.45, 0.66][:dim])
    normal /= np.linalg.norm(normal)
    mesh = box_mesh([(-1.5, 1.5)] * dim, [4] * dim)
    harmonic = Harmonic(fill(mesh, ORDER, Anisotropic(stiffness, RHO)))
    fastest = christoffel.phase_velocities(stiffness, RHO, normal[None])[0].max() * 1.2
    reach, end = np.full(dim, 0.5), 0.8 / fastest

    def frequency(k: np.ndarray) -> float:
        velocities, polarizations = christoffel.phase_velocities(stiffness, RHO, k[None])
        omega = float(velocities[0, mode] * np.linalg.norm(k))

        def wave(x: np.ndarray, t: float) -> np.ndarray:
            return np.cos(x @ k - omega * t)[:, None] * polarizations[0, mode]

        return harmonic.frequency({"solid": wave}, omega, end, reach)

    k, step = 2 * np.pi * normal, 0.1
    found = [(frequency(k + shift) - frequency(k - shift)) / (2 * step) for shift in step * np.eye(dim)]
    expected = christoffel.group_velocities(stiffness, RHO, normal[None])[0, mode]
    error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    record_property("error", error)
    assert error < 2e-3


FREQUENCY = 10.0
NEAR, FAR = 900.0, 1700.0  # distances of two receivers on a ray [m]
RAYS = (0.0, 25.0, 50.0, 75.0, 90.0)  # [°] from +x


@cache
def ray_records() -> tuple[np.ndarray, np.ndarray]:
    """Times, and records (ray, NEAR or FAR, component, time), of an oblique force in a hexagonal solid."""
    half = 1900.0
    mesh = fill(box_mesh([(-200.0, half)] * 2, [35, 35]), ORDER, Anisotropic(TENSORS["hexagonal 2-D"], RHO))
    angles = np.radians(RAYS)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    places = np.concatenate([distance * directions for distance in (NEAR, FAR)])
    span = WaveformSimulationConfiguration(end_time_in_seconds=FAR / 1550.0 + 0.15)
    force = VectorPoint2D(x=0.0, y=0.0, fx=1e9, fy=0.4e9, source_time_function=Ricker(FREQUENCY))
    sponge = Absorbing(["x0", "x1", "y0", "y1"], width_in_meters=500.0, reference_velocity=HEXAGONAL[1])
    simulation = Simulation(mesh, [force], recorders(places, "displacement"), span, [sponge])
    records = simulation.run().data["displacement"]
    return simulation.time_axis.times, np.stack([records[: len(RAYS)], records[len(RAYS) :]], axis=1)


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("ray", RAYS)
def test_arrivals_come_with_the_group_velocity(ray, mode, record_property):
    # Far from the source the wavelet at one receiver is that at the other, later: the delay is measured.
    times, records = ray_records()
    direction = np.array([np.cos(np.radians(ray)), np.sin(np.radians(ray))])
    speed = christoffel.ray_velocity(TENSORS["hexagonal 2-D"], RHO, direction, mode)
    near, far = (CubicSpline(times, r, axis=1) for r in records[RAYS.index(ray)])
    around = np.linspace(-0.08, 0.08, 401)
    first = near(NEAR / speed + around)

    def likeness(delay: float) -> float:
        second = far(NEAR / speed + delay + around)
        return -np.sum(first * second) / np.linalg.norm(first) / np.linalg.norm(second)

    expected = (FAR - NEAR) / speed
    best = minimize_scalar(likeness, bounds=(0.9 * expected, 1.1 * expected), method="bounded")
    record_property("error", (FAR - NEAR) / best.x / speed - 1)
    assert best.fun < -0.95
    assert (FAR - NEAR) / best.x == pytest.approx(speed, rel=5e-3)
