"""States of the optimiser in files: what several states share is written once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wavetree.arrays import read_arrays, write_arrays
from wavetree.inversion.node import StateRecord
from wavetree.optimize import State

__all__ = ["StateFiles"]

_PAIR = "history_"


class StateFiles:
    """Reads and writes states; every curvature pair has a file of its own.

    The history of a state at m pairs is 4 m vectors, of which all but four are those of the state before.

    Parameters
    ----------
    root
        Folder that the names of files are relative to.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pairs: dict[str, dict[str, np.ndarray]] = {}

    def save(
        self, folder: str, state: State, parent: State | None, stored: StateRecord | None
    ) -> StateRecord:
        """Write a state at a new point.

        Parameters
        ----------
        folder
            Folder for what is new.
        state
            The state.
        parent, stored
            The state that it followed from, and where that is stored; None if it is the first.
        """
        arrays, scalars = state.to_arrays()
        point_file = f"{folder}/point.h5"
        write_arrays(self._root / point_file, {k: v for k, v in arrays.items() if not k.startswith(_PAIR)})
        old = () if parent is None or stored is None else zip(parent.history, stored.pair_files, strict=True)
        known = {id(pair): file for pair, file in old}
        files = []
        for index, pair in enumerate(state.history):
            file = known.get(id(pair))
            if file is None:
                file = f"{folder}/pair.h5"
                rows = {k: v[index] for k, v in arrays.items() if k.startswith(_PAIR)}
                write_arrays(self._root / file, rows)
            files.append(file)
        return StateRecord(point_file, tuple(files), scalars)

    def at_same_point(self, state: State, stored: StateRecord) -> StateRecord:
        """Return where a state is stored that differs in its scalars and perhaps has lost its history."""
        files = stored.pair_files if state.history else ()
        return replace(stored, pair_files=files, scalars=state.to_arrays()[1])

    def load(self, stored: StateRecord) -> State:
        """Read a state; ValueError if a file is missing or damaged."""
        arrays = read_arrays(self._root / stored.point_file)[0]
        self._read_pairs(stored.pair_files)
        pairs = [self._pairs[file] for file in stored.pair_files]
        for name in pairs[0] if pairs else ():
            arrays[name] = np.stack([pair[name] for pair in pairs])
        return State.from_arrays(arrays, dict(stored.scalars))

    def _read_pairs(self, files: Sequence[str]) -> None:
        """Keep the pairs in memory that were asked for last: the next state needs all but one of them."""
        self._pairs = {
            file: self._pairs.get(file) or read_arrays(self._root / file)[0] for file in dict.fromkeys(files)
        }
