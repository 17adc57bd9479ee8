"""Meshes of layers between curved interfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wavetree import _core
from wavetree.mesh.checks import checked_shape_order
from wavetree.mesh.interpolation import change_order
from wavetree.mesh.mesh import Mesh
from wavetree.mesh.rows import ROW_HEIGHT, Row, lattice_elements, lattice_lengths
from wavetree.mesh.side_sets import AXES, facet_nodes

__all__ = ["Elevation", "layered_mesh"]

Elevation = Callable[[np.ndarray], np.ndarray]
"""Height (n,) [m] of an interface at horizontal positions (n, dim - 1) [m]."""

_SNAP = 1e-9  # distance from a whole lattice coordinate that is rounding


def layered_mesh(
    bounds: Sequence[tuple[float, float]],
    layers: Sequence[Sequence[Row]],
    interfaces: Sequence[Elevation],
    *,
    shape_order: int = 1,
) -> Mesh:
    """Make a mesh of layers whose interfaces are faces of elements.

    Parameters
    ----------
    bounds
        (smallest, largest) coordinate of the horizontal axes [m]: of x in 2-D, of x and y in 3-D.
    layers
        Rows of elements of every layer; layers and rows from top to bottom.
    interfaces
        Heights of the top, of what lies between the layers, and of the bottom: one more than layers.
    shape_order
        Geometric order, 1 to 4.

    Returns
    -------
    Mesh
        With the side sets x0, x1, y0, y1 (z0, z1), the last two of them the bottom and the top, and the
        elemental field ``layer``, 0 for the topmost.

    Raises
    ------
    ValueError
        If rows do not fit together, interfaces cross, or are so rough that elements are inverted.

    Notes
    -----
    Nodes at the share t of a layer's height above its lower interface have the height
    t z_top(x, y) + (1 − t) z_bottom(x, y): on the interfaces they lie exactly, and the shape of an interface
    fades linearly through the layers next to it. Along the horizontal axes nodes stay where they are.
    """
    order = checked_shape_order(shape_order)
    rows = [row for layer in layers for row in layer]
    corners, row = lattice_elements(rows)
    dim, lengths = corners.shape[2], lattice_lengths(rows)
    dofs, n_dofs = _core.dof_map(_numbered(corners, lengths), dim, 1, order)
    lattice = np.empty((n_dofs, dim))
    for axis in range(dim):
        nodes = change_order(corners[..., axis].astype(np.float64), dim, 1, order)
        lattice[dofs, axis] = np.where(np.abs(nodes - np.rint(nodes)) < _SNAP, np.rint(nodes), nodes)
    points = _deformed(lattice, lengths, bounds, layers, interfaces)
    try:
        mesh = Mesh(points, dofs, order, _side_sets(corners, lengths))
    except ValueError as error:
        raise ValueError(
            f"the interfaces bend too much for elements of this size: {error} Smooth the interfaces, or ask "
            "for smaller elements."
        ) from error
    layer_of_row = np.repeat(np.arange(len(layers)), [len(layer) for layer in layers])
    mesh.attach_field("layer", layer_of_row[row].astype(np.float64))
    return mesh


def _numbered(corners: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """Number of the point at every corner (nelem, 2**dim): equal for equal coordinates."""
    strides = np.cumprod([1, *(n + 1 for n in lengths[:-1])])
    key = corners @ strides
    return np.unique(key, return_inverse=True)[1].reshape(key.shape)


def _deformed(
    lattice: np.ndarray,
    lengths: Sequence[int],
    bounds: Sequence[tuple[float, float]],
    layers: Sequence[Sequence[Row]],
    interfaces: Sequence[Elevation],
) -> np.ndarray:
    """Coordinates (n, dim) [m] of points given on the lattice."""
    points = np.empty_like(lattice)
    for axis, (low, high) in enumerate(bounds):
        share = lattice[:, axis] / lengths[axis]
        points[:, axis] = share * high + (1.0 - share) * low  # exact at both ends
    # Above the bottom, in layers: the whole part is the layer, counted from below, the rest the share in it.
    edges = [np.zeros(1)]
    for k, layer in enumerate(reversed(layers)):
        heights = np.cumsum([row.height for row in reversed(layer)])
        edges.append(k + heights / heights[-1])
    above = np.interp(
        lattice[:, -1], ROW_HEIGHT * np.arange(lengths[-1] // ROW_HEIGHT + 1.0), np.concatenate(edges)
    )
    from_below = np.minimum(above.astype(np.int64), len(layers) - 1)
    for k in range(len(layers)):
        inside = np.flatnonzero(from_below == len(layers) - 1 - k)
        horizontal, share = points[inside, :-1], above[inside] - (len(layers) - 1 - k)
        top, bottom = (interface(horizontal) for interface in interfaces[k : k + 2])
        _refuse_crossing(k, horizontal, top - bottom)
        points[inside, -1] = share * top + (1.0 - share) * bottom
    return points


def _refuse_crossing(layer: int, horizontal: np.ndarray, thickness: np.ndarray) -> None:
    worst = int(np.argmin(thickness))
    if not thickness[worst] > 0.0:
        place = ", ".join(f"{axis} = {x:g}" for axis, x in zip(AXES, horizontal[worst], strict=False))
        raise ValueError(
            f"the interface below layer {layer} lies {-thickness[worst]:g} m above the one on top of it at "
            f"{place} m; expected interfaces that do not touch: move one, or let the layer end elsewhere."
        )


def _side_sets(corners: np.ndarray, lengths: Sequence[int]) -> dict[str, np.ndarray]:
    sets = {}
    nodes = facet_nodes(len(lengths), 1)
    for axis, length in enumerate(lengths):
        for end, plane in enumerate((0, length)):
            # Elements of the patterns may have any of their sides here.
            on_plane = (corners[:, nodes, axis] == plane).all(axis=2)
            sets[f"{AXES[axis]}{end}"] = np.argwhere(on_plane)
    return sets
