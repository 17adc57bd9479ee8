"""Plane waves at the flat interface y = 0 of a fluid (above, y > 0) and a solid (below), in 2-D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .media import Fluid, Solid
from .spectral import Stf, synthesize

OneWave = Callable[["PlaneWave", np.ndarray, np.ndarray], np.ndarray]  # of wave, omega and point


@dataclass(frozen=True)
class PlaneWave:
    """Displacement A d s(t − s·x), s and d complex for evanescent waves.

    slowness s [s/m] and polarization d (d·d = 1) have the shape (2,). d points along s for P waves, and 90°
    to its left for SV waves.
    """

    medium: Fluid | Solid
    kind: str  # P or SV
    slowness: np.ndarray
    polarization: np.ndarray
    amplitude: complex = 1.0

    @property
    def traction(self) -> np.ndarray:
        """Traction (σ_xy, σ_yy) on y = 0, divided by the factor −iω of derivatives, at amplitude 1."""
        s, d = self.slowness, self.polarization
        if isinstance(self.medium, Fluid):
            return np.array([0.0, self.medium.kappa * (s @ d)])
        mu = self.medium.mu
        return np.array([mu * (s[1] * d[0] + s[0] * d[1]), self.medium.lam * (s @ d) + 2 * mu * s[1] * d[1]])

    @property
    def flux(self) -> float:
        """Energy flux along +y, mean over a period, divided by ω²/2 [kg/(m² s) for an amplitude in m]."""
        return float(np.real(self.traction @ self.polarization.conj())) * abs(self.amplitude) ** 2


def plane_wave(medium: Fluid | Solid, kind: str, p: float, up: bool) -> PlaneWave:
    """Return the wave of horizontal slowness p > 0 that travels (evanescent: decays) upward or downward."""
    velocity = medium.vp if kind == "P" else medium.vs
    vertical = np.sqrt(complex(1 / velocity**2 - p**2))
    # exp(−iω q y) must decay away from the interface.
    vertical = complex(vertical.real, -abs(vertical.imag))
    slowness = np.array([p, vertical if up else -vertical])
    along = velocity * slowness
    return PlaneWave(medium, kind, slowness, along if kind == "P" else np.array([-along[1], along[0]]))


def boundary_matrix(fluid: Fluid, solid: Solid, p: float) -> np.ndarray:
    """Return jump of u_y, jump of σ_yy and σ_xy (rows) of the outgoing waves: fluid P, solid P, solid SV.

    Stresses are in units of ρₛvₚ. It is singular at the slowness of the Scholte wave.
    """
    return np.column_stack([_jumps(wave, solid) for wave in _outgoing(fluid, solid, p)])


def scatter(fluid: Fluid, solid: Solid, p: float, incident: str) -> list[PlaneWave]:
    """Return the incident wave (amplitude 1) and the three outgoing ones: fluid P, solid P, solid SV.

    Parameters
    ----------
    fluid, solid
        The media.
    p
        Horizontal slowness sin(angle)/velocity [s/m] of the incident wave.
    incident
        "fluid", "P" or "SV" (from the solid).

    Returns
    -------
    list of PlaneWave
        Their amplitudes are reflection and transmission coefficients of displacement.

    Notes
    -----
    u_y and σ_yy are continuous, σ_xy vanishes. In closed form e.g. Brekhovskikh 1960, §4.
    """
    medium, kind = (fluid, "P") if incident == "fluid" else (solid, incident)
    wave = plane_wave(medium, kind, p, up=incident != "fluid")
    if wave.slowness[1].real == 0.0:
        raise ValueError(f"p={p} is not below the slowness of the incident wave in {medium}")
    amplitudes = np.linalg.solve(boundary_matrix(fluid, solid, p), -_jumps(wave, solid))
    outgoing = _outgoing(fluid, solid, p)
    return [
        wave,
        *(
            PlaneWave(w.medium, w.kind, w.slowness, w.polarization, a)
            for w, a in zip(outgoing, amplitudes, strict=True)
        ),
    ]


def displacement(waves: list[PlaneWave], points: np.ndarray, times: np.ndarray, stf: Stf) -> np.ndarray:
    """Return the displacement in both media, shape (n, 2, n_times), if the incident one is d s(t − s·x).

    Velocities follow from the stf's derivative. s(t) must vanish at both ends of the time axis and have no
    mean, nor must points be further away than the axis is long in time.
    """

    def one(wave: PlaneWave, omega: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.multiply.outer(wave.polarization, _phase(wave, omega, x))

    return _fields(waves, one, points, times, stf)


def potential(waves: list[PlaneWave], points: np.ndarray, times: np.ndarray, stf: Stf) -> np.ndarray:
    """Return φ at points of the fluid, shape (n, 1, n_times); s(t) as for ``displacement``.

    Notes
    -----
    u = ∇φ/ρ = −iω s φ/ρ, so φ = −ρ c A ∫s dt; p = −φ_tt = ρ c A ds/dt.
    """
    if not (np.asarray(points)[:, 1] >= 0).all():
        raise ValueError("some points lie in the solid")

    def one(wave: PlaneWave, omega: np.ndarray, x: np.ndarray) -> np.ndarray:
        return (1j * wave.medium.rho * wave.medium.vp / omega * _phase(wave, omega, x))[None]

    return _fields(waves, one, points, times, stf)


def _fields(
    waves: list[PlaneWave], one: OneWave, points: np.ndarray, times: np.ndarray, stf: Stf
) -> np.ndarray:
    points = np.asarray(points, dtype=float)

    def transfer(omega: np.ndarray) -> np.ndarray:
        result = []
        for x in points:
            medium = Fluid if x[1] >= 0 else Solid
            result.append(sum(w.amplitude * one(w, omega, x) for w in waves if isinstance(w.medium, medium)))
        return np.array(result)

    reach = max(np.abs(points @ wave.slowness.real).max() for wave in waves)
    return synthesize(transfer, times, stf, causal=False, reach=float(reach))


def _phase(wave: PlaneWave, omega: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.exp(-1j * omega * (wave.slowness @ x))


def _outgoing(fluid: Fluid, solid: Solid, p: float) -> list[PlaneWave]:
    return [
        plane_wave(fluid, "P", p, up=True),
        plane_wave(solid, "P", p, up=False),
        plane_wave(solid, "SV", p, up=False),
    ]


def _jumps(wave: PlaneWave, solid: Solid) -> np.ndarray:
    """Return fluid less solid: u_y and σ_yy, and the shear traction, of a wave."""
    sign = 1.0 if isinstance(wave.medium, Fluid) else -1.0
    shear, normal = wave.traction / (solid.rho * solid.vp)
    return np.array([sign * wave.polarization[1], sign * normal, sign * shear])
