"""Standing waves: every one solves its equation, boundary and interface conditions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import jn_zeros, jnp_zeros

from analytic import coupled_modes, modes
from analytic.christoffel import full_tensor, hexagonal, isotropic
from analytic.media import Fluid, Solid
from differences import divergence, gradient, stress

FLUID, SOLID, SIDELESS = (
    Fluid(1500.0, 1000.0),
    Solid(3000.0, 1700.0, 2200.0),
    Solid(2000.0, 2000.0 / np.sqrt(2), 1800.0),
)
STEP = 5e-3  # of differences, for bodies of size 1 [m]
RNG = np.random.default_rng(0)


def in_box(lengths, n: int = 20) -> np.ndarray:
    return RNG.uniform(0.0, 1.0, (n, len(lengths))) * lengths


def directions(dim: int, n: int = 20) -> np.ndarray:
    x = RNG.standard_normal((n, dim))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def in_shell(dim: int, low: float, high: float, n: int = 20) -> np.ndarray:
    return directions(dim, n) * RNG.uniform(low, high, (n, 1))


def assert_fluid_motion(mode: modes.Mode, fluid: Fluid, x: np.ndarray) -> None:
    k2 = (mode.omega / fluid.vp) ** 2
    residual = divergence(gradient(mode.phi, STEP), STEP)(x) + k2 * mode.phi(x)
    np.testing.assert_allclose(residual / k2 / np.abs(mode.phi(x)).max(), 0.0, atol=1e-8)


def assert_solid_motion(mode: modes.Mode, tensor: np.ndarray, rho: float, x: np.ndarray) -> None:
    inertia = rho * mode.omega**2
    residual = divergence(stress(mode.u, tensor, STEP), STEP)(x) + inertia * mode.u(x)
    np.testing.assert_allclose(residual / inertia / np.abs(mode.u(x)).max(), 0.0, atol=1e-8)


def traction(mode: modes.Mode, tensor: np.ndarray, x: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return σ·n over the largest stress that the mode's displacement can make."""
    sigma = stress(mode.u, tensor, STEP)(x)
    scale = np.sqrt(tensor.max() * RHO_MAX) * mode.omega * np.abs(mode.u(x)).max()
    return np.einsum("nij,nj->ni", sigma, np.broadcast_to(normal, x.shape)) / scale


RHO_MAX = 2200.0


def solid_tensor(solid: Solid, dim: int) -> np.ndarray:
    return full_tensor(isotropic(solid.vp, solid.vs, solid.rho, dim))


def box_faces(lengths):
    for axis in range(len(lengths)):
        for side in (0.0, lengths[axis]):
            x = in_box(lengths)
            x[:, axis] = side
            yield x, np.eye(len(lengths))[axis]


# -- fluids ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", ["rigid", "free"])
@pytest.mark.parametrize("counts", [(2, 1), (1, 2, 1)])
def test_acoustic_box(counts, sides):
    lengths = np.array([1.0, 0.7, 1.3])[: len(counts)]
    mode = modes.acoustic_box(FLUID, lengths, counts, sides)
    assert mode.omega == pytest.approx(1500 * np.pi * np.sqrt(np.sum((np.array(counts) / lengths) ** 2)))
    assert_fluid_motion(mode, FLUID, in_box(lengths))
    for x, normal in box_faces(lengths):
        value = gradient(mode.phi, STEP)(x) @ normal if sides == "rigid" else mode.phi(x)
        np.testing.assert_allclose(value, 0.0, atol=1e-9)


@pytest.mark.parametrize("surface", ["rigid", "free"])
@pytest.mark.parametrize(
    ("dim", "degree", "n"), [(2, 0, 2), (2, 3, 1), (3, 0, 1), (3, 1, 1), (3, 2, 2), (3, 3, 1)]
)
def test_acoustic_disc_and_ball(dim, degree, n, surface):
    make = modes.acoustic_disc if dim == 2 else modes.acoustic_ball
    mode = make(FLUID, 0.9, degree, n, surface)
    if dim == 2:
        zeros = jn_zeros(degree, n) if surface == "free" else jnp_zeros(degree, n)
        assert mode.omega * 0.9 / 1500 == pytest.approx(zeros[-1], rel=1e-12)
    assert_fluid_motion(mode, FLUID, in_shell(dim, 0.0, 0.9))
    normal = directions(dim)
    x = 0.9 * normal
    value = np.einsum("ni,ni->n", gradient(mode.phi, STEP)(x), normal) if surface == "rigid" else mode.phi(x)
    scale = np.abs(mode.phi(in_shell(dim, 0.0, 0.9, 200))).max()
    np.testing.assert_allclose(value / scale, 0.0, atol=1e-9)
    assert np.isfinite(mode.phi(np.zeros((1, dim)))).all()


# -- solids ------------------------------------------------------------------------------------

ORTHOTROPIC = np.array([[20e9, 5e9, 0], [5e9, 12e9, 0], [0, 0, 3e9]])
LAME = {
    "isotropic 2-D": (isotropic(3000.0, 1700.0, 2200.0, 2), (1, 2)),
    "isotropic 3-D": (isotropic(3000.0, 1700.0, 2200.0, 3), (1, 1)),
    "orthotropic 2-D": (ORTHOTROPIC, (2, 1)),
    "hexagonal 3-D": (hexagonal((2800.0, 3200.0, 1500.0, 1700.0, 0.9), 2200.0, 3), (2, 2)),
}


@pytest.mark.parametrize("name", LAME)
def test_lame_box_is_free_on_all_sides(name):
    stiffness, counts = LAME[name]
    mode, height = modes.lame_box(stiffness, 2200.0, 1.0, counts)
    lengths = np.array([1.0, height, 0.6][: {3: 2, 6: 3}[len(stiffness)]])
    tensor = full_tensor(stiffness)
    assert_solid_motion(mode, tensor, 2200.0, in_box(lengths))
    for x, normal in box_faces(lengths):
        np.testing.assert_allclose(traction(mode, tensor, x, normal), 0.0, atol=1e-9)
    if "orthotropic" not in name:
        assert height == pytest.approx(counts[1] / counts[0])
        assert mode.omega == pytest.approx(np.sqrt(2) * 1700 * counts[0] * np.pi)


def test_lame_box_refuses_solids_without_such_a_mode():
    tilted = ORTHOTROPIC.copy()
    tilted[0, 2] = tilted[2, 0] = 1e9
    with pytest.raises(ValueError, match="no Lamé mode"):
        modes.lame_box(tilted, 2200.0, 1.0, (1, 1))


ROUND = {
    "torsional disc": (modes.torsional_disc(SOLID, 0.9, 2), 2, 8.417244140399857),
    "torsional cylinder": (modes.torsional_disc(SOLID, 0.9, 1, dim=3), 3, 5.135622301840683),
    "breathing disc": (modes.breathing(SOLID, 0.9, 1, 2), 2, None),
    "breathing ball": (modes.breathing(SOLID, 0.9, 2, 3), 3, None),
    "toroidal 1": (modes.toroidal_ball(SOLID, 0.9, 1, 1), 3, 5.763459196894550),
    "toroidal 2": (modes.toroidal_ball(SOLID, 0.9, 2, 1), 3, 2.50113),
    "toroidal 3": (modes.toroidal_ball(SOLID, 0.9, 3, 2), 3, None),
}


@pytest.mark.parametrize("name", ROUND)
def test_round_bodies_are_free_on_their_surface(name):
    """Roots: second and first zero of J₂, first zero of j₂, first of j₂ = z j₃ (Lamb 1882)."""
    mode, dim, root = ROUND[name]
    tensor = solid_tensor(SOLID, dim)
    assert_solid_motion(mode, tensor, SOLID.rho, in_shell(dim, 0.0, 0.85))
    assert np.isfinite(mode.u(np.zeros((1, dim)))).all()
    normal = directions(dim)
    if "cylinder" in name:
        normal[:, 2] = 0.0
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        ends = in_shell(3, 0.0, 0.9)
        np.testing.assert_allclose(traction(mode, tensor, ends, np.array([0.0, 0.0, 1.0])), 0.0, atol=1e-9)
    np.testing.assert_allclose(traction(mode, tensor, 0.9 * normal, normal), 0.0, atol=1e-9)
    if root:
        assert mode.omega * 0.9 / SOLID.vs == pytest.approx(root, rel=2e-6)


def test_breathing_ball_of_poisson_solid():
    """First root of tan(z)/z = 1/(1 − (3/4) z²), Poisson's ratio 1/4: 0.8160 π (Lamb 1882)."""
    mode = modes.breathing(Solid(np.sqrt(3.0), 1.0, 1.0), 1.0, 1, 3)
    assert mode.omega / np.sqrt(3) / np.pi == pytest.approx(0.8160, abs=1e-4)


# -- coupled -----------------------------------------------------------------------------------


def assert_coupled(mode: modes.Mode, solid: Solid, x: np.ndarray, normal: np.ndarray) -> None:
    """Check both interface conditions at x, normal out of the solid, relative to the fields' sizes."""
    tensor = solid_tensor(solid, x.shape[1])
    fluid_motion = np.einsum("ni,ni->n", gradient(mode.phi, STEP)(x), normal) / FLUID.rho
    solid_motion = np.einsum("ni,ni->n", mode.u(x), normal)
    force = np.einsum("nij,nj->ni", stress(mode.u, tensor, STEP)(x), normal)
    pressure = -(mode.omega**2) * mode.phi(x)[:, None] * normal
    size = np.abs(mode.u(x)).max()
    np.testing.assert_allclose(fluid_motion / size, solid_motion / size, atol=1e-8)
    size *= solid.rho * solid.vp * mode.omega
    np.testing.assert_allclose(force / size, pressure / size, atol=1e-8)
    assert np.abs(pressure).max() > 1e-3 * size and np.abs(solid_motion).max() > 0


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("top", ["rigid", "free"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_plate(top, dim, n):
    mode = coupled_modes.plate(FLUID, SIDELESS, (0.6, 0.4), n, top)
    below, above = np.array([1.0] * (dim - 1) + [0.6]), np.array([1.0] * (dim - 1) + [0.4])
    up = np.eye(dim)[-1]
    tensor = solid_tensor(SIDELESS, dim)
    assert_solid_motion(mode, tensor, SIDELESS.rho, in_box(below))
    assert_fluid_motion(mode, FLUID, in_box(above) + 0.6 * up)
    for x, normal in box_faces(below):
        if normal[-1] == 0 or x[0, -1] == 0:
            np.testing.assert_allclose(traction(mode, tensor, x, normal), 0.0, atol=1e-9)
    for x, normal in box_faces(above):
        x = x + 0.6 * up
        if normal[-1] == 0:
            np.testing.assert_allclose(gradient(mode.phi, STEP)(x) @ normal, 0.0, atol=1e-9)
        elif x[0, -1] == 1.0:
            value = gradient(mode.phi, STEP)(x) @ normal if top == "rigid" else mode.phi(x)
            np.testing.assert_allclose(
                value / np.abs(mode.phi(in_box(above) + 0.6 * up)).max(), 0.0, atol=1e-9
            )
    at = in_box(below)
    at[:, -1] = 0.6
    assert_coupled(mode, SIDELESS, at, np.broadcast_to(up, at.shape))


def test_plate_of_equal_impedance_is_one_layer():
    """Without contrast of impedance there is one travel time, 1 ms, and n − 1/2 half waves."""
    solid = Solid(2000.0, 2000.0 / np.sqrt(2), 750.0)
    for n in (1, 2, 3):
        mode = coupled_modes.plate(FLUID, solid, (1.2, 0.6), n)
        assert mode.omega == pytest.approx((n - 0.5) * np.pi * 1e3)  # 1.2/2000 + 0.6/1500 = 1e-3 s


def test_plate_needs_a_solid_without_lambda():
    with pytest.raises(ValueError, match="lambda = 0"):
        coupled_modes.plate(FLUID, SOLID, (0.6, 0.4), 1)


SHELLS = {
    f"radial {dim}-D, {n}": (coupled_modes.radial(FLUID, SOLID, (0.5, 0.9), n, dim), dim)
    for dim in (2, 3)
    for n in (1, 3)
}
SHELLS |= {
    f"ring {m}, {n}": (coupled_modes.ring(FLUID, SOLID, (0.5, 0.9), m, n), 2)
    for m in (1, 2, 3)
    for n in (1, 2)
}


@pytest.mark.parametrize("name", SHELLS)
def test_fluid_inside_a_shell(name):
    mode, dim = SHELLS[name]
    tensor, normal = solid_tensor(SOLID, dim), directions(dim)
    assert_solid_motion(mode, tensor, SOLID.rho, in_shell(dim, 0.52, 0.88))
    assert_fluid_motion(mode, FLUID, in_shell(dim, 0.02, 0.5))
    np.testing.assert_allclose(traction(mode, tensor, 0.9 * normal, normal), 0.0, atol=1e-8)
    assert_coupled(mode, SOLID, 0.5 * normal, -normal)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_shell_of_a_heavy_solid_is_rigid_to_the_fluid(dim):
    """Among the modes of a thick heavy shell is the first one of the fluid in a rigid disc or ball."""
    heavy = Solid(3000.0, 1700.0, 2.2e7)
    make = modes.acoustic_disc if dim == 2 else modes.acoustic_ball
    expected = make(FLUID, 0.5, 0, 1).omega
    found = [coupled_modes.radial(FLUID, heavy, (0.5, 0.9), n, dim).omega for n in range(1, 6)]
    assert min(abs(omega / expected - 1) for omega in found) < 1e-3


def test_ring_modes_are_orthogonal():
    """Σ ∫ρ_s u·u' + ∫∇φ·∇φ'/ρ_f vanishes for two modes of the coupled operator (weights M_s and K_f)."""
    pair = [SHELLS["ring 2, 1"][0], SHELLS["ring 2, 2"][0]]
    nodes, weights = np.polynomial.legendre.leggauss(24)
    angles = 2 * np.pi * np.arange(16) / 16

    def integral(low: float, high: float, function) -> float:
        radii, scale = 0.5 * (high - low) * (nodes + 1) + low, 0.5 * (high - low) * 2 * np.pi / 16
        x = radii[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        return scale * np.sum((weights * radii)[:, None] * function(x.reshape(-1, 2)).reshape(24, 16))

    def product(a: modes.Mode, b: modes.Mode) -> float:
        slopes = [gradient(mode.phi, STEP) for mode in (a, b)]
        fluid = integral(0.0, 0.5, lambda x: np.sum(slopes[0](x) * slopes[1](x), axis=1) / FLUID.rho)
        return fluid + integral(0.5, 0.9, lambda x: np.sum(a.u(x) * b.u(x), axis=1) * SOLID.rho)

    norm = np.sqrt(product(pair[0], pair[0]) * product(pair[1], pair[1]))
    assert abs(product(*pair)) < 1e-8 * norm
