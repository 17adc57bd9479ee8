"""Fill docs/scaling.md: ``python benchmarks/scaling_page.py POINTS.json docs/scaling.md``.

Fits the model to some of the points that ``scaling.py`` has measured, writes tables and figure, and fails if
the model is off the other points.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # before pyplot is loaded
from matplotlib import pyplot as plt

from report import filled, table
from scaling import CASES, CHECKED, FITTED, LARGE, Message, Point, pairs, read
from scaling_model import Model, Network, Parts, Prediction, cubic_mesh, fit, largest_part, predict
from wavetree.benchmark import find_cases

Points = Mapping[tuple[str, int, str], Point]

# Slingshot: 200 Gb/s per node and direction; nodes of two processors with 64 cores each.
NETWORK = Network(latency=2e-6, bandwidth=25e9, ranks_per_node=128)
TOLERANCE = 0.2
RANKS = (100, 1_000, 10_000, 100_000)
STRONG, WEAK = (1_000_000, 100_000_000), (1_000, 10_000)
_PARTITIONS = ((24, 64), (32, 64), (32, 512))
_IMAGE = "images/scaling.png"


def title(name: str, n: int) -> str:
    """What readers call a mesh."""
    (case,) = find_cases([name])
    return f"{case.title}, {n}{'²³'[case.dim - 2]}"


def rows(points: Points) -> list[tuple[str, int, int]]:
    """Return case and sizes of all pairs that have been measured."""
    found = [(name, *sizes) for name in CASES for sizes in sorted(pairs(name))] + [(LARGE[0], *LARGE[1])]
    return [row for row in found if (row[0], row[2], "shared") in points]


def strong(points: Points) -> str:
    """One mesh on one rank, on two ranks, and on two threads."""
    lines = []
    for name, _, n in rows(points):
        one, two, threads = (points[name, n, how] for how in ("one", "shared", "threads"))
        cells = [
            f"{one.points / one.seconds / 1e6:.0f}",
            f"{1e3 * one.seconds:.3g}",
            f"{1e3 * two.seconds:.3g}",
        ]
        cells.append(f"{one.seconds / two.seconds:.2f}")
        for found in (one, two, threads):
            cells.append(f"{1e3 * found.clock:.3g} ({found.clean:.0%})")
        lines.append([title(name, n), *cells])
    head = [
        "mesh",
        "Mpoints/s",
        "1 rank [ms]",
        "2 ranks [ms]",
        "ratio",
        "clock: 1 rank",
        "2 ranks",
        "2 threads",
    ]
    return table(head, lines)


def overhead(points: Points, name: str, small: int, large: int) -> float:
    """Seconds that a step of a rank takes longer where it shares a mesh, at the same number of nodes."""
    apart, shared = points[name, small, "apart"], points[name, large, "shared"]
    return shared.seconds - apart.seconds * shared.points / apart.points


def weak(points: Points, model: Model) -> str:
    """Two ranks that share a mesh against the same two with as many elements each and no messages."""
    lines = []
    for name, small, large in rows(points):
        apart, shared = points[name, small, "apart"], points[name, large, "shared"]
        extra = overhead(points, name, small, large)
        modelled = model.overhead(name, shared.points, shared.neighbours, shared.halo)
        sizes = [f"{shared.elements}", f"{shared.first:.0%}", f"{shared.n_bytes / 1e3:.3g}"]
        times = [f"{1e3 * t:.3g}" for t in (apart.seconds, shared.seconds, extra, modelled)]
        lines.append([title(name, large), *sizes, *times, f"{1.0 - extra / shared.seconds:.0%}"])
    head = ["mesh of 2 ranks", "elements / rank", "go first", "halo [kB]", "apart [ms]", "shared [ms]"]
    return table([*head, "overhead [ms]", "modelled [ms]", "efficiency"], lines)


def exchanges(messages: Mapping[int, Message]) -> str:
    """Messages alone."""
    found = sorted(messages.values(), key=lambda message: message.n_bytes)
    cells = [f"{1e6 * message.seconds:.3g}" for message in found]
    return table(
        ["size [kB]", *(f"{message.n_bytes / 1e3:.4g}" for message in found)], [["time [µs]", *cells]]
    )


def fitted_and_checked(points: Points) -> tuple[list[Point], list[Point]]:
    """Return the runs that the model is fitted to, and others."""
    both: tuple[list[Point], list[Point]] = ([], [])
    for name in CASES:
        dim = find_cases([name])[0].dim
        for found, sizes in zip(both, (FITTED[dim], CHECKED[dim]), strict=True):
            keys = [
                key for small, large in sizes for key in ((name, small, "apart"), (name, large, "shared"))
            ]
            found.extend(points[key] for key in keys if key in points)
    return both


def checks(points: Points, model: Model) -> str:
    """Model against measurement, of runs that it has not seen."""
    lines = []
    for point in fitted_and_checked(points)[1]:
        error = float(model.errors([point])[0])
        cells = (f"{1e3 * point.seconds:.3g}", f"{1e3 * model.seconds(point):.3g}", f"{error:+.0%}")
        ranks = "2 ranks share it" if point.how == "shared" else "one each"
        lines.append([f"{title(point.case, point.n)}, {ranks}", *cells])
    return table(["run", "measured [ms]", "model [ms]", "error"], lines)


def constants(points: Points, model: Model) -> str:
    """The constants of the model."""
    known = fitted_and_checked(points)[0]
    lines = [["of every step [µs]", f"{1e6 * model.step:.3g}"]]
    lines += [[f"per element node, {name} [ns]", f"{1e9 * model.point[name]:.3g}"] for name in model.point]
    lines.append(["per neighbour [µs]", f"{1e6 * model.exchange:.3g}"])
    lines.append(["per value of the halo [ns]", f"{1e9 * model.value:.3g}"])
    lines.append(["per byte with neighbours [ns]", f"{1e9 * model.order:.3g}"])
    lines.append(["per byte beyond the cache [ns]", f"{1e9 * model.memory:.3g}"])
    lines.append(["cache per rank [MB]", f"{model.cache / 1e6:.3g}"])
    lines.append([f"largest error among the {len(known)} fitted", f"{np.abs(model.errors(known)).max():.0%}"])
    return table(["constant", "value"], lines)


def partitions(parts: Sequence[tuple[int, int, Parts]]) -> str:
    """What METIS gives, against cubes."""
    lines = [
        [f"{n}³ on {ranks}", f"{p.imbalance:.3f}", f"{p.halo:.2f}", f"{p.first:.2f}", f"{p.neighbours:.0f}"]
        for n, ranks, p in parts
    ]
    return table(["elements on ranks", "work", "halo", "elements that go first", "neighbours"], lines)


def predictions(found: Sequence[Prediction]) -> str:
    """Efficiency of meshes on many ranks."""
    lines = [
        [
            *(f"{p.elements * p.n_ranks:.0e}".replace("e+0", "e"), f"{p.n_ranks:,}", f"{p.elements:,.0f}"),
            *(f"{1e3 * p.overlapped:.3g}", f"{p.efficiency:.0%}", f"{p.efficiency_exposed:.0%}"),
        ]
        for p in found
    ]
    head = ["elements", "ranks", "elements / rank", "step [ms]", "efficiency", "without overlap"]
    return table(head, lines)


def figure(file: Path, model: Model, parts: Parts) -> None:
    """Efficiency by ranks: strong scaling left, weak scaling right."""
    drawn, axes = plt.subplots(1, 2, figsize=(9.0, 4.2), sharey=True, layout="constrained")
    ranks = np.unique(np.geomspace(10, 1e5, 60).astype(int))
    panels = (("one mesh", STRONG, False), ("a mesh that grows with the ranks", WEAK, True))
    for ax, (name, sizes, grows) in zip(axes, panels, strict=True):
        for size, colour in zip(sizes, ("tab:blue", "tab:orange"), strict=True):
            found = [predict(model, NETWORK, parts, size * (int(r) if grows else 1), int(r)) for r in ranks]
            exponent = f"$10^{{{round(np.log10(size))}}}$"
            label = f"{exponent} elements{' per rank' if grows else ''}"
            ax.semilogx(ranks, [100 * p.efficiency for p in found], color=colour, label=label)
            ax.semilogx(ranks, [100 * p.efficiency_exposed for p in found], "--", color=colour)
        ax.set(title=name, xlabel="ranks (one core each)", ylim=(0, 105))
        ax.grid(alpha=0.3)
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.2),
            ncols=2,
            title="dashed: messages do not overlap with work",
        )
    axes[0].set_ylabel("efficiency [%]")
    drawn.savefig(file, dpi=90)
    plt.close(drawn)


def assert_checked(points: Points, model: Model) -> None:
    """End the program if the model is off a run that it has not seen by more than `TOLERANCE`."""
    for point in fitted_and_checked(points)[1]:
        error = float(model.errors([point])[0])
        if abs(error) > TOLERANCE:
            raise SystemExit(f"the model is off by {error:+.0%}, expected at most {TOLERANCE:.0%}: {point}")


def write(points: Points, messages: Mapping[int, Message], page: Path) -> None:
    """Fill the page and draw its figure."""
    model = fit(fitted_and_checked(points)[0])
    found = [(n, r, Parts.of(largest_part(cubic_mesh(n), r), n**3 / r)) for n, r in _PARTITIONS]
    parts = Parts.worst(one for _, _, one in found)
    meshes = [(n, r) for n in STRONG for r in RANKS] + [(n * r, r) for n in WEAK for r in RANKS]
    strong_ones, weak_ones = np.split(np.arange(len(meshes)), [len(STRONG) * len(RANKS)])
    predicted = [predict(model, NETWORK, parts, *mesh) for mesh in meshes]
    tables = {
        "strong": strong(points),
        "weak": weak(points, model),
        "messages": exchanges(messages),
        "constants": constants(points, model),
        "checks": checks(points, model),
        "partitions": partitions(found),
        "predicted_strong": predictions([predicted[k] for k in strong_ones]),
        "predicted_weak": predictions([predicted[k] for k in weak_ones]),
    }
    text = page.read_text()
    for name, content in tables.items():
        text = filled(text, name, content)
    page.write_text(text)
    figure(page.parent / _IMAGE, model, parts)
    assert_checked(points, model)


if __name__ == "__main__":
    write(*read(Path(sys.argv[1])), Path(sys.argv[2]))
