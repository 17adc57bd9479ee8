"""How a forward field is kept within some bytes, and what that costs and does to the gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from wavetree.config import Configuration, configuration
from wavetree.process import machine_bytes
from wavetree.simulation.checkpoint_schedule import best_shape, recomputed_snapshots
from wavetree.simulation.checkpoints import Checkpoints
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.core import Core
from wavetree.simulation.quantised import BUFFERED, Quantised, n_blocks
from wavetree.simulation.storage import Snapshots, StorageScheme, StoredSteps
from wavetree.simulation.storage_error import ErrorForecast

__all__ = [
    "StoragePlan",
    "StoredRun",
    "checkpoints_plan",
    "checkpoints_within",
    "default_bytes",
    "in_bytes",
    "interval_plan",
    "make_scheme",
    "plan_storage",
    "stored_run",
]

_TOLERANCE = 1e-3  # of the gradient's forecast error
_DEFAULT_BYTES = 2 * 2**30
_SHARE = 0.25  # of the machine's memory that the default may take
_MOST_RUNS = 10  # extra forward runs that a plan may take


@configuration
class StoragePlan(Configuration):
    """How the forward field of one event is kept for its gradient.

    Parameters
    ----------
    interval
        The gradient is summed over every interval-th time step.
    bits
        Integers of so many bits are stored in place of floating-point numbers; None for the latter.
    n_snapshots
        Snapshots that are in memory at a time.
    n_states
        States that are kept to compute the field again from; None if all snapshots are in memory.
    memory_in_bytes
        What is kept takes so many bytes.
    expected_error
        Forecast of the gradient's relative error against one with every step in full precision.
    extra_forward_steps
        Time steps that are computed besides those of a run that stores nothing.
    """

    interval: PositiveInt
    _: KW_ONLY
    bits: Literal[8, 16] | None = None
    n_snapshots: PositiveInt
    n_states: NonNegativeInt | None = None
    memory_in_bytes: PositiveInt
    expected_error: NonNegativeFloat
    extra_forward_steps: NonNegativeInt

    @property
    def scheme(self) -> str:
        """One of "full", "subsampled", "quantised" or "checkpoints"."""
        if self.n_states is not None:
            return "checkpoints"
        if self.bits is not None:
            return "quantised"
        return "full" if self.interval == 1 else "subsampled"

    @property
    def label(self) -> str:
        """Names the files of what is kept, which differ between plans of different labels."""
        bits = "" if self.bits is None else f"_int{self.bits}"
        states = "" if self.n_states is None else f"_states{self.n_states}x{self.n_snapshots}"
        return f"{self.interval}{bits}{states}"

    @property
    def numerics(self) -> list[int | None]:
        """What the bits of the gradient depend on: plans with the same give the same gradient."""
        return [self.interval, self.bits]

    @property
    def kept(self) -> str:
        """The steps that the gradient is summed over, for readers."""
        steps = "every step" if self.interval == 1 else f"every {self.interval} steps"
        return steps if self.bits is None else f"{steps} in {self.bits} bits"

    def __str__(self) -> str:
        what = self.kept
        if self.n_states is not None:
            what += f", {self.n_states} states and {self.n_snapshots} snapshots at a time"
        return (
            f"{self.scheme} wavefield ({what}), {in_bytes(self.memory_in_bytes)}, expected gradient error "
            f"{self.expected_error:.1g}, {self.extra_forward_steps} extra forward steps"
        )


@dataclass(frozen=True)
class StoredRun:
    """The run that a plan is made for.

    Attributes
    ----------
    n_values
        Values of a snapshot.
    n_computed
        Time steps of a run that stores nothing.
    precision
        ``"float32"`` or ``"float64"``.
    forecast
        What is known of the gradient's error.
    """

    n_values: int
    n_computed: int
    precision: str
    forecast: ErrorForecast

    @property
    def itemsize(self) -> int:
        """Bytes of a value."""
        return np.dtype(self.precision).itemsize

    @property
    def snapshot_in_bytes(self) -> int:
        """Bytes of a snapshot."""
        return self.n_values * self.itemsize


def stored_run(core: Core, n_computed: int, functions: np.ndarray, differentiations: int) -> StoredRun:
    """Return the run of a simulation.

    Parameters
    ----------
    core
        The compiled simulation.
    n_computed
        Time steps of a run that stores nothing.
    functions, differentiations
        As for `ErrorForecast`.
    """
    medium = "solid" if "solid" in core.media else "fluid"
    forecast = ErrorForecast(core.mesh.dim, medium, functions, differentiations)
    return StoredRun(core.n_values, n_computed, core.precision, forecast)


def interval_plan(run: StoredRun, interval: int, bits: Literal[8, 16] | None = None) -> StoragePlan:
    """Return the plan to store every interval-th step, with some bits a value."""
    stored = StoredSteps(run.n_computed, interval)
    size = len(stored) * run.snapshot_in_bytes
    if bits is not None:
        buffered = min(BUFFERED, len(stored)) * run.snapshot_in_bytes
        size = len(stored) * (run.n_values * bits // 8 + n_blocks(run.n_values) * run.itemsize) + buffered
    return StoragePlan(
        interval,
        bits=bits,
        n_snapshots=len(stored),
        memory_in_bytes=size,
        expected_error=run.forecast.error(interval, bits),
        extra_forward_steps=stored.n_steps - run.n_computed,
    )


def checkpoints_plan(run: StoredRun, n_snapshots: int, n_states: int, interval: int = 1) -> StoragePlan:
    """Return the plan to keep some states and to have some snapshots in memory at a time."""
    stored = StoredSteps(run.n_computed, interval)
    again = recomputed_snapshots(len(stored), n_snapshots, n_states)
    where = 8 * (1 + n_states)
    return StoragePlan(
        interval,
        n_snapshots=n_snapshots,
        n_states=n_states,
        memory_in_bytes=(n_snapshots + 2 * n_states) * run.snapshot_in_bytes + where,
        expected_error=run.forecast.error(interval),
        extra_forward_steps=stored.n_steps - run.n_computed + interval * again,
    )


def plan_storage(run: StoredRun, compression: WavefieldCompression | None = None) -> StoragePlan:
    """Return how to keep the forward field within some bytes.

    Parameters
    ----------
    run
        The run.
    compression
        The interval, or the bytes. Without either 2 GiB, or a quarter of the machine's memory where that is
        less.

    Raises
    ------
    ValueError
        If so few bytes would take more than 10 forward runs again.

    Notes
    -----
    The first of these that fits: every step; the largest interval whose forecast error is at most 1e-3; the
    same in 16 bits; states from which every step is computed again, with as few steps more as possible: the
    gradient is that of every step, bit for bit. 8 bits err by some percents, so they are for those who ask.
    """
    compression = compression or WavefieldCompression()
    if compression.forward_wavefield_sampling_interval is not None:
        return interval_plan(run, compression.forward_wavefield_sampling_interval)
    room = compression.memory_in_bytes or default_bytes()
    full = interval_plan(run, 1)
    if full.memory_in_bytes <= room:
        return full
    interval = run.forecast.largest_interval(_TOLERANCE, max(1, run.n_computed // 4))
    for candidate in (interval_plan(run, interval), interval_plan(run, interval, 16)):
        if candidate.memory_in_bytes <= room and candidate.expected_error <= _TOLERANCE:
            return candidate
    return checkpoints_within(run, room)


def default_bytes() -> int:
    """Return how many bytes the field of one event may take if nothing is said."""
    return min(_DEFAULT_BYTES, int(_SHARE * machine_bytes()))


def checkpoints_within(run: StoredRun, room: int) -> StoragePlan:
    """Return the plan to keep states within so many bytes, with the fewest extra steps.

    Raises
    ------
    ValueError
        If that would take more than 10 forward runs again.
    """

    def plan(n: int) -> StoragePlan:
        n_states, n_snapshots = best_shape(run.n_computed, n)
        return checkpoints_plan(run, n_snapshots, n_states)

    def too_slow(n: int) -> bool:
        return plan(n).extra_forward_steps > _MOST_RUNS * run.n_computed

    n = room // (run.snapshot_in_bytes)
    while n > 0 and plan(n).memory_in_bytes > room:
        n -= 1
    if n > 0 and not too_slow(n):
        return plan(n)
    least = plan(_first(lambda n: not too_slow(n), run.n_computed))
    raise ValueError(
        f"memory_in_bytes is {room}; expected at least {least.memory_in_bytes}: with less, more than "
        f"{_MOST_RUNS} further forward runs would be needed; give more, or an interval."
    )


def _first(holds: Callable[[int], bool], last: int) -> int:
    """Return the smallest number from 1 to the last from which on something holds."""
    low, high = 1, last
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def make_scheme(
    core: Core, n_computed: int, plan: StoragePlan, arrays: Mapping[str, np.ndarray] | None = None
) -> StorageScheme:
    """Return what keeps the forward field as planned.

    Parameters
    ----------
    core
        The compiled simulation.
    n_computed
        Time steps of a run that stores nothing.
    plan
        The plan.
    arrays
        What `StorageScheme.arrays` returned after a run; None before one.

    Raises
    ------
    ValueError
        If the arrays belong to another simulation or plan.
    """
    stored = StoredSteps(n_computed, plan.interval)
    if plan.n_states is not None:
        return Checkpoints(core, stored, plan.n_states, plan.n_snapshots, arrays)
    if plan.bits is not None:
        return Quantised(core, stored, plan.bits, arrays)
    return Snapshots(core, stored, arrays)


def in_bytes(n: float) -> str:
    """Return a number of bytes as text with a unit."""
    for unit in ("B", "KiB", "MiB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1024
    return f"{n:.3g} GiB"
