"""Covering arrays: few rows in which every combination of levels that matters occurs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

Row = dict[str, object]

_SAMPLE = 3000


def covering_array(
    factors: Mapping[str, Sequence[object]],
    groups: Iterable[tuple[str, ...]],
    allowed: Callable[[Row], bool],
    generator: np.random.Generator,
) -> list[Row]:
    """Return rows in which every allowed combination of the levels of every group of factors occurs.

    Greedy: of a sample of the allowed rows the one with the most combinations that are still missing.
    """
    names, sizes = list(factors), [len(levels) for levels in factors.values()]
    levels = np.indices(sizes).reshape(len(sizes), -1).T
    levels = levels[[allowed(_row(factors, row)) for row in levels.tolist()]]
    numbers, first = [], 0
    for group in groups:
        columns = [names.index(name) for name in group]
        shape = [sizes[c] for c in columns]
        numbers.append(first + np.ravel_multi_index(tuple(levels[:, columns].T), shape))
        first += int(np.prod(shape))
    combinations = np.stack(numbers, axis=1)
    missing = np.zeros(first, dtype=bool)
    missing[combinations] = True
    chosen: list[Row] = []
    while missing.any():
        sample = generator.choice(len(levels), min(_SAMPLE, len(levels)), replace=False)
        gain = missing[combinations[sample]].sum(axis=1)
        if not gain.any():  # what is missing is rare
            sample = np.arange(len(levels))
            gain = missing[combinations].sum(axis=1)
        best = sample[np.argmax(gain)]
        missing[combinations[best]] = False
        chosen.append(_row(factors, levels[best].tolist()))
    return chosen


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return all pairs of names."""
    return list(itertools.combinations(names, 2))


def _row(factors: Mapping[str, Sequence[object]], levels: Sequence[int]) -> Row:
    return {name: values[k] for (name, values), k in zip(factors.items(), levels, strict=True)}
