"""How the forward wavefield gets from the forward run to the adjoint run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from wavetree.simulation.core import Core
from wavetree.simulation.wavefield import extra_steps, smooth_adjoint_sources, storage_schedule

__all__ = ["AdjointRun", "ForwardRun", "Observer", "Snapshots"]


class Observer(Protocol):
    """What looks at a forward run at some of its time steps."""

    def stops(self, begin: int, end: int) -> Iterable[int]:
        """Return the steps after `begin` and before `end` that are still to be seen, ascending."""

    def see(self, state: Any) -> None:
        """Look at a state; one that is not asked for, or was seen before, is passed over."""


@dataclass(frozen=True)
class ForwardRun:
    """What a forward run reads and writes, whatever is stored of it.

    Attributes
    ----------
    core
        The compiled simulation.
    sources, receivers
        Compiled series of every part; receivers may be empty.
    n_samples
        Length of the series.
    source_end
        From this time step on the sources are silent.
    control
        Shows the progress and can cancel.
    observer
        Sees the states that it asks for, once; None for nobody.
    """

    core: Core
    sources: list[Any]
    receivers: list[Any]
    n_samples: int
    source_end: int
    control: Any
    observer: Observer | None = None

    def advance(self, state: Any, end: int, store: Any = None, energy: np.ndarray | None = None) -> None:
        """Advance a state to a time step, leaving snapshots in a compiled store."""
        if self.observer is None:
            return self._advance(state, end, store, energy)
        self.observer.see(state)
        for stop in (*self.observer.stops(state.step, end), end):
            self._advance(state, stop, store, energy)
            self.observer.see(state)
        return None

    def _advance(self, state: Any, end: int, store: Any, energy: np.ndarray | None) -> None:
        self.core.compiled.forward(
            state,
            end,
            self.sources,
            self.receivers,
            self.n_samples,
            self.source_end,
            store,
            energy,
            self.control,
        )


@dataclass(frozen=True)
class AdjointRun:
    """What an adjoint run reads and writes, whatever was stored of the forward run.

    Attributes
    ----------
    core
        The compiled simulation.
    receivers, sources
        Compiled series of every part: adjoint sources, and the adjoint field at the sources.
    n_samples
        Length of the series.
    control
        Shows the progress and can cancel.
    """

    core: Core
    receivers: list[Any]
    sources: list[Any]
    n_samples: int
    control: Any

    def go_back(self, state: Any, begin: int, store: Any) -> None:
        """Take an adjoint state back to a time step, with the snapshots of the steps passed."""
        self.core.compiled.adjoint(
            state, begin, self.receivers, self.sources, self.n_samples, store, self.control
        )


class Snapshots:
    """The forward field at every interval-th step of a run.

    Parameters
    ----------
    core
        The compiled simulation.
    n_computed
        Number of steps of a run that stores nothing.
    interval
        Every `interval`-th step is stored, counted back from the last.
    snapshots
        The field that a run left, (n_stored, n_values); memory for one when None.

    Raises
    ------
    ValueError
        If the field belongs to another simulation or interval.
    """

    def __init__(
        self, core: Core, n_computed: int, interval: int, snapshots: np.ndarray | None = None
    ) -> None:
        # The sources are known on twice the computed steps, so the run may go on for as long again.
        self.n_steps = n_computed + min(extra_steps(interval), n_computed)
        self.interval = interval
        steps, weights = storage_schedule(self.n_steps, interval)
        expected = (len(steps), core.compiled.n_values)
        if snapshots is None:
            snapshots = np.empty(expected, dtype=core.precision)
        if snapshots.shape != expected or snapshots.dtype != core.precision:
            raise ValueError(
                f"wavefield has shape {snapshots.shape} and type {snapshots.dtype}; expected {expected} and "
                f"{core.precision}: it belongs to another simulation or interval."
            )
        self.snapshots = np.ascontiguousarray(snapshots)
        self._store = core.store(steps, weights, self.snapshots)

    def forward(self, run: ForwardRun, state: Any) -> None:
        """Run forward from rest and keep the field."""
        run.advance(state, self.n_steps, self._store)

    def adjoint(self, run: AdjointRun, state: Any) -> None:
        """Run the adjoint with the kept field."""
        run.go_back(state, 0, self._store)

    def adjoint_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return adjoint sources (n_rows, n_computed) as the run on these snapshots needs them."""
        return np.ascontiguousarray(smooth_adjoint_sources(samples, self.interval)[:, : self.n_steps])
