"""Interfaces and rows of elements for tests of layered meshes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wavetree.mesh import Mesh
from wavetree.mesh.layered import layered_mesh
from wavetree.mesh.rows import Row

Elevation = Callable[[np.ndarray], np.ndarray]


def flat(height: float) -> Elevation:
    return lambda horizontal: np.full(len(horizontal), height)


def wavy(height: float, amplitude: float = 0.2) -> Elevation:
    """A height that varies along all horizontal axes."""
    return lambda horizontal: height + amplitude * np.sin(2.0 * horizontal + 0.3).prod(axis=1)


def changing(
    factor: int, dim: int, coarse: int = 4, above: int = 2, below: int = 2, upside_down: bool = False
) -> list[Row]:
    """Rows from many elements at the top to a factor fewer along every axis at the bottom, or the reverse."""
    fine = (factor * coarse,) * (dim - 1)
    rows = [Row(fine, fine, 1.0 / factor)] * above
    counts = list(fine)
    for axis in range(dim - 1):
        top = tuple(counts)
        counts[axis] = coarse
        rows.append(Row(top, tuple(counts), 1.0))
    rows += [Row(tuple(counts), tuple(counts), 1.0)] * below
    return [Row(row.bottom, row.top, row.height) for row in reversed(rows)] if upside_down else rows


def slab(rows: Sequence[Row], shape_order: int = 1, length: float | None = None) -> Mesh:
    """Rows as one layer with flat interfaces, as high as they say and of coarse elements 1 wide."""
    lengths = np.min([row.top for row in rows] + [row.bottom for row in rows], axis=0)
    height = sum(row.height for row in rows)
    bounds = [(0.0, float(length or n)) for n in lengths]
    return layered_mesh(bounds, [rows], [flat(0.0), flat(-height)], shape_order=shape_order)
