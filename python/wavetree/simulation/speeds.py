"""How fast events run one by one and in lanes, as a table, and what is chosen by it.

The choice decides the last bits of results. So it is made once, by numbers that are stored, not by the clock.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from pydantic import PositiveFloat

import wavetree.config
from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name

__all__ = ["DEFAULT_SPEEDS", "KINDS", "Load", "Speed", "SpeedTable", "read_speeds", "speeds_file"]

KINDS = ("2-D fluid", "2-D solid", "3-D fluid", "3-D solid")
"""What the table has rows of."""

# Lanes take the memory of several events at a time; for less than this they are not worth it.
_LEAST_GAIN = 1.1


@configuration
class Speed(Configuration):
    """Element nodes a second of one core in float32; of all events of a vector together.

    Parameters
    ----------
    steps
        Of time steps.
    sums
        Of snapshots that are stored, read back and summed into the gradient, beyond the steps themselves.
    """

    _: KW_ONLY
    steps: PositiveFloat
    sums: PositiveFloat

    def seconds(self, interval: int | None) -> float:
        """Return the time [s] that an element node and time step takes.

        Parameters
        ----------
        interval
            Of a gradient that is summed over every interval-th step; None for a forward run alone.
        """
        if interval is None:
            return 1.0 / self.steps
        return 2.0 / self.steps + 1.0 / (interval * self.sums)


@dataclass(frozen=True)
class Load:
    """What is to be done: so many events on so many cores, and their gradients with an interval or None."""

    n_events: int
    cores: int
    interval: int | None = None


@configuration
class SpeedTable(Configuration):
    """Speeds of events one by one and in lanes.

    Parameters
    ----------
    source
        Where it was measured, and when.
    alone, lanes
        By kind, in the order of `KINDS`.
    """

    source: str
    _: KW_ONLY
    alone: tuple[Speed, Speed, Speed, Speed]
    lanes: tuple[Speed, Speed, Speed, Speed]

    def speed(self, kind: str, in_lanes: bool) -> Speed:
        """Return the speed of a kind; ValueError if there is none of that name."""
        if kind not in KINDS:
            raise unknown_name("kind of simulation", kind, KINDS)
        return (self.lanes if in_lanes else self.alone)[KINDS.index(kind)]

    def lanes_pay(self, kind: str, load: Load, n_lanes: int) -> bool:
        """Return whether events are done sooner, by a tenth or more, in lanes than one by one.

        Parameters
        ----------
        kind
            One of `KINDS`.
        load
            What is to be done, one thread a job.
        n_lanes
            Events of a vector.

        Notes
        -----
        Jobs run side by side on the cores: ⌈n / cores⌉ times an event, against ⌈⌈n / lanes⌉ / cores⌉ times
        that of all lanes, idle ones among them.
        """
        if n_lanes < 2 or load.n_events < 2:
            return False
        one, many = (self.speed(kind, in_lanes).seconds(load.interval) for in_lanes in (False, True))
        groups = math.ceil(load.n_events / n_lanes)
        alone = math.ceil(load.n_events / load.cores) * one
        return math.ceil(groups / load.cores) * n_lanes * many * _LEAST_GAIN <= alone

    def least_events(self, kind: str, n_lanes: int, cores: int, interval: int | None) -> int | None:
        """Return from how many events on lanes pay at the latest, None if they never do."""
        full = n_lanes * cores
        pays = [self.lanes_pay(kind, Load(n, cores, interval), n_lanes) for n in range(1, full + 1)]
        return None if not pays[-1] else full - pays[::-1].index(False) + 1

    def to_text(self, n_lanes: int, cores: int) -> str:
        """Return the table for readers, with what is chosen by it on so many lanes and cores."""
        lines = [
            f"million element nodes a second and core, of steps / sums of gradients, on {self.source};",
            f"chosen on {cores} cores, {n_lanes} lanes: from how many events on they run in lanes",
            f"{'':<10}{'one by one':>14}{'in lanes':>14}{'forward runs':>16}{'with gradients':>16}",
        ]
        for kind in KINDS:
            speeds = (self.speed(kind, in_lanes) for in_lanes in (False, True))
            cells = [f"{speed.steps / 1e6:.0f} / {speed.sums / 1e6:.0f}".rjust(14) for speed in speeds]
            least = (self.least_events(kind, n_lanes, cores, interval) for interval in (None, 1))
            cells += [("never" if n is None else str(n)).rjust(16) for n in least]
            lines.append(f"{kind:<10}{''.join(cells)}")
        return "\n".join(lines)


def speeds_file() -> Path:
    """Return the file of a user's own table: $WAVETREE_SPEEDS or ~/.config/wavetree/speeds.json."""
    if given := os.environ.get("WAVETREE_SPEEDS"):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "wavetree" / "speeds.json"


def read_speeds() -> SpeedTable:
    """Return the user's own table, or the one that comes with the package.

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    path = speeds_file()
    try:
        table = wavetree.config.load(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return DEFAULT_SPEEDS
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the table of speeds {str(path)!r} cannot be read: {error}; delete it, or measure anew with "
            "'wavetree measure-speeds'."
        ) from error
    if not isinstance(table, SpeedTable):
        raise ValueError(f"{str(path)!r} holds a {type(table).__name__}; expected a table of speeds.")
    return table


DEFAULT_SPEEDS = SpeedTable(
    "one core of an AMD EPYC with AVX2 (8 lanes), shared, 24 November 2026",
    alone=(
        Speed(steps=840e6, sums=400e6),
        Speed(steps=340e6, sums=118e6),
        Speed(steps=590e6, sums=235e6),
        Speed(steps=115e6, sums=72e6),
    ),
    lanes=(
        Speed(steps=950e6, sums=105e6),
        Speed(steps=310e6, sums=45e6),
        Speed(steps=515e6, sums=115e6),
        Speed(steps=132e6, sums=23e6),
    ),
)
"""Measured by `wavetree measure-speeds`."""
