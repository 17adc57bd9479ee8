"""Figures of speed, as a table and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavetree.benchmark.cases import VARIANTS, Case
from wavetree.simulation.machine import MachineRates

__all__ = ["Figure", "Report", "processor_name"]


@dataclass(frozen=True)
class Figure:
    """The speed of one case on one of its meshes.

    Attributes
    ----------
    case, n, variant
        The case, its elements per axis, and the name of the mesh.
    updates
        Element-node updates per second and core.
    bytes_per_point
        Bytes that an update moves.
    machine
        What the machine can do at most, all threads together.
    threads
        Number of threads.
    has_goal
        Whether it is comparable with the case's goal.
    """

    case: Case
    n: int
    variant: str
    updates: float
    bytes_per_point: float
    machine: MachineRates
    threads: int
    has_goal: bool

    @property
    def flops(self) -> float:
        """Operations per second and core."""
        return self.updates * self.case.flops

    @property
    def bandwidth(self) -> float:
        """Bytes per second and core."""
        return self.updates * self.bytes_per_point

    @property
    def bound(self) -> float:
        """Updates per second and core that multiply-adds and the bandwidth of copies allow."""
        by_flops, by_bytes = self.machine.flops / self.case.flops, self.machine.copy / self.bytes_per_point
        return min(by_flops, by_bytes) / self.threads

    @property
    def share_of_bound(self) -> float:
        """How near to the bound it comes; above 1 where caches spare bytes that are counted."""
        return self.updates / self.bound

    @property
    def share_of_goal(self) -> float | None:
        """Ratio to the goal as it stands; None without."""
        return self.updates / (1e6 * self.case.goals[self.variant]) if self.has_goal else None

    @property
    def share_of_scaled_goal(self) -> float | None:
        """Ratio to the goal in proportion to this machine's bound and that of the goal's; None without."""
        flops, copy = self.case.machine
        bound = 1e9 * min(flops / self.case.flops, copy / self.case.n_bytes)
        share = self.share_of_goal
        return None if share is None else share * bound / self.bound

    def to_dict(self) -> dict[str, Any]:
        """Return all figures for JSON, in SI units."""
        return {
            "case": self.case.name,
            "elements_per_axis": self.n,
            "variant": self.variant,
            "updates_per_second_and_core": self.updates,
            "flops": self.flops,
            "bandwidth": self.bandwidth,
            "bound": self.bound,
            "share_of_bound": self.share_of_bound,
            "share_of_goal": self.share_of_goal,
            "share_of_scaled_goal": self.share_of_scaled_goal,
            "machine": vars(self.machine),
        }


_COLUMNS = ("case", "elements", "mesh", "Mpoints/s", "GFLOP/s", "GB/s", "of bound", "of goal", "scaled")


@dataclass(frozen=True)
class Report:
    """Figures of one call of the benchmark.

    Attributes
    ----------
    figures
        One for every case and mesh.
    precision, threads, instruction_set
        How they were run.
    """

    figures: Sequence[Figure]
    precision: str
    threads: int
    instruction_set: str

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON, in SI units."""
        return {
            "processor": processor_name(),
            "precision": self.precision,
            "threads": self.threads,
            "instruction_set": self.instruction_set,
            "figures": [figure.to_dict() for figure in self.figures],
        }

    def __str__(self) -> str:
        rows = [_COLUMNS, *map(_cells, self.figures)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(_COLUMNS))]
        lines = [
            "  ".join(
                cell.ljust(width) if k < 3 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return "\n".join([*self.head(), "", *(line.rstrip() for line in lines)])

    def to_markdown(self) -> str:
        """Return the table for a page."""
        rows = [_COLUMNS, ("---",) * 3 + ("---:",) * (len(_COLUMNS) - 3), *map(_cells, self.figures)]
        return "\n".join([*self.head("- "), "", *(f"| {' | '.join(row)} |" for row in rows)])

    def head(self, mark: str = "") -> list[str]:
        """Return lines that say what ran, and what the machine can do per core."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        lines = [f"{mark}{processor_name()}, {threads}, {self.instruction_set}, {self.precision}"]
        by_case = {figure.case.name: figure for figure in self.figures}
        for figure in by_case.values():
            rates, mib = figure.machine, figure.bytes_per_point * figure.case.n_points(figure.n) / 2**20
            flops, copy, triad = (r / 1e9 / self.threads for r in (rates.flops, rates.copy, rates.triad))
            lines.append(
                f"{mark}{figure.case.name}: {flops:.1f} GFLOP/s, copy {copy:.1f} GB/s, triad {triad:.1f} "
                f"GB/s over {mib:.3g} MiB: at most {figure.bound / 1e6:.0f} Mpoints/s per core"
            )
        return lines


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.case.title,
        f"{figure.n}{'²³'[figure.case.dim - 2]}",
        VARIANTS[figure.variant],
        f"{figure.updates / 1e6:.0f}",
        f"{figure.flops / 1e9:.1f}",
        f"{figure.bandwidth / 1e9:.1f}",
        f"{figure.share_of_bound:.0%}",
        _percent(figure.share_of_goal),
        _percent(figure.share_of_scaled_goal),
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def processor_name() -> str:
    """Return what the processor calls itself."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
