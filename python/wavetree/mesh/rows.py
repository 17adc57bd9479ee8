"""Rows of elements across a box, some of which change the number of elements along one axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["ROW_HEIGHT", "Row", "lattice_elements", "lattice_lengths"]

ROW_HEIGHT = 10
"""Height of a row on the lattice."""

# Corners of quads as (along, up), ξ fastest: along counts fine elements, up from the bottom. The fine ones
# are at the top. Of two coarse elements become four, for the number of edges around a patch of quads is even:
# with one edge at either end there is no way from one to two. The inner points lie where the time step is
# longest: in a row as high as the coarse elements 0.9 of that in the fine ones, half way up it would be 0.8.
_PLAIN = [[(0, 0), (1, 0), (0, 10), (1, 10)]]
_DOUBLING = [
    [(0, 0), (2, 0), (1, 4), (2, 3)],
    [(1, 4), (2, 3), (1, 10), (2, 10)],
    [(0, 0), (1, 4), (0, 10), (1, 10)],
    [(2, 0), (4, 0), (2, 3), (3, 4)],
    [(2, 3), (3, 4), (2, 10), (3, 10)],
    [(3, 4), (4, 0), (3, 10), (4, 10)],
]
_TRIPLING = [
    [(0, 0), (3, 0), (1, 4), (2, 4)],
    [(0, 0), (1, 4), (0, 10), (1, 10)],
    [(1, 4), (2, 4), (1, 10), (2, 10)],
    [(2, 4), (3, 0), (2, 10), (3, 10)],
]
_TEMPLATES = {1: np.array(_PLAIN), 2: np.array(_DOUBLING), 3: np.array(_TRIPLING)}
_WIDTHS = {1: 1, 2: 2, 3: 1}  # of the templates, in coarse elements
# Height, in that of the row, of bricks on the finer edge that allow the same time step: found by trying, to
# 10 % for heights of 0.6 to 1.2 coarse elements, fluid and solid.
_LOWEST = {1: 1.0, 2: 0.41, 3: 0.33}


@dataclass(frozen=True)
class Row:
    """A row of elements across a box.

    Parameters
    ----------
    top, bottom
        Number of elements along every horizontal axis at the upper and the lower edge. They are equal or
        differ along one axis, by a factor of 2, the smaller one even, or of 3.
    height
        Height in the unit of the other rows of a layer.

    Raises
    ------
    ValueError
        If the numbers are none that a row can have.
    """

    top: tuple[int, ...]
    bottom: tuple[int, ...]
    height: float

    def __post_init__(self) -> None:
        ratios = [max(pair) / min(pair) for pair in zip(self.top, self.bottom, strict=True)]
        changing = [axis for axis, ratio in enumerate(ratios) if ratio != 1.0]
        coarse = [min(self.top[axis], self.bottom[axis]) for axis in changing]
        if (
            len(changing) > 1
            or not all(ratio in _TEMPLATES for ratio in ratios)
            or any(count % _WIDTHS[int(max(ratios))] for count in coarse)
        ):
            raise ValueError(
                f"a row has {self.top} elements at the top and {self.bottom} at the bottom; expected equal "
                "numbers but for one axis, where they differ by a factor of 2, the smaller one even, or of 3."
            )

    @property
    def factor(self) -> int:
        """Ratio of the numbers of elements at both edges: 1, 2 or 3."""
        return math.prod(self.top) // math.prod(self.bottom) or math.prod(self.bottom) // math.prod(self.top)

    @property
    def axis(self) -> int:
        """The axis along which the numbers differ; the first one if none."""
        return next((k for k, (t, b) in enumerate(zip(self.top, self.bottom, strict=True)) if t != b), 0)

    @property
    def lowest(self) -> float:
        """Height of the bricks on the finer edge that would allow as long time steps."""
        return _LOWEST[self.factor] * self.height

    @property
    def nelem(self) -> int:
        """Number of elements."""
        coarse = math.prod(min(pair) for pair in zip(self.top, self.bottom, strict=True))
        return coarse // _WIDTHS[self.factor] * len(_TEMPLATES[self.factor])


def lattice_lengths(rows: Sequence[Row]) -> tuple[int, ...]:
    """Return the length of the lattice of `lattice_elements` along all axes; its unit is a fine element.

    Parameters
    ----------
    rows
        Rows from top to bottom.

    Raises
    ------
    ValueError
        If rows do not fit on each other or a number of elements does not divide the largest one.
    """
    horizontal = np.max([row.top for row in rows] + [row.bottom for row in rows], axis=0)
    for k, (upper, lower) in enumerate(itertools.pairwise(rows)):
        if upper.bottom != lower.top:
            raise ValueError(
                f"row {k} has {upper.bottom} elements at the bottom and row {k + 1} has {lower.top} at the "
                "top; expected the same numbers."
            )
    for row in rows:
        if (horizontal % np.array([row.top, row.bottom])).any():
            raise ValueError(
                f"a row has {row.top} elements at the top and {row.bottom} at the bottom; expected numbers "
                f"that divide the largest ones, {horizontal.tolist()}."
            )
    return (*(int(n) for n in horizontal), ROW_HEIGHT * len(rows))


def lattice_elements(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements of rows by the coordinates of their corners on a lattice.

    Parameters
    ----------
    rows
        Rows from top to bottom.

    Returns
    -------
    corners, row
        Whole coordinates (nelem, 2**dim, dim) int64 of the corners, x fastest, from 0 to `lattice_lengths`,
        a row being `ROW_HEIGHT` high; and the row of every element (nelem,).

    Notes
    -----
    A row that changes the number of elements along one axis is a pattern of quads, in 3-D drawn out along the
    other axis. Both axes change in two rows.
    """
    *horizontal, height = lattice_lengths(rows)
    parts = []
    for k, row in enumerate(rows):
        axis = row.axis
        quads = _quads(row.top[axis], row.bottom[axis], horizontal[axis])
        quads[..., 1] += height - ROW_HEIGHT * (k + 1)
        parts.append(quads if len(horizontal) == 1 else _drawn_out(quads, row, horizontal))
    number = np.repeat(np.arange(len(rows)), [len(part) for part in parts])
    return np.concatenate(parts), number


def _quads(top: int, bottom: int, length: int) -> np.ndarray:
    """Quads (n, 4, 2) of a row along its axis: corners as (along, up) on a lattice of that length."""
    fine, coarse = max(top, bottom), min(top, bottom)
    template = _TEMPLATES[fine // coarse]
    if (
        bottom > top
    ):  # upside down, and lower and upper corners exchanged, so that quads keep their orientation
        template = (template * [1, -1] + [0, ROW_HEIGHT])[:, [2, 3, 0, 1]]
    unit, width = length // fine, _WIDTHS[fine // coarse] * (fine // coarse)
    first = unit * width * np.arange(fine // width)
    shifts = np.stack([first, np.zeros_like(first)], axis=1)
    return np.asarray((template * [unit, 1] + shifts[:, None, None]).reshape(-1, 4, 2))


def _drawn_out(quads: np.ndarray, row: Row, horizontal: Sequence[int]) -> np.ndarray:
    """Hexes (n, 8, 3) from the quads (n, 4, 2) along the row's axis, extended along the other one."""
    other = 1 - row.axis
    count = row.top[other]
    edges = horizontal[other] // count * (np.arange(count)[:, None] + [0, 1])
    shape = (count, len(quads), 2, 2, 2)  # axes: along the other one, quad, then z, y, x of the corners
    hexes = np.empty((*shape, 3), dtype=np.int64)
    z, eta, xi = np.indices((2, 2, 2))
    ours, others = (xi, eta) if row.axis == 0 else (eta, xi)
    hexes[..., row.axis] = quads[None, :, 2 * z + ours, 0]
    hexes[..., other] = edges[:, None, others]
    hexes[..., 2] = quads[None, :, 2 * z + ours, 1]
    return hexes.reshape(-1, 8, 3)
