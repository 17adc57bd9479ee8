"""Meshes from the files of mesh generators, checked and repaired."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wavetree.mesh import repair
from wavetree.mesh.cell_types import CELL_TYPES, FACET_CORNERS
from wavetree.mesh.exodus_reader import ENDINGS, read_exodus
from wavetree.mesh.facets import matching_facets, sorted_facets
from wavetree.mesh.fields import finite_array
from wavetree.mesh.file_content import FileContent
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.meshio_reader import FORMATS, read_with_meshio
from wavetree.mesh.report import MeshReport, check_mesh
from wavetree.mesh.side_sets import AXES, boundary_facets, corner_indices, facet_nodes

__all__ = ["mesh_from_file", "read_mesh_file"]

_log = logging.getLogger("wavetree")

_PLANE = 1e-8  # spread of a coordinate, over the largest extent, that counts as constant
_H5 = (".h5", ".hdf5")


def read_mesh_file(path: str | Path) -> tuple[Mesh, MeshReport]:
    """Read a mesh of quads or hexes, and say what was found and repaired.

    Parameters
    ----------
    path
        Name of the file; its ending says what it is: Gmsh ``.msh``, VTK ``.vtk`` and ``.vtu``, Abaqus
        ``.inp``, Exodus ``.e``, ``.exo``, ``.ex2``, ``.g`` and ``.gen``, or wavetree's own ``.h5``.

    Returns
    -------
    mesh, report
        The mesh, with the elemental field ``block`` where the file has element blocks (their names in
        `Mesh.block_names`), and the report.

    Raises
    ------
    ValueError
        If the file is missing, damaged or of another format, has elements other than quads or hexes of order
        1 or 2, elements of both orders, or elements that are inverted or degenerate (index and corners).
    ImportError
        If the package that reads the format is not installed.

    Notes
    -----
    Repaired are left-handed elements, which are mirrored, points in one place (nearer than 1e-4 of the
    shortest edge), which are merged, and points without elements, which are dropped. Elements of 8 and 20
    nodes become those of 9 and 27 that have exactly the same geometry. A facet inside the mesh that a named
    set lists is in the side set from both its sides.
    """
    path = Path(path)
    if path.suffix.lower() in _H5:
        mesh = Mesh.from_h5(path)
        return mesh, check_mesh(mesh)
    content = _read(path)
    try:
        return _Assembly(content).mesh()
    except ValueError as error:
        raise ValueError(f"file {str(path)!r} holds no usable mesh: {error}") from error


def mesh_from_file(path: str | Path) -> Mesh:
    """Read a mesh as `read_mesh_file`; repairs are logged, what makes results wrong is warned of."""
    mesh, report = read_mesh_file(path)
    for text in (*report.repairs, *report.notes):
        _log.info("%s: %s", path, text)
    for text in report.problems:
        warnings.warn(f"{path}: {text}", stacklevel=3)
    return mesh


def _read(path: Path) -> FileContent:
    ending = path.suffix.lower()
    if ending not in (*FORMATS, *ENDINGS):
        raise ValueError(
            f"path is {str(path)!r}; expected a name that ends in one of "
            f"{', '.join((*FORMATS, *ENDINGS, *_H5))}: convert the mesh to one of these formats."
        )
    if not path.is_file():
        raise ValueError(f"path {str(path)!r} is not a file; expected a mesh file.")
    try:
        return read_exodus(path) if ending in ENDINGS else read_with_meshio(path)
    except ImportError:
        raise
    # Readers of damaged files fail in as many ways as there are errors.
    except Exception as error:
        form = "Exodus" if ending in ENDINGS else FORMATS[ending]
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(
            f"cannot read file {str(path)!r} as {form} ({reason}); it is damaged or of "
            "another format, or has something that the reader does not know: write it anew."
        ) from error


class _Assembly:
    """A file's content on its way to a mesh; every step leaves it consistent."""

    def __init__(self, content: FileContent) -> None:
        self.repairs: list[str] = []
        self.notes = list(content.notes)
        kinds = [cells.kind for cells in content.cells if len(cells.nodes)]
        self.dim = 3 if any(CELL_TYPES[k].dim == 3 for k in kinds if k in CELL_TYPES) else 2
        self.content = content
        self.top = [c for c in content.cells if c.kind in CELL_TYPES and CELL_TYPES[c.kind].dim == self.dim]
        self.top = [cells for cells in self.top if len(cells.nodes)]
        self._refuse_other_elements()
        self.order = CELL_TYPES[self.top[0].kind].order
        self.points = self._checked_points()
        self.tolerance = 0.0

    def mesh(self) -> tuple[Mesh, MeshReport]:
        n_points = len(self.points)
        number = self._new_numbers()
        kept = np.flatnonzero(np.bincount(number[number >= 0], minlength=n_points))
        # A merged point is the first of its place, so its old number is that of the point which is kept.
        place = np.full(n_points + 1, -1)
        place[kept] = np.arange(len(kept))
        number = place[number]
        names = list(self.content.fields)
        values = np.column_stack([self.points, *self.content.fields.values()])[kept]
        connectivity, values = self._completed(number, values)
        points = values[:, : self.dim]
        connectivity, flipped = repair.mirrored(points, connectivity, self.order)
        if flipped.any():
            self.repairs.append(f"{int(flipped.sum())} left-handed elements were mirrored.")
        repair.refuse_inverted(points, connectivity, self.order)
        mesh = Mesh(points, connectivity, self.order, self._side_sets(connectivity, number, flipped))
        self._attach_fields(mesh, dict(zip(names, values[:, self.dim :].T, strict=True)))
        return mesh, check_mesh(mesh, tuple(self.repairs), tuple(self.notes))

    def _completed(self, number: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Elements in tensor order (nelem, n_nodes), and values (n, dim + n_fields) of all their points."""
        parts = []
        n_given = len(values)
        for cells in self.top:
            part, values = repair.complete_nodes(number[cells.nodes], CELL_TYPES[cells.kind], values)
            parts.append(part)
        connectivity = np.concatenate(parts)
        if len(parts) == 1 or len(values) == n_given:
            return connectivity, values
        # New points on sides between two blocks were made twice, or beside a point of the file.
        standing = repair.merged_points(values[:, : self.dim], self.tolerance)
        kept, connectivity = np.unique(standing[connectivity], return_inverse=True)
        return connectivity.reshape(-1, parts[0].shape[1]), values[kept]

    def _refuse_other_elements(self) -> None:
        small = ("vertex",) if self.dim == 2 else ("vertex", "line", "line3")
        known = {*FACET_CORNERS, *CELL_TYPES, *small}
        counts: dict[str, int] = {}
        for cells in self.content.cells:
            counts[cells.kind] = counts.get(cells.kind, 0) + len(cells.nodes)
        strange = [
            f"{count} of type {kind!r}" for kind, count in counts.items() if count and kind not in known
        ]
        if strange:
            raise ValueError(
                f"it has elements that are neither quads nor hexes of order 1 or 2: {', '.join(strange)}; "
                "expected quads or hexes alone: mesh the domain with these (in Gmsh, transfinite meshes with "
                "recombination, or Mesh.SubdivisionAlgorithm 1 for quads and 2 for hexes)."
            )
        if not self.top:
            held = ", ".join(f"{count} of type {kind!r}" for kind, count in counts.items() if count)
            raise ValueError(f"it has no quads or hexes, only {held or 'no elements at all'}.")
        orders = {cells.kind: CELL_TYPES[cells.kind].order for cells in self.top}
        if len(set(orders.values())) > 1:
            mixed = ", ".join(f"{kind!r} of order {order}" for kind, order in orders.items())
            raise ValueError(f"it mixes {mixed}; expected one order: set the same order for all blocks.")

    def _checked_points(self) -> np.ndarray:
        points = finite_array("points", self.content.points)
        for cells in self.content.cells:
            if cells.nodes.size and not 0 <= cells.nodes.min() <= cells.nodes.max() < len(points):
                raise ValueError(
                    f"a cell of type {cells.kind!r} names a point that is not one of the {len(points)} given."
                )
        if points.shape[1] == self.dim:
            return points
        used = points[np.concatenate([cells.nodes.ravel() for cells in self.top])]
        spread = np.ptp(used, axis=0)
        flat = np.flatnonzero(spread <= _PLANE * spread.max())
        if self.dim == 3 or len(flat) != 1:
            raise ValueError(
                f"its coordinates vary by {spread.tolist()} along {len(spread)} axes; expected "
                + (
                    "three coordinates for hexes."
                    if self.dim == 3
                    else "quads in a plane of constant x, y or z."
                )
            )
        axis = int(flat[0])
        others = [k for k in range(3) if k != axis]
        named = " and ".join(AXES[k] for k in others)
        constant = float(used[0, axis])
        self.notes.append(
            f"all quads lie in the plane {AXES[axis]} = {constant:g}: {named} are the x and y of the mesh."
        )
        return points[:, others]

    def _new_numbers(self) -> np.ndarray:
        """Point that stands for each of the file's (n_points,), -1 for those that no element has."""
        used = np.zeros(len(self.points), dtype=bool)
        for cells in self.top:
            used[cells.nodes] = True
        rows = np.flatnonzero(used)
        corners = [cells.nodes[:, CELL_TYPES[cells.kind].corners] for cells in self.top]
        self.tolerance = repair.MERGED * repair.smallest_edge(self.points, np.concatenate(corners))
        number = np.full(len(self.points), -1)
        number[rows] = rows[repair.merged_points(self.points[rows], self.tolerance)]
        merged = int((number[rows] != rows).sum())
        if merged:
            self.repairs.append(
                f"{merged} points were merged with others in the same place (nearer than "
                f"{self.tolerance:.3g} m, {repair.MERGED:g} of the shortest edge)."
            )
        if len(rows) < len(number):
            self.repairs.append(f"{len(number) - len(rows)} points that belong to no element were dropped.")
        return number

    def _side_sets(
        self, connectivity: np.ndarray, number: np.ndarray, flipped: np.ndarray
    ) -> dict[str, np.ndarray]:
        local = corner_indices(self.dim, self.order)[facet_nodes(self.dim, 1)]
        facets = sorted_facets(connectivity, local)
        found = self._listed_sides(flipped)
        for name, corners in self._facet_sets().items():
            rows, matched = matching_facets(facets, number[corners])
            if not matched.all():
                self.notes.append(
                    f"{int((~matched).sum())} facets of the set {name!r} are no sides of elements; left out."
                )
            _extend(found, name, np.stack(np.divmod(rows, 2 * self.dim), axis=1))
        outside = boundary_facets(connectivity, self.dim, self.order)
        for name, members in self.content.point_sets.items():
            inside = np.zeros(len(number) + 1, dtype=bool)
            inside[number[members]] = True
            inside[-1] = False
            nodes = connectivity[outside[:, :1], local[outside[:, 1]]]
            rows = outside[inside[nodes].all(axis=1)]
            if len(rows):
                _extend(found, name, rows)
            else:
                self.notes.append(f"the point set {name!r} holds no whole side of an element; left out.")
        return found

    def _listed_sides(self, flipped: np.ndarray) -> dict[str, np.ndarray]:
        """Side sets that the file gives as [cell, side] rows."""
        element = np.concatenate(
            [np.full(len(cells.nodes), cells in self.top) for cells in self.content.cells]
        )
        element = np.where(element, np.cumsum(element) - 1, -1)
        found: dict[str, np.ndarray] = {}
        for name, rows in self.content.side_sets.items():
            elements, sides = element[rows[:, 0]], rows[:, 1]
            kept = elements >= 0
            # A mirrored element has its two x-sides exchanged.
            sides = np.where(flipped[elements] & (sides < 2), 1 - sides, sides)
            if not kept.all():
                self.notes.append(
                    f"{int((~kept).sum())} sides of the set {name!r} belong to other cells; left out."
                )
            _extend(found, name, np.stack([elements[kept], sides[kept]], axis=1))
        return found

    def _facet_sets(self) -> dict[str, np.ndarray]:
        """Corners (n, 2 or 4) of the facets of named sets, as the file numbers its points."""
        found: dict[str, np.ndarray] = {}
        for cells in self.content.cells:
            n_corners = FACET_CORNERS.get(cells.kind)
            if n_corners == 2 ** (self.dim - 1):
                for name, rows in cells.sets.items():
                    _extend(found, name, cells.nodes[rows, :n_corners])
        return found

    def _attach_fields(self, mesh: Mesh, nodal: Mapping[str, np.ndarray]) -> None:
        for name, values in nodal.items():
            if self._finite(name, values):
                mesh.nodal_fields[_plain(name)] = values
        for name in self.top[0].fields:
            values = np.concatenate([cells.fields[name] for cells in self.top])
            if self._finite(name, values):
                mesh.elemental_fields[_plain(name)] = values
        blocks = np.concatenate([cells.block for cells in self.top])
        if blocks.any():
            mesh.elemental_fields["block"] = blocks
            present = set(blocks.tolist())
            mesh.block_names = {n: name for n, name in self.content.block_names.items() if n in present}

    def _finite(self, name: str, values: np.ndarray) -> bool:
        if np.isfinite(values).all():
            return True
        self.notes.append(f"field {name!r} has values that are NaN or infinite and was left out.")
        return False


def _extend(sets: dict[str, np.ndarray], name: str, rows: np.ndarray) -> None:
    """Add rows to a named set, each once, in ascending order."""
    name = _plain(name)
    known = [sets[name]] if name in sets else []
    sets[name] = np.unique(np.concatenate([*known, rows]), axis=0)


def _plain(name: str) -> str:
    """Return a name that a mesh accepts: its files use the slash for themselves."""
    return name.strip().replace("/", "_") or "unnamed"
