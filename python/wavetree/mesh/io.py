"""Mesh files: HDF5 for wavetree, XDMF beside it for ParaView."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from xml.sax.saxutils import quoteattr

import numpy as np

from wavetree.arrays import array_link, read_arrays, write_arrays, write_text
from wavetree.mesh.interpolation import change_order

if TYPE_CHECKING:
    from wavetree.mesh.mesh import Mesh

__all__ = ["TOPOLOGY", "read_mesh", "straight_cells", "write_mesh"]

_FORMAT = "wavetree mesh"
_VERSION = 1
_VIEW = "paraview/"
# ParaView's cells run around the boundary, ours count x first.
_VTK_CORNERS = {1: (0, 1), 2: (0, 1, 3, 2), 3: (0, 1, 3, 2, 4, 5, 7, 6)}
TOPOLOGY = {
    1: 'TopologyType="Polyline" NodesPerElement="2"',
    2: 'TopologyType="Quadrilateral"',
    3: 'TopologyType="Hexahedron"',
}
"""How XDMF calls lines, quads and hexes."""
M = TypeVar("M")


def write_mesh(mesh: Mesh, path: str | Path, *, xdmf: bool = True) -> None:
    """Write a mesh to an HDF5 file, with an XDMF file of the same stem beside it.

    Parameters
    ----------
    mesh
        The mesh.
    path
        Name of the HDF5 file.
    xdmf
        Whether the description for ParaView and the arrays it needs are written: elements of order k
        are shown as k**dim straight-sided cells, fields at their own nodes.

    Raises
    ------
    ProjectError
        If a file cannot be written.
    """
    path = Path(path)
    arrays = mesh.to_arrays()
    attributes = {"format": _FORMAT, "version": _VERSION}
    if not xdmf:
        write_arrays(path, arrays, attributes)
        return
    view = _view_arrays(mesh)
    write_arrays(path, {**arrays, **{_VIEW + name: array for name, array in view.items()}}, attributes)
    write_text(path.with_suffix(".xdmf"), _xdmf_text(mesh.dim, view, path.name))


def read_mesh(path: str | Path, build: Callable[[Mapping[str, np.ndarray]], M]) -> M:
    """Read the mesh that `write_mesh` wrote.

    Parameters
    ----------
    path
        Name of the HDF5 file.
    build
        Makes the mesh from its named arrays.

    Raises
    ------
    ValueError
        If the file is missing, truncated, damaged, holds no mesh or was written by a newer version.
    """
    arrays, attributes = read_arrays(path)
    if attributes.get("format") != _FORMAT:
        raise ValueError(
            f"file {str(path)!r} holds {attributes.get('format', 'something else')!r}; expected {_FORMAT!r}."
        )
    if attributes.get("version") != _VERSION:
        raise ValueError(
            f"file {str(path)!r} has version {attributes.get('version')} of the mesh format; expected "
            f"{_VERSION}: read it with the wavetree that wrote it, or a newer one."
        )
    try:
        return build(arrays)
    except ValueError as error:
        raise ValueError(f"file {str(path)!r} holds no usable mesh: {error}") from error


def straight_cells(n_elements: int, order: int, dim: int) -> np.ndarray:
    """Return the nodes of the straight cells that elements with nodes of their own are cut into.

    Parameters
    ----------
    n_elements, order
        Number of elements and their order; element e has the nodes from e (order + 1)**dim on, x fastest.
    dim
        Dimensions of the elements: 1 for lines, 2 for quads, 3 for hexes.

    Returns
    -------
    numpy.ndarray
        (n_elements * order**dim, 2**dim), corners in the order of VTK, which runs around them.
    """
    nodes = (order + 1) ** dim
    corners = np.array([b[::-1] for b in itertools.product((0, 1), repeat=dim)])[list(_VTK_CORNERS[dim])]
    starts = np.array([c[::-1] for c in itertools.product(range(order), repeat=dim)])
    cells = (starts[:, None] + corners) @ (order + 1) ** np.arange(dim)
    return np.asarray((np.arange(n_elements)[:, None, None] * nodes + cells).reshape(-1, 2**dim))


def _view_arrays(mesh: Mesh) -> dict[str, np.ndarray]:
    """Everything as separate elements (fields may jump between them) cut into straight cells."""
    order, dim = mesh.tensor_order, mesh.dim
    view = {
        "points": mesh.node_coordinates(order).reshape(-1, dim),
        "cells": straight_cells(mesh.nelem, order, dim),
    }
    for name, values in mesh.elemental_fields.items():
        view[f"cell/{name}"] = np.repeat(values, order**dim)
    for name, values in mesh.nodal_fields.items():
        at_nodes = change_order(values[mesh.connectivity], dim, mesh.shape_order, order)
        view[f"node/{name}"] = at_nodes.ravel()
    for name, values in mesh.element_nodal_fields.items():
        view[f"node/{name}"] = values.ravel()
    return view


def _xdmf_text(dim: int, view: dict[str, np.ndarray], h5_name: str) -> str:
    def item(name: str) -> str:
        array = view[name]
        kind = "Int" if array.dtype.kind == "i" else "Float"
        shape = " ".join(str(n) for n in array.shape)
        # The path is relative: the pair of files may be moved together.
        place = f"{h5_name}:/{array_link(_VIEW + name)}".replace("&", "&amp;").replace("<", "&lt;")
        form = f'NumberType="{kind}" Precision="8" Format="HDF"'
        return f'<DataItem Dimensions="{shape}" {form}>{place}</DataItem>'

    geometry = {2: "XY", 3: "XYZ"}[dim]
    fields = [name for name in view if "/" in name]
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<Xdmf Version="2.0"><Domain><Grid Name="mesh" GridType="Uniform">',
        (f'<Topology {TOPOLOGY[dim]} NumberOfElements="{len(view["cells"])}">{item("cells")}</Topology>'),
        f'<Geometry GeometryType="{geometry}">{item("points")}</Geometry>',
    ]
    for field in fields:
        center, name = field.split("/")
        lines.append(
            f'<Attribute Name={quoteattr(name)} AttributeType="Scalar" '
            f'Center="{center.title()}">{item(field)}</Attribute>'
        )
    return "\n".join([*lines, "</Grid></Domain></Xdmf>", ""])
