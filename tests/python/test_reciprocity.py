"""Source and receiver change places: forces, moments, scalar sources, and across an interface."""

from __future__ import annotations

import numpy as np
import pytest

from analytic import christoffel
from analytic.elastic import VOIGT
from analytic.media import Fluid, Solid
from fill import Anisotropic, fill, recorders
from meshes import make_mesh
from simulations import relative
from wavetree.mesh import Mesh
from wavetree.simulation.boundary import Absorbing, FreeSurface
from wavetree.simulation.configuration import WaveformSimulationConfiguration
from wavetree.simulation.simulation import Simulation
from wavetree.survey.source import cartesian
from wavetree.survey.source.source import Source
from wavetree.survey.stf import Ricker

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1800.0, 2200.0)
ORDER, WAVELET = 4, Ricker(2000.0)
BELOW, ABOVE = np.array([0.31, 0.27, 0.22]), np.array([0.62, 0.55, 0.83])
FORCES = np.array([[1.0, -0.4, 0.7], [-0.3, 0.8, 0.5]])
TENSORS = np.array(
    [
        [[1.0, 0.3, -0.5], [0.3, -0.4, 0.2], [-0.5, 0.2, 0.6]],
        [[-0.2, 0.9, 0.4], [0.9, 0.5, -0.1], [0.4, -0.1, 0.7]],
    ]
)
CONDITIONS = {"natural": [], "absorbing": [Absorbing(["x0", "y0"]), FreeSurface(["y1"])]}
CASES = [
    pytest.mark.parametrize("dim", [2, 3]),
    pytest.mark.parametrize("filters", [False, True]),
    pytest.mark.parametrize("boundary", CONDITIONS),
]


def in_all_cases(function):
    for mark in CASES:
        function = mark(function)
    return function


def curved(dim: int) -> Mesh:
    return make_mesh("sinusoidal", dim, 2, 3, np.random.default_rng(dim))


def source(kind: str, place: np.ndarray, values: object, dim: int) -> Source:
    """A "Scalar", "ScalarGradient", "Vector" or "MomentTensor" source at the first coordinates of a place."""
    arguments = dict(zip("xyz", place[:dim], strict=False))
    axes = "xyz"[:dim]
    if kind == "Scalar":
        arguments["f"] = values
    elif kind == "MomentTensor":
        arguments |= {f"m{axes[i]}{axes[j]}": values[i, j] for i, j in VOIGT[dim]}
    else:
        arguments |= {f"f{axis}": values[k] for k, axis in enumerate(axes)}
    return getattr(cartesian, f"{kind}Point{dim}D")(**arguments, source_time_function=WAVELET)


def record(mesh: Mesh, start: Source, place: np.ndarray, field: str, conditions: tuple) -> np.ndarray:
    """Record of a field at a place, (n_components, n_samples)."""
    boundary, filters = conditions
    span = WaveformSimulationConfiguration(
        end_time_in_seconds=1.5e-3, precision="float64", temporal_dispersion_correction=filters
    )
    receivers = recorders([place[: mesh.dim]], field)
    return Simulation(mesh, [start], receivers, span, CONDITIONS[boundary]).run().data[field][0]


def contracted(strain: np.ndarray, tensor: np.ndarray) -> np.ndarray:
    """M:ε of strains in Voigt order."""
    pairs = VOIGT[{3: 2, 6: 3}[len(strain)]]
    return sum((1 if i == j else 2) * tensor[i, j] * row for (i, j), row in zip(pairs, strain, strict=True))


@in_all_cases
def test_scalar_sources(boundary, filters, dim):
    mesh, case = fill(curved(dim), ORDER, FLUID), (boundary, filters)
    there = record(mesh, source("Scalar", BELOW, 2.0, dim), ABOVE, "phi", case)
    back = record(mesh, source("Scalar", ABOVE, 2.0, dim), BELOW, "phi", case)
    assert relative(back, there) < 1e-12
    # The field of f·∇w is that which f·∇φ records.
    slope = record(mesh, source("Scalar", BELOW, 2.0, dim), ABOVE, "gradient-of-phi", case)
    back = record(mesh, source("ScalarGradient", ABOVE, 2.0 * FORCES[0], dim), BELOW, "phi", case)
    assert relative(back[0], FORCES[0, :dim] @ slope) < 1e-12


@in_all_cases
@pytest.mark.parametrize("anisotropic", [False, True])
def test_forces_and_moments(anisotropic, boundary, filters, dim):
    velocities = (3000.0, 3300.0, 1700.0, 1850.0, 0.95)
    solid = Anisotropic(christoffel.hexagonal(velocities, 2300.0, dim), 2300.0) if anisotropic else SOLID
    mesh, case = fill(curved(dim), ORDER, solid), (boundary, filters)
    forces, tensors = FORCES[:, :dim], TENSORS[:, :dim, :dim]
    force_below, force_above = (
        source("Vector", at, f, dim) for at, f in ((BELOW, forces[0]), (ABOVE, forces[1]))
    )
    moment_below = source("MomentTensor", BELOW, tensors[0], dim)
    moment_above = source("MomentTensor", ABOVE, tensors[1], dim)

    there = forces[1] @ record(mesh, force_below, ABOVE, "displacement", case)
    back = forces[0] @ record(mesh, force_above, BELOW, "displacement", case)
    assert relative(back, there) < 1e-12
    there = contracted(record(mesh, force_below, ABOVE, "strain", case), tensors[1])
    back = forces[0] @ record(mesh, moment_above, BELOW, "displacement", case)
    assert relative(back, there) < 1e-12
    there = contracted(record(mesh, moment_below, ABOVE, "strain", case), tensors[1])
    back = contracted(record(mesh, moment_above, BELOW, "strain", case), tensors[0])
    assert relative(back, there) < 1e-12


@in_all_cases
def test_across_an_interface(boundary, filters, dim):
    # (K_f − ω²M_f) φ + Bᵀu = f and (K_s − ω²M_s) u + ω²B φ = F are symmetric with the first times ω²: φ by a
    # force is u by f, times 1/ω². So the force's pressure, ω²φ, is the displacement by the scalar source; and
    # central differences, with their own ω², keep that.
    mesh, case = curved(dim), (boundary, filters)
    fill(mesh, ORDER, SOLID, FLUID, mesh.get_element_centroid()[:, -1] > 0.5)
    force, tensor = FORCES[0, :dim], TENSORS[0, :dim, :dim]
    scalar = source("Scalar", ABOVE, 1.0, dim)
    by_force = source("Vector", BELOW, force, dim)

    there = force @ record(mesh, scalar, BELOW, "displacement", case)
    back = record(mesh, by_force, ABOVE, "pressure", case)[0]
    assert relative(back, there) < 1e-12
    there = contracted(record(mesh, scalar, BELOW, "strain", case), tensor)
    back = record(mesh, source("MomentTensor", BELOW, tensor, dim), ABOVE, "pressure", case)[0]
    assert relative(back, there) < 1e-12
    # An explosion of unit moment is a scalar source of −1/κ.
    explosion = source("MomentTensor", ABOVE, np.eye(dim), dim)
    there = -force @ record(mesh, explosion, BELOW, "displacement", case) * FLUID.kappa
    assert relative(record(mesh, by_force, ABOVE, "pressure", case)[0], there) < 1e-12
