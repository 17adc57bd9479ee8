"""Phase and group velocities of anisotropic solids, given as Voigt matrices [Pa]: 2-D 3 × 3, 3-D 6 × 6."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, least_squares

from .elastic import VOIGT


def full_tensor(stiffness: np.ndarray) -> np.ndarray:
    """Return c_ijkl, shape (dim,) * 4, of a Voigt matrix."""
    dim = {3: 2, 6: 3}[len(stiffness)]
    index = np.zeros((dim, dim), dtype=int)
    for n, (i, j) in enumerate(VOIGT[dim]):
        index[i, j] = index[j, i] = n
    return np.asarray(stiffness, dtype=float)[index[:, :, None, None], index]


def isotropic(vp: float, vs: float, rho: float, dim: int) -> np.ndarray:
    """Return the Voigt matrix of an isotropic solid (plane strain in 2-D)."""
    return hexagonal((vp, vp, vs, vs, 1.0), rho, dim)


def hexagonal(velocities: tuple[float, float, float, float, float], rho: float, dim: int) -> np.ndarray:
    """Return the Voigt matrix of a solid with its symmetry axis along the last coordinate.

    velocities are (VPV, VPH, VSV, VSH, ETA), with A = ρVPH², C = ρVPV², L = ρVSV², N = ρVSH², F = η(A − 2L)
    (Love 1927; Takeuchi & Saito 1972). VSH has no part in 2-D.
    """
    vpv, vph, vsv, vsh, eta = velocities
    A, C, L, N = rho * vph**2, rho * vpv**2, rho * vsv**2, rho * vsh**2
    F = eta * (A - 2 * L)
    if dim == 2:
        return np.array([[A, F, 0], [F, C, 0], [0, 0, L]])
    matrix = np.diag([A, A, C, L, L, N])
    matrix[0, 1] = matrix[1, 0] = A - 2 * N
    matrix[:2, 2] = matrix[2, :2] = F
    return matrix


def phase_velocities(stiffness: np.ndarray, rho: float, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return velocities (n, dim), fastest first, and polarizations (n, mode, component) of normals (n, dim).

    Notes
    -----
    Eigenvalues v² and eigenvectors of Γ_ik = c_ijkl n_j n_l/ρ (Christoffel 1877; Aki & Richards 2002, §5.2).
    """
    n = _units(normals)
    values, vectors = np.linalg.eigh(np.einsum("ijkl,nj,nl->nik", full_tensor(stiffness), n, n) / rho)
    return np.sqrt(values[:, ::-1]), np.swapaxes(vectors[:, :, ::-1], 1, 2)


def group_velocities(stiffness: np.ndarray, rho: float, normals: np.ndarray) -> np.ndarray:
    """Return the group velocity vectors (n, mode, dim), fastest phase first, of wave normals (n, dim).

    Notes
    -----
    U_j = c_ijkl g_i g_k n_l/(ρv) with the polarization g (Červený 2001, ch. 2.4). Where two modes have
    the same phase velocity it is not defined for them.
    """
    velocities, g = phase_velocities(stiffness, rho, normals)
    tensor = full_tensor(stiffness) / rho
    return np.einsum("ijkl,nmi,nmk,nl->nmj", tensor, g, g, _units(normals)) / velocities[..., None]


def ray_velocity(stiffness: np.ndarray, rho: float, direction: np.ndarray, mode: int = 0) -> float:
    """Return the group velocity along a ray direction (dim,): distance over arrival time of the wave front.

    mode counts from the fastest (0: quasi-P). In 2-D a direction with several arrivals (a triplication) is
    refused; in 3-D the wave normal is looked for from the ray direction on, which finds the only one of
    quasi-P.
    """
    ray = _units(direction)
    if ray.size == 2:
        return _ray_velocity_2d(stiffness, rho, ray, mode)

    basis = np.linalg.svd(ray[None])[2][1:]

    def sideways(shift: np.ndarray) -> np.ndarray:
        group = group_velocities(stiffness, rho, (ray + shift @ basis)[None])[0, mode]
        return basis @ group / np.linalg.norm(group)

    found = least_squares(sideways, np.zeros(2), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    if np.abs(found.fun).max() > 1e-9:
        raise ValueError(f"no wave normal was found for the ray direction {direction} of mode {mode}")
    return float(ray @ group_velocities(stiffness, rho, (ray + found.x @ basis)[None])[0, mode])


def _ray_velocity_2d(stiffness: np.ndarray, rho: float, ray: np.ndarray, mode: int) -> float:
    def group(angle: np.ndarray | float) -> np.ndarray:
        normals = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return group_velocities(stiffness, rho, np.atleast_2d(normals))[:, mode]

    def across(angle: np.ndarray | float) -> np.ndarray:
        u = group(angle)
        return u[:, 0] * ray[1] - u[:, 1] * ray[0]

    # Offset, so that no angle of the scan is a symmetry axis.
    angles = np.arctan2(ray[1], ray[0]) + np.linspace(-0.5, 0.5, 2001) * np.pi + 1e-4
    values = across(angles)
    crossings = np.flatnonzero((values[:-1] > 0) != (values[1:] > 0))
    roots = [brentq(lambda a: across(a)[0], angles[i], angles[i + 1], xtol=1e-14) for i in crossings]
    speeds = [float(group(root)[0] @ ray) for root in roots]
    speeds = [speed for speed in speeds if speed > 0]
    if len(speeds) != 1:
        raise ValueError(f"mode {mode} has {len(speeds)} arrivals in the ray direction {ray}: {speeds}")
    return speeds[0]


def _units(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=float)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
