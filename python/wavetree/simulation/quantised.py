"""Snapshots of the forward field as integers of few bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wavetree.simulation.core import Core
from wavetree.simulation.storage import AdjointRun, ForwardRun, StoredSteps, checked

__all__ = ["BLOCK", "BUFFERED", "Quantised", "decode", "encode", "n_blocks"]

BLOCK = 256  # values that share a scale
BUFFERED = 4  # snapshots that are converted at a time
_TYPES = {8: "int8", 16: "int16"}


def n_blocks(n_values: int) -> int:
    """Return the number of scales of a snapshot."""
    return -(-n_values // BLOCK)


def encode(values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return integers (n_values,) and scales (n_blocks,) of values (n_values,).

    Notes
    -----
    The largest value of a block becomes ±L, L = 2^(bits−1) − 1, and the others err by at most 1/(2L) of it.
    """
    largest = 2 ** (bits - 1) - 1
    blocks = np.zeros((n_blocks(len(values)), BLOCK), dtype=values.dtype)
    blocks.ravel()[: len(values)] = values
    scales = np.abs(blocks).max(axis=1) / np.asarray(largest, dtype=values.dtype)
    # Scales below the normal numbers have too few digits to divide by.
    divisors = np.where(scales < np.finfo(values.dtype).tiny, np.inf, scales).astype(values.dtype)
    integers = np.clip(np.rint(blocks / divisors[:, None]), -largest, largest)
    return integers.ravel()[: len(values)].astype(_TYPES[bits]), scales


def decode(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the values (n_values,) of integers (n_values,) and scales (n_blocks,)."""
    return integers * np.repeat(scales, BLOCK)[: len(integers)]


class Quantised:
    """Snapshots of every interval-th step, each value in few bits and each block of values with a scale.

    Parameters
    ----------
    core
        The compiled simulation.
    stored
        The steps that are stored.
    bits
        8 or 16 bits a value.
    arrays
        What `arrays` returned after a run; None before one.

    Raises
    ------
    ValueError
        If the arrays belong to another simulation, interval or number of bits.
    """

    def __init__(
        self, core: Core, stored: StoredSteps, bits: int, arrays: Mapping[str, np.ndarray] | None = None
    ) -> None:
        self._core, self._stored, self._bits = core, stored, bits
        self.n_steps, self.adjoint_samples = stored.n_steps, stored.adjoint_samples
        n_values = core.compiled.n_values
        self._integers = checked(arrays, "wavefield", (len(stored), n_values), _TYPES[bits])
        self._scales = checked(arrays, "scales", (len(stored), n_blocks(n_values)), core.precision)
        self._buffer = np.zeros((min(BUFFERED, len(stored)), n_values), dtype=core.precision)

    def forward(self, run: ForwardRun, state: Any) -> None:
        """Run forward from a state, at rest as a rule, and keep the field."""
        for rows in self._chunks():
            end = int(self._stored.steps[rows[-1]])
            if end < state.step:
                continue
            run.advance(state, end, [self._store(rows)])
            for row, values in zip(rows, self._buffer, strict=False):
                self._integers[row], self._scales[row] = encode(values, self._bits)

    def written(self, step: int) -> dict[str, np.ndarray]:
        """Return what a forward run has written when it is at a step: of the last rows only the buffer."""
        n = self._stored.until(step)
        return {"wavefield": self._integers[:n], "scales": self._scales[:n], "buffer": self._buffer}

    def adjoint(self, run: AdjointRun, state: Any) -> None:
        """Run the adjoint with the kept field."""
        for rows in reversed(self._chunks()):
            for row, values in zip(rows, self._buffer, strict=False):
                values[:] = decode(self._integers[row], self._scales[row])
            run.go_back(state, self._stored.before(rows[0]), [self._store(rows)])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the integers (n_stored, n_values) and scales (n_stored, n_blocks)."""
        return {"wavefield": self._integers, "scales": self._scales}

    def _chunks(self) -> list[range]:
        n, size = len(self._stored), len(self._buffer)
        return [range(row, min(row + size, n)) for row in range(0, n, size)]

    def _store(self, rows: range) -> Any:
        chosen = slice(rows.start, rows.stop)
        return self._core.store(
            self._stored.steps[chosen], self._stored.weights[chosen], self._buffer[: len(rows)]
        )
