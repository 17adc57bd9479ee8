"""An inversion at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wavetree.inversion.iteration import Iteration
from wavetree.mesh import Mesh
from wavetree.viz.history import draw_event_misfits, draw_misfit, draw_steps, draw_tree
from wavetree.viz.mesh import draw_field, field_values
from wavetree.viz.style import new_figure, row_height, scale_of, stacked, symmetric, unit_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_update", "plot_history", "plot_inversion"]


def plot_history(nodes: Sequence[Iteration]) -> Figure:
    """Draw misfits, trust region and tree of an inversion.

    Parameters
    ----------
    nodes
        The iterations.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(11.0, 6.6)
    _draw_history(figure, nodes)
    return figure


def plot_inversion(nodes: Sequence[Iteration], model: Mesh, prior: Mesh) -> Figure:
    """Draw the history of an inversion, what it inverts for in its newest model, and how that has changed.

    Parameters
    ----------
    nodes
        The iterations.
    model, prior
        The newest model and the first one.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    fields = nodes[0].settings.mapping.inversion_parameters
    height = 2.0 * row_height(min(4.2, 11.0 / len(fields)), model.bounds)
    figure = new_figure(11.0, 6.6 + height)
    upper, lower = stacked(figure, 6.6, height)
    _draw_history(upper, nodes)
    grid = lower.subplots(2, len(fields), squeeze=False)
    newest = nodes[-1].id
    for axes, field in zip(grid[0], fields, strict=True):
        values = field_values(model, field)
        draw_field(axes, model, values, scale_of(field, values), f"{field} of iteration {newest}")
    for axes, field in zip(grid[1], fields, strict=True):
        draw_update(axes, field, prior, model, f"change of {field} since the prior")
    for axes in grid.flat:
        axes.label_outer()
    return figure


def draw_update(axes: Any, field: str, before: Mesh, after: Mesh, title: str) -> None:
    """Draw the difference of two models on the same mesh."""
    change = field_values(after, field) - field_values(before, field)
    unit = unit_of(field)
    scale = symmetric(f"Δ{field} [{unit}]" if unit else f"Δ{field}", change)
    draw_field(axes, after, np.asarray(change), scale, title)


def _draw_history(figure: Any, nodes: Sequence[Iteration]) -> None:
    grid = figure.subplots(2, 2)
    draw_misfit(grid[0, 0], nodes)
    draw_event_misfits(grid[0, 1], nodes)
    draw_steps(grid[1, 0], nodes)
    draw_tree(grid[1, 1], nodes)
