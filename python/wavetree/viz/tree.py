"""The tree of iterations as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from wavetree.inversion.iteration import Iteration
from wavetree.viz.style import COLORS, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["branches", "draw_tree", "layout", "plot_tree", "tree_height"]

_WIDTH = 11.0  # of a figure with a tree [in]
_ROW = 0.55  # height of a branch [in]
_LARGEST, _SMALL = 19.0, 9.0  # diameter of an iteration, and up to which nothing is written in it [pt]
_STOPPED = "#C00000"
# State, what it is called, its marker and the colour of its rim.
_STATES = (
    ("accepted", "step accepted", "o", "0.25"),
    ("open", "open", "D", "0.25"),
    ("converged", "converged", "s", "0.25"),
    ("stopped", "stopped", "s", _STOPPED),
)


def layout(nodes: Sequence[Iteration]) -> dict[int, tuple[int, int]]:
    """Return the place of every iteration: number of steps from the root, and row.

    The first child of an iteration stays in its row; the others begin rows of their own below all that came
    from it, so that lines between parents and children never cross.
    """
    children: dict[int | None, list[int]] = {}
    for node in nodes:
        children.setdefault(node.parent, []).append(node.id)
    place: dict[int, tuple[int, int]] = {}
    rows = 0
    pending = [(root, 0, True) for root in reversed(children.get(None, []))]
    while pending:
        number, depth, fresh = pending.pop()
        rows += fresh
        place[number] = (depth, rows - 1)
        found = children.get(number, [])
        pending += [(child, depth + 1, child != found[0]) for child in reversed(found)]
    return place


def branches(nodes: Sequence[Iteration]) -> list[list[Iteration]]:
    """Return the iterations of each row of the tree, behind the one where the row branches off."""
    place, by_id = layout(nodes), {node.id: node for node in nodes}
    found: list[list[Iteration]] = [
        [] for _ in range(1 + max((row for _, row in place.values()), default=-1))
    ]
    for node in nodes:
        row = found[place[node.id][1]]
        if not row and node.parent is not None:
            row.append(by_id[node.parent])
        row.append(node)
    return found


def tree_height(nodes: Sequence[Iteration]) -> float:
    """Return the height [in] in which a tree can be drawn."""
    return 1.5 + _ROW * max(1, len(branches(nodes)))


def plot_tree(nodes: Sequence[Iteration]) -> Figure:
    """Draw a tree of iterations.

    Parameters
    ----------
    nodes
        The iterations.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure = new_figure(_WIDTH, tree_height(nodes))
    draw_tree(figure.add_subplot(), nodes)
    return figure


def draw_tree(axes: Axes, nodes: Sequence[Iteration], chosen: int | None = None) -> None:
    """Draw a tree of iterations over the number of steps, a row for each branch.

    Parameters
    ----------
    axes
        Where to draw; as wide as a page.
    nodes
        The iterations. The colour is the misfit, white where it is not known; the number of trials that were
        rejected stands below.
    chosen
        Iteration to mark with a ring.
    """
    place = layout(nodes)
    depth = max((x for x, _ in place.values()), default=0)
    rows = max((y for _, y in place.values()), default=0)
    size = min(_LARGEST, 0.78 * 72.0 * (_WIDTH - 1.5) / (depth + 2))  # [pt]
    colors = _colors(axes, nodes)
    for node in sorted(nodes, key=lambda one: -place[one.id][1]):  # the upper row's lines lie on top
        if node.parent is not None:
            _draw_line(axes, place[node.parent], place[node.id])
    for node in nodes:
        _draw_node(axes, node, place[node.id], size, colors.get(node.id, "white"))
    if chosen is not None:
        axes.scatter(
            *place[chosen], s=(1.55 * size) ** 2, facecolors="none", edgecolors="black", linewidths=1.5
        )
    _explain(axes, nodes)
    axes.set(xlabel="steps from the prior", title="iterations", ylim=(rows + 0.75, -0.65))
    axes.set_xlim(-0.7, max(depth, 1) + 0.7)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["left", "right", "top"]].set_visible(False)


def _colors(axes: Axes, nodes: Sequence[Iteration]) -> dict[int, Any]:
    """Colours by id where misfits are known, with a colour bar."""
    known = {node.id: node.misfit for node in nodes if node.misfit}
    if not known:
        return {}
    low, high = min(known.values()), max(known.values())
    if high < 1.01 * low:
        low, high = low / 1.01, high * 1.01
    colors = ScalarMappable(LogNorm(low, high), colormaps["viridis"])
    bar = axes.figure.colorbar(colors, ax=axes, label="misfit χ", pad=0.01, fraction=0.03)
    bar.ax.yaxis.set_minor_formatter("")
    bar.ax.yaxis.set_major_formatter("{x:.2g}")
    bar.set_ticks([float(tick) for tick in np.geomspace(low, high, 3)])
    return {number: colors.to_rgba(np.array(misfit)) for number, misfit in known.items()}


def _draw_line(axes: Axes, start: tuple[int, int], end: tuple[int, int]) -> None:
    (x0, y0), (x1, y1) = start, end
    bend = x0 + 0.5
    look: dict[str, Any] = {"color": COLORS[y1 % len(COLORS)], "linewidth": 1.6, "zorder": 1}
    axes.plot([x0, bend, bend, x1], [y0, y0, y1, y1], **look)


def _draw_node(axes: Axes, node: Iteration, place: tuple[int, int], size: float, color: Any) -> None:
    marker, rim = next((m, edge) for state, _, m, edge in _STATES if state == _state(node))
    width = 2.0 if rim == _STOPPED else 1.0
    area = (0.85 * size) ** 2 if marker in "Ds" else size**2
    axes.scatter(*place, s=area, color=[color], marker=marker, edgecolors=rim, linewidths=width, zorder=2)
    if size > _SMALL:
        ink = "black" if isinstance(color, str) or np.dot(color[:3], (0.3, 0.59, 0.11)) > 0.5 else "white"
        look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 0.45 * size, "color": ink}
        axes.annotate(str(node.id), place, **look)
    rejected = sum(trial.accepted is False for trial in node.trials)
    if rejected:
        # The number has no room where the signs stand side by side.
        below: dict[str, Any] = {"xytext": (0.0, -0.62 * size), "textcoords": "offset points"}
        text, points = (f"{rejected}×", 7.0) if size > _SMALL else ("×", 0.6 * size)
        axes.annotate(text, place, **below, ha="center", va="top", fontsize=points, color=_STOPPED)


def _state(node: Iteration) -> str:
    if node.accepted is None:
        return "open"
    if node.accepted:
        return "accepted"
    return "converged" if node.reason.startswith("converged") else "stopped"


def _explain(axes: Axes, nodes: Sequence[Iteration]) -> None:
    """A legend of what occurs."""
    found = {_state(node) for node in nodes}
    entries = [
        Line2D([], [], linestyle="", marker=marker, markerfacecolor="0.85", markeredgecolor=rim, label=label)
        for state, label, marker, rim in _STATES
        if state in found
    ]
    if any(trial.accepted is False for node in nodes for trial in node.trials):
        entries.append(Line2D([], [], linestyle="", marker="$×$", color=_STOPPED, label="rejected trials"))
    if entries:
        axes.legend(handles=entries, ncols=len(entries), loc="lower right", bbox_to_anchor=(1.0, 1.0),
                    frameon=False, fontsize="small", borderaxespad=0.2)  # fmt: skip
