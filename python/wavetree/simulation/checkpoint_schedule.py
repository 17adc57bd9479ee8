"""At which units of a run states are kept so that it can be gone through backwards in little memory.

A run of some units is gone through from the last unit to the first. Before a unit is used it is computed from
the nearest state that was kept before it; the run's start is at rest and needs no keeping. With s states, the
start among them, and every unit computed at most r times more than once, C(s + r, s) units can be reversed
(Griewank & Walther 2000, ACM Trans. Math. Softw. 26, 19-45, algorithm 799).
"""

from __future__ import annotations

import math

__all__ = ["Walk", "best_shape", "recomputed_snapshots", "recomputed_units"]


def _most_units(states: int, repeats: int) -> int:
    return math.comb(states + repeats, states) if repeats >= 0 else 0


def _repeats(n_units: int, states: int) -> int:
    repeats = 0
    while _most_units(states, repeats) < n_units:
        repeats += 1
    return repeats


def recomputed_units(n_units: int, slots: int) -> int:
    """Return how many units are computed again when a run of which the last unit is known is reversed.

    Parameters
    ----------
    n_units
        Units of the run, at least 1.
    slots
        States that can be kept besides the start.

    Notes
    -----
    r n − C(s + r, r − 1) with s = slots + 1 and the smallest r for which C(s + r, s) ≥ n (Griewank & Walther
    2000, theorem 6.1).

    Examples
    --------
    >>> recomputed_units(10, 9), recomputed_units(10, 3), recomputed_units(10, 0)
    (9, 15, 45)
    """
    repeats, states = _repeats(n_units, slots + 1), slots + 1
    return repeats * n_units - (math.comb(states + repeats, repeats - 1) if repeats else 0)


def _split(n_units: int, states: int) -> int:
    """After how many units to keep a state: of all numbers with which the least is computed, the largest."""
    repeats = _repeats(n_units, states)
    return min(_most_units(states, repeats - 1), n_units - _most_units(states - 1, repeats - 1))


def _positions(first: int, end: int, slots: int) -> list[int]:
    """Units between first and end before which to keep the state on the way to unit end − 1."""
    result, states = [], slots + 1
    while end - first > 1 and states > 1:
        first += _split(end - first, states)
        states -= 1
        if end - first > 1:  # the state before the last unit is used at once
            result.append(first)
    return result


def recomputed_snapshots(n_snapshots: int, n_unit: int, slots: int) -> int:
    """Return how many snapshots are computed again with units of n_unit, of which the first has the rest."""
    n_units = -(-n_snapshots // n_unit)
    passes, left = 0, n_units  # of the first unit
    while left > 1:
        passes, left = passes + 1, _split(left, slots + 1)
    missing = n_unit * n_units - n_snapshots
    return n_unit * recomputed_units(n_units, slots) - passes * missing


def best_shape(n_snapshots: int, room: int) -> tuple[int, int]:
    """Return how many states to keep and of how many snapshots a unit should be.

    Parameters
    ----------
    n_snapshots
        Snapshots of the whole run.
    room
        How many fit into memory, at least 1. A state, field and velocity, takes the room of two.

    Returns
    -------
    n_states, n_unit
        Those with which the least is computed again, the fewest states among them.
    """
    if room >= n_snapshots:
        return 0, n_snapshots
    n_states = min(
        range((room - 1) // 2 + 1), key=lambda n: recomputed_snapshots(n_snapshots, room - 2 * n, n)
    )
    return n_states, room - 2 * n_states


class Walk:
    """The way through a run from the last unit to the first, and the states kept on it.

    Parameters
    ----------
    slots
        States that can be kept.
    kept
        Slot and unit of those that are: the state in the slot is that before the unit.
    """

    def __init__(self, slots: int, kept: dict[int, int] | None = None) -> None:
        self._slots = slots
        self.kept = dict(kept or {})

    def approach(self, unit: int) -> tuple[int | None, int, list[tuple[int, int]]]:
        """Return how to reach a unit; states beyond it are given up.

        Returns
        -------
        slot, first, to_keep
            Slot of the state to start from, None for that at rest, and the unit which it is before. Then
            (slot, unit) of the states to keep on the way, in its order; tell `kept` of each.
        """
        self.kept = {slot: at for slot, at in self.kept.items() if at <= unit}
        first, start = max(((at, slot) for slot, at in self.kept.items()), default=(0, None))
        free = [slot for slot in range(self._slots) if slot not in self.kept]
        positions = _positions(first, unit + 1, len(free))
        return start, first, list(zip(free, positions, strict=False))
