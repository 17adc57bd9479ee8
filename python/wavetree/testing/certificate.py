"""The certificate of a gradient: dot product, Taylor and single-entry checks of one set-up."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from wavetree.testing.checks import central_differences, taylor_remainders
from wavetree.testing.simulation_misfit import SimulationMisfit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["GradientCertificate", "TaylorTest", "certify_gradient", "count_runs"]

_DEFECT, _SLOPE, _DECADES, _ENTRY = 1e-12, 0.02, 3.0, 1e-6
_DIRECTIONS, _ENTRIES = 2, 20
# More than is asked for: third order counts at the upper end, rounding may at the lower.
_STEPS = 10.0 ** -np.arange(2.5, 7.01, 0.5)
# The misfit's rounding, about 1e-15 / h of it, stays small beside the entries of a mesh with many nodes, and
# so does the error of fourth order in h.
_ENTRY_STEP, _ENTRY_RUNS = 2e-3, 4
_LINEARISED_RUNS = 12
_HEADS = ("check", "result", "expected", "")


@dataclass(frozen=True)
class TaylorTest:
    """How the remainder of the linear model falls along one direction.

    Attributes
    ----------
    steps
        Step lengths, descending (n_steps,).
    remainders
        r(h) = |χ(p + h d) − χ(p) − h ⟨g, d⟩| (n_steps,).
    """

    steps: np.ndarray
    remainders: np.ndarray

    @property
    def slopes(self) -> np.ndarray:
        """D log r / d log h between neighbouring steps (n_steps − 1,); 2 for the derivative."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.diff(np.log(self.remainders)) / np.diff(np.log(self.steps)))

    @property
    def decades(self) -> float:
        """Decades of step over which every slope is 2.00 ± 0.02."""
        longest = current = 0.0
        for slope, width in zip(self.slopes, -np.diff(np.log10(self.steps)), strict=True):
            current = current + float(width) if abs(slope - 2.0) <= _SLOPE else 0.0
            longest = max(longest, current)
        return longest

    @property
    def passed(self) -> bool:
        """Whether the slope is 2.00 ± 0.02 over three decades."""
        return self.decades >= _DECADES - 1e-9


@dataclass(frozen=True)
class GradientCertificate:
    """What the checks of a gradient found.

    Attributes
    ----------
    name
        What was checked.
    dot_product_defect
        |⟨Ax, y⟩ − ⟨x, Aᵀy⟩| / (‖Ax‖ ‖y‖), A the derivative of the records by the medium; at most 1e-12.
    taylor
        One test for each random direction: slope 2.00 ± 0.02 over three decades of step.
    entries
        By parameter the largest difference of random entries from central differences, relative to the
        parameter's largest entry; at most 1e-6.
    approximations
        By what they store and compute with, the relative L2 errors of gradients that are not exact. They do
        not decide whether the gradient passes.
    n_runs
        Forward and adjoint runs that it took.
    """

    name: str
    dot_product_defect: float
    taylor: tuple[TaylorTest, ...]
    entries: Mapping[str, float]
    approximations: Mapping[str, float] = field(default_factory=dict)
    n_runs: int = 0

    @property
    def passed(self) -> bool:
        """Whether the gradient is the derivative of the computed misfit."""
        return all(row[-1] != "FAILED" for row in self._summary())

    def plot(self, axes: Axes | None = None) -> Figure:
        """Draw the remainders over the step, with the line of slope 2; new axes when None."""
        from wavetree.viz.certificate import plot_certificate

        return plot_certificate(self, axes)

    def _summary(self) -> list[tuple[str, str, str, str]]:
        """Rows of `_HEADS`."""
        rows = [_row("dot product defect", self.dot_product_defect, _DEFECT)]
        for k, test in enumerate(self.taylor):
            verdict = "passed" if test.passed else "FAILED"
            found = f"slope 2.00 ± {_SLOPE} over {test.decades:.1f} decades"
            rows.append((f"Taylor, direction {k + 1}", found, f"≥ {_DECADES:g}", verdict))
        rows += [_row(f"entries of {name}", error, _ENTRY) for name, error in self.entries.items()]
        rows += [(f"error of {name}", f"{error:.2g}", "", "") for name, error in self.approximations.items()]
        return rows

    def _steps(self) -> list[tuple[str, ...]]:
        """Rows of step, and remainder and slope of every direction."""
        rows = []
        for i, step in enumerate(self.taylor[0].steps):
            cells = [f"{step:.1e}"]
            for test in self.taylor:
                cells += [f"{test.remainders[i]:.2e}", f"{test.slopes[i - 1]:.3f}" if i else ""]
            rows.append(tuple(cells))
        return rows

    @property
    def _heads(self) -> tuple[str, ...]:
        numbers = range(1, len(self.taylor) + 1)
        return ("step", *(head for k in numbers for head in (f"remainder {k}", f"slope {k}")))

    @property
    def _title(self) -> str:
        return f"Gradient of {self.name}: {'passed' if self.passed else 'FAILED'} ({self.n_runs} runs)"

    def __str__(self) -> str:
        blocks = [_HEADS, *self._summary()], [self._heads, *self._steps()]
        return "\n".join([self._title, *(line for block in blocks for line in ("", *_aligned(block)))])

    def _repr_html_(self) -> str:
        return (
            f"<b>{html.escape(self._title)}</b>"
            + _html_table(_HEADS, self._summary())
            + _html_table(self._heads, self._steps())
        )


def count_runs(n_events: int, n_parameters: int, n_approximations: int = 0) -> int:
    """Return the forward and adjoint runs of `certify_gradient`.

    Parameters
    ----------
    n_events
        Number of misfits that are summed.
    n_parameters
        Number of parameters that change.
    n_approximations
        Number of gradients that are compared besides.
    """
    taylor = _DIRECTIONS * (1 + len(_STEPS))
    entries = _ENTRY_RUNS * n_parameters * _entries_of_each(n_parameters)
    return n_events * (2 + _LINEARISED_RUNS + 2 + taylor + entries + 2 * n_approximations)


def certify_gradient(
    misfits: Sequence[SimulationMisfit],
    generator: np.random.Generator,
    name: str = "",
    approximations: Mapping[str, Sequence[SimulationMisfit]] | None = None,
) -> GradientCertificate:
    """Check the gradient of a misfit, or of the sum of several, at the simulations' own medium.

    Parameters
    ----------
    misfits
        In float64 with every wavefield stored; of one medium.
    generator
        Draws directions, samples and entries.
    name
        What is checked, for the reader.
    approximations
        The same misfits with other precision or storage, by what they are called; their gradients are
        compared with the exact one.

    Raises
    ------
    ValueError
        If the gradient is zero: the misfit is stationary, for example because observed and synthetic
        records are equal.

    Notes
    -----
    The checks are those of `dot_product_defect`, `taylor_remainders` and `central_differences`. Every field
    of the records counts alike in the dot product, every parameter by its relative change; see
    `SimulationMisfit`. `count_runs` says what it costs. The medium is changed by up to some percent with the
    time axis as it is, which has to leave room for that, as the default time step does.
    """
    others = approximations or {}
    total = count_runs(len(misfits), len(misfits[0].material), len(others))
    with tqdm(total=total, desc=f"checks of {name or 'the gradient'}", disable=None, leave=False) as bar:
        exact = _Sum(misfits, bar)
        here = np.zeros(misfits[0].size)
        gradient = exact.gradient(here)
        if not np.any(gradient):
            raise ValueError(
                f"the gradient of {name or 'the misfit'} is zero, so nothing can be checked; expected "
                "observed records that differ from the synthetic ones."
            )
        directions = [_direction(misfits[0], generator) for _ in range(_DIRECTIONS)]
        return GradientCertificate(
            name=name,
            dot_product_defect=exact.dot_product_defect(generator),
            taylor=tuple(
                TaylorTest(_STEPS, taylor_remainders(exact, gradient, here, d, _STEPS)) for d in directions
            ),
            entries=_entry_errors(exact, gradient, generator),
            approximations={
                kind: float(np.linalg.norm(_Sum(other, bar).gradient(here) - gradient))
                / float(np.linalg.norm(gradient))
                for kind, other in others.items()
            },
            n_runs=total,
        )


class _Sum:
    """The sum of misfits as one function, which moves a progress bar."""

    def __init__(self, misfits: Sequence[SimulationMisfit], bar: Any) -> None:
        self.misfits, self._bar = misfits, bar

    def __call__(self, change: np.ndarray) -> float:
        return math.fsum(self._ran(1, misfit(change)) for misfit in self.misfits)

    def gradient(self, change: np.ndarray) -> np.ndarray:
        parts = [self._ran(2, misfit.gradient(change)) for misfit in self.misfits]
        return np.asarray(np.sum(parts, axis=0))

    def dot_product_defect(self, generator: np.random.Generator) -> float:
        """Of records scaled so that every field has the same size."""
        x = generator.uniform(-1.0, 1.0, self.misfits[0].size)
        difference, image_norm, sample_norm = 0.0, 0.0, 0.0
        for misfit in self.misfits:
            image = self._ran(_LINEARISED_RUNS, misfit.linearised(x))
            samples = {}
            for field_name, values in image.items():
                size = float(np.sqrt(np.mean(values**2)))
                scale = 1.0 / size if size else 0.0
                y = generator.standard_normal(values.shape)
                samples[field_name] = scale * y
                difference += scale * float(np.vdot(values, y))
                image_norm += scale**2 * float(np.vdot(values, values))
                sample_norm += float(np.vdot(y, y))
            difference -= float(x @ self._ran(2, misfit.transposed(samples)))
        return abs(difference) / math.sqrt(image_norm * sample_norm)

    def _ran(self, n_runs: int, result: Any) -> Any:
        self._bar.update(n_runs)
        return result


def _direction(misfit: SimulationMisfit, generator: np.random.Generator) -> np.ndarray:
    """Noise at every node, and a common change of every parameter.

    Noise alone moves the waves of a large mesh so little that its second order is that of chance and may be
    smaller than the third one.
    """
    direction = generator.standard_normal(misfit.size)
    for part in misfit.parts().values():
        direction[part] += generator.standard_normal()
    return direction


def _entry_errors(function: _Sum, gradient: np.ndarray, generator: np.random.Generator) -> dict[str, float]:
    """By parameter; one that does not enter anywhere is compared with the largest entry of all."""
    first, here, result = function.misfits[0], np.zeros(gradient.size), {}
    count = _entries_of_each(len(first.material))
    for name, part in first.parts().items():
        entering = part.start + np.flatnonzero(first.scale[name])
        chosen = generator.choice(entering, min(count, len(entering)), replace=False)
        differences = central_differences(function, here, chosen, _ENTRY_STEP)
        largest = np.max(np.abs(gradient[part])) or np.max(np.abs(gradient))
        result[name] = float(np.max(np.abs(differences - gradient[chosen]), initial=0.0) / largest)
    return result


def _entries_of_each(n_parameters: int) -> int:
    return math.ceil(_ENTRIES / n_parameters)


def _row(check: str, error: float, bound: float) -> tuple[str, str, str, str]:
    return check, f"{error:.2g}", f"≤ {bound:g}", "passed" if error <= bound else "FAILED"


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table with columns two blanks apart."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _html_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag} style='text-align:left'>{html.escape(cell)}</{tag}>" for cell in row)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', heads)}</tr>{body}</table>"
