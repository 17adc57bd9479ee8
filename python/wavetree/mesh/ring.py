"""Meshes of rings and shells, whole or cut out by angles."""

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
from wavetree.mesh.disc import disc_mesh
from wavetree.mesh.interpolation import gll_points
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.side_sets import boundary_facets, facet_nodes

__all__ = ["cap_mesh", "ring_mesh", "sector_mesh"]

_WIDEST = 2.0 * math.pi / 3.0  # opening angle of a cap; a wider one has flat elements at its rim


def ring_mesh(
    center: Sequence[float], radii: tuple[float, float], element_size: float, *, shape_order: int = 1
) -> Mesh:
    """Make a ring, a disc with a round hole, or a shell, a ball with a hollow.

    Parameters
    ----------
    center
        Coordinates [m]; two make a ring, three a shell.
    radii
        Inner and outer radius [m].
    element_size
        Largest edge that elements may have [m].
    shape_order
        Geometric order, 1 to 4.

    Returns
    -------
    Mesh
        With the side sets ``inner`` and ``outer``.

    Raises
    ------
    ValueError
        For another number of coordinates, radii that are not positive and increasing, and a size that is not
        positive.

    Notes
    -----
    Blocks beyond the sides of a square or cube, with nodes at equal angles (the equiangular cubed sphere) and
    at the GLL points of the geometric order g inside the elements: area and volume are met with order 2 g,
    the surfaces with order g + 1.
    """
    place = checked_place(center)
    (inner, outer), size = _checked_radii(radii), checked_size("element_size", element_size)
    across = max(2, parts_of(0.5 * math.pi * outer, size))
    blocks = blocks_around(len(place), across, parts_of(outer - inner, size), shape_order)
    points, connectivity = joined(blocks)
    unit = directions(points)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    radius = inner + (outer - inner) * outside(points)
    return _with_side_sets(place + radius * unit, connectivity, shape_order, place, (inner, outer))


def sector_mesh(
    center: Sequence[float],
    radii: tuple[float, float],
    angles: tuple[float, float],
    element_size: float,
    *,
    shape_order: int = 1,
) -> Mesh:
    """Make the part of a ring between two angles.

    Parameters
    ----------
    center
        Coordinates (2,) of the ring's middle [m].
    radii
        Inner and outer radius [m].
    angles
        First and last angle from +x, counter-clockwise [rad]; less than a full circle apart.
    element_size
        Largest edge that elements may have [m].
    shape_order
        Geometric order, 1 to 4.

    Returns
    -------
    Mesh
        With the side sets ``inner``, ``outer``, ``start`` and ``end``, the last two at the angles.

    Raises
    ------
    ValueError
        For other coordinates, radii or angles that do not increase, a full circle, and a size that is not
        positive.
    """
    place = checked_place(center, (2,))
    (inner, outer), size = _checked_radii(radii), checked_size("element_size", element_size)
    first, last = map(float, angles)
    if not 0.0 < last - first < 2.0 * math.pi:
        raise ValueError(
            f"angles are {angles}; expected a first and a larger last one [rad], less than a full circle "
            "apart: ring_mesh makes the whole ring."
        )

    def bend(points: np.ndarray) -> np.ndarray:
        radius, angle = points[:, :1], points[:, 1]
        return place + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    counts = (parts_of(outer - inner, size), parts_of((last - first) * outer, size))
    mesh = box_mesh(((inner, outer), (first, last)), counts, shape_order=shape_order, deformation=bend)
    names = {"x0": "inner", "x1": "outer", "y0": "start", "y1": "end"}
    sides = {names[name]: rows for name, rows in mesh.side_sets.items()}
    return Mesh(mesh.points, mesh.connectivity, shape_order, sides)


def cap_mesh(
    center: Sequence[float],
    radii: tuple[float, float],
    axis: Sequence[float],
    opening_angle: float,
    element_size: float,
    *,
    shape_order: int = 1,
) -> Mesh:
    """Make the part of a shell within an angle of an axis, a spherical cap of some thickness.

    Parameters
    ----------
    center
        Coordinates (3,) of the shell's middle [m].
    radii
        Inner and outer radius [m].
    axis
        Direction (3,) from the centre to the middle of the cap, of any length.
    opening_angle
        Largest angle from the axis [rad], at most 2π/3; π/2 makes half a shell.
    element_size
        Largest edge that elements may have [m].
    shape_order
        Geometric order, 1 to 4.

    Returns
    -------
    Mesh
        With the side sets ``inner``, ``outer`` and ``rim``.

    Raises
    ------
    ValueError
        For other coordinates, radii that do not increase, an axis without length, and an angle or size that
        is out of range.

    Notes
    -----
    The elements of `disc_mesh`, whose distance from the middle becomes the angle from the axis, in layers.
    """
    place, direction = checked_place(center, (3,)), np.asarray(axis, dtype=np.float64)
    (inner, outer), size = _checked_radii(radii), checked_size("element_size", element_size)
    if direction.shape != (3,) or not np.isfinite(direction).all() or not direction.any():
        raise ValueError(f"axis is {axis}; expected three finite components that are not all zero.")
    if not 0.0 < opening_angle <= _WIDEST:
        raise ValueError(
            f"opening_angle is {opening_angle}; expected one above 0 and up to 2π/3 rad: ring_mesh makes the "
            "whole shell."
        )
    disc = disc_mesh((0.0, 0.0), 1.0, size / (opening_angle * outer), shape_order=shape_order)
    away = np.linalg.norm(disc.points, axis=1, keepdims=True)
    # sin(α r)/r is smooth in the middle, where it is α.
    sideways = opening_angle * np.sinc(opening_angle * away / np.pi) * disc.points
    unit = np.concatenate([sideways, np.cos(opening_angle * away)], axis=1) @ _frame(direction)
    levels = _levels(inner, outer, parts_of(outer - inner, size), shape_order)
    points = place + (levels[:, None, None] * unit).reshape(-1, 3)
    first = np.arange(0, len(levels) - 1, shape_order)[:, None] + np.arange(shape_order + 1)
    rows = first[:, None, :, None] * disc.n_points + disc.connectivity[:, None]
    connectivity = rows.reshape(-1, (shape_order + 1) ** 3)
    return _with_side_sets(points, connectivity, shape_order, place, (inner, outer))


def _checked_radii(radii: tuple[float, float]) -> tuple[float, float]:
    values = tuple(map(float, radii))
    if len(values) != 2 or not 0.0 < values[0] < values[1] < math.inf:
        raise ValueError(
            f"radii are {radii}; expected an inner and a larger outer one, positive [m]: disc_mesh makes "
            "discs and balls without a hole."
        )
    return values[0], values[1]


def _levels(inner: float, outer: float, count: int, shape_order: int) -> np.ndarray:
    """Radii of the nodes of all layers, ascending."""
    edges = np.linspace(inner, outer, count + 1)
    within = 0.5 * (gll_points(shape_order)[:-1] + 1.0)
    return np.append((edges[:-1, None] + np.diff(edges)[:, None] * within).ravel(), outer)


def _frame(axis: np.ndarray) -> np.ndarray:
    """A right-handed frame of unit vectors as rows, the last one along the axis."""
    last = axis / np.linalg.norm(axis)
    first = np.cross(np.eye(3)[np.argmin(np.abs(last))], last)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(last, first), last])


def _with_side_sets(
    points: np.ndarray,
    connectivity: np.ndarray,
    shape_order: int,
    center: np.ndarray,
    radii: tuple[float, float],
) -> Mesh:
    """A mesh whose boundary is named by its distance from the centre; what is left is the rim."""
    dim = points.shape[1]
    rows = boundary_facets(connectivity, dim, shape_order)
    nodes = connectivity[rows[:, :1], facet_nodes(dim, shape_order)[rows[:, 1]]]
    away = np.linalg.norm(points[nodes] - center, axis=2)
    tolerance = 1e-9 * radii[1]
    found, rest = {}, np.ones(len(rows), dtype=bool)
    for name, radius in zip(("inner", "outer"), radii, strict=True):
        there = (np.abs(away - radius) < tolerance).all(axis=1)
        found[name], rest = rows[there], rest & ~there
    if rest.any():
        found["rim"] = rows[rest]
    return Mesh(points, connectivity, shape_order, found)
