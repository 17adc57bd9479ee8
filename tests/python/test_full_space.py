"""Point sources in unbounded media against closed forms: all sources and receiver fields, 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.polynomial.hermite import hermval

from analytic import acoustic, elastic
from analytic.media import Fluid, Solid
from fill import fill, recorders
from simulations import relative
from wavetree.mesh import box_mesh
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.source import cartesian
from wavetree.survey.source.source import Source
from wavetree.survey.stf import Ricker

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1800.0, 2200.0)
FREQUENCY = 10.0
ORDER = {2: 4, 3: 6}
# Half the side of the box [m], and elements along it. Records end before its sides send anything back.
HALF = {"fluid": {2: 780.0, 3: 270.0}, "solid": {2: 1300.0, 3: 550.0}}
ELEMENTS = {"fluid": {2: 52, 3: 9}, "solid": {2: 76, 3: 14}}
PLACE = np.array([11.0, -7.0, 5.0])
# In wavelengths of the fastest wave, in directions in which no component vanishes.
OFFSETS = {
    2: np.array([[0.8, 0.6], [-1.4, 1.1], [0.3, -1.0]]),
    3: np.array([[0.5, 0.3, 0.4], [-0.55, 0.25, -0.3], [0.2, -0.6, 0.3]]),
}
FORCE = np.array([1.0, -2.0, 0.7]) * 1e9
MOMENT = np.array([[1.0, 0.3, -0.5], [0.3, -0.4, 0.2], [-0.5, 0.2, 0.6]]) * 1e12
SOURCES = {
    "fluid": ("scalar", "explosion", "scalar gradient"),
    "solid": ("force", "moment tensor"),
}
FIELDS = {
    "fluid": ("phi", "phi_t", "phi_tt", "pressure", "gradient-of-phi"),
    "solid": ("displacement", "velocity", "acceleration", "strain", "stress"),
}


def ricker(n: int) -> Callable[[np.ndarray], np.ndarray]:
    """The n-th derivative of the Ricker wavelet, itself the second of −exp(−at²)/(2a): Hermite functions."""
    root = np.pi * FREQUENCY
    coefficients = np.eye(n + 3)[n + 2] * (-root) ** (n + 2) / (-2 * root**2)
    return lambda t: hermval(root * t, coefficients) * np.exp(-((root * t) ** 2))


def places(medium: str, dim: int) -> np.ndarray:
    wavelength = {"fluid": FLUID.vp, "solid": SOLID.vp}[medium] / FREQUENCY
    return PLACE[:dim] + wavelength * OFFSETS[dim]


def source(kind: str, dim: int) -> Source:
    values = dict(zip("xyz", PLACE[:dim], strict=False))
    if kind == "scalar":
        name, values["f"] = "ScalarPoint", 2.0
    elif "gradient" in kind or kind == "force":
        name = "ScalarGradientPoint" if "gradient" in kind else "VectorPoint"
        values |= {f"f{axis}": FORCE[k] for k, axis in enumerate("xyz"[:dim])}
    else:
        name, tensor = "MomentTensorPoint", np.eye(3) * 1e12 if kind == "explosion" else MOMENT
        pairs = elastic.VOIGT[dim]
        values |= {f"m{'xyz'[i]}{'xyz'[j]}": tensor[i, j] for i, j in pairs}
    return getattr(cartesian, f"{name}{dim}D")(**values, source_time_function=Ricker(FREQUENCY))


@cache
def simulated(medium: str, kind: str, dim: int):
    """Records, and their times, in a box whose inner elements are curved."""
    half, order = HALF[medium][dim], ORDER[dim]

    def curved(points: np.ndarray) -> np.ndarray:
        bump = np.prod(np.sin(np.pi * points / half), axis=1)
        return points + 0.03 * half * bump[:, None] * np.array([1.0, -0.5, 0.7])[:dim]

    count = ELEMENTS[medium][dim]
    mesh = box_mesh([(-half, half)] * dim, [count] * dim, shape_order=2, deformation=curved)
    fill(mesh, order, {"fluid": FLUID, "solid": SOLID}[medium])
    distance = np.linalg.norm(places(medium, dim) - PLACE[:dim], axis=1).max()
    slowest = {"fluid": FLUID.vp, "solid": SOLID.vs}[medium]
    end = distance / slowest + 0.5 / FREQUENCY
    receivers = recorders(places(medium, dim), *FIELDS[medium])
    span = WaveformSimulationConfiguration(end_time_in_seconds=end)
    sides = [Absorbing(list(mesh.side_sets))]
    simulation = Simulation(mesh, [source(kind, dim)], receivers, span, sides)
    return simulation.run().data, simulation.time_axis.times


def fluid_solution(field: str, kind: str, dim: int, times: np.ndarray) -> np.ndarray:
    function, n = {
        "phi": (acoustic.potential, 0),
        "phi_t": (acoustic.potential, 1),
        "phi_tt": (acoustic.potential, 2),
        "pressure": (acoustic.pressure, 0),
        "gradient-of-phi": (acoustic.displacement, 0),
    }[field]
    density = FLUID.rho if field == "gradient-of-phi" else 1.0

    def of_point(f: float, at: np.ndarray) -> np.ndarray:
        return density * function(FLUID, at, f, places("fluid", dim), times, ricker(n))

    if kind != "scalar gradient":
        return of_point({"scalar": 2.0, "explosion": -1e12 / FLUID.kappa}[kind], PLACE[:dim])
    # −f·∇δ is f times the derivative by the source's place; central differences of 1e-4 wavelengths.
    step, f = 0.015, FORCE / 0.03
    places_around = [
        PLACE[:dim] + shift for shift in np.concatenate([step * np.eye(dim), -step * np.eye(dim)])
    ]
    amplitudes = np.concatenate([f[:dim], -f[:dim]])
    return sum(of_point(a, at) for a, at in zip(amplitudes, places_around, strict=True))


def solid_solution(field: str, kind: str, dim: int, times: np.ndarray) -> np.ndarray:
    by_field = {"velocity": 1, "acceleration": 2}
    quantity = "strain" if field in ("strain", "stress") else "displacement"
    function = getattr(elastic, f"{'force' if kind == 'force' else 'moment'}_{quantity}")
    amplitude = FORCE[:dim] if kind == "force" else MOMENT[:dim, :dim]
    stf = ricker(by_field.get(field, 0))
    values = function(SOLID, PLACE[:dim], amplitude, places("solid", dim), times, stf)
    if field != "stress":
        return values
    dilatation = values[:, :dim].sum(axis=1, keepdims=True)
    stress = 2 * SOLID.mu * values
    stress[:, :dim] += SOLID.lam * dilatation
    return stress


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(("medium", "kind"), [(m, kind) for m, kinds in SOURCES.items() for kind in kinds])
def test_records_are_the_closed_form(medium, kind, dim, record_property):
    records, times = simulated(medium, kind, dim)
    solution = {"fluid": fluid_solution, "solid": solid_solution}[medium]
    assert set(records) == set(FIELDS[medium])
    for field, found in records.items():
        expected = solution(field, kind, dim, times)
        for k, (one, exact) in enumerate(zip(found, expected, strict=True)):
            error = relative(one, exact)
            record_property(f"{field} {k}", error)
            # Sources that are derivatives of δ have more of the short waves.
            assert error < (4e-3 if kind in ("scalar", "explosion", "force") else 8e-3), (field, k)
