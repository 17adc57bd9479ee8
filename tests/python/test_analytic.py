"""Plane waves at an interface, surface waves, velocities of anisotropic solids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.signal import hilbert

from analytic import christoffel, interface
from analytic.interface import PlaneWave, boundary_matrix, scatter
from analytic.media import Fluid, Solid
from analytic.rayleigh import SurfaceWave
from differences import divergence, gradient, stress

FLUID, SOLID = Fluid(1500.0, 1000.0), Solid(3000.0, 1700.0, 2200.0)
SOFT = Solid(2400.0, 1200.0, 1900.0)  # its S waves are slower than the fluid's
TENSOR = christoffel.full_tensor(christoffel.isotropic(SOLID.vp, SOLID.vs, SOLID.rho, 2))
SLOWEST = {"fluid": FLUID.vp, "P": SOLID.vp, "SV": SOLID.vs}
SINES = (0.0, 0.2, 0.45, 0.6, 0.8, 0.9, 0.99)  # of the angle of incidence


def every_incidence():
    return [(kind, sine / SLOWEST[kind]) for kind in SLOWEST for sine in SINES]


def ricker(t: np.ndarray) -> np.ndarray:
    a = (np.pi * 10 * t) ** 2
    return (1 - 2 * a) * np.exp(-a)


# -- interface ---------------------------------------------------------------------------------


def test_normal_incidence():
    """Impedances Z: reflection (Z₂ − Z₁)/(Z₂ + Z₁), transmission 2Z₁/(Z₁ + Z₂)."""
    z_fluid, z_solid = FLUID.rho * FLUID.vp, SOLID.rho * SOLID.vp
    _, fluid, p, sv = scatter(FLUID, SOLID, 0.0, "fluid")
    assert fluid.amplitude == pytest.approx((z_solid - z_fluid) / (z_solid + z_fluid))
    assert p.amplitude == pytest.approx(2 * z_fluid / (z_solid + z_fluid))
    assert abs(sv.amplitude) < 1e-14
    _, fluid, p, _ = scatter(FLUID, SOLID, 0.0, "P")
    assert p.amplitude == pytest.approx((z_fluid - z_solid) / (z_solid + z_fluid))
    assert fluid.amplitude == pytest.approx(2 * z_solid / (z_solid + z_fluid))


@pytest.mark.parametrize("solid", [SOLID, SOFT])
@pytest.mark.parametrize("sine", SINES)
def test_reflection_is_the_closed_form(sine, solid):
    """Z = ρv/cos θ, φ the angle of SV: R = (Zₚ cos² 2φ + Zₛ sin² 2φ − Z)/(Zₚ cos² 2φ + Zₛ sin² 2φ + Z)
    (Brekhovskikh 1960, §4), complex beyond critical angles."""
    p = sine / FLUID.vp
    cos_f, cos_p, cos_s = (np.sqrt(complex(1 - (v * p) ** 2)).conj() for v in (FLUID.vp, solid.vp, solid.vs))
    double_sine, double_cosine = 2 * solid.vs * p * cos_s, 1 - 2 * (solid.vs * p) ** 2
    z = FLUID.rho * FLUID.vp / cos_f
    total = solid.rho * (solid.vp / cos_p * double_cosine**2 + solid.vs / cos_s * double_sine**2)
    assert scatter(FLUID, solid, p, "fluid")[1].amplitude == pytest.approx(
        (total - z) / (total + z), rel=1e-12
    )


@pytest.mark.parametrize(("incident", "p"), every_incidence())
def test_energy_flux_is_conserved(incident, p):
    first, *outgoing = scatter(FLUID, SOLID, p, incident)
    into = abs(first.flux)
    assert sum(abs(wave.flux) for wave in outgoing) == pytest.approx(into, rel=1e-12)
    assert outgoing[0].flux >= 0 >= max(outgoing[1].flux, outgoing[2].flux) - 1e-12 * into
    assert first.flux < 0 if incident == "fluid" else first.flux > 0


def test_everything_is_reflected_beyond_the_last_critical_angle():
    assert abs(scatter(FLUID, SOLID, 0.87 / FLUID.vp, "fluid")[1].amplitude) < 0.99
    assert abs(scatter(FLUID, SOLID, 0.9 / FLUID.vp, "fluid")[1].amplitude) == pytest.approx(1.0)


@pytest.mark.parametrize("p", [0.1 / 1700, 0.5 / 1700])
def test_transmission_is_reciprocal(p):
    """Amplitudes of unit flux are the same in both directions."""
    for kind, index in (("P", 2), ("SV", 3)):
        down = scatter(FLUID, SOLID, p, "fluid")
        up = scatter(FLUID, SOLID, p, kind)
        there = abs(down[index].flux / down[0].flux)
        assert there == pytest.approx(abs(up[1].flux / up[0].flux), rel=1e-12)


@pytest.mark.parametrize(("incident", "p"), every_incidence())
def test_fields_meet_at_the_interface(incident, p):
    """u_y = φ_y/ρ, σ_yy = φ_tt and σ_xy = 0 at y = 0, with stresses by differences of the harmonic fields."""
    omega, step = 2 * np.pi * 10, 2.0
    waves = scatter(FLUID, SOLID, p, incident)

    def harmonic(wave: PlaneWave, x: np.ndarray) -> np.ndarray:
        return wave.amplitude * np.exp(-1j * omega * (x @ wave.slowness))[:, None]

    def u(x: np.ndarray) -> np.ndarray:
        return sum(harmonic(w, x) * w.polarization for w in waves if w.medium is SOLID)

    def phi(x: np.ndarray) -> np.ndarray:
        scale = 1j * FLUID.rho * FLUID.vp / omega
        return sum(scale * harmonic(w, x)[:, 0] for w in waves if w.medium is FLUID)

    x = np.array([[0.0, 0.0], [37.0, 0.0]])
    sigma, size = stress(u, TENSOR, step)(x), SOLID.rho * SOLID.vp * omega
    np.testing.assert_allclose(u(x)[:, 1], gradient(phi, step)(x)[:, 1] / FLUID.rho, atol=1e-8)
    np.testing.assert_allclose(sigma[:, 1, 1] / size, -(omega**2) * phi(x) / size, atol=1e-8)
    np.testing.assert_allclose(sigma[:, 0, 1] / size, 0.0, atol=1e-8)
    motion = divergence(stress(u, TENSOR, step), step)(x) + SOLID.rho * omega**2 * u(x)
    np.testing.assert_allclose(motion / (size * omega / SOLID.vs), 0.0, atol=1e-8)
    k2 = (omega / FLUID.vp) ** 2
    wave = divergence(gradient(phi, step), step)(x) + k2 * phi(x)
    np.testing.assert_allclose(wave / k2 * omega / (FLUID.rho * FLUID.vp), 0.0, atol=1e-8)


def test_waves_in_time_are_delayed_copies_below_the_critical_angle():
    p, times = 0.3 / FLUID.vp, np.linspace(-0.4, 0.4, 801)
    waves = scatter(FLUID, SOLID, p, "fluid")
    for point in ((30.0, 80.0), (-20.0, -60.0)):
        medium = FLUID if point[1] >= 0 else SOLID
        own = [w for w in waves if w.medium is medium]
        delayed = [np.outer(w.polarization, ricker(times - (w.slowness @ point).real)) for w in own]
        expected = sum(w.amplitude.real * records.real for w, records in zip(own, delayed, strict=True))
        found = interface.displacement(waves, np.array([point]), times, ricker)[0]
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("sine", [0.3, 0.7, 0.95])
def test_waves_in_time_meet_and_keep_their_energy(sine):
    times, step = np.linspace(-0.4, 0.4, 801), 2.0
    waves = scatter(FLUID, SOLID, sine / FLUID.vp, "fluid")
    above, below = (
        interface.displacement(waves, np.array([[25.0, y]]), times, ricker)[0] for y in (0.0, -1e-9)
    )
    np.testing.assert_allclose(above[1], below[1], atol=1e-9)
    slope = gradient(lambda x: interface.potential(waves, x, times, ricker)[:, 0], step)(
        np.array([[25.0, 90.0]])
    )
    displacement = interface.displacement(waves, np.array([[25.0, 90.0]]), times, ricker)[0]
    np.testing.assert_allclose(slope[0].T / FLUID.rho, displacement, atol=1e-7)
    if sine == 0.95:
        reflected = interface.displacement(waves[1:2], np.array([[0.0, 0.0]]), times, ricker)[0]
        long = np.linspace(-16.0, 16.0, 32001)
        turned = np.real(waves[1].amplitude * hilbert(ricker(long)))[15600:16401]
        np.testing.assert_allclose(reflected, np.outer(waves[1].polarization.real, turned), atol=1e-5)
        assert np.sum(reflected**2) == pytest.approx(np.sum(ricker(times) ** 2), rel=1e-4)


def test_points_and_slownesses_out_of_range_are_refused():
    with pytest.raises(ValueError, match="not below the slowness"):
        scatter(FLUID, SOLID, 1.01 / FLUID.vp, "fluid")
    with pytest.raises(ValueError, match="in the solid"):
        interface.potential(
            scatter(FLUID, SOLID, 0.0, "fluid"), np.array([[0.0, -1.0]]), np.arange(3.0), ricker
        )


# -- surface waves -----------------------------------------------------------------------------


def test_rayleigh_speed_of_a_poisson_solid():
    """c² = (2 − 2/√3) vₛ² for λ = μ (Rayleigh 1885)."""
    wave = SurfaceWave(Solid(np.sqrt(3.0), 1.0, 1.0))
    assert wave.speed == pytest.approx(np.sqrt(2 - 2 / np.sqrt(3)), rel=1e-11)


def test_rayleigh_wave_of_an_incompressible_solid():
    """c = 0.9553 vₛ (Rayleigh 1885)."""
    assert SurfaceWave(Solid(1e4, 1.0, 1.0)).speed == pytest.approx(0.9553, abs=1e-4)


@pytest.mark.parametrize("fluid", [None, FLUID])
@pytest.mark.parametrize("solid", [SOLID, SOFT])
def test_surface_waves_meet_their_conditions(solid, fluid):
    wave, k, step = SurfaceWave(solid, fluid), 2 * np.pi / 100, 1.0
    tensor = christoffel.full_tensor(christoffel.isotropic(solid.vp, solid.vs, solid.rho, 2))
    omega, t = k * wave.speed, 0.03

    def u(x: np.ndarray) -> np.ndarray:
        return wave.displacement(k, x, t)

    inside = np.array([[5.0, -20.0], [33.0, -70.0], [60.0, -8.0]])
    motion = divergence(stress(u, tensor, step), step)(inside) / (solid.rho * omega**2)
    np.testing.assert_allclose(motion / k, -u(inside) / k, atol=1e-8)
    x = np.array([[0.0, 0.0], [12.0, 0.0], [31.0, 0.0]])
    sigma = stress(u, tensor, step)(x) / (solid.mu * k**2)
    np.testing.assert_allclose(sigma[:, 0, 1], 0.0, atol=1e-8)
    if not fluid:
        np.testing.assert_allclose(sigma[:, 1, 1], 0.0, atol=1e-8)
        return

    def phi(x: np.ndarray) -> np.ndarray:
        return wave.potential(k, x, t)

    np.testing.assert_allclose(sigma[:, 1, 1], -(omega**2) * phi(x) / (solid.mu * k**2), atol=1e-8)
    np.testing.assert_allclose(gradient(phi, step)(x)[:, 1] / fluid.rho / k, u(x)[:, 1] / k, atol=1e-8)
    residual = divergence(gradient(phi, step), step)(-inside) + (omega / fluid.vp) ** 2 * phi(-inside)
    np.testing.assert_allclose(residual / k**2 / np.abs(phi(x)).max(), 0.0, atol=1e-8)


@pytest.mark.parametrize("solid", [SOLID, SOFT])
def test_scholte_wave(solid):
    speed = SurfaceWave(solid, FLUID).speed
    assert speed < min(FLUID.vp, SurfaceWave(solid).speed)
    at, near = (np.linalg.svd(boundary_matrix(FLUID, solid, p))[1][-1] for p in (1 / speed, 1.01 / speed))
    assert at < 1e-9 * near
    fast = Fluid(5000.0, 1e-6)
    assert SurfaceWave(solid, fast).speed == pytest.approx(SurfaceWave(solid).speed, rel=1e-8)


# -- anisotropic solids ------------------------------------------------------------------------

VTI = (2850.0, 3400.0, 1550.0, 1700.0, 0.8)
RHO = 2300.0
RNG = np.random.default_rng(4)
ANGLES = np.linspace(0.05, 1.5, 9)


def triclinic() -> np.ndarray:
    noise = RNG.standard_normal((6, 6)) * 1e9
    return christoffel.hexagonal(VTI, RHO, 3) + (noise + noise.T)


def units(angle) -> np.ndarray:
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def test_full_tensor_has_the_voigt_entries():
    matrix = triclinic()
    tensor = christoffel.full_tensor(matrix)
    assert tensor[0, 0, 1, 2] == tensor[0, 0, 2, 1] == tensor[2, 1, 0, 0] == matrix[0, 3]
    assert tensor[2, 0, 0, 1] == matrix[4, 5] and tensor[2, 2, 1, 1] == matrix[1, 2]
    assert christoffel.full_tensor(matrix[:3, :3])[0, 1, 1, 0] == matrix[2, 2]


@pytest.mark.parametrize("dim", [2, 3])
def test_isotropic_velocities(dim):
    normals = RNG.standard_normal((6, dim))
    velocities, polarizations = christoffel.phase_velocities(
        christoffel.isotropic(3e3, 1.7e3, RHO, dim), RHO, normals
    )
    np.testing.assert_allclose(velocities, np.broadcast_to([3e3, 1.7e3, 1.7e3][:dim], (6, dim)))
    unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(np.sum(polarizations[:, 0] * unit, axis=1)), 1.0)
    group = christoffel.group_velocities(christoffel.isotropic(3e3, 1.7e3, RHO, dim), RHO, normals)
    np.testing.assert_allclose(group[:, 0], 3e3 * unit)


@pytest.mark.parametrize("dim", [2, 3])
def test_hexagonal_phase_velocities_are_the_closed_form(dim):
    """Daley & Hron 1977; Thomsen 1986, eqs. 10: 2ρv² = (A + L) s² + (C + L) c² ± √D; SH: N s² + L c²."""
    A, C, L, N = RHO * VTI[1] ** 2, RHO * VTI[0] ** 2, RHO * VTI[2] ** 2, RHO * VTI[3] ** 2
    F = VTI[4] * (A - 2 * L)
    s, c = np.sin(ANGLES), np.cos(ANGLES)
    root = np.sqrt(((A - L) * s**2 - (C - L) * c**2) ** 2 + 4 * (F + L) ** 2 * s**2 * c**2)
    total = (A + L) * s**2 + (C + L) * c**2
    expected = [np.sqrt((total + sign * root) / (2 * RHO)) for sign in (1, -1)]
    if dim == 3:
        expected.append(np.sqrt((N * s**2 + L * c**2) / RHO))
    normals = units(ANGLES) if dim == 2 else np.stack([0.6 * s, 0.8 * s, c], axis=-1)
    found, _ = christoffel.phase_velocities(christoffel.hexagonal(VTI, RHO, dim), RHO, normals)
    np.testing.assert_allclose(found, np.sort(np.array(expected), axis=0)[::-1].T, rtol=1e-12)


@pytest.mark.parametrize("mode", [0, 1])
def test_group_velocity_is_phase_velocity_and_its_derivative(mode):
    """U = v n + (dv/dθ) t (Thomsen 1986, eqs. 13 and 14)."""
    stiffness = christoffel.hexagonal(VTI, RHO, 2)

    def v(angle: np.ndarray) -> np.ndarray:
        return christoffel.phase_velocities(stiffness, RHO, units(angle[:, 0]))[0][:, mode]

    slope = gradient(v, 1e-2)(ANGLES[:, None])[:, 0]
    expected = v(ANGLES[:, None])[:, None] * units(ANGLES) + slope[:, None] * units(ANGLES + np.pi / 2)
    found = christoffel.group_velocities(stiffness, RHO, units(ANGLES))[:, mode]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("mode", [0, 1])
def test_ray_velocity_belongs_to_the_ray(mode):
    stiffness = christoffel.hexagonal(VTI, RHO, 2)
    for ray in christoffel.group_velocities(stiffness, RHO, units(ANGLES))[:, mode]:
        assert christoffel.ray_velocity(stiffness, RHO, ray, mode) == pytest.approx(
            np.linalg.norm(ray), rel=1e-10
        )
    for axis, expected in (((1, 0), (3400.0, 1550.0)), ((0, 1), (2850.0, 1550.0))):
        assert christoffel.ray_velocity(stiffness, RHO, np.array(axis), mode) == pytest.approx(expected[mode])


def test_ray_velocity_of_elliptical_anisotropy():
    """F + L = √((A − L)(C − L)): P fronts are ellipses, 1/V² = sin²/VPH² + cos²/VPV² of the ray angle."""
    A, C, L = 3e10, 2e10, 5e9
    stiffness = np.array([[A, 0, 0], [0, C, 0], [0, 0, L]])
    stiffness[0, 1] = stiffness[1, 0] = np.sqrt((A - L) * (C - L)) - L
    for angle in ANGLES:
        expected = 1 / np.sqrt(RHO * (np.sin(angle) ** 2 / A + np.cos(angle) ** 2 / C))
        assert christoffel.ray_velocity(stiffness, RHO, units(angle)) == pytest.approx(expected, rel=1e-9)


def test_ray_velocity_in_3d_is_dual_to_the_phase_velocity():
    """V(d) = min v(n)/(n·d) over wave normals, as the slowness surface of quasi-P is convex."""
    stiffness = triclinic()
    for ray in RNG.standard_normal((4, 3)):
        ray /= np.linalg.norm(ray)

        def ratio(n: np.ndarray, ray: np.ndarray = ray) -> float:
            return (
                christoffel.phase_velocities(stiffness, RHO, n[None])[0][0, 0] * np.linalg.norm(n) / (n @ ray)
            )

        expected = minimize(ratio, ray, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-8}).fun
        assert christoffel.ray_velocity(stiffness, RHO, ray) == pytest.approx(expected, rel=1e-8)
        assert expected < christoffel.phase_velocities(stiffness, RHO, ray[None])[0][0, 0]


def test_a_triplication_is_refused():
    stiffness = np.array([[3e10, 1.2e10, 0], [1.2e10, 2.5e10, 0], [0, 0, 4e9]])
    with pytest.raises(ValueError, match="mode 1 has 3 arrivals"):
        christoffel.ray_velocity(stiffness, RHO, units(0.8), 1)
    assert christoffel.ray_velocity(stiffness, RHO, units(0.8), 0) > 0
