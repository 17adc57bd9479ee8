"""Point sources in full and half-spaces: closed forms, equations of motion, limits, reciprocity."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf

from analytic import acoustic, elastic
from analytic.christoffel import full_tensor, isotropic
from analytic.media import Fluid, Solid
from differences import divergence, gradient

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1700.0, 2200.0)
FREQUENCY = 10.0
TIMES = np.linspace(-0.14, 0.5, 400)
STEP = 4.0  # of differences in space [m]; the shortest wavelength at the centre frequency is 150 m
SOURCE = np.array([10.0, -20.0, 5.0])
RECEIVERS = np.array([[210.0, 90.0, 35.0], [-140.0, -20.0, 80.0], [60.0, -250.0, -45.0]])
FORCE = np.array([1.0, -2.0, 0.5]) * 1e9
MOMENT = np.array([[1.0, 0.3, -0.5], [0.3, -0.4, 0.2], [-0.5, 0.2, 0.6]]) * 1e12
DIMENSIONS = pytest.mark.parametrize("dim", [2, 3])


def ricker(t: np.ndarray) -> np.ndarray:
    a = (np.pi * FREQUENCY * t) ** 2
    return (1 - 2 * a) * np.exp(-a)


def ricker_t(t: np.ndarray) -> np.ndarray:
    a = (np.pi * FREQUENCY) ** 2
    return (4 * a**2 * t**3 - 6 * a * t) * np.exp(-a * t**2)


def ricker_tt(t: np.ndarray) -> np.ndarray:
    a = (np.pi * FREQUENCY) ** 2
    return (-8 * a**3 * t**4 + 24 * a**2 * t**2 - 6 * a) * np.exp(-a * t**2)


def step(t: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * erf(np.pi * FREQUENCY * t)


def at(dim: int) -> tuple[np.ndarray, np.ndarray]:
    return SOURCE[:dim], RECEIVERS[:, :dim]


def assert_equal(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(
        found / np.abs(expected).max(), expected / np.abs(expected).max(), atol=tolerance
    )


# -- fluid -------------------------------------------------------------------------------------


def closed_form(stf, dim: int) -> np.ndarray:
    """φ: ρ s(t − r/c)/(4πr), or ρ/(2π) ∫ s(t − r/c cosh q) dq (Morse & Feshbach 1953, eq. 7.3.15)."""
    location, receivers = at(dim)
    r = np.linalg.norm(receivers - location, axis=1)[:, None]
    if dim == 3:
        return (FLUID.rho * stf(TIMES - r / FLUID.vp) / (4 * np.pi * r))[:, None]
    delay = r / FLUID.vp
    reach = np.arccosh(np.maximum(1.0, (TIMES + 0.5) / delay))[..., None]
    nodes, weights = np.polynomial.legendre.leggauss(300)
    values = stf(TIMES[:, None] - delay[..., None] * np.cosh(0.5 * reach * (nodes + 1)))
    return (FLUID.rho / (4 * np.pi) * reach[..., 0] * (values @ weights))[:, None]


@DIMENSIONS
@pytest.mark.parametrize("stf", [ricker, step])
def test_potential_is_the_closed_form(dim, stf):
    found = acoustic.potential(FLUID, at(dim)[0], 2.0, at(dim)[1], TIMES, stf)
    assert_equal(found, 2.0 * closed_form(stf, dim), 1e-9)


@DIMENSIONS
def test_pressure_is_the_closed_form(dim):
    assert_equal(
        acoustic.pressure(FLUID, *at(dim)[:1], 1.0, at(dim)[1], TIMES, ricker),
        -closed_form(ricker_tt, dim),
        1e-7,
    )


@DIMENSIONS
def test_fluid_displacement_is_the_gradient_of_the_potential(dim):
    location, receivers = at(dim)
    slope = gradient(lambda x: acoustic.potential(FLUID, location, 1.0, x, TIMES, ricker)[:, 0], STEP)(
        receivers
    )
    found = acoustic.displacement(FLUID, location, 1.0, receivers, TIMES, ricker)
    assert_equal(found, np.moveaxis(slope, -1, 1) / FLUID.rho, 1e-7)


@DIMENSIONS
def test_half_space(dim):
    location = at(dim)[0]
    surface = np.array(at(dim)[1])
    surface[:, 1] = 130.0
    free = acoustic.half_space(acoustic.potential, 1, 130.0)(FLUID, location, 1.0, surface, TIMES, ricker)
    direct = acoustic.potential(FLUID, location, 1.0, surface, TIMES, ricker)
    assert np.abs(free).max() < 1e-12 * np.abs(direct).max()
    rigid = acoustic.half_space(acoustic.displacement, 1, 130.0, "rigid")
    motion = rigid(FLUID, location, 1.0, surface, TIMES, ricker)
    assert np.abs(motion[:, 1]).max() < 1e-12 * np.abs(motion[:, 0]).max()


# -- solid -------------------------------------------------------------------------------------


def stokes_force(receivers: np.ndarray, stf) -> np.ndarray:
    """u of FORCE at SOURCE in time (Aki & Richards 2002, eq. 4.23)."""
    x = receivers - SOURCE
    r = np.linalg.norm(x, axis=1)[:, None, None]
    g = x[:, :, None] / r
    along = g * np.einsum("i,nij->nj", FORCE, g)[:, None]
    force = FORCE[None, :, None]
    alpha, beta = SOLID.vp, SOLID.vs
    near = (3 * along - force) / r**3 * integral(r, stf)
    far = along * stf(TIMES - r / alpha) / (alpha**2 * r) + (force - along) * stf(TIMES - r / beta) / (
        beta**2 * r
    )
    return (near + far) / (4 * np.pi * SOLID.rho)


def stokes_moment(receivers: np.ndarray, stf, stf_t) -> np.ndarray:
    """u of MOMENT at SOURCE in time (Aki & Richards 2002, eq. 4.29)."""
    x = receivers - SOURCE
    r = np.linalg.norm(x, axis=1)[:, None, None]
    g = x[:, :, None] / r
    ggg = g * np.einsum("nit,ij,njt->nt", g, MOMENT, g)[:, None]  # γₙ γₚ γ_q M_pq
    mg = np.einsum("ij,njt->nit", MOMENT, g)
    trace = g * np.trace(MOMENT)
    alpha, beta = SOLID.vp, SOLID.vs
    at_p, at_s = TIMES - r / alpha, TIMES - r / beta
    near = (15 * ggg - 3 * trace - 6 * mg) / r**4 * integral(r, stf)
    middle = (6 * ggg - trace - 2 * mg) / (alpha * r) ** 2 * stf(at_p)
    middle = middle - (6 * ggg - trace - 3 * mg) / (beta * r) ** 2 * stf(at_s)
    far = ggg / (alpha**3 * r) * stf_t(at_p) - (ggg - mg) / (beta**3 * r) * stf_t(at_s)
    return (near + middle + far) / (4 * np.pi * SOLID.rho)


def integral(r: np.ndarray, stf) -> np.ndarray:
    """∫ τ s(t − τ) dτ from r/vₚ to r/vₛ."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    low, high = r[..., None] / SOLID.vp, r[..., None] / SOLID.vs
    tau = 0.5 * (high - low) * nodes + 0.5 * (high + low)
    return 0.5 * (high - low)[..., 0] * ((tau * stf(TIMES[:, None] - tau)) @ weights)


@pytest.mark.parametrize("stf", [ricker, step])
def test_force_is_the_closed_form(stf):
    found = elastic.force_displacement(SOLID, SOURCE, FORCE, RECEIVERS, TIMES, stf)
    assert_equal(found, stokes_force(RECEIVERS, stf), 1e-8)


def test_moment_is_the_closed_form():
    found = elastic.moment_displacement(SOLID, SOURCE, MOMENT, RECEIVERS, TIMES, ricker)
    assert_equal(found, stokes_moment(RECEIVERS, ricker, ricker_t), 1e-8)


def test_a_line_source_is_the_integral_over_point_sources():
    z = 6.0 * np.arange(-340, 341)  # waves from its ends come after the records
    receiver = RECEIVERS[0, :2]
    points = np.column_stack([np.broadcast_to(receiver, (z.size, 2)), SOURCE[2] + z])
    expected = 6.0 * stokes_force(points, ricker).sum(axis=0)[:2]
    found = elastic.force_displacement(SOLID, SOURCE[:2], FORCE[:2], receiver[None], TIMES, ricker)[0]
    assert_equal(found, expected, 1e-8)


@DIMENSIONS
def test_a_moment_is_the_sum_of_couples(dim):
    """−∂ₖδ(x − ξ) = ∂δ(x − ξ)/∂ξₖ: the force M_jk along j, differentiated by the source's place along k."""
    location, receivers = at(dim)
    moment = MOMENT[:dim, :dim]

    def forces(x: np.ndarray) -> np.ndarray:
        by_column = [
            elastic.force_displacement(SOLID, x[0], column, receivers, TIMES, ricker) for column in moment.T
        ]
        return np.stack(by_column, axis=-1)[None]

    couples = np.trace(gradient(forces, STEP)(location[None])[0], axis1=-2, axis2=-1)
    assert_equal(
        elastic.moment_displacement(SOLID, location, moment, receivers, TIMES, ricker), couples, 1e-7
    )


@DIMENSIONS
@pytest.mark.parametrize("kind", ["force", "moment"])
def test_solid_motion(dim, kind):
    """ρ u_tt = ∇·σ away from the source, and strain is the symmetric gradient."""
    location, receivers = at(dim)
    strength = FORCE[:dim] if kind == "force" else MOMENT[:dim, :dim]
    displacement = getattr(elastic, f"{kind}_displacement")

    def u(x: np.ndarray) -> np.ndarray:
        return np.moveaxis(displacement(SOLID, location, strength, x, TIMES, ricker), 1, -1)

    def at_times(x: np.ndarray) -> np.ndarray:  # (n, n_times, dim, dim), the derivative last
        return gradient(u, STEP)(x)

    tensor = full_tensor(isotropic(SOLID.vp, SOLID.vs, SOLID.rho, dim))
    force = divergence(lambda x: np.einsum("ijkl,ntkl->ntij", tensor, at_times(x)), STEP)(receivers[:1])
    inertia = SOLID.rho * displacement(SOLID, location, strength, receivers[:1], TIMES, ricker_tt)
    assert_equal(np.moveaxis(force, -1, 1), inertia, 3e-6)
    slopes = at_times(receivers)
    strain = np.stack([0.5 * (slopes[..., i, j] + slopes[..., j, i]) for i, j in elastic.VOIGT[dim]], axis=1)
    found = getattr(elastic, f"{kind}_strain")(SOLID, location, strength, receivers, TIMES, ricker)
    assert_equal(found, strain, 1e-6)


@DIMENSIONS
def test_an_explosion_is_a_scalar_source(dim):
    """An isotropic moment M makes P waves alone, those of f = −M/(ρvₚ²) in a fluid of the same vₚ and ρ."""
    location, receivers = at(dim)
    found = elastic.moment_displacement(SOLID, location, 3e10 * np.eye(dim), receivers, TIMES, ricker)
    fluid = Fluid(SOLID.vp, SOLID.rho)
    assert_equal(
        found, acoustic.displacement(fluid, location, -3e10 / fluid.kappa, receivers, TIMES, ricker), 1e-9
    )


def test_force_that_stays_on_ends_in_the_static_solution():
    """u = ((3 − 4ν) F + γ γ·F)/(16πμ(1 − ν) r) (Kelvin 1848; Love 1927, §130)."""
    found = elastic.force_displacement(SOLID, SOURCE, FORCE, RECEIVERS, TIMES, step)[..., -1]
    nu = SOLID.lam / (2 * (SOLID.lam + SOLID.mu))
    x = RECEIVERS - SOURCE
    r = np.linalg.norm(x, axis=1, keepdims=True)
    static = ((3 - 4 * nu) * FORCE + x * (x @ FORCE)[:, None] / r**2) / (16 * np.pi * SOLID.mu * (1 - nu) * r)
    assert_equal(found, static, 1e-8)


@DIMENSIONS
def test_reciprocity(dim):
    a, b = SOURCE[:dim], RECEIVERS[0, :dim]
    one, other = np.eye(dim)[0], FORCE[:dim]
    there = elastic.force_displacement(SOLID, a, one, b[None], TIMES, ricker)[0]
    back = elastic.force_displacement(SOLID, b, other, a[None], TIMES, ricker)[0]
    assert_equal(other @ there, one @ back, 1e-12)


# -- the transform -----------------------------------------------------------------------------


def test_bad_times_and_sources_are_refused():
    location, receivers = at(2)
    with pytest.raises(ValueError, match="not evenly spaced"):
        acoustic.potential(FLUID, location, 1.0, receivers, TIMES**3, ricker)
    with pytest.raises(ValueError, match="has begun before"):
        acoustic.potential(FLUID, location, 1.0, receivers, TIMES, np.cos)
    with pytest.raises(ValueError, match="not smooth enough"):
        acoustic.potential(FLUID, location, 1.0, receivers, TIMES, lambda t: (t > 0.1234).astype(float))


def test_the_time_axis_does_not_matter():
    """A coarse axis that begins late, after the source, keeps its samples."""
    location, receivers = at(2)
    fine = acoustic.pressure(FLUID, location, 1.0, receivers, TIMES, ricker)
    coarse = acoustic.pressure(FLUID, location, 1.0, receivers, TIMES[100::7], ricker)
    assert_equal(coarse, fine[..., 100::7], 1e-7)
