"""What this machine can do at most: multiply-adds in registers, bytes to and from memory."""

from __future__ import annotations

from dataclasses import dataclass

from wavetree import _core
from wavetree.simulation.core import default_instruction_set

__all__ = ["MachineRates", "measure_machine"]


@dataclass(frozen=True)
class MachineRates:
    """Rates of all threads together.

    Attributes
    ----------
    flops
        Floating-point operations of multiply-adds in registers [1/s].
    copy, triad
        Bytes read and written by a scaled copy, and by a + s b into a third array [B/s]. The line that a
        store fetches before it is written is not counted.
    """

    flops: float
    copy: float
    triad: float


def measure_machine(
    n_bytes: int,
    precision: str = "float32",
    threads: int = 1,
    instruction_set: str | None = None,
    seconds: float = 0.1,
) -> MachineRates:
    """Measure what bounds the speed of simulations.

    Parameters
    ----------
    n_bytes
        The arrays that are read and written take so many bytes together: those that a time step passes
        through, for caches are faster than memory.
    precision
        ``"float32"`` or ``"float64"``, that of the multiply-adds.
    threads
        Threads at work at the same time.
    instruction_set
        Kernel set; that of `default_instruction_set` when None.
    seconds
        How long each of the three is tried; the fastest trial counts.

    Raises
    ------
    ValueError
        If the instruction set is not there, or a number too small.
    """
    name = instruction_set or default_instruction_set()
    return MachineRates(
        flops=_core.multiply_add_rate(name, precision == "float32", threads, seconds),
        copy=_core.copy_rate(name, n_bytes, threads, seconds),
        triad=_core.triad_rate(name, n_bytes, threads, seconds),
    )
