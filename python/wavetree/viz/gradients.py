"""Gradients: the sum of events, and what each contributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wavetree.mesh import Mesh
from wavetree.survey.event import Event
from wavetree.viz.domain import draw_positions
from wavetree.viz.mesh import draw_field, field_values, gradient_label, parameters
from wavetree.viz.slices import views
from wavetree.viz.style import add_colorbar, new_figure, row_height, stacked, symmetric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_gradients"]

_EVENTS = 6  # more small panels in a row are not legible
_SINGLE = {2: (2.0, 2.2), 3: (3.0, 3.4)}  # width and height of a small panel [in]; slices need more


def plot_gradients(total: Mesh, single: Mapping[str, Mesh], events: Sequence[Event]) -> Figure:
    """Draw gradients by all parameters.

    Parameters
    ----------
    total
        The sum of all events' gradients.
    single
        The gradients of events by name; the first 6 are drawn below the sum.
    events
        All events, whose sources and receivers are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    fields = parameters(total)
    shown = list(single.items())[:_EVENTS]
    width, top = 4.8 * len(fields), row_height(4.2, total.bounds)
    single_width, single_height = _SINGLE[total.dim]
    bottom = row_height(single_height, total.bounds) * len(fields)
    if not shown:
        figure = new_figure(width, top)
        _draw_total(figure, total, fields, events)
        return figure
    figure = new_figure(max(width, single_width * len(shown) + 1.3), top + bottom)
    upper, lower = stacked(figure, top, bottom)
    _draw_total(upper, total, fields, events)
    _draw_single(lower, dict(shown), fields, {str(event.event_name): event for event in events})
    return figure


def _draw_total(figure: Any, total: Mesh, fields: Sequence[str], events: Sequence[Event]) -> None:
    of = f"sum of {len(events)} events" if len(events) > 1 else str(events[0].event_name)
    for axes, field in zip(figure.subplots(1, len(fields), squeeze=False)[0], fields, strict=True):
        values = field_values(total, field)
        draw_field(axes, total, values, symmetric(gradient_label(field, total.dim), values), f"{field}: {of}")
        draw_positions(axes, events)
        axes.label_outer()


def _draw_single(
    figure: Any, single: Mapping[str, Mesh], fields: Sequence[str], events: Mapping[str, Event]
) -> None:
    grid = figure.subplots(len(fields), len(single), squeeze=False, sharex=True, sharey=True)
    for row, field in zip(grid, fields, strict=True):
        values = {name: field_values(mesh, field) for name, mesh in single.items()}
        scale = symmetric(f"∂χ/∂{field}", *values.values())
        for axes, (name, mesh) in zip(row, single.items(), strict=True):
            image = draw_field(axes, mesh, values[name], scale, colorbar=False)
            axes.set_title(f"{field}: {name}", fontsize="small")
            draw_positions(axes, [events[name]])
            for view, _ in views(axes):
                view.locator_params(nbins=3 if mesh.dim == 2 else 2)
            axes.label_outer()
        add_colorbar(image, row[-1], scale)
