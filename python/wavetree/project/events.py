"""The events of a project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wavetree.domain import BoxDomain
from wavetree.errors import ConflictError
from wavetree.project.entities import Entities
from wavetree.survey.event import Event, EventCollection
from wavetree.survey.receiver.receiver import PointReceiver
from wavetree.survey.source.source import PointSource

__all__ = ["EventSelection", "Events", "check_positions"]

EventSelection = str | Event | EventCollection | Iterable[str | Event] | None

# Inside `Events` the name list is that of a method.
Names = list[str]
EventList = list[Event]


class Events:
    """The events of a project in the order in which they were added; ``p.events``.

    Parameters
    ----------
    entities
        The project's entities.
    """

    def __init__(self, entities: Entities) -> None:
        self._entities = entities

    def list(self) -> Names:
        """Return the names of all events."""
        return self._entities.list("event")

    def get(self, event_name: str) -> Event:
        """Return an event; unknown names raise ValueError with the nearest one."""
        event: Event = self._entities.get("event", event_name)
        return event

    def get_all(self) -> EventList:
        """Return all events in the order of `list`."""
        return [self.get(name) for name in self.list()]

    def delete(self, event_name: str) -> None:
        """Delete an event, not what was computed for it."""
        self._entities.delete("event", event_name)

    def select(self, events: EventSelection) -> EventList:
        """Return the events that an argument ``events=`` means.

        Parameters
        ----------
        events
            A name, an event, a list of either, a collection, or None for all.

        Returns
        -------
        list of Event
            Each once, in the order given.

        Raises
        ------
        ValueError
            If a name is unknown, there are no events, or what is given are no events.
        ConflictError
            If an event is given whose namesake in the project has other content.
        """
        chosen = [self._selected(item) for item in self._items(events)]
        if not chosen:
            raise ValueError("events is empty; expected at least one: add events to the project first.")
        return list({event.event_name: event for event in chosen}.values())

    def _items(self, events: EventSelection) -> Iterable[Any]:
        if events is None:
            return self.list()
        if isinstance(events, (str, Event)):
            return [events]
        if isinstance(events, Iterable):
            return events
        raise ValueError(f"events is {events!r}; expected a name, an Event, a list of either, or None.")

    def _selected(self, item: Any) -> Event:
        if not isinstance(item, (str, Event)):
            raise ValueError(f"events holds {item!r}; expected names or Events.")
        event = self.get(item if isinstance(item, str) else str(item.event_name))
        if isinstance(item, Event) and event.digest() != item.digest():
            raise ConflictError(
                f"event {event.event_name!r} is in the project with other content than the one given; "
                "pass its name, or add it with p.add_to_project(event, overwrite=True)."
            )
        return event


def check_positions(event: Event, domain: BoxDomain) -> None:
    """Raise ValueError if a source or receiver lies outside the domain.

    Those on side sets are placed, and checked, once there is a mesh.
    """
    if event.dim != domain.dim:
        raise ValueError(
            f"event {event.event_name!r} has {event.dim} dimensions, the domain {domain.dim}; give "
            "sources and receivers of the domain's."
        )
    places: dict[str, Sequence[Any]] = {"source": event.sources, "receiver": event.points}
    for kind, points in places.items():
        for index, point in enumerate(points):
            if not isinstance(point, (PointSource, PointReceiver)):
                continue
            position = point.location
            beyond = [max(lo - x, x - hi, 0.0) for x, (lo, hi) in zip(position, domain.bounds, strict=True)]
            distance = sum(b * b for b in beyond) ** 0.5
            if distance > 0.0:
                where = ", ".join(f"{x:g}" for x in position)
                extent = ", ".join(
                    f"{axis} {lo:g} to {hi:g}" for axis, (lo, hi) in zip("xyz", domain.bounds, strict=False)
                )
                raise ValueError(
                    f"{kind} {index} of event {event.event_name!r} at ({where}) m lies {distance:g} m "
                    f"outside the domain, {extent} m; move it inside."
                )
