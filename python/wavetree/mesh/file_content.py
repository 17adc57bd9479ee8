"""What a mesh file holds, before it becomes a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["FileCells", "FileContent"]


@dataclass(frozen=True, eq=False)
class FileCells:
    """Cells of one type, as the file numbers their nodes.

    Parameters
    ----------
    kind
        Name of the cell type, as meshio has it or one of `wavetree.mesh.cell_types.CELL_TYPES`.
    nodes
        Points (n, n_nodes), counted from 0.
    block
        Number of the element block of every cell (n,), 0 for none.
    sets
        Cells (m,) of named sets.
    fields
        Values (n,) by name.
    """

    kind: str
    nodes: np.ndarray
    block: np.ndarray
    sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    fields: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FileContent:
    """All that is read of a file.

    Parameters
    ----------
    points
        Coordinates (n_points, 2 or 3) [m].
    cells
        Cells of all dimensions, in the order of the file.
    block_names
        Names of element blocks by number.
    side_sets
        [cell, side] rows (n, 2) by name: cells are counted through `cells`, sides are ours.
    point_sets
        Points (n,) by name; they become side sets where all points of a boundary side are in them.
    fields
        Values at the points (n_points,) by name.
    notes
        What was left out, in words.
    """

    points: np.ndarray
    cells: tuple[FileCells, ...]
    block_names: Mapping[int, str] = field(default_factory=dict)
    side_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    point_sets: Mapping[str, np.ndarray] = field(default_factory=dict)
    fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
