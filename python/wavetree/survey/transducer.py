"""Transducers of finite size as weighted and delayed points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.polynomial.legendre import leggauss
from pydantic import BeforeValidator, model_validator

from wavetree.config import Configuration, configuration
from wavetree.survey.delay import Delayed
from wavetree.survey.placement import SideSetMesh, listed
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.receiver import Code, Fields, PointReceiver, Receiver
from wavetree.survey.source.source import PointSource
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["Transducer", "TransducerReceiver", "joined", "linear_array"]

Numbers = Annotated[tuple[float, ...], BeforeValidator(listed)]
Points = Annotated[tuple[tuple[float, ...], ...], BeforeValidator(listed)]
S = TypeVar("S", bound=PointSource)
R = TypeVar("R", bound=PointReceiver)


@configuration
class Transducer(Configuration):
    """An element of finite size: points on its face with weights and delays.

    `line`, `arc` and `disc` make elements; `linear_array` makes several, and `joined` one of several.

    Parameters
    ----------
    name
        Name, the station code of its receivers.
    points
        Points (n, dim) [m].
    weights
        Share of each point (n,); of a single element their sum is 1, so that a source has the amplitude that
        is given and a receiver records the mean over its face.
    delays
        By how much each point's signal is late (n,) [s], in emission and reception; no negative ones.

    Raises
    ------
    ValueError
        If the numbers of points, weights and delays differ, there are none, or a delay is negative.

    Notes
    -----
    In emission point k has the source time function w_k s(t − τ_k). In reception the record is
    Σ_k w_k u_k(t − τ_k); see `wavetree.data.transducer_records`.
    """

    name: str
    _: KW_ONLY
    points: Points
    weights: Numbers
    delays: Numbers

    @model_validator(mode="after")
    def _check(self) -> Transducer:
        counts = (len(self.points), len(self.weights), len(self.delays))
        if len(set(counts)) > 1 or not counts[0]:
            raise ValueError(
                f"there are {counts[0]} points, {counts[1]} weights and {counts[2]} delays; expected as many "
                "of each, at least one"
            )
        if {len(point) for point in self.points} not in ({2}, {3}):
            raise ValueError(
                f"points begin with {self.points[:2]}; expected two or three coordinates of each"
            )
        if min(self.delays) < 0.0:
            raise ValueError(f"delays are as small as {min(self.delays):g} s; expected none below 0")
        return self

    # -- shapes --------------------------------------------------------------------------------

    @classmethod
    def line(cls, name: str, start: Sequence[float], end: Sequence[float], count: int) -> Transducer:
        """Return a straight element in two or three dimensions.

        Parameters
        ----------
        name
            Name.
        start, end
            Its ends (dim,) [m].
        count
            Number of points: about 2 for each shortest wavelength, and 2 more.

        Raises
        ------
        ValueError
            If the ends differ in dimension or there are no points.

        Notes
        -----
        Points and weights of Gauss: the mean over the element is exact for polynomials up to 2 count − 1.
        """
        first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
        if first.shape != last.shape:
            raise ValueError(f"start is {start} and end {end}; expected as many coordinates of each.")
        along, weights = _gauss(count)
        return cls._plain(name, first + along[:, None] * (last - first), weights)

    @classmethod
    def arc(
        cls, name: str, center: Sequence[float], radius: float, angles: tuple[float, float], count: int
    ) -> Transducer:
        """Return an arc in two dimensions.

        Parameters
        ----------
        name
            Name.
        center, radius
            Centre (2,) and radius of the circle [m].
        angles
            First and last angle from +x, counter-clockwise [rad].
        count
            Number of points; see `line`.

        Raises
        ------
        ValueError
            If there are no points or the radius is not positive.
        """
        _refuse_radius(radius)
        along, weights = _gauss(count)
        angle = angles[0] + along * (angles[1] - angles[0])
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return cls._plain(name, np.asarray(center) + radius * circle, weights)

    @classmethod
    def disc(
        cls, name: str, center: Sequence[float], normal: Sequence[float], radius: float, count: int
    ) -> Transducer:
        """Return a flat disc in three dimensions.

        Parameters
        ----------
        name
            Name.
        center, normal
            Centre [m] and direction of the axis (3,), of any length.
        radius
            Radius [m].
        count
            Number of rings; each has 4 count + 1 points.

        Raises
        ------
        ValueError
            If there are no rings, the radius is not positive, or the normal has no length.

        Notes
        -----
        Points of Gauss in r², evenly spaced in angle: the mean over the disc is exact for polynomials of x, y
        and z up to order 4 count − 1.
        """
        _refuse_radius(radius)
        axis = np.asarray(normal, dtype=np.float64)
        if axis.shape != (3,) or not axis.any():
            raise ValueError(f"normal is {normal}; expected three components that are not all zero.")
        along, weights = _gauss(count)
        angle = 2.0 * np.pi * np.arange(4 * count + 1) / (4 * count + 1)
        # The rows of V beyond the first span the plane across the axis.
        across = np.linalg.svd(axis[None] / np.linalg.norm(axis))[2][1:]
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ across
        points = np.asarray(center) + (radius * np.sqrt(along))[:, None, None] * circle
        share = np.repeat(weights / len(angle), len(angle))
        return cls._plain(name, points.reshape(-1, 3), share)

    @classmethod
    def _plain(cls, name: str, points: np.ndarray, weights: np.ndarray) -> Transducer:
        return cls(
            name,
            points=tuple(map(tuple, points.tolist())),
            weights=tuple(weights.tolist()),
            delays=(0.0,) * len(weights),
        )

    # -- delays --------------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self.points[0])

    @property
    def center(self) -> tuple[float, ...]:
        """Weighted mean of the points (dim,) [m]."""
        weights = np.array(self.weights)
        return tuple((weights @ np.array(self.points) / weights.sum()).tolist())

    def delayed(self, seconds: float) -> Transducer:
        """Return the transducer with all its points later by some seconds."""
        return replace(self, delays=tuple(delay + seconds for delay in self.delays))

    def steered(self, direction: Sequence[float], velocity: float) -> Transducer:
        """Return the transducer with delays that send a plane wave, or receive one, along a direction.

        Parameters
        ----------
        direction
            Where the emitted wave goes (dim,), of any length.
        velocity
            Velocity of waves in front of it [m/s].

        Notes
        -----
        τ_k = x_k·d/c, shifted so that the smallest is 0; earlier delays are replaced.
        """
        unit = np.asarray(direction, dtype=np.float64)
        if unit.shape != (self.dim,) or not unit.any():
            raise ValueError(f"direction is {direction}; expected {self.dim} components, not all zero.")
        return self._with_delays(np.array(self.points) @ (unit / np.linalg.norm(unit)), velocity)

    def focused(self, point: Sequence[float], velocity: float) -> Transducer:
        """Return the transducer with delays that let all its waves arrive at a point at the same time.

        Parameters
        ----------
        point
            The focus (dim,) [m].
        velocity
            Velocity of waves on the way [m/s].

        Notes
        -----
        τ_k = −|x_k − p|/c, shifted so that the smallest is 0; earlier delays are replaced.
        """
        focus = np.asarray(point, dtype=np.float64)
        if focus.shape != (self.dim,):
            raise ValueError(f"point is {point}; expected {self.dim} coordinates.")
        return self._with_delays(-np.linalg.norm(np.array(self.points) - focus, axis=1), velocity)

    def _with_delays(self, paths: np.ndarray, velocity: float) -> Transducer:
        if not velocity > 0.0:
            raise ValueError(f"velocity is {velocity}; expected a positive number [m/s].")
        return replace(self, delays=tuple(((paths - paths.min()) / velocity).tolist()))

    # -- points --------------------------------------------------------------------------------

    def sources(self, kind: type[S], wavelet: SourceTimeFunction, **amplitudes: float) -> list[S]:
        """Return its points as sources that fire together.

        Parameters
        ----------
        kind
            Class of the sources, for example ``ScalarPoint2D``.
        wavelet
            Source time function s(t); point k has s(t − τ_k).
        **amplitudes
            Amplitudes of the whole element, for example ``f=1.0`` or ``fx=0.0, fy=1.0``.

        Raises
        ------
        ValueError
            If the sources have another number of dimensions or other amplitudes.
        """
        self._check_kind(kind)
        make: Any = kind  # what the classes of a kind take is theirs
        return [
            make(
                **dict(zip("xyz", point, strict=False)),
                **{key: weight * amplitude for key, amplitude in amplitudes.items()},
                source_time_function=Delayed(wavelet, delay_in_seconds=delay) if delay else wavelet,
            )
            for point, weight, delay in zip(self.points, self.weights, self.delays, strict=True)
        ]

    def receivers(self, kind: type[R], fields: Sequence[str], network_code: str = "XX") -> list[R]:
        """Return its points as receivers, named after the transducer, with their numbers as location codes.

        Parameters
        ----------
        kind
            Class of the receivers, ``Point2D`` or ``Point3D``.
        fields
            What they record.
        network_code
            Network code.

        Raises
        ------
        ValueError
            If the receivers have another number of dimensions.
        """
        self._check_kind(kind)
        make: Any = kind
        return [
            make(
                **dict(zip("xyz", point, strict=False)),
                network_code=network_code,
                station_code=self.name,
                location_code=f"{k:04d}",
                fields=fields,
            )
            for k, point in enumerate(self.points)
        ]

    def receiver(self, fields: Sequence[str], network_code: str = "XX") -> TransducerReceiver:
        """Return it as one receiver of an event of a project, whose record is that of the whole element.

        Parameters
        ----------
        fields
            What it records.
        network_code
            Network code.

        Raises
        ------
        ValueError
            If a field is unknown, or the transducer's name cannot be a station code.
        """
        return TransducerReceiver(self, network_code=network_code, fields=tuple(fields))

    def _check_kind(self, kind: type[PointSource] | type[PointReceiver]) -> None:
        if kind.dim != self.dim:
            raise ValueError(
                f"transducer {self.name!r} has {self.dim} dimensions and a {kind.__name__} {kind.dim}; "
                "expected as many."
            )


@configuration
class TransducerReceiver(Receiver):
    """A transducer that records, as a receiver of an event.

    Simulations record at its points; a project's tasks make one record of these, and take the adjoint source
    of the record back to the points.

    Parameters
    ----------
    transducer
        The transducer; its name is the station code.
    network_code
        Network code.
    fields
        What it records; see `wavetree.survey.receiver.fields`.

    Raises
    ------
    ValueError
        If a field is unknown, or a code holds a dot, slash or blank.

    Notes
    -----
    The record is Σ_k w_k u_k(t − τ_k); see `wavetree.data.transducer_records`.
    """

    transducer: Transducer
    _: KW_ONLY
    network_code: Code = "XX"
    fields: Fields

    @model_validator(mode="after")
    def _check(self) -> TransducerReceiver:
        self.points()  # a name that cannot be a station code is refused now
        return self

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of space dimensions."""
        return self.transducer.dim

    @property
    def station_code(self) -> str:  # type: ignore[override]
        """Name of the transducer."""
        return self.transducer.name

    @property
    def location_code(self) -> str:  # type: ignore[override]
        """Empty: its points have location codes."""
        return ""

    @property
    def location(self) -> tuple[float, ...]:
        """The transducer's middle (dim,) [m], which stands for it in figures and files."""
        return self.transducer.center

    def points(self) -> tuple[Receiver, ...]:
        """Return the points that a simulation records at."""
        kind: Any = Point2D if self.dim == 2 else Point3D
        return tuple(self.transducer.receivers(kind, self.fields, self.network_code))

    def resolve(self, mesh: SideSetMesh) -> PointReceiver:
        """Refuse to be one point: raise ValueError."""
        raise ValueError(
            f"receiver {self.name!r} is a transducer of {len(self.transducer.points)} points; expected "
            "receivers at one place each: give a simulation its points() and make one record of theirs with "
            "wavetree.data.transducer_records, or let a project do so."
        )


def joined(name: str, transducers: Iterable[Transducer]) -> Transducer:
    """Return several transducers as one, each with its weights and delays.

    Parameters
    ----------
    name
        Name of the whole.
    transducers
        Its parts, for example elements that fire together, each `Transducer.delayed` by its own time.

    Raises
    ------
    ValueError
        If there are none, or they differ in dimension.
    """
    parts = list(transducers)
    return Transducer(
        name,
        points=tuple(point for part in parts for point in part.points),
        weights=tuple(weight for part in parts for weight in part.weights),
        delays=tuple(delay for part in parts for delay in part.delays),
    )


def linear_array(
    name: str, centers: tuple[Sequence[float], Sequence[float]], n_elements: int, width: float, count: int = 1
) -> list[Transducer]:
    """Return the elements of a linear array: straight ones, evenly spaced on a line.

    Parameters
    ----------
    name
        Name of the array; its elements are called name0000 and so on.
    centers
        Middles of the first and of the last element (dim,) [m].
    n_elements
        Number of elements, at least 2.
    width
        Width of an element along the array [m].
    count
        Points of each element; see `Transducer.line`.

    Raises
    ------
    ValueError
        If there are too few elements, or the first and last stand at the same place.
    """
    first, last = (np.asarray(center, dtype=np.float64) for center in centers)
    length = np.linalg.norm(last - first)
    if n_elements < 2 or not length:
        raise ValueError(
            f"n_elements is {n_elements} and centers are {centers}; expected at least 2 elements between two "
            "places."
        )
    middles = np.linspace(first, last, n_elements)
    half = 0.5 * width * (last - first) / length
    return [
        Transducer.line(f"{name}{k:04d}", middle - half, middle + half, count)
        for k, middle in enumerate(middles)
    ]


def _gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on [0, 1] and weights of sum 1."""
    if count < 1:
        raise ValueError(f"count is {count}; expected at least 1.")
    points, weights = leggauss(count)
    return 0.5 * (points + 1.0), 0.5 * weights


def _refuse_radius(radius: float) -> None:
    if not radius > 0.0:
        raise ValueError(f"radius is {radius}; expected a positive number [m].")
