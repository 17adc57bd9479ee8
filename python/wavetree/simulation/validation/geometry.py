"""Where the sources and receivers of events stand, and what does not fit there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree.mesh import Mesh
from wavetree.simulation.medium import fluid_elements
from wavetree.simulation.placement import check_receivers, source_media
from wavetree.survey.event import Event
from wavetree.survey.receiver.receiver import PointReceiver, Receiver, SideSetReceiver
from wavetree.survey.source.source import PointSource, SideSetSource, Source

__all__ = ["GeometryReport", "PlacedPoint", "check_geometry"]

_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class PlacedPoint:
    """A source or receiver at the place that it has on a mesh.

    Attributes
    ----------
    event
        Name of the event.
    kind
        "source" or "receiver".
    name
        Number of the source, or name of the receiver.
    location
        Position [m]; where it was given if it misses its side set.
    medium
        "fluid" or "solid", that of the element in which it was found; None outside the mesh.
    problem
        Why it cannot be simulated; empty if it can.
    """

    event: str
    kind: str
    name: str
    location: tuple[float, ...]
    medium: str | None
    problem: str


@dataclass(frozen=True)
class GeometryReport:
    """Where all sources and receivers of events stand.

    Attributes
    ----------
    name
        What the mesh belongs to.
    mesh
        The mesh with its medium.
    events
        The events.
    points
        Their sources and receivers, event by event.
    """

    name: str
    mesh: Mesh
    events: tuple[Event, ...]
    points: tuple[PlacedPoint, ...]

    @property
    def problems(self) -> list[PlacedPoint]:
        """What cannot be simulated."""
        return [point for point in self.points if point.problem]

    @property
    def passed(self) -> bool:
        """Whether all of it can be simulated."""
        return not self.problems

    def count(self, kind: str, medium: str | None) -> int:
        """Return how many points of a kind lie in a medium, or outside the mesh (None)."""
        return sum(point.kind == kind and point.medium == medium for point in self.points)

    def __str__(self) -> str:
        verdict = "ok" if self.passed else _counted(len(self.problems), "PROBLEM")
        fluid = fluid_elements(self.mesh)
        extent = ", ".join(
            f"{axis} {lo:g} to {hi:g} m" for axis, (lo, hi) in zip("xyz", self.mesh.bounds, strict=False)
        )
        lines = [
            f"Geometry of {self.name!r} with {_counted(len(self.events), 'event')}: {verdict}",
            f"    {extent}; {int(fluid.sum())} fluid and {int((~fluid).sum())} solid elements",
        ]
        for kind in ("source", "receiver"):
            counts = [self.count(kind, medium) for medium in ("fluid", "solid", None)]
            where = f"{counts[0]} in fluid, {counts[1]} in solid, {counts[2]} outside"
            lines.append(f"    {_counted(sum(counts), kind)}: {where}")
        shown = self.problems[:_MOST_PROBLEMS]
        lines += [f"    {point.event}, {point.kind} {point.name}: {point.problem}" for point in shown]
        if len(self.problems) > len(shown):
            lines.append(f"    and {len(self.problems) - len(shown)} more")
        return "\n".join(lines)

    def plot(self) -> Any:
        """Draw fluid and solid with all sources and receivers, problems marked, and return the figure."""
        from wavetree.viz.validation import plot_geometry

        return plot_geometry(self)


def check_geometry(mesh: Mesh, events: Iterable[Event], name: str = "mesh") -> GeometryReport:
    """Return where the sources and receivers of events stand; nothing is raised for what does not fit.

    Parameters
    ----------
    mesh
        The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
    events
        The events.
    name
        What the mesh belongs to.
    """
    events = tuple(events)
    given: list[tuple[str, str, str, Any]] = []
    for event in events:
        own = str(event.event_name)
        given += [(own, "source", str(k), source) for k, source in enumerate(event.sources)]
        given += [(own, "receiver", receiver.name, receiver) for receiver in event.points]
    placed = [_placed(mesh, point) for *_, point in given]
    media = _media(mesh, [location for _, location, _ in placed])
    points = []
    for (event_name, kind, label, _), (point, location, problem), medium in zip(
        given, placed, media, strict=True
    ):
        found = problem or _problem(mesh, point, medium)
        points.append(PlacedPoint(event_name, kind, label, location, medium, found))
    return GeometryReport(name, mesh, events, tuple(points))


def _counted(number: int, what: str) -> str:
    plural = "S" if what.isupper() else "s"
    return f"{number} {what}{plural if number != 1 else ''}"


def _placed(mesh: Mesh, point: Source | Receiver) -> tuple[Any, tuple[float, ...], str]:
    """The point at its place, the place, and why there is none."""
    try:
        resolved = point.resolve(mesh)
    except ValueError as error:
        assert isinstance(point, (SideSetSource, SideSetReceiver))
        return point, point.point, str(error)
    return resolved, resolved.location, ""


def _media(mesh: Mesh, places: Sequence[tuple[float, ...]]) -> list[str | None]:
    """Medium of the element in which every place lies, None outside the mesh."""
    positions = np.array(places, dtype=np.float64).reshape(-1, mesh.dim)
    elements = np.full(len(positions), -1)
    _locate(mesh, positions, np.arange(len(positions)), elements)
    fluid = fluid_elements(mesh)
    return [None if e < 0 else ("fluid" if fluid[e] else "solid") for e in elements]


def _locate(mesh: Mesh, positions: np.ndarray, rows: np.ndarray, elements: np.ndarray) -> None:
    """Write the elements of positions that lie in the mesh: a search for many, or halves of them."""
    if not len(rows):
        return
    try:
        elements[rows] = mesh.locate(positions[rows])[0]
    except ValueError:
        if len(rows) > 1:
            _locate(mesh, positions, rows[: len(rows) // 2], elements)
            _locate(mesh, positions, rows[len(rows) // 2 :], elements)


def _problem(mesh: Mesh, point: Any, medium: str | None) -> str:
    """Why a point with a place cannot be simulated there, empty if it can."""
    try:
        if medium is not None:
            point.check_medium(medium)
            return ""
        mesh.locate([point.location])
    except ValueError:
        # On an interface it may belong to the other side.
        try:
            if isinstance(point, PointSource):
                source_media(mesh, [point])
            elif isinstance(point, PointReceiver):
                check_receivers(mesh, [point])
        except ValueError as error:
            return str(error)
    return ""
