"""Events: what fires together and who listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any

from pydantic import BeforeValidator, NonNegativeInt, model_validator

from wavetree.config import Configuration, configuration
from wavetree.survey.placement import SideSetMesh
from wavetree.survey.receiver.receiver import Receiver
from wavetree.survey.source.source import Source

__all__ = ["Event", "EventCollection"]


def _flat(given: Any) -> tuple[Any, ...]:
    """Turn one object, a collection, or a list of both into one tuple."""
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes, dict)):
        flat: list[Any] = []
        for item in given:
            flat.extend(item if isinstance(item, Iterable) and not isinstance(item, (str, dict)) else [item])
        return tuple(flat)
    return (given,)


def _refuse_mixed_dimensions(members: Sequence[Source | Receiver | Event], what: str) -> None:
    """Raise ValueError if not all have as many dimensions as the first."""
    other = next((m for m in members if m.dim != members[0].dim), None)
    if other is not None:
        named = [f"{type(m).__name__} with {m.dim} dimensions" for m in (members[0], other)]
        raise ValueError(f"{what} hold a {named[0]} and a {named[1]}; give only those of your domain")


@configuration
class Event(Configuration):
    """Sources that fire together and the receivers that record them.

    Parameters
    ----------
    sources
        One source, a collection, or a list of them.
    receivers
        One receiver, a collection, or a list of them; no name may occur twice. Those that
        `wavetree.survey.transducer.Transducer.receiver` makes record over their whole face.
    event_name
        Name of the event, used in file names; without it a name is made from the content, so that
        different events have different names.

    Raises
    ------
    ValueError
        If there are no sources or no receivers, some of them have two dimensions and others three, a
        receiver's name occurs twice, or the event's name cannot stand in a file name.
    """

    sources: Annotated[tuple[Source, ...], BeforeValidator(_flat)]
    _: KW_ONLY
    receivers: Annotated[tuple[Receiver, ...], BeforeValidator(_flat)]
    event_name: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Event:
        for argument in ("sources", "receivers"):
            if not getattr(self, argument):
                raise ValueError(f"{argument}=() is empty; an event needs at least one of them")
        _refuse_mixed_dimensions([*self.sources, *self.receivers], "sources and receivers")
        repeated = [name for name, count in Counter(r.name for r in self.receivers).items() if count > 1]
        if repeated:
            raise ValueError(
                f"receivers: the name {repeated[0]!r} occurs more than once ({len(repeated)} such names); "
                "give each receiver its own network_code, station_code or location_code"
            )
        if self.event_name is None:
            name = f"event_{self.digest()[:8]}"
            self.__dict__.pop("_digest")  # was that of the content without the name
            object.__setattr__(self, "event_name", name)
        elif not self.event_name or self.event_name.startswith(".") or set(self.event_name) & set("/\\\0\n"):
            raise ValueError(
                f"event_name={self.event_name!r} cannot stand in a file name; use letters, digits, '_' and "
                "'-'"
            )
        return self

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return self.sources[0].dim

    def resolve(self, mesh: SideSetMesh) -> Event:
        """Return the event with all sources and receivers at the places that they have on a mesh.

        Of transducers these are their points.

        Raises
        ------
        ValueError
            If one of them stands on a side set that is unknown or missed.
        """
        return replace(
            self,
            sources=tuple(source.resolve(mesh) for source in self.sources),
            receivers=tuple(point.resolve(mesh) for point in self.points),
        )

    @property
    def points(self) -> list[Receiver]:
        """The receivers that a simulation has, in their order: of transducers all their points."""
        return [point for receiver in self.receivers for point in receiver.points()]

    @property
    def receiver_names(self) -> list[str]:
        """Names of the receivers, in their order."""
        return [receiver.name for receiver in self.receivers]


@configuration
class EventCollection(Configuration):
    """Events in their order; iterates, has a length, and is indexed by number.

    Parameters
    ----------
    events
        The events; no name may occur twice.

    Raises
    ------
    ValueError
        If the name of an event occurs twice, or some have two dimensions and others three.
    """

    events: tuple[Event, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> EventCollection:
        for name, count in Counter(event.event_name for event in self.events).items():
            if count > 1:
                raise ValueError(
                    f"events: the name {name!r} occurs {count} times; give each event its own name"
                )
        _refuse_mixed_dimensions(self.events, "events")
        return self

    @classmethod
    def from_sources(
        cls,
        sources: Iterable[Source],
        receivers: Iterable[Receiver],
        event_name_starting_index: NonNegativeInt = 0,
    ) -> EventCollection:
        """Make one event per source, all with the same receivers, named event_0000 and on.

        Parameters
        ----------
        sources
            One source, a collection, or a list of them.
        receivers
            One receiver, a collection, or a list of them.
        event_name_starting_index
            Number in the first event's name.

        Raises
        ------
        ValueError
            If there are no sources or receivers, or the index is negative.
        """
        all_sources, all_receivers = _flat(sources), _flat(receivers)
        if not all_sources:
            raise ValueError("EventCollection.from_sources: sources=() is empty; give at least one source")
        if event_name_starting_index < 0:
            raise ValueError(
                f"EventCollection.from_sources: event_name_starting_index={event_name_starting_index} is "
                "negative; "
                "start at 0 or above"
            )
        return cls(
            events=tuple(
                Event(sources=(source,), receivers=all_receivers, event_name=f"event_{k:04d}")
                for k, source in enumerate(all_sources, start=event_name_starting_index)
            )
        )

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: int) -> Event:
        return self.events[index]
