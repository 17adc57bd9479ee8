"""Exodus mesh files, with the block names and side sets that meshio leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from wavetree.mesh.file_content import FileCells, FileContent
from wavetree.mesh.meshio_reader import required

__all__ = ["ENDINGS", "read_exodus"]

ENDINGS = (".e", ".exo", ".ex2", ".g", ".gen")
"""Endings of the names of Exodus files."""

_KINDS = {
    ("quad", 4): "quad",
    ("quad", 8): "quad8",
    ("quad", 9): "quad9",
    ("hex", 8): "hexahedron",
    ("hex", 20): "exodus hex20",
    ("hex", 27): "exodus hex27",
    ("line", 2): "line",
    ("line", 3): "line3",
    ("vertex", 1): "vertex",
}
_SHAPES = {
    **dict.fromkeys(("QUAD", "SHELL"), "quad"),
    "HEX": "hex",
    **dict.fromkeys(("BAR", "BEAM", "TRUSS", "EDGE"), "line"),
    **dict.fromkeys(("SPHERE", "CIRCLE", "POINT"), "vertex"),
    **dict.fromkeys(("TRI", "TET", "PYRAMID", "WEDGE"), ""),
}
# Ours are x-, x+, y-, y+, z-, z+; Exodus walks around the element first.
_SIDES = {"quad": (2, 1, 3, 0), "hex": (2, 1, 3, 0, 4, 5)}


def read_exodus(path: Path) -> FileContent:
    """Read an Exodus II file through netCDF4.

    Parameters
    ----------
    path
        Name of the file.

    Notes
    -----
    Node and side numbering follow Schoof & Yarberry (1994), EXODUS II: a finite element data model,
    SAND92-2137: the nodes on the edges of a hex go bottom, upright, top, then come the centre and the sides
    z-, z+, x-, x+, y-, y+. Of several time steps the first is read.
    """
    with required("netCDF4").Dataset(str(path)) as file:
        file.set_auto_maskandscale(False)
        if "num_nodes" not in file.dimensions or "num_el_blk" not in file.dimensions:
            raise ValueError("it has no nodes or no element blocks as Exodus names them")
        return _Reader(file).content()


class _Reader:
    def __init__(self, file: Any) -> None:
        self.file = file
        self.notes: list[str] = []
        # Of every cell: its shape ("quad", "shell", "hex", ...), for the meaning of its sides.
        self.shapes: list[np.ndarray] = []

    def content(self) -> FileContent:
        names = self._names("eb_names", "num_el_blk")
        numbers = self._numbers("eb_prop1", len(names))
        cells = [self._cells(k + 1, number) for k, number in enumerate(numbers)]
        self._attach_fields(cells)
        return FileContent(
            points=self._points(),
            cells=tuple(cells),
            block_names={n: name for n, name in zip(numbers, names, strict=True) if name},
            side_sets=self._side_sets(),
            fields=self._nodal_fields(),
            notes=tuple(self.notes),
        )

    def _size(self, dimension: str) -> int:
        return len(self.file.dimensions[dimension]) if dimension in self.file.dimensions else 0

    def _names(self, variable: str, dimension: str) -> list[str]:
        """Texts of a variable, empty ones where there are none."""
        if variable not in self.file.variables:
            return [""] * self._size(dimension)
        rows = np.asarray(self.file[variable][:])
        return [b"".join(row.tolist()).split(b"\0")[0].decode(errors="replace").strip() for row in rows]

    def _numbers(self, variable: str, count: int) -> list[int]:
        if variable not in self.file.variables:
            return list(range(1, count + 1))
        return [int(number) for number in self.file[variable][:]]

    def _points(self) -> np.ndarray:
        if "coord" in self.file.variables:
            return np.asarray(self.file["coord"][:], dtype=np.float64).T
        axes = "xyz"[: self._size("num_dim")]
        return np.stack([np.asarray(self.file[f"coord{a}"][:], dtype=np.float64) for a in axes], axis=1)

    def _cells(self, k: int, number: int) -> FileCells:
        if f"connect{k}" not in self.file.variables:  # a block without elements
            return FileCells("vertex", np.zeros((0, 1), dtype=np.int64), np.zeros(0, dtype=np.int64))
        variable = self.file[f"connect{k}"]
        name = str(getattr(variable, "elem_type", "")).strip("\0 ").upper()
        nodes = np.asarray(variable[:], dtype=np.int64) - 1
        shape = next((shape for start, shape in _SHAPES.items() if name.startswith(start)), "")
        # Shells count their two faces before their edges.
        sided = "shell" if name.startswith("SHELL") else shape
        self.shapes.append(np.full(len(nodes), sided, dtype="U8"))
        kind = _KINDS.get((shape, nodes.shape[1]), f"{name or 'unnamed'} of {nodes.shape[1]} nodes")
        return FileCells(kind, nodes, np.full(len(nodes), number, dtype=np.int64))

    def _side_sets(self) -> dict[str, np.ndarray]:
        names = self._names("ss_names", "num_side_sets")
        shapes = np.concatenate(self.shapes) if self.shapes else np.zeros(0, dtype="U8")
        found: dict[str, np.ndarray] = {}
        for k, number in enumerate(self._numbers("ss_prop1", len(names))):
            if f"elem_ss{k + 1}" not in self.file.variables:
                continue
            name = names[k] or str(number)
            cells = np.asarray(self.file[f"elem_ss{k + 1}"][:], dtype=np.int64) - 1
            sides = np.asarray(self.file[f"side_ss{k + 1}"][:], dtype=np.int64) - 1
            if len(cells) and not 0 <= cells.min() <= cells.max() < len(shapes):
                raise ValueError(f"its side set {name!r} names an element that is not in the file")
            rows = [found[name]] if name in found else []
            for shape in np.unique(shapes[cells]):
                of_shape = shapes[cells] == shape
                rows.append(self._rows(name, str(shape), cells[of_shape], sides[of_shape]))
            found[name] = np.concatenate(rows) if rows else np.zeros((0, 2), dtype=np.int64)
        return found

    def _rows(self, name: str, shape: str, cells: np.ndarray, sides: np.ndarray) -> np.ndarray:
        """[cell, side] rows of cells of one shape; sides are counted from 0."""
        if shape == "shell":
            shape, sides = "quad", sides - 2
        known = np.array(_SIDES.get(shape, ()), dtype=np.int64)
        good = (sides >= 0) & (sides < len(known))
        if not good.all():
            self.notes.append(
                f"side set {name!r} names {int((~good).sum())} sides that no quad or hex has; left out."
            )
        return np.stack([cells[good], known[sides[good]]], axis=1)

    def _first(self, variable: str) -> np.ndarray | None:
        """Values at the first time step, None if there are none."""
        if variable not in self.file.variables or not len(self.file[variable]):
            return None
        return np.asarray(self.file[variable][0], dtype=np.float64)

    def _nodal_fields(self) -> dict[str, np.ndarray]:
        found = {}
        if self._size("time_step") > 1:
            self.notes.append(f"of {self._size('time_step')} time steps the first was read.")
        together = self._first("vals_nod_var")  # how older files store all of them
        for k, name in enumerate(self._names("name_nod_var", "num_nod_var")):
            values = self._first(f"vals_nod_var{k + 1}") if together is None else together[k]
            if values is not None:
                found[name] = values
        return found

    def _attach_fields(self, cells: list[FileCells]) -> None:
        for i, name in enumerate(self._names("name_elem_var", "num_elem_var")):
            parts = [self._first(f"vals_elem_var{i + 1}eb{k + 1}") for k in range(len(cells))]
            whole = all(
                part is not None or not len(one.nodes) for part, one in zip(parts, cells, strict=True)
            )
            if not whole:
                self.notes.append(f"field {name!r} is not given in all element blocks and was left out.")
                continue
            for part, one in zip(parts, cells, strict=True):
                if part is not None:
                    one.fields[name] = part
