"""Stiffness tensors in Voigt form: packing, rotation, positive definiteness.

Voigt components stand in the order xx, yy, xy in 2-D and xx, yy, zz, yz, xz, xy in 3-D; the stiffness
multiplies engineering shear (2 ε_xy). A tensor is packed as the upper triangle of its symmetric matrix, row
by row.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "PAIRS",
    "bond_matrix",
    "component_names",
    "isotropic_entries",
    "kelvin_minimum",
    "rotate",
    "rotate_transpose",
    "rotation_matrix",
    "to_entries",
    "to_matrix",
    "upper_triangle",
]

PAIRS = {2: ((0, 0), (1, 1), (0, 1)), 3: ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))}
"""Axes of every Voigt component by number of space dimensions."""


def upper_triangle(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column (n_entries,) of every packed entry."""
    return np.triu_indices(len(PAIRS[dim]))


def component_names(dim: int) -> tuple[str, ...]:
    """Return the names of the packed entries: C11, C12, ..., C33 in 2-D, ..., C66 in 3-D."""
    return tuple(f"C{i + 1}{j + 1}" for i, j in zip(*upper_triangle(dim), strict=True))


def to_matrix(entries: np.ndarray, dim: int) -> np.ndarray:
    """Return packed entries (n_entries, ...) as symmetric matrices (..., n, n)."""
    n = len(PAIRS[dim])
    matrix = np.empty((*entries.shape[1:], n, n), dtype=entries.dtype)
    for entry, i, j in zip(entries, *upper_triangle(dim), strict=True):
        matrix[..., i, j] = matrix[..., j, i] = entry
    return matrix


def to_entries(matrix: np.ndarray, dim: int) -> np.ndarray:
    """Return symmetric matrices (..., n, n) as packed entries (n_entries, ...), which undoes `to_matrix`."""
    return np.stack([matrix[..., i, j] for i, j in zip(*upper_triangle(dim), strict=True)])


def isotropic_entries(lam: np.ndarray, mu: np.ndarray, dim: int) -> np.ndarray:
    """Return packed tensors (n_entries, ...) [Pa] of isotropic solids with Lamé parameters (...) [Pa]."""
    zero = 0.0 * mu
    rows = zip(*upper_triangle(dim), strict=True)
    normal = [(lam + 2.0 * mu if i == j else lam) if j < dim else (mu if i == j else zero) for i, j in rows]
    return np.stack(normal)


def rotation_matrix(orientation: np.ndarray) -> np.ndarray:
    """Return the rotation matrices (..., dim, dim) of orientations.

    Parameters
    ----------
    orientation
        2-D: angles (1, ...) [rad], counter-clockwise. 3-D: rotation vectors (3, ...) [rad], axis times angle,
        right-handed, as `scipy.spatial.transform.Rotation.from_rotvec` takes them.
    """
    if len(orientation) == 1:
        c, s = np.cos(orientation[0]), np.sin(orientation[0])
        return np.moveaxis(np.array([[c, -s], [s, c]]), (0, 1), (-2, -1))
    # Its import takes a sixth of that of all else, and few media are turned.
    from scipy.spatial.transform import Rotation

    vectors = np.moveaxis(orientation, 0, -1)
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices).reshape(*vectors.shape, 3)


def bond_matrix(rotation: np.ndarray) -> np.ndarray:
    """Return the matrices (..., n, n) that rotate stress in Voigt form.

    Parameters
    ----------
    rotation
        Rotation matrices R (..., dim, dim).

    Notes
    -----
    From σ'_ij = R_ik R_jl σ_kl: M_(ij)(kl) = R_ik R_jl, plus R_il R_jk where k ≠ l (Auld 1973, Acoustic
    fields and waves in solids, section 3.D).
    """
    pairs = PAIRS[rotation.shape[-1]]
    bond = np.empty((*rotation.shape[:-2], len(pairs), len(pairs)))
    for row, (i, j) in enumerate(pairs):
        for column, (k, m) in enumerate(pairs):
            bond[..., row, column] = rotation[..., i, k] * rotation[..., j, m]
            if k != m:
                bond[..., row, column] += rotation[..., i, m] * rotation[..., j, k]
    return bond


def rotate(entries: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate packed tensors (n_entries, ...) by matrices (..., dim, dim): C' = M C Mᵀ, M of `bond_matrix`."""
    dim = rotation.shape[-1]
    bond = bond_matrix(rotation)
    return to_entries(bond @ to_matrix(entries, dim) @ np.swapaxes(bond, -1, -2), dim)


def rotate_transpose(by_entries: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Apply the transpose of `rotate` to derivatives by the rotated entries (n_entries, ...).

    Notes
    -----
    Entries off the diagonal stand in the matrix twice: with G_IJ half of their derivative, dχ = G : dC' and
    hence Mᵀ G M is the derivative by C.
    """
    dim = rotation.shape[-1]
    rows, columns = upper_triangle(dim)
    times = np.where(rows == columns, 1.0, 2.0).reshape(-1, *[1] * (by_entries.ndim - 1))
    bond = bond_matrix(rotation)
    matrix = np.swapaxes(bond, -1, -2) @ to_matrix(by_entries / times, dim) @ bond
    return times * to_entries(matrix, dim)


def kelvin_minimum(entries: np.ndarray, dim: int) -> np.ndarray:
    """Return the smallest eigenvalue (...) of packed tensors (n_entries, ...) as maps of strain to stress.

    Notes
    -----
    The eigenvalues of C with shear rows and columns times √2 (Kelvin form), which rotations leave as they
    are; isotropic solids have 2 μ, and 3 κ in 3-D or 2 (λ + μ) in 2-D. A positive one makes every strain
    cost energy.
    """
    scale = np.where(np.arange(len(PAIRS[dim])) < dim, 1.0, np.sqrt(2.0))
    return np.asarray(np.linalg.eigvalsh(to_matrix(entries, dim) * scale * scale[:, None])[..., 0])
