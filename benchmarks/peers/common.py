"""What the runs of all codes have in common: how they are tuned for an accuracy, timed, and called."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ultrasound import Event, cube, ring

CASES = {"ring": ring, "cube": cube}
CELLS_PER_WAVELENGTH = (4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 24, 28, 32)
Settings = dict[str, Any]


@dataclass(frozen=True)
class Prepared:
    """An event that is ready to run.

    Attributes
    ----------
    run
        Computes the records (n_receivers, n_times): everything that is done anew for every event.
    times
        Of the samples (n_times,) [s].
    points, steps
        Grid points with those of the absorbing layer, and time steps.
    """

    run: Callable[[], np.ndarray]
    times: np.ndarray
    points: int
    steps: int


@dataclass(frozen=True)
class Outcome:
    """What a process reports: settings, error, size, and seconds of set-up and of an event."""

    settings: Settings
    error: float
    points: int
    steps: int
    setup: float
    event: float


Prepare = Callable[[Event, Settings], Prepared]


def once(prepare: Prepare, event: Event, settings: Settings) -> tuple[float, Prepared]:
    """Run an event and return its error."""
    prepared = prepare(event, settings)
    return event.error(prepared.run(), prepared.times), prepared


def tune(prepare: Prepare, schemes: Sequence[Settings], event: Event, tolerance: float) -> Settings:
    """Return the settings that reach an accuracy in the least time.

    Of every scheme the coarsest grid is taken that is accurate enough, and of these the four with the fewest
    updates of points are timed. Grids much coarser than the last scheme's, or that cost more than twice the
    best so far, are not tried.
    """
    found: list[tuple[float, Settings]] = []
    start = 0
    for scheme in schemes:
        for number, cells in enumerate(CELLS_PER_WAVELENGTH[start:], start):
            settings = {**scheme, "cells_per_wavelength": cells}
            error, prepared = once(prepare, event, settings)
            cost = float(prepared.points) * prepared.steps
            if error <= tolerance:
                found.append((cost, settings))
                start = max(0, number - 2)
            if error <= tolerance or (found and cost > 2.0 * min(found, key=lambda one: one[0])[0]):
                break
    if not found:
        raise SystemExit(f"no settings reach {tolerance:g}")
    cheap = sorted(found, key=lambda one: one[0])[:4]
    return min(
        (measure(prepare, event, settings, 5) for _, settings in cheap), key=lambda o: o.event
    ).settings


def measure(prepare: Prepare, event: Event, settings: Settings, repeats: int) -> Outcome:
    """Run an event some times and return the least seconds of the processor; the first run does not count."""
    begin = time.process_time()
    error, prepared = once(prepare, event, settings)
    setup, seconds = time.process_time() - begin, []
    for _ in range(repeats):
        begin = time.process_time()
        prepared.run()
        seconds.append(time.process_time() - begin)
    return Outcome(settings, error, prepared.points, prepared.steps, setup - min(seconds), min(seconds))


def read_options() -> argparse.Namespace:
    """Return what the command line of a code's script says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=CASES, default="ring")
    parser.add_argument("--tolerance", type=float, default=1e-2)
    parser.add_argument("--settings", type=json.loads)
    parser.add_argument("--repeats", type=int, default=10)
    return parser.parse_args()


def main(prepare: Prepare, schemes: Callable[[Event, float], Sequence[Settings]]) -> None:
    """Tune or time a code as the command line says, and print the outcome as JSON on the last line."""
    options = read_options()
    event = CASES[options.case]()
    settings = options.settings or tune(prepare, schemes(event, options.tolerance), event, options.tolerance)
    print(json.dumps(asdict(measure(prepare, event, settings, options.repeats))), flush=True)
