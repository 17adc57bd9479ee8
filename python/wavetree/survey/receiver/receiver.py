"""What all receivers have in common."""

from __future__ import annotations

import functools
import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from wavetree.config import Configuration, load
from wavetree.errors import unknown_name
from wavetree.survey.placement import SideSetMesh, checked_medium, coordinates, move_onto_side_set
from wavetree.survey.receiver.fields import FIELDS

__all__ = ["Code", "Fields", "PointReceiver", "Receiver", "SideSetReceiver", "load_receiver"]


def _known_fields(fields: tuple[str, ...]) -> tuple[str, ...]:
    if not fields:
        raise ValueError(f"fields=() is empty; name what to record, for example [{next(iter(FIELDS))!r}]")
    for field in fields:
        if field not in FIELDS:
            raise unknown_name("receiver field", field, FIELDS)
    if len(set(fields)) < len(fields):
        raise ValueError(f"fields={fields} names a field twice; name each once")
    return fields


def _code(code: str) -> str:
    if any(c in "./\\" or c.isspace() for c in code):
        raise ValueError(
            f"code {code!r} has a dot, slash or blank, which names of receivers are split by; drop it"
        )
    return code


Fields = Annotated[tuple[str, ...], AfterValidator(_known_fields)]
Code = Annotated[str, AfterValidator(_code)]


class Receiver(Configuration):
    """Records fields at one place.

    Attributes
    ----------
    dim
        Number of space dimensions.
    network_code, station_code, location_code
        Parts of its name.
    fields
        What it records, names of `wavetree.survey.receiver.fields.FIELDS`.
    """

    dim: ClassVar[int]
    network_code: str
    station_code: str
    location_code: str
    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name, unique within an event: network, station and location code joined by dots."""
        return f"{self.network_code}.{self.station_code}.{self.location_code}"

    def points(self) -> tuple[Receiver, ...]:
        """Return the receivers that a simulation has for this one: itself, or the points of a transducer."""
        return (self,)

    @abstractmethod
    def resolve(self, mesh: SideSetMesh) -> PointReceiver:
        """Return the same receiver at the place that it has on a mesh.

        Raises
        ------
        ValueError
            If it stands on a side set that is unknown or missed.
        """

    def check_medium(self, medium: str) -> None:
        """Refuse a medium that does not have the fields that are recorded.

        Parameters
        ----------
        medium
            "fluid" or "solid".

        Raises
        ------
        ValueError
            If a field is one of the other medium.
        """
        known = [name for name, field in FIELDS.items() if field.medium == checked_medium(medium)]
        for name in self.fields:
            if name not in known:
                raise ValueError(
                    f"receiver {self.name!r} records {name!r} but lies in a {medium}, which has no such "
                    f"field; expected some of {known}, or another place."
                )


class PointReceiver(Receiver):
    """A receiver at a point that is known without a mesh."""

    @functools.cached_property  # asked for again in every run
    def location(self) -> tuple[float, ...]:
        """Position (x, y) or (x, y, z) [m]."""
        return tuple(coordinates(self).values())

    def resolve(self, mesh: SideSetMesh) -> PointReceiver:
        """Return the receiver itself."""
        return self


class SideSetReceiver(Receiver):
    """A receiver at a point that is moved onto a side set of the mesh."""

    plain: ClassVar[Any]
    point: tuple[float, ...]
    side_set_name: str

    def resolve(self, mesh: SideSetMesh) -> PointReceiver:
        """Return the plain receiver at the place that this one has on a mesh.

        Raises
        ------
        ValueError
            If the side set is unknown or the line through the point misses it.
        """
        try:
            place = move_onto_side_set(self, mesh)
        except ValueError as error:
            raise ValueError(f"receiver {self.name!r}: {error}") from error
        codes = {name: getattr(self, name) for name in ("network_code", "station_code", "location_code")}
        resolved: PointReceiver = self.plain(**place, **codes, fields=self.fields)
        return resolved


def load_receiver(document: Mapping[str, Any]) -> Any:
    """Rebuild a receiver that `to_dict` wrote; one that many events have is made once."""
    return _load(json.dumps(document))


@functools.lru_cache(maxsize=4096)
def _load(text: str) -> Any:
    return load(json.loads(text))
