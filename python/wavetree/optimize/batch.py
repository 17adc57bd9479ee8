"""Dynamic mini-batches of events with control groups (van Herwaarden et al. 2020, Geophys. J. Int. 221)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.optimize.space import Inner, MetricVector

__all__ = ["Batch", "BatchSelection", "ControlGroup", "subset_scale"]

# At least this part of a batch is new, and this is how a batch grows after a rejected step.
_NEW_SHARE = 0.5
_GROWTH = 1.5


@dataclass(frozen=True)
class ControlGroup:
    """The events of a batch that a step is tested with and that the next batch keeps.

    Attributes
    ----------
    events
        Names, in the order of the batch.
    angle_in_degrees
        Angle between the sum of their gradients and that of the batch; 0 if they are all of it.
    reason
        Why these, in words.
    """

    events: tuple[str, ...]
    angle_in_degrees: float
    reason: str


@dataclass(frozen=True)
class Batch:
    """The events of one iteration and what the choice of the next ones depends on.

    Attributes
    ----------
    events
        Names, in the order of the problem.
    control_group
        Those that were carried in from the batch before; empty in the first batch.
    size
        Number of events aimed at; a batch has fewer only if there are no more.
    n_events
        Number of all events.
    number
        Batches before this one.
    random_state
        State of the random generator after the draw, JSON-serialisable.
    times_used
        How many batches each event was in, this one included; events that were in none are left out.
    last_used
        Number of the last batch that each of them was in.
    reason
        What led to the size, in words.
    """

    events: tuple[str, ...]
    control_group: tuple[str, ...]
    size: int
    n_events: int
    number: int
    random_state: Mapping[str, Any]
    times_used: dict[str, int]
    last_used: dict[str, int]
    reason: str

    def to_document(self) -> dict[str, Any]:
        """Return the JSON-serialisable content that `from_document` reads."""
        content = dataclasses.asdict(self)
        return {**content, "events": list(self.events), "control_group": list(self.control_group)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Batch:
        """Rebuild the batch that `to_document` wrote.

        Raises
        ------
        ValueError
            If an entry is missing or unknown.
        """
        fields = [f.name for f in dataclasses.fields(cls)]
        for name in document:
            if name not in fields:
                raise unknown_name("entry of a stored batch", name, fields)
        for name in fields:
            if name not in document:
                raise ValueError(f"stored batch lacks {name!r}: it is damaged or of another kind")
        names = {name: tuple(document[name]) for name in ("events", "control_group")}
        return cls(**{**document, **names})


def subset_scale(n_events: int, n_subset: int) -> float:
    """Return the factor for sums over a subset to estimate those over all events, 1.0 exactly if it is all.

    Raises
    ------
    ValueError
        If the subset is empty or larger than the whole.
    """
    if not 0 < n_subset <= n_events:
        raise ValueError(f"n_subset is {n_subset}, expected a number from 1 to n_events, {n_events}")
    return n_events / n_subset


@configuration
class BatchSelection(Configuration):
    """Which events an iteration uses: the control group of the one before and new ones.

    Parameters
    ----------
    initial_batch_size
        Number of events in the first batch; all there are if it is larger.
    minimum_control_group_size
        Smallest number of events in a control group; one as large as the number of all events makes the batch
        its control group.
    maximum_batch_size
        Number of events that a batch does not grow beyond; all events when None.
    control_group_angle_in_degrees
        Largest angle between the gradients of control group and batch; 0 makes the batch its control group.
    seed
        Seed of the draws.

    Raises
    ------
    ValueError
        If a number is out of its range, or `maximum_batch_size` is below `initial_batch_size` or not above
        `minimum_control_group_size`.

    Notes
    -----
    New events are those that were used longest ago, never used ones first, and at random among equals, so
    that all get their turn. The next batch is at least twice as large as the control group, so that at least
    half of it is new, and half as large again after a rejected step; it never shrinks. Where it may grow no
    more and is not all events, the control group is at most half of it, whatever its angle.
    """

    initial_batch_size: PositiveInt
    _: KW_ONLY
    minimum_control_group_size: PositiveInt = 2
    maximum_batch_size: PositiveInt | None = None
    control_group_angle_in_degrees: Annotated[float, Field(ge=0.0, lt=90.0)] = 30.0
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _ordered(self) -> BatchSelection:
        largest = self.maximum_batch_size
        if largest is not None and largest < self.initial_batch_size:
            raise ValueError(
                f"maximum_batch_size is {largest}, expected at least initial_batch_size, "
                f"{self.initial_batch_size}; enlarge it or leave it out."
            )
        if largest is not None and largest <= self.minimum_control_group_size:
            raise ValueError(
                f"maximum_batch_size is {largest}, expected more than minimum_control_group_size, "
                f"{self.minimum_control_group_size}, or no new event could come in; enlarge or omit it."
            )
        return self

    def first(self, events: Sequence[str]) -> Batch:
        """Return the first batch.

        Parameters
        ----------
        events
            Names of all events, in the order of the problem.

        Raises
        ------
        ValueError
            If there are no events or one is named twice.
        """
        size = min(self.initial_batch_size, len(events))
        nothing = Batch((), (), size, 0, -1, np.random.default_rng(self.seed).bit_generator.state, {}, {}, "")
        return _drawn(nothing, (), events, size, f"first batch of {size} of {len(events)} events")

    def next(
        self, batch: Batch, control_group: Sequence[str], events: Sequence[str], rejections: int
    ) -> Batch:
        """Return the batch of the next iteration.

        Parameters
        ----------
        batch
            The batch of this iteration.
        control_group
            Its control group.
        events
            Names of all events, in the order of the problem; may have changed since.
        rejections
            Steps that this iteration rejected.

        Raises
        ------
        ValueError
            If an event of the control group is not in the batch or not among the events.
        """
        for name in control_group:
            for where, known in (("the batch", batch.events), ("the events", events)):
                if name not in known:
                    raise unknown_name(f"event of the control group, not in {where},", name, known)
        limit = min(self.maximum_batch_size or len(events), len(events))
        grown, why = batch.size, "size kept"
        needed = math.ceil(len(control_group) / (1.0 - _NEW_SHARE))
        if needed > grown:
            grown, why = (
                needed,
                f"at least {_NEW_SHARE:.0%} new beside a control group of {len(control_group)}",
            )
        if rejections and math.ceil(_GROWTH * batch.size) > grown:
            grown, why = math.ceil(_GROWTH * batch.size), f"{rejections} rejected"
        size = min(grown, limit)
        if size < grown:
            why = f"{why}, at most {limit}"
        reason = f"{why}: batch of {size} of {len(events)} events after {len(batch.events)}"
        return _drawn(batch, tuple(control_group), events, size, reason)

    def control_group(
        self, batch: Batch, gradients: Mapping[str, MetricVector], inner: Inner
    ) -> ControlGroup:
        """Return the control group of a batch.

        Parameters
        ----------
        batch
            The batch.
        gradients
            Of each of its events (S g, g), both of shape (n,).
        inner
            The inner product ⟨a, b⟩.

        Notes
        -----
        From the batch the event is removed without which the gradient's angle to that of the batch is the
        smallest, again and again as long as the angle stays within its limit. Angles are those of the metric:
        cos = ⟨g_c, S g_b⟩/(‖g_c‖ ‖g_b‖).
        """
        gram = _gram([gradients[name] for name in batch.events], inner)
        kept, angle, why = self._reduced(gram, self._largest_control_group(batch))
        names = tuple(name for name, keep in zip(batch.events, kept, strict=True) if keep)
        reason = f"control group of {len(names)} of {len(batch.events)} events: {why}"
        return ControlGroup(names, angle, reason)

    def _largest_control_group(self, batch: Batch) -> int:
        """Number of events that leaves room for new ones."""
        size = len(batch.events)
        if self.maximum_batch_size is None or size == batch.n_events:
            return size
        room = int(self.maximum_batch_size * (1.0 - _NEW_SHARE))
        return max(room, self.minimum_control_group_size)

    def _reduced(self, gram: np.ndarray, largest: int) -> tuple[np.ndarray, float, str]:
        """Which events are kept, the angle and why no more are removed."""
        limit = self.control_group_angle_in_degrees
        kept, angle = np.ones(len(gram), dtype=bool), 0.0
        to_batch, to_control = gram.sum(axis=1), gram.sum(axis=1)
        square = float(to_batch.sum())
        if limit == 0.0 and largest == len(gram):
            return kept, angle, "all of the batch is asked for"
        if not square > 0.0:
            return kept, angle, "the gradient of the batch is zero"
        while kept.sum() > self.minimum_control_group_size:
            squares = float(to_control[kept].sum()) - 2.0 * to_control + np.diag(gram)
            with np.errstate(divide="ignore", invalid="ignore"):
                cosines = (float(to_batch[kept].sum()) - to_batch) / np.sqrt(squares * square)
            cosines[~(squares > 0.0)] = -1.0
            cosines[~kept] = -math.inf
            i = int(np.argmax(cosines))
            reached = math.degrees(math.acos(min(max(float(cosines[i]), -1.0), 1.0)))
            if reached > limit and kept.sum() <= largest:
                return kept, angle, f"angle {angle:.3g} degrees, one less {reached:.3g}, limit {limit:g}"
            kept[i], angle = False, reached
            to_control = to_control - gram[i]
        smallest = self.minimum_control_group_size
        return kept, angle, f"angle {angle:.3g} degrees, limit {limit:g}, not less than {smallest} events"


def _gram(gradients: Sequence[MetricVector], inner: Inner) -> np.ndarray:
    """⟨g_i, S g_j⟩, symmetric."""
    gram = np.zeros((len(gradients), len(gradients)))
    for i, a in enumerate(gradients):
        for j, b in enumerate(gradients[: i + 1]):
            gram[i, j] = gram[j, i] = inner(a.Pv, b.v)
    return gram


def _drawn(
    before: Batch, control_group: tuple[str, ...], events: Sequence[str], size: int, reason: str
) -> Batch:
    """The batch with the control group and new events up to the size."""
    _check_events(events)
    rng = np.random.default_rng()
    rng.bit_generator.state = before.random_state
    candidates = [name for name in events if name not in set(control_group)]
    draw = rng.permutation(len(candidates))
    never = (-1, 0)
    waiting = [
        (before.last_used[name], before.times_used[name]) if name in before.last_used else never
        for name in candidates
    ]
    order = sorted(range(len(candidates)), key=lambda i: (*waiting[i], draw[i]))
    new = {candidates[i] for i in order[: max(size - len(control_group), 0)]}
    chosen = tuple(name for name in events if name in new or name in control_group)
    number = before.number + 1
    return Batch(
        events=chosen,
        control_group=_in_order(control_group, events),
        size=size,
        n_events=len(events),
        number=number,
        random_state=_plain(rng.bit_generator.state),
        times_used={**before.times_used, **{name: before.times_used.get(name, 0) + 1 for name in chosen}},
        last_used={**before.last_used, **dict.fromkeys(chosen, number)},
        reason=reason,
    )


def _in_order(names: Iterable[str], events: Sequence[str]) -> tuple[str, ...]:
    chosen = set(names)
    return tuple(name for name in events if name in chosen)


def _check_events(events: Sequence[str]) -> None:
    if not events:
        raise ValueError("events is empty, expected the names of all events")
    if len(set(events)) < len(events):
        raise ValueError("events names one of them twice; name each once")


def _plain(state: Any) -> dict[str, Any]:
    """The state of the generator with plain numbers."""
    return {
        key: _plain(value) if isinstance(value, Mapping) else value if isinstance(value, str) else int(value)
        for key, value in state.items()
    }
