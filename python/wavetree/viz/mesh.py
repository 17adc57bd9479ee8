"""Fields of meshes, drawn on the mesh's own elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.tri import Triangulation

from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.viz.slices import draw_slices
from wavetree.viz.style import (
    Scale,
    add_colorbar,
    figure_of,
    label_space,
    new_figure,
    row_height,
    scale_of,
    symmetric,
    unit_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "draw_field",
    "field_values",
    "gradient_label",
    "is_gradient",
    "parameters",
    "plot_field",
    "plot_models",
]

# More cells than this are not told apart in a figure, they only take time.
_MOST_CELLS = 300_000


def plot_field(mesh: Mesh, field: str, ax: Axes | None = None, at: Sequence[float] | None = None) -> Figure:
    """Draw a field of a mesh on its curved elements, at the resolution of its nodes.

    Parameters
    ----------
    mesh
        A mesh; of hexes three slices are drawn.
    field
        Name of a nodal, elemental or element-nodal field. Of gradients the unit says "misfit / ...".
    ax
        Axes to draw into; a new figure when None.
    at
        Where the slices through hexes meet (x, y, z) [m]; in the middle when None.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If the mesh has no such field, or slices are to meet outside it.
    """
    values = field_values(mesh, field)
    if is_gradient(mesh) and field not in ("FemMassMatrix", "Valence"):
        scale = symmetric(gradient_label(field, mesh.dim), values)
    else:
        scale = scale_of(field, values, dim=mesh.dim)
    figure, axes = figure_of(ax, height=row_height(5.0, mesh.bounds))
    if mesh.dim == 3:
        add_colorbar(draw_slices(axes, mesh, values, scale, field, at), axes, scale)
    else:
        draw_field(axes, mesh, values, scale, title=field)
    return figure


def plot_models(meshes: Mapping[str, Mesh], fields: Sequence[str] | None = None) -> Figure:
    """Draw models side by side, a row for each parameter with the same colours in all columns.

    Parameters
    ----------
    meshes
        Meshes by title.
    fields
        Names of the parameters; those of the first mesh when None.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    fields = parameters(next(iter(meshes.values()))) if fields is None else fields
    height = row_height(3.4, next(iter(meshes.values())).bounds)
    figure = new_figure(3.5 * len(meshes) + 0.9, height * len(fields))
    grid = figure.subplots(len(fields), len(meshes), squeeze=False, sharex=True, sharey=True)
    for row, field in zip(grid, fields, strict=True):
        values = {title: field_values(mesh, field) for title, mesh in meshes.items()}
        scale = scale_of(field, *values.values())
        for axes, (title, mesh) in zip(row, meshes.items(), strict=True):
            image = draw_field(axes, mesh, values[title], scale, f"{title}: {field}", colorbar=False)
            axes.label_outer()
        add_colorbar(image, row[-1], scale)
    return figure


def parameters(mesh: Mesh) -> list[str]:
    """Return the names of a mesh's parameters: its fields but for the weights that gradients carry."""
    fields = {**mesh.element_nodal_fields, **mesh.nodal_fields, **mesh.elemental_fields}
    return [name for name in fields if name not in ("FemMassMatrix", "Valence")]


def is_gradient(mesh: Mesh) -> bool:
    """Say whether the fields of a mesh are derivatives of a misfit by parameters."""
    return "FemMassMatrix" in mesh.element_nodal_fields


def gradient_label(parameter: str, dim: int, unit: str | None = None) -> str:
    """Return name and unit of the gradient by a parameter.

    Parameters
    ----------
    parameter
        Name of the parameter.
    dim
        Number of space dimensions.
    unit
        Unit of what the derivative is taken by; that of the parameter when None, empty for none.
    """
    unit = unit_of(parameter) if unit is None else unit
    space = {2: "m²", 3: "m³"}[dim]
    return f"∂χ/∂{parameter} [misfit / ({unit}) / {space}]" if unit else f"∂χ/∂{parameter} [misfit / {space}]"


def field_values(mesh: Mesh, field: str) -> np.ndarray:
    """Return a field at the nodes of all elements (nelem, n_nodes); one column if it is elemental.

    Raises
    ------
    ValueError
        If there is no such field.
    """
    if field in mesh.element_nodal_fields:
        return np.asarray(mesh.element_nodal_fields[field])
    if field in mesh.nodal_fields:
        return np.asarray(mesh.nodal_fields[field])[mesh.connectivity]
    if field in mesh.elemental_fields:
        return np.asarray(mesh.elemental_fields[field])[:, None]
    known = [*mesh.element_nodal_fields, *mesh.nodal_fields, *mesh.elemental_fields]
    raise unknown_name("field of the mesh", field, known)


def draw_field(
    axes: Axes, mesh: Mesh, values: np.ndarray, scale: Scale, title: str = "", colorbar: bool = True
) -> Any:
    """Draw values at the nodes of all elements, linear between neighbouring nodes of an element.

    Parameters
    ----------
    axes
        Where to draw.
    mesh
        A mesh; of hexes three slices through the middle are drawn.
    values
        Values (nelem, (order + 1)**dim) on GLL nodes, x fastest, or (nelem, 1).
    scale
        The colours.
    title
        Title of the axes.
    colorbar
        Draw the colour bar too.

    Returns
    -------
    matplotlib.cm.ScalarMappable
        What is coloured; a colour bar may be made of it.
    """
    image: Any
    if mesh.dim == 3:
        image = draw_slices(axes, mesh, values, scale, title)
    else:
        image = _draw_quads(axes, mesh, values, scale)
        label_space(axes, mesh.bounds, title)
    if colorbar:
        add_colorbar(image, axes, scale)
    return image


def _draw_quads(axes: Axes, mesh: Mesh, values: np.ndarray, scale: Scale) -> Any:
    nodes, values = _nodes(mesh, values)
    x, y = nodes.reshape(-1, 2).T
    triangles = _triangles(len(values), round(values.shape[1] ** 0.5) - 1)
    pen: Any = axes  # matplotlib's stubs do not know what tripcolor takes
    return pen.tripcolor(
        Triangulation(x, y, triangles), values.ravel(), shading="gouraud", cmap=scale.colormap,
        vmin=scale.low, vmax=scale.high, rasterized=True,
    )  # fmt: skip


def _nodes(mesh: Mesh, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (nelem, n, 2) and values (nelem, n) of what is drawn."""
    most = max(1, int((_MOST_CELLS / mesh.nelem) ** 0.5))
    if values.shape[1] == 1:
        order = min(mesh.shape_order, most)
        return mesh.node_coordinates(order), np.repeat(values, (order + 1) ** 2, axis=1)
    order = round(values.shape[1] ** 0.5) - 1
    if order <= most:
        return mesh.node_coordinates(order), values
    bare = mesh.copy()
    bare.element_nodal_fields.clear()
    bare.element_nodal_fields["drawn"] = values
    return mesh.node_coordinates(most), bare.with_tensor_order(most).element_nodal_fields["drawn"]


def _triangles(n_elements: int, order: int) -> np.ndarray:
    """Two triangles for every cell between nodes of an element (n, 3); elements share no nodes."""
    node = np.arange((order + 1) ** 2).reshape(order + 1, order + 1)
    a, b, c, d = (part.ravel() for part in (node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1]))
    cell = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return (cell + node.size * np.arange(n_elements)[:, None, None]).reshape(-1, 3)
