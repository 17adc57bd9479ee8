"""One iteration: model, gradient, smoothed gradient, step and trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wavetree.inversion.iteration import Iteration
from wavetree.mesh import Mesh
from wavetree.viz.inversion import draw_gradient, draw_update
from wavetree.viz.mesh import draw_field, field_values
from wavetree.viz.style import new_figure, row_height, scale_of, stacked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_iteration"]


def plot_iteration(
    iteration: Iteration, model: Mesh, gradients: Mapping[str, Mesh], accepted: Mesh | None
) -> Figure:
    """Draw an iteration, a row for each inversion parameter and a table of the trials.

    Parameters
    ----------
    iteration
        The iteration.
    model
        The model that it started from.
    gradients
        Gradients by name, such as "gradient" and "smoothed gradient".
    accepted
        The model of the accepted trial, None if there is none.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    table = _table(iteration)
    fields = iteration.settings.mapping.inversion_parameters
    columns = 1 + len(gradients) + (accepted is not None)
    height, space = row_height(3.3, model.bounds) * len(fields), 0.35 * len(table) + 0.6
    figure = new_figure(4.3 * columns, height + space)
    figure.suptitle(
        f"iteration {iteration.id} of {iteration.inverse_problem}: χ = {iteration.misfit:.5g}, "
        f"‖g‖ = {iteration.gradient_norm:.5g}"
    )
    upper, lower = stacked(figure, height, space)
    for row, field in zip(upper.subplots(len(fields), columns, squeeze=False), fields, strict=True):
        values = field_values(model, field)
        draw_field(row[0], model, values, scale_of(field, values), f"{field}: model")
        for axes, (name, gradient) in zip(row[1:], gradients.items(), strict=False):
            scaling = iteration.settings.mapping.scaling
            draw_gradient(axes, gradient, field, scaling, f"{field}: {name}")
        if accepted is not None:
            draw_update(row[-1], field, model, accepted, f"{field}: accepted step")
        for axes in row:
            axes.label_outer()
    _draw_table(lower.add_subplot(), table)
    return figure


def _table(iteration: Iteration) -> list[tuple[str, ...]]:
    """Rows of text, one a trial, under the names of the columns."""
    rows: list[tuple[str, ...]] = [("trial", "misfit", "pred", "ared", "ratio", "norm of step", "radius", "")]
    for k, trial in enumerate(iteration.trials):
        figures = (trial.misfit, trial.predicted_reduction, trial.actual_reduction, trial.ratio)
        cells = ("–" if f is None else f"{f:.4g}" for f in (*figures, trial.norm_update, trial.radius))
        rows.append((str(k), *cells, {None: "open", True: "accepted", False: "rejected"}[trial.accepted]))
    return rows


def _draw_table(axes: Any, table: Sequence[Sequence[str]]) -> None:
    axes.set_axis_off()
    if len(table) == 1:
        axes.text(0.5, 0.5, "no trial yet", ha="center", va="center")
        return
    drawn = axes.table(
        cellText=table[1:], colLabels=table[0], loc="center", cellLoc="center", edges="horizontal"
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(10)
    drawn.scale(1.0, 1.5)
    drawn.auto_set_column_width(range(len(table[0])))
