"""How the forward wavefield gets from the forward run to the adjoint run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from wavetree.errors import Cancelled
from wavetree.simulation.core import Core
from wavetree.simulation.rows import Operator
from wavetree.simulation.wavefield import extra_steps, smooth_adjoint_sources, storage_schedule

__all__ = [
    "AdjointRun",
    "ForwardRun",
    "Observer",
    "Snapshots",
    "StorageScheme",
    "StoredSteps",
    "checked",
]


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
    dt
        Time step [s].
    operators, driving
        Rows of the sources of every part, and their samples (n_rows, n_samples).
    receivers
        Compiled series of every part; may be empty.
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
    dt: float
    operators: list[Operator]
    driving: list[np.ndarray]
    receivers: list[Any]
    n_samples: int
    source_end: int
    control: Any
    observer: Observer | None = None

    def advance(
        self, state: Any, end: int, stores: Sequence[Any] = (), energy: np.ndarray | None = None
    ) -> None:
        """Advance a state to a time step, leaving snapshots in compiled stores, one per event or none.

        Raises
        ------
        Cancelled
            If the control asked for it.
        """
        if self.observer is None:
            return self._advance(state, end, stores, energy)
        self.observer.see(state)
        for stop in (*self.observer.stops(state.step, end), end):
            self._advance(state, stop, stores, energy)
            self.observer.see(state)
        return None

    def _advance(self, state: Any, end: int, stores: Sequence[Any], energy: np.ndarray | None) -> None:
        _look_at(self.control, self.core)
        self.core.compiled.forward(
            state,
            end,
            [rows.series(f) for rows, f in zip(self.operators, self.driving, strict=True)],
            self.receivers,
            self.n_samples,
            self.source_end,
            list(stores),
            energy,
            self.control,
        )

    def start(self) -> Any:
        """Return the state at rest, from which the run starts."""
        return self.core.compiled.start(self.dt)

    def later(self, step: int) -> ForwardRun:
        """Return the run from a time step on, which it counts as 0, without receivers and observer."""
        return replace(
            self,
            driving=[np.ascontiguousarray(samples[:, step:]) for samples in self.driving],
            receivers=[],
            n_samples=self.n_samples - step,
            source_end=max(0, self.source_end - step),
            observer=None,
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
    forward
        The forward run, to compute again what was not stored.
    """

    core: Core
    receivers: list[Any]
    sources: list[Any]
    n_samples: int
    control: Any
    forward: ForwardRun

    def start(self) -> Any:
        """Return the adjoint state at rest, after the last step."""
        return self.core.compiled.start_adjoint(self.forward.dt, self.n_samples - 1)

    def go_back(self, state: Any, begin: int, stores: Sequence[Any]) -> None:
        """Take an adjoint state back to a time step, with the snapshots of the steps passed.

        Raises
        ------
        Cancelled
            If the control asked for it.
        """
        _look_at(self.control, self.core)
        self.core.compiled.adjoint(
            state,
            begin,
            self.receivers,
            self.sources,
            self.n_samples,
            list(stores),
            self.control,
        )


class StorageScheme(Protocol):
    """One way to keep what the adjoint run needs of the forward field."""

    n_steps: int
    """Number of steps of the runs, those that the interpolation of steps not stored needs included."""

    def forward(self, run: ForwardRun, state: Any) -> None:
        """Run forward from a state, at rest as a rule, and keep the field."""

    def written(self, step: int) -> dict[str, np.ndarray]:
        """Return views of what a forward run has written when it is at a step.

        With these values in another scheme of the same simulation, `forward` goes on there from that step.
        """

    def adjoint(self, run: AdjointRun, state: Any) -> None:
        """Run the adjoint with the kept field."""

    def adjoint_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return adjoint sources (n_rows, n_computed) as the run with this field needs them."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is kept; a scheme of the same simulation that is made with it goes on from there."""


class StoredSteps:
    """The time steps at which a field is wanted, and what follows for the runs.

    Parameters
    ----------
    n_computed
        Number of steps of a run that stores nothing.
    interval
        Every `interval`-th step is wanted, counted back from the last.
    """

    def __init__(self, n_computed: int, interval: int) -> None:
        # The sources are known on twice the computed steps, so the run may go on for as long again.
        self.n_steps = n_computed + min(extra_steps(interval), n_computed)
        self.interval = interval
        self.steps, self.weights = storage_schedule(self.n_steps, interval)

    def __len__(self) -> int:
        return len(self.steps)

    def until(self, step: int) -> int:
        """Return how many of the steps a run has come to that is at a step."""
        return int(np.searchsorted(self.steps, step, side="right"))

    def before(self, row: int) -> int:
        """Return the step of the wanted one before a row, 0 before the first."""
        return int(self.steps[row - 1]) if row > 0 else 0

    def adjoint_samples(self, samples: np.ndarray) -> np.ndarray:
        """Return adjoint sources (n_rows, n_computed) as a run with these steps needs them."""
        return np.ascontiguousarray(smooth_adjoint_sources(samples, self.interval)[:, : self.n_steps])


class Snapshots:
    """The forward field at every interval-th step of a run.

    Parameters
    ----------
    core
        The compiled simulation.
    stored
        The steps that are stored.
    arrays
        What `arrays` returned after a run; None before one.

    Attributes
    ----------
    snapshots
        The field (n_stored, n_values).
    store
        The compiled view of them.

    Raises
    ------
    ValueError
        If the arrays belong to another simulation or interval.
    """

    def __init__(
        self, core: Core, stored: StoredSteps, arrays: Mapping[str, np.ndarray] | None = None
    ) -> None:
        self.n_steps, self.adjoint_samples = stored.n_steps, stored.adjoint_samples
        self._stored = stored
        self.snapshots = checked(arrays, "wavefield", (len(stored), core.compiled.n_values), core.precision)
        self.store = core.store(stored.steps, stored.weights, self.snapshots)

    def forward(self, run: ForwardRun, state: Any) -> None:
        """Run forward from a state, at rest as a rule, and keep the field."""
        run.advance(state, self.n_steps, [self.store])

    def written(self, step: int) -> dict[str, np.ndarray]:
        """Return the snapshots that a forward run has written when it is at a step."""
        return {"wavefield": self.snapshots[: self._stored.until(step)]}

    def adjoint(self, run: AdjointRun, state: Any) -> None:
        """Run the adjoint with the kept field."""
        run.go_back(state, 0, [self.store])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the snapshots (n_stored, n_values)."""
        return {"wavefield": self.snapshots}


def _look_at(control: Any, core: Core) -> None:
    """The compiled run looks only every 20 ms, and few steps may take less; ranks look together in there."""
    if control.cancelled and core.ranks is None:
        raise Cancelled("the run was cancelled")


def checked(
    arrays: Mapping[str, np.ndarray] | None, name: str, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    """Return an array of a stored forward run, or memory for it when there is none.

    Raises
    ------
    ValueError
        If it is missing or of another shape or type.
    """
    if arrays is None:
        return np.zeros(shape, dtype=dtype)
    if name not in arrays:
        raise ValueError(
            f"the stored forward run has {', '.join(arrays)}, no {name!r}; expected what a run with the same "
            "storage plan has left."
        )
    found = arrays[name]
    if found.shape != shape or found.dtype != dtype:
        raise ValueError(
            f"{name} has shape {found.shape} and type {found.dtype}; expected {shape} and {dtype}: it "
            "belongs to another simulation or storage plan."
        )
    return np.ascontiguousarray(found)
