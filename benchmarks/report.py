"""Write the tables of docs/performance.md: ``python benchmarks/report.py docs/performance.md [NAME...]``.

A table stands between the lines ``<!-- table NAME -->`` and ``<!-- end -->``; the rest of the page stays.
"""

from __future__ import annotations

import datetime
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from events_in_lanes import TutorialEvents
from measurements import Scaling, gradient_cost, memory, scaling, setup_cost, two_threads
from wavetree.benchmark import Settings, find_cases, run_benchmark
from wavetree.benchmark.table import processor_name
from wavetree.simulation.core import instruction_sets

NAMES = ("acoustic2d", "elastic2d", "acoustic3d", "elastic3d")
SIZES = (16, 24, 32, 48, 64, 96)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with a first column of names and others of numbers."""
    columns = list(head)
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def steps() -> str:
    return run_benchmark(find_cases(["all"]), Settings()).to_markdown()


def sets() -> str:
    """Speed by instruction set and precision, of the box."""
    rows = []
    for name in instruction_sets():
        for precision in ("float32", "float64"):
            settings = Settings(variants=("box",), instruction_set=name, precision=precision, rounds=3)
            figures = run_benchmark(find_cases(NAMES), settings).figures
            rows.append([f"{name}, {precision}", *(f"{f.updates / 1e6:.0f}" for f in figures)])
    return table(["Mpoints/s", *NAMES], rows)


def gradient() -> str:
    rows = []
    for case in find_cases(NAMES):
        n = {2: 100, 3: 16}[case.dim]
        cost = gradient_cost(case, n, rounds=2)
        rows.append([f"{case.title}, {n}{'²³'[case.dim - 2]}", f"{cost.forward:.2f}", f"{cost.gradient:.2f}"])
        rows[-1].append(f"{cost.ratio:.2f}")
    return table(["case", "forward [s]", "gradient [s]", "ratio"], rows)


def events() -> str:
    """Forward runs and gradients of 16 events of the tutorial's kind."""
    with tempfile.TemporaryDirectory() as folder:
        found = TutorialEvents(Path(folder) / "project")
        costs = {"forward": found.forward()}
        for interval in (50, 10, 1):
            which = "every step" if interval == 1 else f"every {interval} steps"
            costs[f"gradient, {which}"] = found.gradient(interval)
    rows = [[what, f"{c.alone:.2f}", f"{c.lanes:.2f}", f"{c.ratio:.2f}"] for what, c in costs.items()]
    return table(["16 events", "one by one [s]", "in lanes [s]", "times faster"], rows)


def setup() -> str:
    rows = []
    for name, sizes in (("acoustic2d", (100, 177, 250)), ("elastic3d", (16, 25, 32))):
        (case,) = find_cases([name])
        for n in sizes:
            cost = setup_cost(case, n)
            parts = (cost.mesh, cost.core, cost.time_step, cost.thousand_steps)
            rows.append([f"{case.title}, {n}{'²³'[case.dim - 2]}", *(f"{seconds:.2f}" for seconds in parts)])
            rows[-1] += [f"{cost.share:.0%}", f"{cost.microseconds_per_element:.0f}"]
    parts = ["mesh [s]", "core [s]", "time step [s]", "1000 steps [s]"]
    return table(["case", *parts, "share", "µs / element"], rows)


def resident() -> str:
    rows = []
    for case in find_cases(NAMES):
        n = {2: 200, 3: 24}[case.dim]
        for what, interval in (("forward", 0), ("gradient", 10)):
            found = memory(case, n, interval)
            mib = (found.planned / 2**20, found.found / 2**20)
            rows.append([f"{case.title}, {n}{'²³'[case.dim - 2]}, {what}", *(f"{x:.0f}" for x in mib)])
            rows[-1].append(f"{found.ratio:.2f}")
    return table(["case", "planned [MiB]", "found [MiB]", "ratio"], rows)


def size() -> str:
    def cells(found: Scaling) -> list[str]:
        return ["memory" if x is None else f"{x:.2f}" for x in found.nanoseconds.values()]

    rows = [[case.title, *cells(scaling(case, SIZES))] for case in find_cases(["acoustic3d", "elastic3d"])]
    return table(["ns / point", *(f"{n}³" for n in SIZES)], rows)


def threads() -> str:
    rows = []
    for case in find_cases(NAMES):
        for variant in ("box", "unstructured"):
            found = two_threads(case, case.n, variant)
            rows.append([f"{case.title}, {variant}", f"{found.ratio:.2f}", f"{found.copy:.2f}"])
    return table(["case", "2 threads : 1", "copy, 2 threads : 1"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "steps": steps,
    "sets": sets,
    "gradient": gradient,
    "events": events,
    "setup": setup,
    "memory": resident,
    "size": size,
    "threads": threads,
}


def filled(page: str, name: str, content: str) -> str:
    """The page with a table in its place."""
    pattern = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise SystemExit(f"expected the lines '<!-- table {name} -->' and '<!-- end -->' once in the page")
    found = f"\n{content}\n\n{processor_name()}, {datetime.date.today():%d %B %Y}.\n\n"
    return pattern.sub(lambda match: match[1] + found + match[2], page)


def main(file: Path, names: Iterable[str]) -> None:
    """Fill tables, each as soon as it is there."""
    for name in names:
        print(name, flush=True)
        content = TABLES[name]()
        print(content, flush=True)
        file.write_text(filled(file.read_text(), name, content))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or TABLES)
