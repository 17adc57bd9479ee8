"""How an inversion went: misfits, radius and ratio along the tree of iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from wavetree.inversion.iteration import Iteration
from wavetree.viz.style import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_event_misfits", "draw_misfit", "draw_steps", "draw_tree", "paths"]

_LINES = 20  # a legend with more events is not legible


def paths(nodes: Sequence[Iteration]) -> list[list[Iteration]]:
    """Return a path from the root for each leaf of the tree, in the order of the leaves."""
    by_id = {node.id: node for node in nodes}
    parents = {node.parent for node in nodes}
    found = []
    for leaf in (node for node in nodes if node.id not in parents):
        path: list[Iteration] = [leaf]
        while (parent := path[-1].parent) is not None:
            path.append(by_id[parent])
        found.append(path[::-1])
    return found


def draw_misfit(axes: Axes, nodes: Sequence[Iteration]) -> None:
    """Draw the misfit over the number of steps relative to the first, a line for each branch."""
    first = next((node.misfit for node in nodes if node.misfit), None)
    found = paths(nodes)
    for k, path in enumerate(found):
        known = [(i, 100.0 * node.misfit / (first or 1.0)) for i, node in enumerate(path) if node.misfit]
        if known:
            color, label = COLORS[k % len(COLORS)], f"to iteration {path[-1].id}"
            axes.plot(*zip(*known, strict=True), "o-", color=color, markersize=4, label=label)
    axes.set(xlabel="iteration", ylabel="χ / χ₀ [%]", title="misfit", yscale="log")
    if first is not None:
        axes.set_title(f"misfit, χ₀ = {first:.4g}")
        axes.set_ylim(top=130.0)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    _count_iterations(axes)
    if len(found) > 1:
        axes.legend(frameon=False, fontsize="small")


def draw_event_misfits(axes: Axes, nodes: Sequence[Iteration]) -> None:
    """Draw the misfits of single events along the newest branch, each relative to its first."""
    path = paths(nodes)[-1] if nodes else []
    misfits = [(i, node.misfits) for i, node in enumerate(path) if node.misfits is not None]
    events = list(dict.fromkeys(name for _, one in misfits for name in one))
    for k, event in enumerate(events):
        known = [(i, one[event]) for i, one in misfits if event in one]
        first = known[0][1] or 1.0
        steps, values = [i for i, _ in known], [100.0 * value / first for _, value in known]
        look: dict[str, Any] = {
            "color": COLORS[k % len(COLORS)],
            "linestyle": ("-", "--", ":")[k // len(COLORS) % 3],
        }
        axes.plot(steps, values, marker="o", markersize=3, linewidth=1, label=event, **look)
    axes.set(xlabel="iteration", ylabel="χ / χ₀ of the event [%]", title="events")
    axes.set_ylim(bottom=0.0)
    _count_iterations(axes)
    if 0 < len(events) <= _LINES:
        axes.legend(frameon=False, fontsize="small", ncols=1 + len(events) // 8)


def draw_steps(axes: Axes, nodes: Sequence[Iteration]) -> None:
    """Draw the radius, and the ratio of actual to predicted reduction, along the newest branch."""
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
    sizes = [0.0, 1.0, *(ratio for _, ratio in ratios)]
    beside.set_ylim(min(sizes), 1.1 * max(sizes))
    _count_iterations(axes)


def draw_tree(axes: Axes, nodes: Sequence[Iteration]) -> None:
    """Draw the tree of iterations: a row for each branch; the open iterations are hollow."""
    place: dict[int, tuple[int, int]] = {}
    for row, path in enumerate(paths(nodes)):
        for k, node in enumerate(path):
            place.setdefault(node.id, (k, row))
    for node in nodes:
        here = place[node.id]
        if node.parent is not None:
            there = place[node.parent]
            axes.plot([there[0], here[0]], [there[1], here[1]], color="0.6", zorder=1)
    for node in nodes:
        done = node.accepted is not None
        x, y = place[node.id]
        axes.scatter(x, y, s=330, color=COLORS[0] if done else "white", edgecolors=COLORS[0], zorder=2)
        axes.annotate(str(node.id), (x, y), ha="center", va="center", color="white" if done else "black")
    rows = max((y for _, y in place.values()), default=0)
    axes.set(xlabel="depth", title="iterations (hollow: open)", ylim=(rows + 0.7, -0.7))
    axes.margins(x=0.15)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["left", "right", "top"]].set_visible(False)


def _count_iterations(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
