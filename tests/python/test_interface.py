"""Plane waves at the interface of a fluid and a solid: reflection and transmission over angles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from analytic import interface
from analytic.interface import PlaneWave
from analytic.media import Fluid, Solid
from fill import fill
from meshes import shuffled
from simulations import evolve, relative
from wavetree.mesh import box_mesh
from wavetree.simulation.core import Core, make_core
from wavetree.simulation.medium import medium
from wavetree.survey.stf import Ricker

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1700.0, 2200.0)
WAVELET = Ricker(10.0)
ORDER = 6
# The box [m]. What its sides change has not come to where fields are compared, WINDOW from the origin.
HALF, TOP, BOTTOM, WINDOW = 1300.0, 900.0, 1500.0, 300.0
# Distance from the interface of the incident wave at the start, of that in the fluid in the end [m].
REACH = 200.0
# Angles of incidence [°]. From the fluid P is total beyond 30° and S beyond 62°.
INCIDENT = {"fluid": (8.0, 25.0, 45.0, 70.0), "P": (15.0, 50.0), "SV": (15.0, 28.0, 45.0)}


@cache
def made() -> tuple[Core, list[np.ndarray], float]:
    """The compiled simulation, the places of both parts' degrees of freedom, and the largest time step."""
    size = 60.0
    counts = [round(2 * HALF / size), round((TOP + BOTTOM) / size)]
    mesh = box_mesh([(-HALF, HALF), (-BOTTOM, TOP)], counts)
    fill(mesh, ORDER, SOLID, FLUID, mesh.get_element_centroid()[:, 1] > 0)
    mesh = shuffled(mesh, np.random.default_rng(1))
    core = make_core(medium(mesh, ORDER), (), "float64", threads=1)
    places = []
    for index, part in enumerate(core.parts):
        x = np.zeros((core.compiled.n_dofs(index), 2))
        x[core.compiled.element_dofs(index)] = mesh.node_coordinates(ORDER)[part.elements]
        places.append(x)
    return core, places, float(core.compiled.maximum_time_step())


def fields(waves: list[PlaneWave], x: np.ndarray, times: list[float], fluid: bool) -> list[np.ndarray]:
    """Potential or displacement (n, n_components) at several times.

    All waves have one horizontal slowness p, so that a field at (x, y, t) is that at (0, y, t − px): one
    record for every y, in between interpolated.
    """
    p = float(waves[0].slowness[0].real)
    delays = [t - p * x[:, 0] for t in times]
    margin = 0.15  # the wavelet's half length and some more [s]
    axis = np.arange(np.min(delays) - margin, np.max(delays) + margin, 1e-3)
    heights, row = np.unique(np.round(x[:, 1], 6), return_inverse=True)
    function = interface.potential if fluid else interface.displacement
    # A point on the interface belongs to the fluid there: just below it is the solid.
    points = np.stack([np.zeros_like(heights), heights - (0.0 if fluid else 1e-6)], axis=1)
    records = function(waves, points, axis, WAVELET.evaluate)
    result = [np.zeros((len(x), records.shape[1])) for _ in times]
    for k, record in enumerate(records):
        spline, members = CubicSpline(axis, record, axis=1), row.ravel() == k
        for values, delay in zip(result, delays, strict=True):
            values[members] = spline(delay[members]).T
    return result


def after_scattering(waves: list[PlaneWave]) -> tuple[list[np.ndarray], float]:
    """Fields of both parts at the end, begun with the analytic ones, and the time of the end.

    The wavelet's peak is at the interface, x = 0, at time 0.
    """
    core, places, limit = made()
    start, end = (
        sign * REACH * abs(wave.slowness[1].real) for sign, wave in zip((-1, 1), waves, strict=False)
    )
    n_steps = int(np.ceil((end - start) / (0.3 * limit)))  # so that the dispersion of the steps is small
    dt = (end - start) / n_steps
    initial, velocities = [], []
    for part, x in zip(core.parts, places, strict=True):
        now, before = fields(waves, x, [start, start - dt], part.medium == "fluid")
        initial.append(now)
        velocities.append((now - before) / dt)
    return evolve(core, dt, n_steps, initial, velocities), end


def coefficients(
    found: np.ndarray, known: list[PlaneWave], unknown: list[PlaneWave], x: np.ndarray, t: float
):
    """Complex amplitudes of the unknown waves that, with the known ones, make up a field."""
    fluid = isinstance(unknown[0].medium, Fluid)
    rest = found - (fields(known, x, [t], fluid)[0] if known else 0.0)
    units = [replace(wave, amplitude=amplitude) for wave in unknown for amplitude in (1.0, 1j)]
    basis = np.stack([fields([unit], x, [t], fluid)[0].ravel() for unit in units], axis=1)
    parts, *_ = np.linalg.lstsq(basis, rest.ravel(), rcond=None)
    return parts[::2] + 1j * parts[1::2]


@pytest.mark.parametrize(
    ("incident", "angle"), [(kind, angle) for kind, angles in INCIDENT.items() for angle in angles]
)
def test_reflection_and_transmission(incident, angle, record_property):
    core, places, _ = made()
    velocity = {"fluid": FLUID.vp, "P": SOLID.vp, "SV": SOLID.vs}[incident]
    waves = interface.scatter(FLUID, SOLID, np.sin(np.radians(angle)) / velocity, incident)
    found, end = after_scattering(waves)
    for part, x, values in zip(core.parts, places, found, strict=True):
        inside = (np.abs(x) < WINDOW).all(axis=1)
        x, values, fluid = x[inside], values[inside], part.medium == "fluid"
        error = relative(values, fields(waves, x, [end], fluid)[0])
        record_property(f"error in the {part.medium}", error)
        assert error < 1e-3
        known = [waves[0]] if (incident == "fluid") == fluid else []
        outgoing = waves[1:2] if fluid else waves[2:]
        for wave, amplitude in zip(outgoing, coefficients(values, known, outgoing, x, end), strict=True):
            record_property(f"{wave.kind} in the {part.medium}", abs(amplitude - wave.amplitude))
            assert amplitude == pytest.approx(complex(wave.amplitude), abs=1e-3)
            print(incident, angle, part.medium, wave.kind, amplitude, wave.amplitude)
