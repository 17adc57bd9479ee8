"""How many elements the layers of a mesh have, and where their number changes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from wavetree.layered_meshing.layers import Layer
from wavetree.mesh.rows import Row

__all__ = ["equal_rows", "plan_rows"]

_FACTORS = (2, 3)
# Heights of a row that changes the number of elements, in coarse elements: its own, and the smallest. It may
# be stretched until its longest edges, which are as high as itself, are those of the coarse elements.
_HEIGHT, _SQUEEZE = 0.9, 0.6
_STRETCH = 1.0 / _HEIGHT

Rows = list[list[Row]]


def plan_rows(extents: Sequence[float], layers: Sequence[Layer]) -> Rows:
    """Return the rows of elements of every layer.

    Parameters
    ----------
    extents
        Of the domain along the horizontal axes [m].
    layers
        The layers from top to bottom.

    Returns
    -------
    list
        Rows of every layer, from top to bottom.

    Notes
    -----
    Numbers of elements along the horizontal axes are those of the coarsest layer times a power of 2, or of
    3. On an interface meet the elements of the finer layer; the coarser one gets wider ones away from it, if
    it is thick enough, in rows of `Row` (one an axis and step). What decides is the work, the number of
    elements over the time step: rows that change their number have small elements in the faster layer, which
    shorten it. Where nothing is saved all layers have the same numbers.
    """
    plain = equal_rows(extents, layers)
    best, least = plain, _work(extents, layers, plain)
    for factor in _FACTORS:
        for base in _bases(layers, factor):
            found = _multipliers(layers, base, factor, len(extents))
            plan, work = _improved(extents, layers, found, factor)
            if work < least:
                best, least = plan, work
    return best


def equal_rows(extents: Sequence[float], layers: Sequence[Layer]) -> Rows:
    """Return the rows of elements of every layer, with the same number along the horizontal axes in all."""
    return _rows(extents, layers, [1] * len(layers), 1)


def _improved(
    extents: Sequence[float], layers: Sequence[Layer], multipliers: list[int], factor: int
) -> tuple[Rows, float]:
    """Rows and work for multipliers, some of them raised as long as that saves work."""
    plan = _rows(extents, layers, multipliers, factor)
    work = _work(extents, layers, plan)
    better = True
    while better:
        better = False
        for k, multiplier in enumerate(multipliers):
            if multiplier < max(multipliers):
                raised = [*multipliers[:k], multiplier * factor, *multipliers[k + 1 :]]
                changed = _rows(extents, layers, raised, factor)
                if (needed := _work(extents, layers, changed)) < work:
                    multipliers, plan, work, better = raised, changed, needed, True
    return plan, work


def _work(extents: Sequence[float], layers: Sequence[Layer], plan: Rows) -> float:
    """Number of elements times the rate of the shortest time step.

    Notes
    -----
    The limit of the time step of bricks is proportional to 1 / (v sqrt(Σ 1/h²)), h their edges.
    """
    count, rate = 0, 0.0
    for layer, rows in zip(layers, plan, strict=True):
        share = layer.thinnest / sum(row.height for row in rows)
        for row in rows:
            count += row.nelem
            counts = (max(pair) for pair in zip(row.top, row.bottom, strict=True))
            across = sum((n / extent) ** 2 for n, extent in zip(counts, extents, strict=True))
            rate = max(rate, layer.fastest * math.sqrt(across + (share * row.lowest) ** -2))
    return count * rate


def _bases(layers: Sequence[Layer], factor: int) -> list[float]:
    """Sizes of coarsest elements that just fit one of the layers after a number of steps."""
    sizes = [layer.size for layer in layers]
    largest = max(sizes)
    steps = range(1 + math.floor(math.log(largest / min(sizes), factor) + 1e-9))
    return sorted({size * factor**k for size in sizes for k in steps if size * factor**k <= largest})


def _multipliers(layers: Sequence[Layer], base: float, factor: int, n_axes: int) -> list[int]:
    """Numbers of elements in every layer, relative to elements of the size base."""
    steps = (math.log(base / layer.size, factor) for layer in layers)
    found = [factor ** max(0, math.ceil(step - 1e-9)) for step in steps]
    crowded: int | None = 0
    while crowded is not None:
        crowded = None
        for k, layer in enumerate(layers):
            passed = [
                *_steps(_above(found, k), found[k], factor),
                *_steps(_below(found, k), found[k], factor),
            ]
            room = n_axes * sum(_HEIGHT * base / coarse for coarse in passed)
            if layer.thickest < _SQUEEZE * room:
                crowded = k
                found[k] *= factor
                break
    return found


def _above(multipliers: Sequence[int], k: int) -> int:
    """The multiplier at the upper edge of a layer."""
    return max(multipliers[max(0, k - 1) : k + 1])


def _below(multipliers: Sequence[int], k: int) -> int:
    return max(multipliers[k : k + 2])


def _steps(fine: int, coarse: int, factor: int) -> Iterator[int]:
    """The multipliers that are reached one after the other on the way from an interface."""
    while fine > coarse:
        fine //= factor
        yield fine


def _rows(extents: Sequence[float], layers: Sequence[Layer], multipliers: Sequence[int], factor: int) -> Rows:
    coarsest = []
    for extent in extents:
        # The slack keeps a number that is whole but for rounding from growing by one.
        wanted = (
            extent / (layer.size * m) * (1.0 - 1e-9) for layer, m in zip(layers, multipliers, strict=True)
        )
        count = max(1, *(math.ceil(number) for number in wanted))
        # Doubling goes from pairs of elements to four.
        coarsest.append(count + count % 2 if factor == 2 and len(set(multipliers)) > 1 else count)
    base = max(extent / count for extent, count in zip(extents, coarsest, strict=True))
    plan = []
    for k, layer in enumerate(layers):
        own = multipliers[k]
        top = _changing(coarsest, _above(multipliers, k), own, factor, base)
        bottom = _changing(coarsest, _below(multipliers, k), own, factor, base)
        bottom = [Row(row.bottom, row.top, row.height) for row in reversed(bottom)]
        taken = sum(row.height for row in (*top, *bottom))
        fits = taken > 0.0 and layer.thickest <= _STRETCH * taken
        n_plain = 0 if fits else max(1, math.ceil((layer.thickest - taken) / layer.size * (1.0 - 1e-9)))
        counts = tuple(own * count for count in coarsest)
        plan.append([*top, *[Row(counts, counts, layer.size)] * n_plain, *bottom])
    return plan


def _changing(coarsest: Sequence[int], fine: int, coarse: int, factor: int, base: float) -> list[Row]:
    """Rows from many elements at the top to few at the bottom."""
    rows = []
    counts = [fine * count for count in coarsest]
    for step in _steps(fine, coarse, factor):
        for axis in range(len(counts)):
            top = tuple(counts)
            counts[axis] //= factor
            rows.append(Row(top, tuple(counts), _HEIGHT * base / step))
    return rows
