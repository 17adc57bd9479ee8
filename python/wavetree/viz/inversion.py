"""An inversion at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.inversion.iteration import Iteration
from wavetree.mesh import Mesh
from wavetree.viz.history import draw_event_misfits, draw_misfit, draw_steps
from wavetree.viz.mesh import draw_field, field_values, gradient_label
from wavetree.viz.style import new_figure, row_height, scale_of, stacked, symmetric, unit_of
from wavetree.viz.tree import draw_tree, tree_height

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_gradient", "draw_update", "plot_history", "plot_inversion"]

_WIDTH, _CURVES = 13.0, 3.7  # of the figure, and height of a row of curves [in]


def plot_history(nodes: Sequence[Iteration]) -> Figure:
    """Draw tree, misfits and trust region of an inversion.

    Parameters
    ----------
    nodes
        The iterations.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(_WIDTH, _history_height(nodes))
    _draw_history(figure, nodes, None)
    return figure


def plot_inversion(
    nodes: Sequence[Iteration], chosen: int, model: Mesh, prior: Mesh, gradient: tuple[int, Mesh] | None
) -> Figure:
    """Draw the history of an inversion, and an iteration's model, its change since the prior, and gradient.

    Parameters
    ----------
    nodes
        The iterations.
    chosen
        Id of the iteration to show.
    model, prior
        Its model and the first one.
    gradient
        A gradient and the id of its iteration; None where it is not known yet.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    mapping = next(node for node in nodes if node.id == chosen).settings.mapping
    fields = mapping.inversion_parameters
    height = row_height(3.5, model.bounds) * len(fields)
    figure = new_figure(_WIDTH, _history_height(nodes) + height)
    upper, lower = stacked(figure, _history_height(nodes), height)
    _draw_history(upper, nodes, chosen)
    grid = lower.subplots(len(fields), 3, squeeze=False)
    for (left, middle, right), field in zip(grid, fields, strict=True):
        values = field_values(model, field)
        draw_field(left, model, values, scale_of(field, values), f"{field} of iteration {chosen}")
        draw_update(middle, field, prior, model, f"change of {field} since the prior")
        if gradient is None:
            right.set_axis_off()
            right.text(0.5, 0.5, f"iteration {chosen} has no gradient yet", ha="center", va="center")
        else:
            number, mesh = gradient
            draw_gradient(right, mesh, field, mapping.scaling, f"gradient by {field} at iteration {number}")
        for axes in (left, middle, right):
            axes.label_outer()
    return figure


def draw_update(axes: Any, field: str, before: Mesh, after: Mesh, title: str) -> None:
    """Draw the difference of two models on the same mesh."""
    change = field_values(after, field) - field_values(before, field)
    unit = unit_of(field)
    scale = symmetric(f"Δ{field} [{unit}]" if unit else f"Δ{field}", change)
    draw_field(axes, after, np.asarray(change), scale, title)


def draw_gradient(axes: Any, gradient: Mesh, field: str, scaling: str, title: str) -> None:
    """Draw the gradient by a parameter in a scaling of the mapping."""
    values = field_values(gradient, field)
    # In the other scalings it is the derivative by a number: a relative deviation or a logarithm.
    label = gradient_label(field, gradient.dim, None if scaling == "absolute" else "")
    draw_field(axes, gradient, values, symmetric(label, values), title)


def _history_height(nodes: Sequence[Iteration]) -> float:
    return tree_height(nodes) + _CURVES


def _draw_history(figure: Any, nodes: Sequence[Iteration], chosen: int | None) -> None:
    upper, lower = stacked(figure, tree_height(nodes), _CURVES)
    draw_tree(upper.add_subplot(), nodes, chosen)
    left, middle, right = lower.subplots(1, 3)
    draw_misfit(left, nodes)
    draw_event_misfits(middle, nodes, chosen)
    draw_steps(right, nodes, chosen)
