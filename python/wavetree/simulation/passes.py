"""The forward and the adjoint run of one event, ready to be done: alone, or together with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree.simulation.restart import RestartFile, run_forward
from wavetree.simulation.rows import Operator
from wavetree.simulation.source_derivative import SourceReadings
from wavetree.simulation.storage import AdjointRun, ForwardRun, StorageScheme

__all__ = ["AdjointPass", "ForwardPass"]


@dataclass(frozen=True)
class ForwardPass:
    """The forward run of an event.

    Attributes
    ----------
    run
        The run.
    samples
        What it writes at the receivers, (n_rows, n_steps) per part.
    store
        What keeps the field; None keeps none.
    """

    run: ForwardRun
    samples: list[np.ndarray]
    store: StorageScheme | None

    def do(self, restart_file: RestartFile | None = None) -> None:
        """Run the event alone, from where it was cut off if a file says so.

        Raises
        ------
        ValueError
            If the field is to be kept of another lane than the first.
        """
        if self.store is not None:
            _check_lane(self.run.core.lane)
        if restart_file is not None and self.run.core.ranks is not None:
            raise ValueError("restart_file is given; expected none with ranks, which do not go on from one.")
        run_forward(self.run, self.samples, self.store, restart_file)
        self.run.control.progress = 1.0


@dataclass(frozen=True)
class AdjointPass:
    """The adjoint run of an event.

    Attributes
    ----------
    run
        The run.
    store
        The forward field.
    by_record
        Adjoint sources at all computed samples, by receiver field.
    operators
        The compiled rows of the receivers, by part, that `run` drives.
    readings, at_sources
        The rows at the sources, and what the run writes there, (n_rows, n_steps + 1) per part.
    """

    run: AdjointRun
    store: StorageScheme
    by_record: Mapping[str, np.ndarray]
    operators: list[Operator]
    readings: SourceReadings
    at_sources: list[np.ndarray]

    def do(self) -> Any:
        """Run the event alone and return the state with the sums of its gradient.

        Raises
        ------
        ValueError
            If the event is in another lane than the first.
        """
        _check_lane(self.run.core.lane)
        state = self.run.start()
        self.store.adjoint(self.run, state)
        self.run.control.progress = 1.0
        return state


def _check_lane(lane: int) -> None:
    if lane > 0:
        raise ValueError(
            f"the event is in lane {lane}; expected the first one, for a run whose field is kept: use "
            "run_together for the others."
        )
