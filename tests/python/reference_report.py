"""Writes table and figures of the reference cases: python tests/python/reference_report.py FILE.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from reference_cases import COARSENING, NAMES, ORDER, ReferenceCase, Result, reference_folder

COMMAND = "python tests/python/reference_report.py docs/verification.md"
DRAWN = ("b_lamb_elastic_halfspace", "d_fluid_solid_flat")
COLUMNS = (
    "case",
    "elements",
    "size / reference",
    "dt [ms] (reference)",
    "steps (reference)",
    "run, float32 [s]",
    "error, float32",
    "error, float64",
    "converged to",
)
ENLARGED = 100  # times that differences are drawn

HEAD = f"""# Verification

Figures of the wave equation against solutions that other codes have computed. This file is written by

```bash
WAVETREE_SHARED=... {COMMAND}
```

with the cases in the folder `reference` of `$WAVETREE_SHARED`; `pytest -m reference` asks for the same
errors to be below 1 %. What needs no other code is asked for by these tests:

| test | against what |
|---|---|
| `test_full_space.py` | closed forms of point sources, all sources and receiver fields, 2-D and 3-D |
| `test_interface.py` | reflection and transmission of plane waves between fluid and solid |
| `test_wave_speeds.py` | Rayleigh and Scholte waves, group velocities of anisotropic solids |
| `test_convergence.py` | standing waves, rates of convergence of every order |
| `test_energy.py` | conservation of the scheme's energy |
| `test_reciprocity.py` | exchange of source and receiver |
| `test_absorption.py` | energy that absorbing edges leave behind |

## Reference cases

Elements are {COARSENING} times as large as the reference's and then rounded to whole elements per layer,
never smaller; order {ORDER}, the default time step, dispersion filters on, one thread. The error is the L2
norm of the difference of records divided by that of the reference's, over the whole record: all components
of displacement together, pressure by itself; the largest one of a case is given. "Converged to" is by how
much the reference itself changes when its mesh is refined, in float64 but for h, which is in float32.

| {" | ".join(COLUMNS)} |
|{"---|" * len(COLUMNS)}
"""

RECEIVERS = """
### By receiver

| case | receiver | displacement | pressure |
|---|---|---|---|
"""

FIGURES = f"""
What float32 adds is rounding in the pressure, a second derivative by time.

### Seismograms

Grey lines are the references, blue dashes wavetree's records, and red lines below them the difference,
{ENLARGED} times enlarged. Every receiver is drawn in units of the largest value of all its components.
"""


def case_row(case: ReferenceCase, result: Result, error_in_float64: float) -> str:
    """The line of a case in the first table."""
    mesh, axis = result.simulation.mesh, result.simulation.time_axis
    reference = case.description["mesh"]["reference"]
    volume = np.prod([high - low for low, high in mesh.bounds])
    size = (volume / mesh.nelem) ** (1.0 / case.dim)
    cells = (
        case.name,
        str(mesh.nelem),
        f"{size / reference['element_size_m']:.2f}",
        f"{1e3 * axis.dt:.3f} ({1e3 * reference['dt']:.3f})",
        f"{axis.n_steps} ({reference['nsteps']})",
        f"{result.seconds:.1f}",
        f"{result.largest:.1e}",
        f"{error_in_float64:.1e}",
        f"{case.description['convergence']['max']:.1e}",
    )
    return f"| {' | '.join(cells)} |\n"


def receiver_rows(case: ReferenceCase, result: Result) -> Iterable[str]:
    """The lines of a case in the second table."""
    for name, errors in result.errors.items():
        pressure = f"{errors['pressure']:.1e}" if "pressure" in errors else "–"
        yield f"| {case.name} | {name} | {errors['displacement']:.1e} | {pressure} |\n"


def draw(case: ReferenceCase, result: Result, file: Path) -> None:
    """Draw the seismograms of a case into a file, one panel for every component."""
    compared = list(case.compared(result.data))
    panels = [("displacement", 0), ("displacement", 1), ("pressure", 0)]
    panels = [panel for panel in panels if any(panel[0] == quantity for _, quantity, _, _ in compared)]
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4.5 * len(panels), 6), layout="constrained")
    for ax, (quantity, component) in zip(axes, panels, strict=True):
        chosen = [(name, found, expected) for name, q, found, expected in compared if q == quantity]
        draw_records(ax, case.axis.times, chosen, component)
        axis = f", {'xy'[component]}" if quantity == "displacement" else ""
        ax.set(title=f"{quantity}{axis}", xlabel="time [s]")
    figure.legend(handles=axes[0].lines[:3], loc="outside lower center", ncols=3, fontsize="small")
    figure.savefig(file, dpi=80)
    pyplot.close(figure)


def draw_records(
    ax: Axes, times: np.ndarray, records: list[tuple[str, np.ndarray, np.ndarray]], component: int
) -> None:
    """Draw a component of records found and expected of several receivers one below the other."""
    labels = ("reference", "wavetree", f"{ENLARGED} × difference")
    for row, (_, found, expected) in enumerate(records):
        peak, level = 2.2 * np.abs(expected).max(), -row  # that of all components
        reference, difference = expected[component] / peak, (found - expected)[component] / peak
        ax.plot(times, level + reference, color="0.7", lw=3)
        ax.plot(times, level + found[component] / peak, color="tab:blue", lw=1, ls="--")
        ax.plot(times, level - 0.5 + ENLARGED * difference, color="tab:red", lw=0.8)
    for line, label in zip(ax.lines[:3], labels, strict=True):
        line.set_label(label)
    ax.set_yticks([-row for row in range(len(records))], [name for name, _, _ in records])
    ax.set_ylim(0.3 - len(records), 0.9)
    ax.grid(axis="x", alpha=0.3)


OTHERS = "\n## Inversions\n"


def main(file: Path) -> None:
    """Run all cases and write the report and, in images beside it, its figures."""
    folder = reference_folder()
    if folder is None:
        raise SystemExit(
            "there are no reference cases: set WAVETREE_SHARED to the folder that has reference/"
        )
    rows, by_receiver, figures = [], [], []
    for name in NAMES:
        case = ReferenceCase(folder / name)
        result = case.run()
        rows.append(case_row(case, result, case.run("float64").largest))
        by_receiver.extend(receiver_rows(case, result))
        if name in DRAWN:
            image = Path("images") / f"verification_{name[0]}.png"
            draw(case, result, file.parent / image)
            figures.append(f"\n![{name}]({image})\n\n{name}: {case.description['source']['type']}\n")
    # What other commands have found stands behind.
    _, mark, others = file.read_text().partition(OTHERS) if file.is_file() else ("", "", "")
    file.write_text("".join([HEAD, *rows, RECEIVERS, *by_receiver, FIGURES, *figures, mark, others]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
