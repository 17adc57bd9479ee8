"""Mesh files for tests, written with meshio, or with netCDF4 as Exodus II prescribes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import meshio
import netCDF4
import numpy as np

from wavetree.mesh import Mesh, box_mesh

_HEX_CORNERS = (0, 2, 8, 6, 18, 20, 26, 24)
_BOTTOM, _TOP, _UPRIGHT = (1, 5, 7, 3), (19, 23, 25, 21), (9, 11, 17, 15)
# Which of our nodes (x fastest) stands in each place of a file, as the manuals of VTK and Exodus II draw it.
VTK_NODES = {
    "quad": (0, 1, 3, 2),
    "quad8": (0, 2, 8, 6, 1, 5, 7, 3),
    "quad9": (0, 2, 8, 6, 1, 5, 7, 3, 4),
    "hexahedron": (0, 1, 3, 2, 4, 5, 7, 6),
    "hexahedron20": (*_HEX_CORNERS, *_BOTTOM, *_TOP, *_UPRIGHT),
    "hexahedron27": (*_HEX_CORNERS, *_BOTTOM, *_TOP, *_UPRIGHT, 12, 14, 10, 16, 4, 22, 13),
}
EXODUS_NODES = {
    **VTK_NODES,
    "hexahedron20": (*_HEX_CORNERS, *_BOTTOM, *_UPRIGHT, *_TOP),
    "hexahedron27": (*_HEX_CORNERS, *_BOTTOM, *_UPRIGHT, *_TOP, 13, 4, 22, 12, 14, 10, 16),
}
GMSH_HEX27 = (*_HEX_CORNERS, 1, 3, 9, 5, 11, 7, 17, 15, 19, 21, 23, 25, 4, 10, 12, 14, 16, 22, 13)
_EXODUS_TYPES = {"quad": "QUAD", "quad8": "QUAD8", "quad9": "QUAD9"}
_EXODUS_TYPES |= {"hexahedron": "HEX8", "hexahedron20": "HEX20", "hexahedron27": "HEX27"}
KINDS = tuple(VTK_NODES)


def curved(kind: str) -> tuple[Mesh, float]:
    """Return a mesh of 2 x 2 quads or 2 x 1 x 2 hexes that a cell type can hold, and its area or volume.

    x = X + a Y², y = Y + b X² of the unit square has det J = 1 - 4 a b X Y; x = X + a Y², y = Y + b Z²,
    z = Z + c X² of the cube 1 + 8 a b c X Y Z. Nine or 27 nodes hold x = X + d X² Y² too.
    """
    dim = 3 if kind.startswith("hex") else 2
    order = 1 if kind in ("quad", "hexahedron") else 2
    counts = (2, 2) if dim == 2 else (2, 1, 2)

    def bend(points: np.ndarray) -> np.ndarray:
        if kind.endswith(("9", "27")):
            others = (points[:, 1:] ** 2).prod(axis=1)
            return points + 0.3 * (points[:, :1] ** 2) * others[:, None] * np.eye(dim)[0]
        if order == 1:
            return points + 0.3 * points.prod(axis=1)[:, None] * np.eye(dim)[0]
        return points + 0.3 * np.roll(points, -1, axis=1) ** 2

    size = {"quad": 1.15, "hexahedron": 1.075, "quad8": 0.91, "hexahedron20": 1.027}.get(kind)
    size = size or 1.0 + 0.3 / 3 ** (dim - 1)
    return box_mesh([(0.0, 1.0)] * dim, counts, shape_order=order, deformation=bend), size


def write_meshio(
    path: Path, mesh: Mesh, kind: str, file_format: str | None = None, **options: object
) -> None:
    """Write a mesh as one cell type; further cells may be given as `more`."""
    more: Sequence[tuple[str, object]] = options.pop("more", ())
    points = np.pad(mesh.points, ((0, 0), (0, 3 - mesh.dim)))
    cells = [(kind, mesh.connectivity[:, VTK_NODES[kind]]), *more]
    meshio.write(path, meshio.Mesh(points, cells, **options), file_format=file_format)


def write_exodus(
    path: Path,
    points: np.ndarray,
    blocks: Sequence[tuple[str, str, np.ndarray]],
    side_sets: Mapping[str, tuple[Sequence[int], Sequence[int]]] | None = None,
    fields: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write Exodus II: blocks are (name, cell type, our nodes), side sets (elements, sides) from 1."""
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
        file.api_version = file.version = np.float32(5.1)
        file.floating_point_word_size = 8
        for name, size in {
            "len_string": 33,
            "len_name": 33,
            "num_dim": points.shape[1],
            "num_nodes": len(points),
            "num_elem": sum(len(nodes) for _, _, nodes in blocks),
            "num_el_blk": len(blocks),
        }.items():
            file.createDimension(name, size)
        file.createDimension("time_step", None)
        for axis, values in zip("xyz", points.T, strict=False):
            file.createVariable(f"coord{axis}", "f8", ("num_nodes",))[:] = values
        _names(file, "eb_names", "num_el_blk", [name for name, _, _ in blocks])
        file.createVariable("eb_prop1", "i4", ("num_el_blk",))[:] = 10 * np.arange(1, len(blocks) + 1)
        for k, (_, kind, nodes) in enumerate(blocks, start=1):
            file.createDimension(f"num_el_in_blk{k}", len(nodes))
            file.createDimension(f"num_nod_per_el{k}", len(EXODUS_NODES[kind]))
            variable = file.createVariable(f"connect{k}", "i4", (f"num_el_in_blk{k}", f"num_nod_per_el{k}"))
            variable.elem_type = _EXODUS_TYPES[kind]
            variable[:] = nodes[:, EXODUS_NODES[kind]] + 1
        if side_sets:
            file.createDimension("num_side_sets", len(side_sets))
            _names(file, "ss_names", "num_side_sets", list(side_sets))
            file.createVariable("ss_prop1", "i4", ("num_side_sets",))[:] = np.arange(1, len(side_sets) + 1)
        for k, (elements, sides) in enumerate((side_sets or {}).values(), start=1):
            file.createDimension(f"num_side_ss{k}", len(elements))
            file.createVariable(f"elem_ss{k}", "i4", (f"num_side_ss{k}",))[:] = elements
            file.createVariable(f"side_ss{k}", "i4", (f"num_side_ss{k}",))[:] = sides
        if fields:
            _write_fields(file, fields, blocks)


def _write_fields(file: netCDF4.Dataset, fields: Mapping[str, np.ndarray], blocks: Sequence) -> None:
    n_nodes = len(file.dimensions["num_nodes"])
    nodal = {name: values for name, values in fields.items() if len(values) == n_nodes}
    elemental = {name: values for name, values in fields.items() if name not in nodal}
    if nodal:
        file.createDimension("num_nod_var", len(nodal))
        _names(file, "name_nod_var", "num_nod_var", list(nodal))
    for i, values in enumerate(nodal.values(), start=1):
        file.createVariable(f"vals_nod_var{i}", "f8", ("time_step", "num_nodes"))[0] = values
    if elemental:
        file.createDimension("num_elem_var", len(elemental))
        _names(file, "name_elem_var", "num_elem_var", list(elemental))
    for i, values in enumerate(elemental.values(), start=1):
        start = 0
        for k, (_, _, nodes) in enumerate(blocks, start=1):
            name, dimension = f"vals_elem_var{i}eb{k}", f"num_el_in_blk{k}"
            file.createVariable(name, "f8", ("time_step", dimension))[0] = values[start : start + len(nodes)]
            start += len(nodes)


def _names(file: netCDF4.Dataset, name: str, dimension: str, texts: Sequence[str]) -> None:
    variable = file.createVariable(name, "S1", (dimension, "len_name"))
    for k, text in enumerate(texts):
        variable[k] = netCDF4.stringtochar(np.array([text.encode()], dtype="S33"))[0]
