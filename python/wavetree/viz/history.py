"""How an inversion went: misfits, radius and ratio along the tree of iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from wavetree.inversion.iteration import Iteration
from wavetree.viz.style import COLORS
from wavetree.viz.tree import branches, layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_event_misfits", "draw_misfit", "draw_steps", "path_through"]

_LINES = 7  # as many as there are colours; more events are drawn as a matrix
_NAMES = 24  # more names of events beside a matrix overlap
_BRANCHES = 8  # a legend with more branches is not legible


def path_through(nodes: Sequence[Iteration], chosen: int | None = None) -> list[Iteration]:
    """Return the path from the root through an iteration to the end of its row; of the newest when None."""
    if not nodes:
        return []
    place, by_id = layout(nodes), {node.id: node for node in nodes}
    path = [nodes[-1] if chosen is None else by_id[chosen]]
    while (parent := path[0].parent) is not None:
        path.insert(0, by_id[parent])
    depth, row = place[path[-1].id]
    following = [node for node in nodes if place[node.id][1] == row and place[node.id][0] > depth]
    return path + sorted(following, key=lambda node: place[node.id][0])


def draw_misfit(axes: Axes, nodes: Sequence[Iteration]) -> None:
    """Draw the misfit over the number of steps relative to the first, a line for each branch.

    Where iterations have different events it is the misfit per event. Misfits of events that are not
    inverted are dashed.
    """
    found, place = branches(nodes), layout(nodes)
    axes.set(xlabel="steps from the prior", ylabel="χ / χ₀ [%]", title="misfit")
    axes.set(ylim=(10.0, 130.0), yscale="log")
    shown = [100.0]
    for values, style in ((_levels(nodes), "o-"), (_levels(nodes, "validation_misfits"), "s--")):
        first = next((values[node.id] for node in nodes if values.get(node.id)), None)
        if first is None:
            continue
        for k, row in enumerate(found):
            known = [(place[n.id][0], 100.0 * values[n.id] / first) for n in row if values.get(n.id)]
            label = f"to iteration {row[-1].id}" if style == "o-" else "not inverted" if k == 0 else "_"
            axes.plot(
                *zip(*known, strict=True), style, color=COLORS[k % len(COLORS)], markersize=3.5, label=label
            )
            shown += [value for _, value in known]
        if style == "o-":
            axes.set_title(f"misfit{' per event' if _differ(nodes) else ''}, χ₀ = {first:.4g}")
    axes.set_ylim(min(shown) / 1.3, 1.3 * max(shown))
    _label_powers(axes)
    _count_iterations(axes)
    if 1 < len(axes.get_legend_handles_labels()[1]) <= _BRANCHES:
        axes.legend(frameon=False, fontsize="small")


def draw_event_misfits(axes: Axes, nodes: Sequence[Iteration], chosen: int | None = None) -> None:
    """Draw the misfits of single events along a branch, each relative to its first.

    Parameters
    ----------
    axes
        Where to draw.
    nodes
        The iterations.
    chosen
        An iteration of the branch; the newest when None.
    """
    path = path_through(nodes, chosen)
    misfits = [(k, node.misfits) for k, node in enumerate(path) if node.misfits is not None]
    shares: dict[str, dict[int, float]] = {}
    for k, one in misfits:
        for event, misfit in one.items():
            shares.setdefault(event, {})[k] = misfit
    for of_event in shares.values():
        first = next(iter(of_event.values())) or 1.0
        of_event.update({k: 100.0 * misfit / first for k, misfit in of_event.items()})
    axes.set(xlabel="steps from the prior", title=_title("events", nodes, path))
    if len(shares) > _LINES:
        _draw_matrix(axes, shares, len(misfits) and misfits[-1][0] + 1)
        return
    for k, (event, of_event) in enumerate(shares.items()):
        axes.plot(*zip(*of_event.items(), strict=True), "o-", color=COLORS[k], markersize=3, label=event)
    axes.set_ylabel("χ / χ₀ of the event [%]")
    axes.set_ylim(bottom=0.0)
    _count_iterations(axes)
    if shares:
        axes.legend(frameon=False, fontsize="small", ncols=1 + len(shares) // 5)


def draw_steps(axes: Axes, nodes: Sequence[Iteration], chosen: int | None = None) -> None:
    """Draw the radius, and the ratio of actual to predicted reduction, along a branch.

    Parameters
    ----------
    axes
        Where to draw.
    nodes
        The iterations.
    chosen
        An iteration of the branch; the newest when None.
    """
    path = path_through(nodes, chosen)
    radii = [(k, node.radius) for k, node in enumerate(path) if node.radius is not None]
    ratios = [(k, node.ratio) for k, node in enumerate(path) if node.ratio is not None]
    axes.set(xlabel="steps from the prior", ylabel="radius", title=_title("trust region", nodes, path))
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


def _levels(nodes: Sequence[Iteration], name: str = "misfits") -> dict[int, float]:
    """Misfit by id, per event where the events differ."""
    found: dict[int, float] = {}
    differ = _differ(nodes)
    for node in nodes:
        misfits: Mapping[str, float] | None = getattr(node, name, None)
        if name == "misfits" and node.misfit is not None:
            found[node.id] = node.misfit / (len(misfits or ()) if differ else 1)
        elif misfits:
            found[node.id] = sum(misfits.values()) / len(misfits)
    return found


def _differ(nodes: Sequence[Iteration]) -> bool:
    """Whether iterations have different events, so that sums cannot be compared."""
    return len({frozenset(node.misfits) for node in nodes if node.misfits}) > 1


def _title(what: str, nodes: Sequence[Iteration], path: Sequence[Iteration]) -> str:
    return f"{what} on the way to iteration {path[-1].id}" if len(branches(nodes)) > 1 else what


def _draw_matrix(axes: Axes, shares: Mapping[str, Mapping[int, float]], steps: int) -> None:
    values = np.full((len(shares), steps), np.nan)
    for row, of_event in zip(values, shares.values(), strict=True):
        row[list(of_event)] = list(of_event.values())
    known = values[values > 0.0]
    low, high = (float(known.min()), float(known.max())) if len(known) else (50.0, 100.0)
    axes.set_facecolor("0.85")
    image = axes.pcolormesh(
        np.arange(steps + 1) - 0.5, np.arange(len(shares) + 1) - 0.5, np.ma.masked_invalid(values),
        norm=LogNorm(low if low < high else 0.99 * low, high), cmap="viridis", rasterized=True,
    )  # fmt: skip
    axes.set(ylim=(len(shares) - 0.5, -0.5), ylabel=f"{len(shares)} events")
    if len(shares) <= _NAMES:
        axes.set_yticks(range(len(shares)), list(shares), fontsize="x-small")
        axes.set_ylabel("")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    bar = axes.figure.colorbar(image, ax=axes, label="χ / χ₀ of the event [%]", pad=0.02)
    _label_powers(bar.ax)


def _label_powers(axes: Axes) -> None:
    """Plain numbers at 1, 2 and 5 of each decade, where there are more than three decades at 1."""
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 1000.0 * low else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _count_iterations(axes: Axes) -> None:
    low, high = axes.get_xlim()
    if high - low < 1.0:
        axes.set_xlim(-0.5, 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
