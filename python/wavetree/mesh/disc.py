"""Meshes of discs and balls, such as the water inside a ring of transducers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from wavetree.mesh.box import box_mesh
from wavetree.mesh.mesh import Mesh

__all__ = ["disc_mesh"]

_CORE = 0.45  # half the side of the square or cube in the middle, in radii
_DIGITS = 9  # to which coordinates of blocks of size 1 agree where they touch


def disc_mesh(center: Sequence[float], radius: float, element_size: float, *, shape_order: int = 1) -> Mesh:
    """Make a disc or a ball of a square or cube in the middle and blocks around it.

    Parameters
    ----------
    center
        Coordinates [m]; two make a disc, three a ball.
    radius
        Radius [m].
    element_size
        Largest edge that elements may have [m].
    shape_order
        Geometric order, 1 to 4.

    Returns
    -------
    Mesh
        With the side set ``surface``.

    Raises
    ------
    ValueError
        For another number of coordinates, and a radius or size that is not positive.

    Notes
    -----
    On the surface nodes lie at equal angles in every block, as on the equiangular cubed sphere (Ronchi et al.
    1996, J. Comput. Phys. 124), with the GLL points of the geometric order g inside the elements: the circle
    is met with order g + 1 or better in the distance, the area with order 2 g.
    """
    place = np.asarray(center, dtype=np.float64)
    if place.shape not in ((2,), (3,)) or not np.isfinite(place).all():
        raise ValueError(f"center is {center}; expected two or three finite coordinates [m].")
    for name, value in (("radius", radius), ("element_size", element_size)):
        if not (math.isfinite(value) and value > 0.0):
            raise ValueError(f"{name} is {value}; expected a positive number of metres.")
    # The longest edges are a quarter of the circle, or go outwards in the middle of a block.
    across = max(2, math.ceil(0.5 * math.pi * radius / element_size * (1.0 - 1e-9)))
    outwards = max(1, math.ceil((1.0 - _CORE) * radius / element_size * (1.0 - 1e-9)))
    cube, connectivity = _joined(_blocks(len(place), across, outwards, shape_order))
    mesh = Mesh(place + radius * _rounded(cube), connectivity, shape_order)
    mesh.find_side_sets()
    surface = np.concatenate(list(mesh.side_sets.values()))
    mesh.side_sets.clear()
    mesh.side_sets["surface"] = surface[np.lexsort(surface.T[::-1])]
    return mesh


def _blocks(dim: int, across: int, outwards: int, shape_order: int) -> list[Mesh]:
    """The middle, from -1 to 1 along every axis, and a block up to 2 beyond every side."""
    blocks = [box_mesh(((-1.0, 1.0),) * dim, (across,) * dim, shape_order=shape_order)]
    for axis, outward in itertools.product(range(dim), (-1.0, 1.0)):
        bounds, counts = [(-1.0, 1.0)] * dim, [across] * dim
        bounds[axis] = (min(outward, 2.0 * outward), max(outward, 2.0 * outward))
        counts[axis] = outwards
        blocks.append(box_mesh(bounds, counts, shape_order=shape_order))
    return blocks


def _joined(blocks: Sequence[Mesh]) -> tuple[np.ndarray, np.ndarray]:
    """Points and connectivity of blocks that touch."""
    points = np.concatenate([block.points for block in blocks])
    # Neighbours beyond two sides meet where they are equally far beyond the edge between them.
    keys = np.concatenate([np.clip(points, -1.0, 1.0), _outside(points)], axis=1)
    rounded = np.round(keys, _DIGITS) + 0.0  # without signs of zeros
    _, first, number = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    offsets = np.cumsum([0, *(block.n_points for block in blocks[:-1])])
    rows = [offset + block.connectivity for offset, block in zip(offsets, blocks, strict=True)]
    return points[first], number.ravel()[np.concatenate(rows)]


def _rounded(points: np.ndarray) -> np.ndarray:
    """Map the middle to a square or cube, and what is around it to the rest of the unit disc or ball."""
    outside = _outside(points)
    on_cube = np.clip(points, -1.0, 1.0)
    direction = np.tan(0.25 * np.pi * on_cube)
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    sphere = direction / np.where(outside > 0.0, length, 1.0)
    return np.asarray((1.0 - outside) * _CORE * on_cube + outside * sphere)


def _outside(points: np.ndarray) -> np.ndarray:
    """How far points (n, dim) are outside the middle (n, 1)."""
    return np.asarray(np.maximum(np.abs(points).max(axis=1, keepdims=True) - 1.0, 0.0))
