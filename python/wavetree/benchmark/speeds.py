"""Measures the table by which events run in lanes or one by one."""

from __future__ import annotations

import os
import statistics
import time

import numpy as np

from wavetree.benchmark.cases import CASES, Case
from wavetree.benchmark.run import Settings, TimedRun
from wavetree.errors import WavetreeError
from wavetree.simulation.core import default_instruction_set, n_lanes
from wavetree.simulation.speeds import KINDS, Speed, SpeedTable
from wavetree.simulation.task import make_control

__all__ = ["measure_speeds"]

# Elements per axis, sponge included, and snapshots: larger than most caches, and over in seconds.
_SIZES = {2: 100, 3: 16}
_N_STORED = {2: 16, 3: 8}
_ROUNDS = 5


def measure_speeds(seconds: float = 0.3) -> SpeedTable:
    """Measure time steps, and sums of gradients, of events one by one and in lanes on this machine.

    Parameters
    ----------
    seconds
        Processor time that a turn of time steps takes, some; five turns each, of which the median counts.

    Raises
    ------
    WavetreeError
        If the processor's kernel set has no lanes for events.
    """
    name = default_instruction_set()
    if n_lanes(name) < 2:
        raise WavetreeError(f"instruction set {name!r} has no lanes for events: all run one by one.")
    cases = {f"{case.dim}-D {'solid' if case.solid else 'fluid'}": case for case in CASES[:4]}
    pairs = [_measure(cases[kind], seconds) for kind in KINDS]
    alone, lanes = zip(*pairs, strict=True)
    where = f"{os.uname().nodename}, {name} ({n_lanes(name)} lanes), {time.strftime('%d %B %Y')}"
    return SpeedTable(where, alone=alone, lanes=lanes)


def _measure(case: Case, seconds: float) -> tuple[Speed, Speed]:
    """The speeds of a case one by one and in lanes, measured in turns."""
    settings = Settings(seconds=seconds)
    runs = [TimedRun(case, _SIZES[case.dim], variant, settings) for variant in ("box", "events")]
    for run in runs:
        run.calibrate(seconds)
    steps: list[list[float]] = [[], []]
    sums: list[list[float]] = [[], []]
    for _ in range(_ROUNDS):
        for k, run in enumerate(runs):
            steps[k].append(run.turn())
            sums[k].append(_seconds_of_gradient(run, _N_STORED[case.dim]))
    one, many = (
        _speed(run.n_points, statistics.median(a), statistics.median(b))
        for run, a, b in zip(runs, steps, sums, strict=True)
    )
    return one, many


def _speed(n_points: int, step: float, gradient: float) -> Speed:
    """The speed from the seconds of a time step, and of one with its share of a gradient."""
    # On a busy machine the difference may come out as nothing.
    return Speed(steps=n_points / step, sums=n_points / max(gradient - 2.0 * step, 0.01 * step))


def _seconds_of_gradient(run: TimedRun, n: int) -> float:
    """Processor time [s] of a step forward and back whose snapshot is stored, read and summed."""
    compiled, dt = run.core.compiled, run.simulation.time_axis.dt
    steps, weights = np.arange(1, n + 1), np.ones(n)
    snapshots = np.zeros((compiled.n_fields, n, compiled.n_values), dtype=run.core.precision)
    snapshots += 1.0  # memory is there before the clock runs
    stores = [run.core.store(steps, weights, own) for own in snapshots]
    control, state, back = make_control(), run.start(), compiled.start_adjoint(dt, n)
    for field in range(compiled.n_fields):
        compiled.load(back, run.noise, field)
    begin = run.clock()
    compiled.forward(state, n, [], [], n, n, stores, None, control)
    compiled.adjoint(back, 0, [], [], n + 1, stores, control)
    return (run.clock() - begin) / n
