"""Meshes for tests: curved boxes, and meshes whose numbering means nothing."""

from __future__ import annotations

import numpy as np

from wavetree.mesh import Mesh


def sheared(points: np.ndarray) -> np.ndarray:
    """Map the unit square to a parallelogram of the same area."""
    return np.stack([points[:, 0] + 0.3 * points[:, 1], points[:, 1]], axis=1)


def sinusoidal(points: np.ndarray) -> np.ndarray:
    """Shift the inside of the unit square by sines; the boundary stays where it is."""
    bump = 0.08 * np.sin(np.pi * points[:, 0]) * np.sin(2 * np.pi * points[:, 1])
    return points + np.stack([bump, -0.5 * bump], axis=1)


def bent(points: np.ndarray) -> np.ndarray:
    """Map the unit square to a quarter ring with radii 1 and 2: area 3 pi / 4."""
    radius, angle = 1.0 + points[:, 0], 0.5 * np.pi * points[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def shuffled(mesh: Mesh, generator: np.random.Generator) -> Mesh:
    """Return the same quads with permuted points, permuted elements and turned reference squares.

    Fields and side sets are carried along.
    """
    new_point = generator.permutation(mesh.n_points)
    points = np.empty_like(mesh.points)
    points[new_point] = mesh.points
    old_element = generator.permutation(mesh.nelem)
    turns = generator.integers(0, 4, mesh.nelem)
    connectivity = _turned(new_point[mesh.connectivity[old_element]], turns)
    new_element = np.argsort(old_element)
    result = Mesh(points, connectivity, mesh.shape_order)
    for name, rows in mesh.side_sets.items():
        elements = new_element[rows[:, 0]]
        result.side_sets[name] = np.stack([elements, _SIDES[turns[elements], rows[:, 1]]], axis=1)
    for name, values in mesh.nodal_fields.items():
        result.nodal_fields[name] = values[np.argsort(new_point)]
    for name, values in mesh.elemental_fields.items():
        result.elemental_fields[name] = values[old_element]
    for name, values in mesh.element_nodal_fields.items():
        result.element_nodal_fields[name] = _turned(values[old_element], turns)
    return result


def _turned(rows: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Turn every element's grid of nodes; turns keep the orientation, mirrors would not."""
    n = round(np.sqrt(rows.shape[1]))
    return np.stack([np.rot90(row.reshape(n, n), k).ravel() for row, k in zip(rows, turns, strict=True)])


def _side_table() -> np.ndarray:
    """New local side (4 turns, 4 sides) of every old side."""
    grid = np.arange(9).reshape(3, 3)
    middles = (3, 5, 1, 7)
    table = np.empty((4, 4), dtype=np.int64)
    for k in range(4):
        new = np.rot90(grid, k).ravel()[list(middles)]
        table[k] = [list(new).index(middle) for middle in middles]
    return table


_SIDES = _side_table()
