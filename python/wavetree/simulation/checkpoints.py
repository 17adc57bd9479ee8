"""The forward field computed again from states that were kept at few steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wavetree.simulation.checkpoint_schedule import Walk
from wavetree.simulation.core import Core
from wavetree.simulation.storage import AdjointRun, ForwardRun, StoredSteps, checked

__all__ = ["Checkpoints", "units"]


def units(n_snapshots: int, n_unit: int) -> list[int]:
    """Return the first snapshot of every unit, and at last n_snapshots; the first unit takes the rest."""
    starts = list(range(n_snapshots, 0, -n_unit))[::-1]
    return [0, *starts]


class Checkpoints:
    """States of a run at chosen steps; in between the field is computed again, unit by unit.

    Parameters
    ----------
    core
        The compiled simulation.
    stored
        The steps whose field the adjoint run needs.
    n_states
        How many states can be kept.
    n_unit
        How many snapshots are in memory at a time. Those of the last unit are kept from the forward run.
    arrays
        What `arrays` returned after a run; None before one.

    Raises
    ------
    ValueError
        If the arrays belong to another simulation, or other numbers of states and snapshots.

    Notes
    -----
    The gradient has the bits of that from snapshots of all these steps. See
    `wavetree.simulation.checkpoint_schedule` for the schedule.
    """

    def __init__(
        self,
        core: Core,
        stored: StoredSteps,
        n_states: int,
        n_unit: int,
        arrays: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._core, self._stored = core, stored
        self.n_steps, self.adjoint_samples = stored.n_steps, stored.adjoint_samples
        self._rows = units(len(stored), n_unit)
        n_values = core.compiled.n_values
        self._states = checked(arrays, "states", (n_states, 2, n_values), core.precision)
        self._snapshots = checked(arrays, "wavefield", (n_unit, n_values), core.precision)
        # Unit that the snapshots are of, then the unit after each state; −1 for none.
        known = checked(arrays, "units", (1 + n_states,), "int64") if arrays else np.full(1 + n_states, -1)
        self._unit = int(known[0])
        self._walk = Walk(n_states, {slot: int(at) for slot, at in enumerate(known[1:]) if at >= 0})

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self._rows) - 1

    def forward(self, run: ForwardRun, state: Any) -> None:
        """Run forward from a state, at rest as a rule; keep states, and the snapshots of the last unit."""
        self._walk.kept.clear()
        self._compute(run, state, 0, self.n_units - 1)

    def written(self, step: int) -> dict[str, np.ndarray]:
        """Return the states, and the snapshots of the last unit, of which more and more are written."""
        return {"states": self._states, "wavefield": self._snapshots}

    def adjoint(self, run: AdjointRun, state: Any) -> None:
        """Run the adjoint, computing the forward field again where it was not kept."""
        for unit in reversed(range(self.n_units)):
            if self._unit != unit:
                slot, first, _ = self._walk.approach(unit)
                begin = self._begin(first)
                start = run.forward.start()
                if slot is not None:
                    self._core.compiled.load(start, self._states[slot])
                self._compute(run.forward.later(begin), start, begin, unit)
            run.go_back(state, self._begin(unit), [self._store(unit, 0)])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return states (n_states, 2, n_values), snapshots (n_unit, n_values) and the units of both."""
        kept = [self._walk.kept.get(slot, -1) for slot in range(len(self._states))]
        where = np.array([self._unit, *kept], dtype=np.int64)
        return {"states": self._states, "wavefield": self._snapshots, "units": where}

    def _begin(self, unit: int) -> int:
        return self._stored.before(self._rows[unit])

    def _store(self, unit: int, origin: int) -> Any:
        """The compiled view of a unit's snapshots, for a run that counts its steps from an origin."""
        rows = slice(self._rows[unit], self._rows[unit + 1])
        stored, n = self._stored, rows.stop - rows.start
        return self._core.store(stored.steps[rows] - origin, stored.weights[rows], self._snapshots[:n])

    def _compute(self, run: ForwardRun, state: Any, origin: int, unit: int) -> None:
        """Advance a state through a unit, keeping states on the way and the snapshots of the unit."""
        _, _, to_keep = self._walk.approach(unit)
        for slot, at in to_keep:
            step = self._begin(at) - origin
            if step >= state.step:  # else it was kept before
                run.advance(state, step)
                self._core.compiled.save(state, self._states[slot])
            self._walk.kept[slot] = at
        self._unit = -1  # until the snapshots are complete
        end = int(self._stored.steps[self._rows[unit + 1] - 1])
        run.advance(state, end - origin, [self._store(unit, origin)])
        self._unit = unit
