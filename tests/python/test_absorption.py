"""What is left in a domain with absorbing edges of default width after the direct waves have gone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analytic.elastic import VOIGT
from analytic.media import Fluid, Solid
from analytic.rayleigh import SurfaceWave
from fill import fill, recorders
from meshes import shuffled
from wavetree.data.event_data import EventData
from wavetree.mesh import Mesh, box_mesh
from wavetree.simulation.boundary import AbsorbingBoundaryParameters
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.source import cartesian
from wavetree.survey.source.source import Source
from wavetree.survey.stf import Ricker

# Slow waves that the elements do not resolve stay behind: velocities lie close together, for few elements.
FLUID, SOLID = Fluid(2100.0, 1000.0), Solid(2700.0, 2000.0, 2200.0)
FREQUENCY = 10.0
ORDER = 6
SIZE = {2: 90.0, 3: 120.0}  # of elements [m]; the slowest wave, Scholte's, has 145 m at the centre frequency
ELEMENTS = {2: (6, 4), 3: (3, 2, 2)}  # of the domain, which is 1 to 2 of the longest wavelengths large
PLACE = np.array([0.31, 0.22, 0.37])  # of the source, in parts of the domain
FIELDS = {"fluid": ("gradient-of-phi", "pressure"), "solid": ("velocity", "strain", "stress")}


def domain(medium: str, dim: int) -> tuple[Mesh, np.ndarray]:
    """A mesh with its medium, fluid above solid if coupled, and the lengths of its sides [m]."""
    counts = ELEMENTS[dim]
    lengths = SIZE[dim] * np.array(counts)
    mesh = shuffled(box_mesh([(0.0, length) for length in lengths], counts), np.random.default_rng(dim))
    if medium == "coupled":
        above = mesh.get_element_centroid()[:, -1] > 0.5 * lengths[-1]
        return fill(mesh, ORDER, SOLID, FLUID, above), lengths
    return fill(mesh, ORDER, FLUID if medium == "fluid" else SOLID), lengths


def slowest(medium: str, free: bool) -> float:
    """Speed of the slowest wave, surface waves included [m/s]."""
    if medium == "fluid":
        return FLUID.vp
    if medium == "coupled":
        return SurfaceWave(SOLID, FLUID).speed
    return SurfaceWave(SOLID).speed if free else SOLID.vs


def source(medium: str, at: np.ndarray) -> Source:
    dim = len(at)
    place = dict(zip("xyz", at, strict=False))
    wavelet = Ricker(FREQUENCY)
    if medium == "fluid":
        return getattr(cartesian, f"ScalarPoint{dim}D")(**place, f=1.0, source_time_function=wavelet)
    force = {f"f{axis}": value for axis, value in zip(place, (1.0, -0.6, 0.8), strict=False)}
    return getattr(cartesian, f"VectorPoint{dim}D")(**place, **force, source_time_function=wavelet)


def grid(lengths: np.ndarray) -> np.ndarray:
    """Midpoints (n, dim) of equal cells, three along every element."""
    size = SIZE[len(lengths)] / 3
    axes = [size * (np.arange(round(length / size)) + 0.5) for length in lengths]
    return np.array(list(itertools.product(*axes)))


def energy(data: EventData, dim: int) -> np.ndarray:
    """Energy of the domain over time, by the midpoint rule, up to a factor: ½ρv² + ½ε:σ and ½ρv² + ½p²/κ."""
    total, dt = np.zeros(data.axis.npts), 1.0 / data.sampling_rate_in_hertz
    if "pressure" in data.data:
        velocity = np.gradient(data.data["gradient-of-phi"].astype(float), dt, axis=2) / FLUID.rho
        total += 0.5 * FLUID.rho * np.sum(velocity**2, axis=(0, 1))
        total += 0.5 * np.sum(data.data["pressure"].astype(float) ** 2, axis=(0, 1)) / FLUID.kappa
    if "velocity" in data.data:
        total += 0.5 * SOLID.rho * np.sum(data.data["velocity"].astype(float) ** 2, axis=(0, 1))
        twice = np.array([1.0 if i == j else 2.0 for i, j in VOIGT[dim]])
        total += 0.5 * np.einsum("c,rct,rct->t", twice, data.data["strain"], data.data["stress"])
    return total


# A fluid between a solid and a free surface is a wave guide, from which waves go on to come for long.
@pytest.mark.parametrize(
    ("dim", "medium", "free"),
    [
        (2, "fluid", False),
        (2, "fluid", True),
        (2, "solid", False),
        (2, "solid", True),
        (2, "coupled", False),
        pytest.param(3, "fluid", True, marks=pytest.mark.slow),
        pytest.param(3, "solid", True, marks=pytest.mark.slow),
        pytest.param(3, "coupled", False, marks=pytest.mark.slow),
    ],
)
def test_the_domain_is_empty_after_the_direct_waves(dim, medium, free, record_property):
    mesh, lengths = domain(medium, dim)
    at = PLACE[:dim] * lengths
    farthest = np.linalg.norm(np.maximum(at, lengths - at))
    left = farthest / slowest(medium, free) + 1.33 / FREQUENCY  # the wavelet ends 1.33 / f_c after its centre
    span = WaveformSimulationConfiguration(end_time_in_seconds=left + 3 / FREQUENCY)
    edges = AbsorbingBoundaryParameters(
        FLUID.vp if medium == "fluid" else SOLID.vp,
        reference_frequency=FREQUENCY,
        free_surface=[f"{'xyz'[dim - 1]}1"] if free else False,
    )
    points = grid(lengths)
    of_fluid = {"fluid": 0.0, "coupled": 0.5 * lengths[-1], "solid": np.inf}[medium] < points[:, -1]
    receivers = recorders(points[of_fluid], *FIELDS["fluid"], prefix="F")
    receivers += recorders(points[~of_fluid], *FIELDS["solid"], prefix="S")
    simulation = Simulation(mesh, [source(medium, at)], receivers, span, edges.resolve(mesh.side_sets))
    found = energy(simulation.run(), dim)
    late = simulation.time_axis.times > left + 2 / FREQUENCY
    residual = float(found[late].max() / found.max())  # and it stays so
    record_property("residual", residual)
    assert residual < 1e-4
