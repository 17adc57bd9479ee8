"""Meshes of discs and balls, such as the water inside a ring of transducers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wavetree.mesh.box import box_mesh
from wavetree.mesh.cubed import (
    blocks_around,
    checked_place,
    checked_size,
    directions,
    joined,
    outside,
    parts_of,
)
from wavetree.mesh.mesh import Mesh

__all__ = ["disc_mesh"]

_CORE = 0.45  # half the side of the square or cube in the middle, in radii


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
    place, radius = checked_place(center), checked_size("radius", radius)
    element_size, dim = checked_size("element_size", element_size), len(place)
    # The longest edges are a quarter of the circle, or go outwards in the middle of a block.
    across = max(2, parts_of(0.5 * math.pi * radius, element_size))
    outwards = parts_of((1.0 - _CORE) * radius, element_size)
    middle = box_mesh(((-1.0, 1.0),) * dim, (across,) * dim, shape_order=shape_order)
    cube, connectivity = joined([middle, *blocks_around(dim, across, outwards, shape_order)])
    mesh = Mesh(place + radius * _rounded(cube), connectivity, shape_order)
    mesh.find_side_sets()
    surface = np.concatenate(list(mesh.side_sets.values()))
    mesh.side_sets.clear()
    mesh.side_sets["surface"] = surface[np.lexsort(surface.T[::-1])]
    return mesh


def _rounded(points: np.ndarray) -> np.ndarray:
    """Map the middle to a square or cube, and what is around it to the rest of the unit disc or ball."""
    beyond, direction = outside(points), directions(points)
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    sphere = direction / np.where(beyond > 0.0, length, 1.0)
    return np.asarray((1.0 - beyond) * _CORE * np.clip(points, -1.0, 1.0) + beyond * sphere)
