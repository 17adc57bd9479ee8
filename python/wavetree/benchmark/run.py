"""Time steps of the cases, timed in turns."""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from wavetree.benchmark.cases import MESHES, ORDER, VARIANTS, Case
from wavetree.benchmark.meshes import VP, absorbing, case_mesh, inner_size
from wavetree.benchmark.table import Figure, Report
from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.ranks import ranks_of
from wavetree.simulation import WaveformSimulationConfiguration
from wavetree.simulation.boundary import Absorbing
from wavetree.simulation.core import (
    PRECISIONS,
    Core,
    default_instruction_set,
    instruction_sets,
    make_core,
    make_core_over_ranks,
)
from wavetree.simulation.machine import MachineRates, measure_machine
from wavetree.simulation.medium import medium
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.time_axis import TimeAxis
from wavetree.survey.receiver.receiver import Receiver
from wavetree.survey.source import cartesian
from wavetree.survey.stf import Ricker

__all__ = ["RanksRun", "Settings", "TimedRun", "run_benchmark"]

_log = logging.getLogger("wavetree")

_LARGE = 10_000_000  # element nodes; three meshes of so many would take 15 GB
_FREQUENCY = VP / 5.0  # waves are 5 elements long
_LOOK = 64  # the core looks at the field's energy every so many steps, which is part of the cost


@configuration
class Settings(Configuration):
    """How the cases are run.

    Parameters
    ----------
    variants
        Names of what is run; all that there are kernels for when None.
    quick
        Smaller meshes, that fit into caches.
    threads
        Threads of a run.
    instruction_set
        Kernel set; the best of the processor when None.
    precision
        ``"float32"`` or ``"float64"``.
    rounds
        Times that every run has its turn; the median counts.
    seconds
        Time that a turn takes, some.
    """

    _: KW_ONLY
    variants: tuple[str, ...] | None = None
    quick: bool = False
    threads: PositiveInt = 1
    instruction_set: str | None = None
    precision: str = "float32"
    rounds: PositiveInt = 5
    seconds: PositiveFloat = 0.5

    def __post_init__(self) -> None:
        for name in self.variants or ():
            if name not in VARIANTS:
                raise unknown_name("variant", name, VARIANTS)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if self.instruction_set not in (None, *instruction_sets()):
            raise unknown_name("instruction set", str(self.instruction_set), instruction_sets())

    def chosen_variants(self) -> tuple[str, ...]:
        """Return the names of what is run; events in lanes need float32 and wide registers."""
        wide = (self.instruction_set or default_instruction_set()) != "base"
        possible = tuple(VARIANTS) if self.precision == "float32" and wide else tuple(MESHES)
        return possible if self.variants is None else self.variants

    def size(self, case: Case) -> int:
        """Return the elements per axis of a case."""
        return case.quick if self.quick else case.n


class TimedRun:
    """A case on one of its meshes whose time steps are timed.

    Parameters
    ----------
    case, n
        The case, and its elements per axis with the sponge.
    variant
        Name of the mesh.
    settings
        Precision, threads, instruction set.
    n_steps
        Time steps of a run; then it starts anew.
    receivers
        Receivers of `simulation`; what is timed does not sample them.
    """

    def __init__(
        self,
        case: Case,
        n: int,
        variant: str,
        settings: Settings,
        n_steps: int = 4096,
        receivers: Sequence[Receiver] = (),
    ) -> None:
        conditions, precision, threads = (absorbing(case.dim),), settings.precision, settings.threads
        mesh = medium(case_mesh(case.dim, n, variant, case.solid), ORDER)
        self.core = self._make_core(mesh, conditions, settings, variant == "events")
        n_fields = self.core.compiled.n_fields
        self.n_points = n_fields * self.core.medium_mesh.nelem * (ORDER + 1) ** case.dim
        # Far below the largest stable step, which would take long to find.
        dt = 0.04 / VP / math.sqrt(case.dim)
        self.simulation = Simulation(
            mesh,
            [_source(case, 0.51 * inner_size(case.dim, n))],
            receivers,
            WaveformSimulationConfiguration(end_time_in_seconds=n_steps * dt),
            conditions,
            precision,
            time_axis=TimeAxis(-1.4 / _FREQUENCY, dt, n_steps - 1),
            threads=threads,
            core=self.core,
        )
        # One thread's own time does not know of others that want the same core.
        self.clock = time.process_time if threads == 1 else time.perf_counter
        self._n_steps, self._run = n_steps, self.simulation.forward_run(n_steps, None, None)
        # No field at rest: products with numbers that are too small for normal ones take many times as long.
        noise = np.random.default_rng(0).standard_normal(self.core.compiled.n_values)
        self.noise = np.stack([1e-3 * noise, np.zeros_like(noise)]).astype(precision)
        self.state = self.start()
        self._steps = 2

    def _make_core(
        self, mesh: Mesh, conditions: tuple[Absorbing, ...], settings: Settings, events: bool
    ) -> Core:
        return make_core(
            mesh, conditions, settings.precision, settings.threads, settings.instruction_set, events
        )

    def start(self) -> Any:
        """Return the state from which steps are timed: noise that stands still."""
        state = self._run.start()
        for field in range(self.core.compiled.n_fields):
            self.core.compiled.load(state, self.noise, field)
        return state

    def advance(self, n_steps: int) -> float:
        """Do time steps and return the seconds that each took: of the processor's time on one thread."""
        if self.state.step + n_steps > self._n_steps:
            self.state = self.start()
        begin = self.clock()
        self._run.advance(self.state, self.state.step + n_steps)
        return (self.clock() - begin) / n_steps

    def calibrate(self, seconds: float) -> None:
        """Find how many steps take so many seconds."""
        n = max(8, math.ceil(seconds / min(self.advance(2), self.advance(4))))
        self._steps = min(self._n_steps, _LOOK * math.ceil(n / _LOOK) if n > _LOOK // 2 else n)

    def turn(self) -> float:
        """Return the seconds that a step takes, from as many as `calibrate` found."""
        return self.advance(self._steps)


class RanksRun(TimedRun):
    """A case whose elements the ranks of a communicator share; every rank makes the same calls.

    Parameters
    ----------
    case, n, variant, settings
        As for `TimedRun`.
    comm
        An mpi4py communicator.
    """

    def __init__(self, case: Case, n: int, variant: str, settings: Settings, comm: Any) -> None:
        self._ranks = ranks_of(comm)
        super().__init__(case, n, variant, settings)
        self.clock = time.perf_counter

    def _make_core(
        self, mesh: Mesh, conditions: tuple[Absorbing, ...], settings: Settings, events: bool
    ) -> Core:
        return make_core_over_ranks(
            mesh, conditions, settings.precision, settings.threads, settings.instruction_set, self._ranks
        )

    def start(self) -> Any:
        """Return the state from which steps are timed: noise, the same by however many ranks."""
        state = self._run.start()
        self.core.compiled.set_field(state, 0, self._by_dof, False)
        return state

    @cached_property
    def _by_dof(self) -> np.ndarray:
        """Noise (n_dofs, n_components) at this rank's degrees of freedom."""
        core, part = self.core, self.core.parts[0]
        whole = core.element_dofs(0)
        if core.share is not None:
            whole = whole[core.share.of_part(part).own]
        number = np.empty(core.compiled.n_dofs(0), dtype=np.int64)
        number[np.asarray(core.compiled.element_dofs(0))] = whole
        shape = (int(core.element_dofs(0).max()) + 1, core.compiled.n_components(0))
        noise = 1e-3 * np.random.default_rng(0).standard_normal(shape)
        return noise[number].astype(core.precision)


def run_benchmark(cases: Iterable[Case], settings: Settings) -> Report:
    """Time the cases on their meshes, and the machine's bounds in between.

    Parameters
    ----------
    cases
        What to run. The meshes of one case are in memory at a time, of a large one each by itself.
    settings
        How to run them.

    Notes
    -----
    Meshes, and the loops that measure the machine, take turns: where others use it too, speeds change within
    seconds. One thread is timed by what it had of the processor, several by the clock. Of the rounds of a
    mesh the median counts, of those of the machine the best.
    """
    figures: list[Figure] = []
    for case in cases:
        n = settings.size(case)
        _log.info("%s, %s elements: making the meshes", case.title, " × ".join([str(n)] * case.dim))
        large, chosen = case.n_points(n) > _LARGE, settings.chosen_variants()
        for variants in [(v,) for v in chosen] if large else [chosen]:
            figures.extend(_time_case(case, n, variants, settings))
    return Report(
        figures,
        precision=settings.precision,
        threads=settings.threads,
        instruction_set=settings.instruction_set or default_instruction_set(),
    )


def _time_case(case: Case, n: int, variants: Iterable[str], settings: Settings) -> list[Figure]:
    runs = {variant: TimedRun(case, n, variant, settings) for variant in variants}
    for run in runs.values():
        run.calibrate(settings.seconds)
    seconds: dict[str, list[float]] = {variant: [] for variant in runs}
    rates: list[MachineRates] = []
    n_bytes = int(case.bytes_per_point(settings.precision) * case.n_points(n))
    for _ in range(settings.rounds):
        for variant, run in runs.items():
            seconds[variant].append(run.turn())
        rates.append(measure_machine(n_bytes, settings.precision, settings.threads, settings.instruction_set))
    bound = MachineRates(*(max(getattr(rate, name) for rate in rates) for name in ("flops", "copy", "triad")))
    return [
        Figure(
            case,
            n,
            variant,
            updates=run.n_points / statistics.median(seconds[variant]) / settings.threads,
            bytes_per_point=case.bytes_per_point(settings.precision),
            machine=bound,
            threads=settings.threads,
            has_goal=settings.precision == "float32" and not settings.quick,
        )
        for variant, run in runs.items()
    ]


def _source(case: Case, middle: float) -> Any:
    """A source in the middle whose wavelet ends early in a run."""
    place = dict(zip("xyz", (middle,) * case.dim, strict=False))
    wavelet = Ricker(center_frequency=_FREQUENCY)
    if case.solid:
        vector = {2: cartesian.VectorPoint2D, 3: cartesian.VectorPoint3D}[case.dim]
        force = dict(zip(("fx", "fy", "fz"), (1.0,) * case.dim, strict=False))
        return vector(**place, **force, source_time_function=wavelet)
    scalar = {2: cartesian.ScalarPoint2D, 3: cartesian.ScalarPoint3D}[case.dim]
    return scalar(**place, f=1.0, source_time_function=wavelet)
