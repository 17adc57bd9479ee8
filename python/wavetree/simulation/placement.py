"""Whether the medium at the places of sources and receivers has what they drive and record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree import _core
from wavetree.mesh import Mesh
from wavetree.simulation.medium import fluid_elements
from wavetree.survey.event import Event
from wavetree.survey.receiver.fields import FIELDS
from wavetree.survey.receiver.receiver import PointReceiver
from wavetree.survey.source.source import PointSource

__all__ = ["check_dimensions", "check_events", "check_receivers", "source_media"]

_MEDIA = ("fluid", "solid")


@dataclass(frozen=True)
class _Places:
    """What lies at positions (n, dim) [m] of a mesh; on an interface both fluid and solid do."""

    mesh: Mesh
    positions: np.ndarray

    def media(self) -> list[str]:
        """Return the medium of the element that every position was found in."""
        elements, _ = self.mesh.locate(self.positions)
        return [_MEDIA[0] if fluid else _MEDIA[1] for fluid in fluid_elements(self.mesh, elements)]

    def first_outside(self, medium: str, indices: Sequence[int]) -> int | None:
        """Return the first of some positions that no element of a medium touches, None if all are touched."""
        chosen = fluid_elements(self.mesh) == (medium == _MEDIA[0])
        if not indices:
            return None
        connectivity = np.ascontiguousarray(self.mesh.connectivity[chosen])
        if not len(connectivity):
            return indices[0]
        locator = _core.Locator(self.mesh.points, connectivity, self.mesh.shape_order)

        def touched(count: int) -> bool:
            try:
                locator.locate(self.positions[list(indices[:count])])
            except ValueError:
                return False
            return True

        if touched(len(indices)):
            return None
        # Many positions in one search cost about as much as one: find the first bad one by halving.
        low, high = 0, len(indices)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if touched(middle) else (low, middle)
        return indices[low]


def check_dimensions(mesh: Mesh, points: Iterable[PointSource | PointReceiver]) -> None:
    """Raise ValueError for a source or receiver that has not as many dimensions as the mesh."""
    for point in points:
        if point.dim != mesh.dim:
            raise ValueError(
                f"{type(point).__name__} at {point.location} has {point.dim} dimensions, the mesh "
                f"{mesh.dim}; expected as many."
            )


def source_media(mesh: Mesh, sources: Sequence[PointSource]) -> list[str]:
    """Return the medium that every source drives, "fluid" or "solid".

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    sources
        Sources with a place. One on an interface drives the medium that can have such a source.

    Raises
    ------
    ValueError
        If a source lies outside the mesh, or the medium at its place cannot have such a source.
    """
    places = _at(mesh, sources)
    media = places.media() if sources else []
    for index, source in enumerate(sources):
        try:
            source.check_medium(media[index])
        except ValueError:
            (other,) = set(_MEDIA) - {media[index]}
            if places.first_outside(other, [index]) is not None:
                raise
            source.check_medium(other)
            media[index] = other
    return media


def check_receivers(mesh: Mesh, receivers: Sequence[PointReceiver]) -> None:
    """Refuse fields that the medium at a receiver does not have.

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    receivers
        Receivers with a place. On an interface they may record the fields of both media.

    Raises
    ------
    ValueError
        If a receiver lies outside the mesh or records a field of a medium that is not there.
    """
    places = _at(mesh, receivers)
    media = places.media() if receivers else []
    asked = {fields: {FIELDS[name].medium for name in fields} for fields in {r.fields for r in receivers}}
    for medium in _MEDIA:
        elsewhere = [
            k for k, found in enumerate(media) if found != medium and medium in asked[receivers[k].fields]
        ]
        bad = places.first_outside(medium, elsewhere)
        if bad is not None:
            receivers[bad].check_medium(media[bad])


def check_events(mesh: Mesh, events: Iterable[Event]) -> None:
    """Refuse events that cannot be simulated on a mesh.

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    events
        The events.

    Raises
    ------
    ValueError
        For sources and receivers that lie outside the mesh, miss their side set, or do not fit to the medium
        at their places; the message names the event.
    """
    placed = [event.resolve(mesh) for event in events]
    # Events often share receivers, and one search for all is much faster than one for each.
    sources = [source for event in placed for source in event.sources]
    everywhere: list[Any] = [receiver for event in placed for receiver in event.receivers]
    receivers = {(receiver.location, receiver.fields): receiver for receiver in everywhere}
    try:
        _check(mesh, sources, list(receivers.values()))
    except ValueError:
        for event in placed:
            try:
                _check(mesh, event.sources, event.receivers)
            except ValueError as error:
                raise ValueError(f"event {event.event_name!r}: {error}") from error
        raise


def _check(mesh: Mesh, sources: Sequence[Any], receivers: Sequence[Any]) -> None:
    source_media(mesh, sources)
    check_receivers(mesh, receivers)


def _at(mesh: Mesh, points: Sequence[PointSource] | Sequence[PointReceiver]) -> _Places:
    return _Places(mesh, np.array([point.location for point in points]).reshape(-1, mesh.dim))
