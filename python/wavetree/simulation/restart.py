"""How far a forward run is, in a file: a run that was cut off goes on from there."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wavetree.arrays import read_arrays, write_arrays
from wavetree.errors import Cancelled, ProjectError
from wavetree.simulation.storage import ForwardRun, StorageScheme

__all__ = ["RESTART", "RestartFile", "reached", "run_forward"]

RESTART = "restart.h5"
"""Name of the file in a task's folder."""

_FIRST_STEPS = 16  # before anything is known of the speed
_GROWTH = 4  # the first steps may be slow ones
_LARGEST_SHARE = 0.05  # of the time that writing may take
_PIECE_BYTES = 2**26  # that are read at a time
_log = logging.getLogger("wavetree")


def reached(folder: Path) -> float:
    """Return the part of a run that need not be computed again, 0 to 1, by the file in a folder."""
    try:
        said = read_arrays(folder / RESTART, [])[1]
    except ValueError:
        return 0.0
    return float(said["step"] / said["n_steps"])


class RestartFile:
    """The file of one run, and when it is to be written next.

    Parameters
    ----------
    path
        The file.
    key
        Names the run and how its field is kept: a file of another key is not read.
    interval_in_seconds
        The file is written that often, or less if writing takes more than a twentieth of the time; besides,
        when the run is cancelled.
    """

    def __init__(self, path: Path, key: str, interval_in_seconds: float) -> None:
        self._path, self._key, self._interval = path, key, interval_in_seconds
        self._due = time.monotonic() + interval_in_seconds
        self._step = 0  # that the file is of

    def delete(self) -> None:
        """Delete the file, if there is one."""
        self._path.unlink(missing_ok=True)

    @property
    def seconds_left(self) -> float:
        """Until the file is to be written [s], negative when that is late."""
        return self._due - time.monotonic()

    def read(self, run: ForwardRun, samples: list[np.ndarray], store: StorageScheme | None) -> Any:
        """Return the state that the file has, None if it has none, and put all that was written in its place.

        Parameters
        ----------
        run
            The run.
        samples
            Where the receivers' samples go (n_rows, n_steps), per part.
        store
            Keeps the field; None if it is not kept.
        """
        compiled = run.core.compiled
        try:
            said = read_arrays(self._path, [])[1]
            if said["key"] != self._key:
                return None
            step, values = said["step"], np.empty((2, compiled.n_values), dtype=run.core.precision)
            for name, piece in _pieces(step, values, samples, store):
                piece[...] = read_arrays(self._path, [name])[0][name]
        except ValueError as error:
            if self._path.exists():
                _log.warning("The run begins anew: %s", error)
            return None
        state = compiled.start(run.dt, step)
        compiled.load(state, values)
        self._step = step
        _log.info("It goes on from time step %d of %d.", step, run.n_samples)
        return state

    def write(
        self, run: ForwardRun, state: Any, samples: list[np.ndarray], store: StorageScheme | None
    ) -> None:
        """Write how far a run is, unless that is known; where there is no room, the run goes on without."""
        if state.step == self._step:
            return
        begun = time.monotonic()
        values = np.empty((2, run.core.compiled.n_values), dtype=run.core.precision)
        run.core.compiled.save(state, values)
        said = {"key": self._key, "step": state.step, "n_steps": run.n_samples}
        try:
            arrays = dict(_pieces(state.step, values, samples, store))
            write_arrays(self._path, arrays, said, durability="whole")
            self._step = state.step
        except ProjectError as error:
            _log.warning("%s", error)
        now = time.monotonic()
        self._due = now + max(self._interval, (now - begun) / _LARGEST_SHARE)


def _pieces(
    step: int, values: np.ndarray, samples: list[np.ndarray], store: StorageScheme | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Views of all that a run has written up to a time step, by the names that they have in the file."""
    arrays: Mapping[str, np.ndarray] = {} if store is None else store.written(step)
    parts = {f"samples/{part}": rows[:, :step] for part, rows in enumerate(samples)}
    for name, array in {"state": values, **parts, **{f"store/{k}": a for k, a in arrays.items()}}.items():
        size = max(1, _PIECE_BYTES * len(array) // max(1, array.nbytes))
        for number, first in enumerate(range(0, len(array), size)):
            yield f"{name}/{number}", array[first : first + size]


@dataclass(frozen=True)
class _RestartableRun(ForwardRun):
    """A forward run that writes a restart file now and then, and when it is cancelled.

    Attributes
    ----------
    file, samples, store
        See `RestartFile.read`.
    """

    file: RestartFile = field(kw_only=True)
    samples: list[np.ndarray] = field(kw_only=True)
    store: StorageScheme | None = field(kw_only=True)

    def start(self) -> Any:
        state = self.file.read(self, self.samples, self.store)
        return super().start() if state is None else state

    def _advance(self, state: Any, end: int, stores: Sequence[Any], energy: np.ndarray | None) -> None:
        n = _FIRST_STEPS
        while True:
            begun, first = time.monotonic(), state.step
            try:
                super()._advance(state, min(end, first + n), stores, energy)
            except Cancelled:
                self._write(state)
                raise
            if self.file.seconds_left <= 0.0:
                self._write(state)
            if state.step >= end:
                return
            seconds = (time.monotonic() - begun) / (state.step - first)
            n = max(1, int(min(_GROWTH * n, self.file.seconds_left / max(seconds, 1e-9))))

    def _write(self, state: Any) -> None:
        self.file.write(self, state, self.samples, self.store)


def run_forward(
    run: ForwardRun, samples: list[np.ndarray], store: StorageScheme | None, file: RestartFile | None = None
) -> None:
    """Take a run from its start, or from where an earlier one was cut off, to its last step.

    Parameters
    ----------
    run, samples, store
        See `RestartFile.read`.
    file
        Where the run leaves how far it is, and finds it; None for a run from rest to the end.

    Notes
    -----
    The result has the same bits, wherever the run was cut off. A run that is observed, to write wavefields
    for example, begins anew, for what was observed so far is lost with it.
    """
    if file is not None and run.observer is None:
        run = _RestartableRun(**vars(run), file=file, samples=samples, store=store)
    state = run.start()
    # Energy is compared with its largest value while the sources act, of which a later state knows nothing.
    if state.step > run.source_end:
        run = replace(run, source_end=state.step)
    if store is None:
        run.advance(state, run.n_samples)
    else:
        store.forward(run, state)
