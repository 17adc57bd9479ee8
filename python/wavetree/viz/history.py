"""How an inversion went: misfits, radius and ratio along the tree of iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from matplotlib.ticker import MaxNLocator

from wavetree.viz.style import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Node", "draw_event_misfits", "draw_misfit", "draw_steps", "draw_tree", "paths"]

_LINES = 20  # a legend with more events is not legible


class Node(Protocol):
    """What is drawn of an iteration."""

    iteration_id: int
    parent: int | None
    misfit: float | None
    misfits: Mapping[str, float]
    radius: float | None
    ratio: float | None


def paths(nodes: Sequence[Node]) -> list[list[Any]]:
    """Return a path from the root for each leaf of the tree, in the order of the leaves."""
    by_id = {node.iteration_id: node for node in nodes}
    parents = {node.parent for node in nodes}
    found = []
    for leaf in (node for node in nodes if node.iteration_id not in parents):
        path: list[Any] = [leaf]
        while path[-1].parent in by_id:
            path.append(by_id[path[-1].parent])
        found.append(path[::-1])
    return found


def draw_misfit(axes: Axes, nodes: Sequence[Node]) -> None:
    """Draw the misfit over the number of steps, a line for each branch."""
    for color, path in _colored(nodes):
        known = [(k, node.misfit) for k, node in enumerate(path) if node.misfit is not None]
        if known:
            axes.plot(*zip(*known, strict=True), "o-", color=color, markersize=4, label=_label(path))
    first = next((node.misfit for node in nodes if node.misfit), None)
    axes.set(xlabel="iteration", ylabel="misfit χ", title="misfit", yscale="log")
    _count_iterations(axes)
    if first is not None:
        share = axes.secondary_yaxis("right", functions=(lambda chi: chi / first, lambda part: part * first))
        share.set_ylabel("relative to the first")
    _explain_branches(axes, nodes)


def draw_event_misfits(axes: Axes, nodes: Sequence[Node]) -> None:
    """Draw the misfits of single events along the newest branch, each relative to its first."""
    path = paths(nodes)[-1] if nodes else []
    events = list(dict.fromkeys(name for node in path for name in node.misfits))
    for k, event in enumerate(events):
        known = [(i, node.misfits[event]) for i, node in enumerate(path) if event in node.misfits]
        first = known[0][1] or 1.0
        steps, values = [i for i, _ in known], [value / first for _, value in known]
        axes.plot(steps, values, "o-", color=COLORS[k % len(COLORS)], markersize=3, linewidth=1, label=event)
    axes.set(xlabel="iteration", ylabel="misfit relative to the first", title="events")
    axes.set_ylim(bottom=0.0)
    _count_iterations(axes)
    if 0 < len(events) <= _LINES:
        axes.legend(frameon=False, fontsize="small", ncols=1 + len(events) // 8)


def draw_steps(axes: Axes, nodes: Sequence[Node]) -> None:
    """Draw the trust region's radius, and the ratio of actual to predicted reduction, along the newest branch."""
    path = paths(nodes)[-1] if nodes else []
    radii = [(k, node.radius) for k, node in enumerate(path) if node.radius is not None]
    ratios = [(k, node.ratio) for k, node in enumerate(path) if node.ratio is not None]
    axes.set(xlabel="iteration", ylabel="radius", title="trust region")
    axes.yaxis.label.set_color(COLORS[0])
    beside = axes.twinx()
    beside.set_ylabel("ratio ared / pred", color=COLORS[1])
    beside.axhline(1.0, color=COLORS[1], linewidth=0.8, linestyle=":")
    if radii:
        axes.plot(*zip(*radii, strict=True), "o-", color=COLORS[0], markersize=4)
        axes.set_yscale("log" if max(r for _, r in radii) > 20 * min(r for _, r in radii) else "linear")
    if ratios:
        beside.plot(*zip(*ratios, strict=True), "s--", color=COLORS[1], markersize=4)
    beside.set_ylim(bottom=min(0.0, *(ratio for _, ratio in ratios), 0.0), top=None)
    _count_iterations(axes)


def draw_tree(axes: Axes, nodes: Sequence[Node]) -> None:
    """Draw the tree of iterations: a row for each branch; the open iterations are hollow."""
    place: dict[int, tuple[int, int]] = {}
    for row, path in enumerate(paths(nodes)):
        for k, node in enumerate(path):
            place.setdefault(node.iteration_id, (k, row))
    for node in nodes:
        here = place[node.iteration_id]
        if node.parent in place:
            there = place[node.parent]
            axes.plot([there[0], here[0]], [there[1], here[1]], color="0.6", zorder=1)
    parents = {node.parent for node in nodes}
    for node in nodes:
        done = node.iteration_id in parents
        x, y = place[node.iteration_id]
        axes.scatter(x, y, s=330, color=COLORS[0] if done else "white", edgecolors=COLORS[0], zorder=2)
        axes.annotate(
            str(node.iteration_id), (x, y), ha="center", va="center", color="white" if done else "black"
        )
    rows = max((y for _, y in place.values()), default=0)
    axes.set(xlabel="depth", title="iterations (hollow: open)", ylim=(rows + 0.7, -0.7))
    axes.margins(x=0.15)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["left", "right", "top"]].set_visible(False)


def _colored(nodes: Sequence[Node]) -> list[tuple[str, list[Any]]]:
    return [(COLORS[k % len(COLORS)], path) for k, path in enumerate(paths(nodes))]


def _label(path: Sequence[Any]) -> str:
    return f"to iteration {path[-1].iteration_id}"


def _explain_branches(axes: Axes, nodes: Sequence[Node]) -> None:
    if len(paths(nodes)) > 1:
        axes.legend(frameon=False, fontsize="small")


def _count_iterations(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
