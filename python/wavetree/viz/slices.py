"""Meshes of hexes as three slices, and what lies in three dimensions seen along the axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.tri import Triangulation

from wavetree.mesh import Mesh
from wavetree.mesh.interpolation import change_order
from wavetree.viz.style import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cut", "draw_slices", "panels", "views"]

# More cells than this are not told apart in a figure, they only take time.
_MOST_CELLS = 100_000
_GAP = 0.12  # between the panels, of the smallest extent
# Horizontal and vertical axis of the three views, and the one along which they look.
_VIEWS = ((0, 1, 2), (2, 1, 0), (0, 2, 1))


def cut(mesh: Mesh, values: np.ndarray, axis: int, position: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut the curved hexes of a mesh with a plane normal to an axis.

    Parameters
    ----------
    mesh
        A mesh of hexes.
    values
        Values (nelem, (order + 1)**3) on GLL nodes, x fastest.
    axis, position
        The plane: number of the axis, and coordinate [m].

    Returns
    -------
    corners, values
        Corners (n, 3, 2) [m] of triangles in the other two axes, and the values (n, 3) there.

    Notes
    -----
    The cells between the nodes of an element are cut as six tetrahedra each, in which coordinates and values
    are linear; elements share nothing, so jumps between them are kept. The plane lies off its position by
    1e-9 of the extent, inwards, for between elements rounding would decide what is drawn.
    """
    low, high = mesh.bounds[axis]
    shift = 1e-9 * (high - low)
    position += shift if position < 0.5 * (low + high) else -shift
    shape = mesh.points[mesh.connectivity]
    along = shape[..., axis]
    crossing = (along.min(axis=1) <= position) & (along.max(axis=1) > position)
    order = _order(values)
    drawn = min(order, max(1, int((_MOST_CELLS / max(1, crossing.sum())) ** (1 / 3))))
    fields = [shape[crossing][..., k] for k in range(3)]
    nodes = [change_order(field, 3, mesh.shape_order, drawn) for field in fields]
    nodes.append(change_order(values[crossing], 3, order, drawn))
    tetrahedra = np.stack(nodes, axis=2)[:, _tetrahedra(drawn)].reshape(-1, 4, 4)
    corners = _section(tetrahedra, tetrahedra[..., axis] - position)
    others = [k for k in range(3) if k != axis]
    places, colours = corners[..., others], corners[..., 3]
    # Where tetrahedra touch the plane with a corner or an edge there is nothing to draw.
    (ux, uy), (vx, vy) = (np.moveaxis(places[:, k] - places[:, 0], 1, 0) for k in (1, 2))
    areas = np.abs(ux * vy - uy * vx)
    drawn_ones = areas > 1e-6 * areas.max(initial=0.0)
    return places[drawn_ones], colours[drawn_ones]


def _order(values: np.ndarray) -> int:
    return round(values.shape[1] ** (1 / 3)) - 1


def _tetrahedra(order: int) -> np.ndarray:
    """Nodes of the tetrahedra of an element (n, 4): six around the diagonal of every cell (Kuhn 1960)."""
    stride = (order + 1) ** np.arange(3)
    paths = [np.cumsum([0, *(stride[k] for k in p)]) for p in itertools.permutations(range(3))]
    cells = np.array([np.dot(c, stride) for c in itertools.product(range(order), repeat=3)])
    return np.asarray((cells[:, None, None] + np.array(paths)).reshape(-1, 4))


def _section(tetrahedra: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Triangles (n, 3, m) where tetrahedra (k, 4, m) have height 0, of their corners' heights (k, 4)."""
    rank = np.argsort(heights, axis=1)
    tetrahedra = np.take_along_axis(tetrahedra, rank[..., None], axis=1)
    heights = np.take_along_axis(heights, rank, axis=1)
    below = (heights <= 0.0).sum(axis=1)
    # By the number of corners below: between which corners the triangles have theirs.
    edges = {
        1: [((0, 1), (0, 2), (0, 3))],
        2: [((0, 2), (0, 3), (1, 3)), ((0, 2), (1, 3), (1, 2))],
        3: [((0, 3), (1, 3), (2, 3))],
    }
    triangles = [np.empty((0, 3, tetrahedra.shape[2]))]
    for number, found in edges.items():
        corners, h = tetrahedra[below == number], heights[below == number]
        for triangle in found:
            a, b = np.array(triangle).T
            part = (h[:, a] / (h[:, a] - h[:, b]))[..., None]
            triangles.append(corners[:, a] + part * (corners[:, b] - corners[:, a]))
    return np.concatenate(triangles)


def draw_slices(
    axes: Axes,
    mesh: Mesh,
    values: np.ndarray,
    scale: Scale,
    title: str = "",
    at: Sequence[float] | None = None,
) -> Any:
    """Draw three slices normal to the axes through one point.

    Parameters
    ----------
    axes
        Where to draw; three panels are made in it.
    mesh
        A mesh of hexes.
    values
        Values (nelem, (order + 1)**3) on GLL nodes, x fastest, or (nelem, 1); where they are NaN nothing is
        drawn.
    scale
        The colours.
    title
        Title of the axes.
    at
        The point (x, y, z) [m]; the middle of the mesh's bounds when None.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        What is coloured; a colour bar may be made of it.

    Raises
    ------
    ValueError
        If the point is outside the bounds of the mesh.
    """
    low, high = np.array(mesh.bounds).T
    place = 0.5 * (low + high) if at is None else np.asarray(at, dtype=np.float64)
    if place.shape != (3,) or not ((place >= low) & (place <= high)).all():
        extent = ", ".join(f"{a} {lo:g} to {hi:g}" for a, lo, hi in zip("xyz", low, high, strict=True))
        raise ValueError(f"at is {at}; expected a point (x, y, z) inside the mesh's bounds, {extent} m.")
    if values.shape[1] == 1:
        values = np.repeat(values, (mesh.shape_order + 1) ** 3, axis=1)
    image: Any = ScalarMappable(Normalize(scale.low, scale.high), scale.colormap)
    for panel, (right, up, along) in zip(panels(axes, mesh.bounds, title), _VIEWS, strict=True):
        corners, colours = cut(mesh, values, along, place[along])
        there = np.isfinite(colours).all(axis=1)
        corners, colours = corners[there], colours[there]
        if right > up:
            corners = corners[..., ::-1]
        x, y = corners.reshape(-1, 2).T
        grid = np.arange(colours.size).reshape(-1, 3)
        pen: Any = panel  # matplotlib's stubs do not know what tripcolor takes
        if there.any():
            image = pen.tripcolor(
                Triangulation(x, y, grid), colours.ravel(), shading="gouraud",
                cmap=scale.colormap, vmin=scale.low, vmax=scale.high, rasterized=True,
            )  # fmt: skip
        panel.axvline(place[right], color="0.5", linewidth=0.6, linestyle=":")
        panel.axhline(place[up], color="0.5", linewidth=0.6, linestyle=":")
    return image


def panels(axes: Axes, bounds: Sequence[tuple[float, float]], title: str = "") -> list[Axes]:
    """Divide axes into views along z, x and y with equal scales.

    The view along z is at the upper left, with that along x beside and that along y below it.
    """
    low, high = np.array(bounds).T
    extent = high - low
    gap = _GAP * extent.min()
    axes.set(xlim=(0.0, extent[0] + gap + extent[2]), ylim=(0.0, extent[2] + gap + extent[1]))
    axes.set(aspect="equal", title=title)
    axes.set_axis_off()
    corners = [(0.0, extent[2] + gap), (extent[0] + gap, extent[2] + gap), (0.0, 0.0)]
    made = []
    for corner, (right, up, _) in zip(corners, _VIEWS, strict=True):
        place = (*corner, extent[right], extent[up])
        panel = axes.inset_axes(place, transform=axes.transData, label=_name(right, up))
        panel.set(xlim=(low[right], high[right]), ylim=(low[up], high[up]))
        panel.set(xlabel=f"{'xyz'[right]} [m]", ylabel=f"{'xyz'[up]} [m]")
        bins = [max(2, round(n * extent[k] / extent.max())) for k, n in ((right, 3), (up, 4))]
        panel.locator_params(axis="x", nbins=bins[0])
        # The lowest label of the upper panel would lie on the highest of the lower one.
        panel.locator_params(axis="y", nbins=bins[1], prune="lower" if up == 1 else None)
        made.append(panel)
    made[0].tick_params(labelbottom=False)
    made[0].set(xlabel="")
    made[1].tick_params(labelleft=False)
    made[1].tick_params(axis="x", rotation=90)
    made[1].set(ylabel="")
    return made


def views(axes: Axes) -> list[tuple[Axes, tuple[int, int]]]:
    """Return the panels of axes with their horizontal and vertical axis; the axes if there are none."""
    children: list[Any] = axes.child_axes  # of any kind, says matplotlib's stub
    found = {child.get_label(): child for child in children}
    named = [(_name(right, up), (right, up)) for right, up, _ in _VIEWS]
    return [(found[name], shown) for name, shown in named if name in found] or [(axes, (0, 1))]


def _name(right: int, up: int) -> str:
    return "xyz"[right] + "xyz"[up]
