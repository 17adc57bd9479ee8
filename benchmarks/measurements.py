"""What the benchmarks measure besides the speed of a time step, for tests and for the report."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import wavetree
from wavetree.benchmark import Case, Settings, TimedRun
from wavetree.benchmark.cases import ORDER
from wavetree.benchmark.meshes import absorbing, case_mesh, inner_size
from wavetree.simulation.core import make_core
from wavetree.simulation.medium import medium
from wavetree.simulation.time_axis import maximum_time_step
from wavetree.simulation.validation import forecast_memory
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.receiver import Receiver

MIB = 2**20


def receivers(case: Case, n: int) -> list[Receiver]:
    """Ten receivers across the box."""
    point, inner = {2: Point2D, 3: Point3D}[case.dim], inner_size(case.dim, n)
    fields = ["displacement" if case.solid else "phi"]
    places = np.linspace(0.2, 0.8, 10)[:, None] * inner + np.linspace(0.0, 0.1, case.dim)
    return [
        point(**dict(zip("xyz", map(float, x), strict=False)), station_code=f"A{k}", fields=fields)
        for k, x in enumerate(places)
    ]


def seconds_of(work: Callable[[], Any]) -> float:
    """Seconds of the processor, all of one thread: others may want it too."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def best_seconds(rounds: int, *works: Callable[[], Any]) -> list[float]:
    """The least seconds of every work; they take turns, for the machine may be shared."""
    taken = [[seconds_of(work) for work in works] for _ in range(rounds)]
    return [min(column) for column in zip(*taken, strict=True)]


# -- gradient ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class GradientCost:
    """Seconds of a forward run, and of a gradient: a forward run that stores, the adjoint run, the sums."""

    forward: float
    gradient: float
    interval: int

    @property
    def ratio(self) -> float:
        return self.gradient / self.forward


def gradient_cost(
    case: Case, n: int, n_steps: int = 1000, interval: int = 10, rounds: int = 3
) -> GradientCost:
    simulation = TimedRun(case, n, "deformed", Settings(), n_steps, receivers(case, n)).simulation
    data = simulation.run().data

    def gradient() -> None:
        simulation.run(storage=interval)
        simulation.derivative(data)

    gradient()  # memory that is touched for the first time costs more
    return GradientCost(*best_seconds(rounds, simulation.run, gradient), interval)


# -- set-up ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SetupCost:
    """Seconds until the first step, by part, and of 1000 steps.

    `mesh` makes and checks the mesh and its medium; `core` adds the sponge and compiles the operators
    (numbering, batches); `time_step` finds the largest stable step, with a core of its own in float64.
    """

    n_elements: int
    mesh: float
    core: float
    time_step: float
    thousand_steps: float

    @property
    def total(self) -> float:
        return self.mesh + self.core + self.time_step

    @property
    def share(self) -> float:
        return self.total / self.thousand_steps

    @property
    def microseconds_per_element(self) -> float:
        return 1e6 * self.total / self.n_elements


def setup_cost(case: Case, n: int, rounds: int = 3) -> SetupCost:
    conditions = (absorbing(case.dim),)

    def mesh() -> Any:
        return medium(case_mesh(case.dim, n, "box", case.solid), ORDER)

    made = mesh()
    parts = best_seconds(
        rounds,
        mesh,
        lambda: make_core(made, conditions, "float32", 1),
        lambda: maximum_time_step(made, conditions),
    )
    run = TimedRun(case, n, "box", Settings())
    run.calibrate(0.5)
    step = min(run.turn() for _ in range(rounds))
    return SetupCost(run.core.medium_mesh.nelem, *parts, 1000 * step)


# -- memory ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Memory:
    """Bytes that were planned, and that a process of its own has had at most."""

    planned: int
    found: int

    @property
    def ratio(self) -> float:
        return self.found / self.planned


def memory(case: Case, n: int, interval: int = 0) -> Memory:
    """Run a case in a process of its own; with an interval its gradient, which stores the wavefield."""
    here = os.pathsep.join([str(Path(__file__).parent), str(Path(wavetree.__file__).parents[1])])
    # Freed arrays go back to the system at once, so that what is resident is what is in use.
    environment = {"PYTHONPATH": here, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    code = f"from measurements import print_memory; print_memory({case.name!r}, {n}, {interval})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Memory(*map(int, done.stdout.split()))


def print_memory(name: str, n: int, interval: int) -> None:
    """Print planned and found bytes of a case, without libraries and what the set-up takes for a moment."""
    (case,) = wavetree.benchmark.find_cases([name])
    _run(case, {2: 12, 3: 7}[case.dim], interval)  # loads what is loaded once
    before = resident("VmRSS")
    simulation = _simulation(case, n)
    gc.collect()  # meshes of the set-up refer to themselves
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark from here on
    _work(simulation, interval)
    found = resident("VmHWM") - before
    plan = simulation.storage_plan(interval) if interval else None
    forecast = forecast_memory(simulation, plan)
    print(forecast.gradient_memory if interval else forecast.forward_memory, found)


def _simulation(case: Case, n: int) -> Any:
    return TimedRun(case, n, "deformed", Settings(), 40, receivers(case, n)).simulation


def _run(case: Case, n: int, interval: int) -> None:
    _work(_simulation(case, n), interval)


def _work(simulation: Any, interval: int) -> None:
    data = simulation.run(storage=interval or None).data
    if interval:
        simulation.derivative(data)


def resident(name: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


# -- size and threads --------------------------------------------------------------------------


@dataclass(frozen=True)
class Scaling:
    """Nanoseconds of a step per element node, by elements per axis; None where memory is too small."""

    nanoseconds: dict[int, float | None]


# Set-up included, per element node; of what is there some is left for others.
_BYTES_PER_POINT, _SHARE = {False: 300, True: 500}, 0.7


def scaling(case: Case, sizes: Iterable[int], rounds: int = 3) -> Scaling:
    found: dict[int, float | None] = {}
    for n in sizes:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if case.n_points(n) * _BYTES_PER_POINT[case.solid] > _SHARE * available:
            found[n] = None
            continue
        run = TimedRun(case, n, "box", Settings())
        run.calibrate(0.5)
        found[n] = 1e9 * min(run.turn() for _ in range(rounds)) / run.n_points
    return Scaling(found)


@dataclass(frozen=True)
class Threads:
    """Seconds of a step on one thread and on two, and what the machine's memory allows."""

    one: float
    two: float
    copy: float  # bandwidth of two threads by that of one

    @property
    def ratio(self) -> float:
        return self.one / self.two


def two_threads(case: Case, n: int, variant: str, rounds: int = 5) -> Threads:
    from wavetree.simulation.machine import measure_machine

    runs = [TimedRun(case, n, variant, Settings(threads=threads)) for threads in (1, 2)]
    for run in runs:
        run.calibrate(0.5)
        run.clock = time.perf_counter
    turns = [[run.turn() for run in runs] for _ in range(rounds)]
    one, two = (min(column) for column in zip(*turns, strict=True))
    n_bytes = int(case.n_bytes * case.n_points(n))
    rates = [measure_machine(n_bytes, threads=threads, seconds=0.3).copy for threads in (1, 2)]
    return Threads(one, two, rates[1] / rates[0])
