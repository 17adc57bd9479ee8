"""Blocks of elements around a square or cube, and how they become round."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from wavetree.mesh.box import box_mesh
from wavetree.mesh.mesh import Mesh

__all__ = ["blocks_around", "checked_place", "checked_size", "directions", "joined", "outside", "parts_of"]

_DIGITS = 9  # to which coordinates of blocks of size 1 agree where they touch


def blocks_around(dim: int, across: int, outwards: int, shape_order: int) -> list[Mesh]:
    """Return a block from 1 to 2 beyond every side of the square or cube from -1 to 1."""
    blocks = []
    for axis, outward in itertools.product(range(dim), (-1.0, 1.0)):
        bounds, counts = [(-1.0, 1.0)] * dim, [across] * dim
        bounds[axis] = (min(outward, 2.0 * outward), max(outward, 2.0 * outward))
        counts[axis] = outwards
        blocks.append(box_mesh(bounds, counts, shape_order=shape_order))
    return blocks


def joined(blocks: Sequence[Mesh]) -> tuple[np.ndarray, np.ndarray]:
    """Return points and connectivity of blocks that touch."""
    points = np.concatenate([block.points for block in blocks])
    # Neighbours beyond two sides meet where they are equally far beyond the edge between them.
    keys = np.concatenate([np.clip(points, -1.0, 1.0), outside(points)], axis=1)
    rounded = np.round(keys, _DIGITS) + 0.0  # without signs of zeros
    _, first, number = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    offsets = np.cumsum([0, *(block.n_points for block in blocks[:-1])])
    rows = [offset + block.connectivity for offset, block in zip(offsets, blocks, strict=True)]
    return points[first], number.ravel()[np.concatenate(rows)]


def directions(points: np.ndarray) -> np.ndarray:
    """Return vectors (n, dim) at equal angles for equal steps along every side; of any length.

    Notes
    -----
    The equiangular cubed sphere (Ronchi et al. 1996, J. Comput. Phys. 124, 93–114).
    """
    return np.asarray(np.tan(0.25 * np.pi * np.clip(points, -1.0, 1.0)))


def outside(points: np.ndarray) -> np.ndarray:
    """Return how far points (n, dim) are outside the square or cube (n, 1)."""
    return np.asarray(np.maximum(np.abs(points).max(axis=1, keepdims=True) - 1.0, 0.0))


def parts_of(length: float, element_size: float) -> int:
    """Return into how many parts a length is cut, none of them longer than elements may be."""
    return max(1, math.ceil(length / element_size * (1.0 - 1e-9)))


def checked_place(center: Sequence[float], dims: Sequence[int] = (2, 3)) -> np.ndarray:
    """Return a middle (dim,) as array, or refuse it with a ValueError."""
    place = np.asarray(center, dtype=np.float64)
    if place.shape not in [(dim,) for dim in dims] or not np.isfinite(place).all():
        many = " or ".join({2: "two", 3: "three"}[dim] for dim in dims)
        raise ValueError(f"center is {center}; expected {many} finite coordinates [m].")
    return place


def checked_size(name: str, value: float) -> float:
    """Return a length [m], or refuse it with a ValueError."""
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} is {value}; expected a positive number of metres.")
    return float(value)
