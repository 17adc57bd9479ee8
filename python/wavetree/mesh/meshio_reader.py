"""Mesh files of Gmsh, VTK and Abaqus, read by meshio."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from wavetree.mesh.abaqus_surfaces import read_surfaces
from wavetree.mesh.file_content import FileCells, FileContent

__all__ = ["FORMATS", "read_with_meshio", "required"]

FORMATS = {".msh": "gmsh", ".vtk": "vtk", ".vtu": "vtu", ".inp": "abaqus"}
"""Readers of meshio by the ending of the file's name."""
_TAGS = "gmsh:physical"
# What meshio makes of Gmsh's book-keeping; nothing of it is a field or a set.
_INTERNAL = "gmsh:"


def required(name: str) -> ModuleType:
    """Import a package of the extra "mesh".

    Raises
    ------
    ImportError
        If it is not installed; the message says how to do so.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"reading this mesh file needs {name}, which cannot be imported ({error}); install it with "
            "python -m pip install 'wavetree[mesh]'"
        ) from error


def read_with_meshio(path: Path) -> FileContent:
    """Read a mesh file of Gmsh, VTK or Abaqus.

    Parameters
    ----------
    path
        Name of the file; its ending says which format it is, see `FORMATS`.

    Notes
    -----
    Element blocks are Gmsh's physical groups of cells, or Abaqus' element sets; where sets overlap, a cell
    belongs to the smallest that holds it. Side sets are Gmsh's physical groups of facets, Abaqus' element
    sets of facets, its element-based surfaces and its node sets.
    """
    raw = getattr(required("meshio"), FORMATS[path.suffix.lower()]).read(str(path))
    dim = 3 if any(cells.type.startswith("hexahedron") for cells in raw.cells) else 2
    sets = [dict(_sets_of(raw, k)) for k in range(len(raw.cells))]
    top = [_dimension(cells.type) == dim for cells in raw.cells]
    if _TAGS in raw.cell_data:
        blocks = [np.asarray(tags, dtype=np.int64) for tags in raw.cell_data[_TAGS]]
        names = {int(tag): name for name, (tag, of_dim) in raw.field_data.items() if of_dim == dim}
    else:
        blocks, names = _blocks_from_sets(raw.cells, sets, top)
    fields, notes = _scalars(raw.point_data)
    cell_fields, more = _scalars({name: np.concatenate(v) for name, v in raw.cell_data.items()})
    ends = np.cumsum([len(cells) for cells in raw.cells])
    cells = tuple(
        FileCells(
            one.type,
            np.asarray(one.data, dtype=np.int64),
            blocks[k] if top[k] else np.zeros(len(one), dtype=np.int64),
            {} if top[k] else sets[k],
            {name: values[ends[k] - len(one) : ends[k]] for name, values in cell_fields.items()},
        )
        for k, one in enumerate(raw.cells)
    )
    side_sets: dict[str, np.ndarray] = {}
    if FORMATS[path.suffix.lower()] == "abaqus":
        side_sets, left_out = read_surfaces(path, [(cells.type, cells.data.shape[1]) for cells in raw.cells])
        more += left_out
    return FileContent(
        points=np.asarray(raw.points, dtype=np.float64),
        cells=cells,
        block_names=names,
        side_sets=side_sets,
        point_sets={name: np.asarray(v, dtype=np.int64) for name, v in raw.point_sets.items()},
        fields=fields,
        notes=(*notes, *more),
    )


def _dimension(kind: str) -> int:
    return {"vertex": 0, "line": 1}.get(kind.rstrip("0123456789"), 3 if kind.startswith("hexahedron") else 2)


def _sets_of(raw: Any, k: int) -> Iterator[tuple[str, np.ndarray]]:
    """Named sets of the cells number k, with their members counted from the first of them."""
    named = set()
    for name, members in raw.cell_sets.items():
        # Of sets that are made of other sets, meshio gives lists of lists, of which nothing can be told.
        if name.startswith(_INTERNAL) or k >= len(members) or not isinstance(members[k], np.ndarray):
            continue
        named.add(name)
        if len(members[k]):
            yield name, members[k].astype(np.int64)
    tags = raw.cell_data.get(_TAGS, [()] * len(raw.cells))[k]
    dim = _dimension(raw.cells[k].type)
    names = {int(tag): name for name, (tag, of_dim) in raw.field_data.items() if of_dim == dim}
    for tag in np.unique(tags):
        name = names.get(int(tag), str(int(tag)))
        if tag > 0 and name not in named:
            yield name, np.flatnonzero(tags == tag)


def _blocks_from_sets(
    cells: Iterable[Any], sets: list[dict[str, np.ndarray]], top: list[bool]
) -> tuple[list[np.ndarray], dict[int, str]]:
    """Number the sets of cells in the order of the file; small ones inside large ones win."""
    blocks = [np.zeros(len(one), dtype=np.int64) for one in cells]
    sizes: dict[str, int] = {}
    for members, counts in zip(sets, top, strict=True):
        for name, rows in members.items():
            sizes[name] = sizes.get(name, 0) + len(rows) * counts
    numbers = {name: k for k, name in enumerate((n for n, size in sizes.items() if size), start=1)}
    for name in sorted(numbers, key=lambda n: -sizes[n]):
        for block, members, counts in zip(blocks, sets, top, strict=True):
            if counts and name in members:
                block[members[name]] = numbers[name]
    return blocks, {number: name for name, number in numbers.items()}


def _scalars(data: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Fields of one number each, and what is said of the others."""
    fields, notes = {}, []
    for name, given in data.items():
        values = np.asarray(given)
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if name.startswith(_INTERNAL):
            continue
        if values.ndim == 1 and values.dtype.kind in "fiub":
            fields[name] = values
        else:
            notes.append(f"field {name!r} has values of shape {values.shape[1:]} and was left out.")
    return fields, notes
