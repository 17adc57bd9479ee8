"""Point receivers."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated

from pydantic import AfterValidator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name

__all__ = ["FIELDS", "Fields", "Point2D"]

FIELDS = ("phi",)
"""Fields that a receiver can record."""


def _known_fields(fields: tuple[str, ...]) -> tuple[str, ...]:
    if not fields:
        raise ValueError(f"fields=() is empty; name what to record, for example [{FIELDS[0]!r}]")
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


@configuration
class Point2D(Configuration):
    """Receiver at a point of a two-dimensional domain.

    Parameters
    ----------
    x, y
        Position [m].
    network_code, station_code, location_code
        Parts of the receiver's name.
    fields
        What it records; ``"phi"``, the acoustic potential.

    Raises
    ------
    ValueError
        If a field is unknown, named twice or none is named, or a code holds a dot, slash or blank.
    """

    x: float
    _: KW_ONLY
    y: float
    network_code: Code = "XX"
    station_code: Code
    location_code: Code = ""
    fields: Fields

    @property
    def location(self) -> tuple[float, float]:
        """Position (x, y) [m]."""
        return (self.x, self.y)

    @property
    def name(self) -> str:
        """Name, unique within an event: network, station and location code joined by dots."""
        return f"{self.network_code}.{self.station_code}.{self.location_code}"
