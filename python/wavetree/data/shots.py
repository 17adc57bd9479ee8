"""Records of shots from SEG-Y files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from wavetree.data.event_data import EventData
from wavetree.errors import unknown_name
from wavetree.segy import SegyFile, read_segy_file
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.fields import FIELDS
from wavetree.survey.source.cartesian import ScalarPoint2D, ScalarPoint3D

__all__ = ["read_shots"]

_log = logging.getLogger("wavetree")

_FOOT = 0.3048
_UNUSED = range(2, 9)  # kinds of traces: dead and dummy ones, time breaks, sweeps
_ANGLE = 360.0


def read_shots(
    path: str | Path,
    receiver_field: str,
    dim: int = 2,
    network_code: str = "XX",
    sampling_interval_in_seconds: float | None = None,
) -> list[EventData]:
    """Read the shots of a SEG-Y file, each as the data of an event.

    Parameters
    ----------
    path
        The file.
    receiver_field
        What was recorded: a scalar field, for example "pressure" of marine streamers. Values stay as they are
        stored, as do their signs.
    dim
        Number of space dimensions: 3, or 2 if all sources and receivers have one y, which is then left out.
    network_code
        Network code of all receivers.
    sampling_interval_in_seconds
        Sampling interval [s], for files whose headers contradict each other or say nothing.

    Returns
    -------
    list of EventData
        One for every field record, in the file's order, named shot_0003 after its number. Receivers are named
        after their channels. The source is a scalar one of amplitude 1: ``Event(data.sources,
        receivers=data.receivers, event_name=data.event_name)`` is the event.

    Raises
    ------
    ValueError
        If the file is no such file, the field is unknown or not a scalar, coordinates are angles, the
        sampling is not known, sources or recording times differ within a shot, a channel occurs twice, or
        sources and receivers of a 2-D line differ in y.

    Notes
    -----
    Coordinates are those of the headers with their scalars, in metres. The last one points up: of receivers
    the elevation, of sources that of the surface less the depth of the source. Time 0 is the shot; the first
    sample comes after the recording delay. Dead traces and those that hold no records are left out.
    """
    if dim not in (2, 3):
        raise ValueError(f"dim is {dim}; expected 2 or 3.")
    if receiver_field not in FIELDS:
        raise unknown_name("receiver_field", receiver_field, FIELDS)
    if len(FIELDS[receiver_field].components(dim)) != 1:
        raise ValueError(
            f"receiver_field is {receiver_field!r}, which has components, of which a trace is one; expected "
            "a scalar field."
        )
    file = read_segy_file(path)
    rate = 1.0 / _interval(file, sampling_interval_in_seconds)
    sources, receivers = _places(file, dim)
    kinds, shots = file.headers["kind"], []
    unused = np.isin(kinds, _UNUSED)
    if unused.any():
        _log.warning("%s: %d traces are dead or hold no records; left out.", file.path.name, unused.sum())
    for record in dict.fromkeys(file.headers["record"][~unused].tolist()):
        rows = np.flatnonzero((file.headers["record"] == record) & ~unused)
        start = _start(file, rows, record, sources)
        placed = _receivers(file, rows, receivers[rows], (receiver_field, network_code))
        kind: Any = ScalarPoint2D if dim == 2 else ScalarPoint3D
        source = kind(**dict(zip("xyz", sources[rows[0]].tolist(), strict=False)), f=1.0)
        values = {receiver_field: file.samples[rows, None]}
        shots.append(EventData(f"shot_{record:04d}", placed, values, start, rate, [source]))
    return shots


def _interval(file: SegyFile, given: float | None) -> float:
    """The sampling interval [s]."""
    if given is not None:
        if not given > 0.0:
            raise ValueError(f"sampling_interval_in_seconds is {given}; expected a positive number.")
        return given
    if len(file.intervals) != 1:
        said = " and ".join(map(str, file.intervals)) or "none"
        raise ValueError(
            f"file {str(file.path)!r}: its headers name the sampling intervals {said} µs; expected one: "
            "give sampling_interval_in_seconds."
        )
    return 1e-6 * file.intervals[0]


def _places(file: SegyFile, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of source and receiver of every trace (n_traces, dim) [m]."""
    scaled = {
        name: file.scaled(name, f"{kind}_scalar")
        for kind, names in {
            "coordinate": ("source_x", "source_y", "receiver_x", "receiver_y"),
            "elevation": ("source_elevation", "source_depth", "receiver_elevation"),
        }.items()
        for name in names
    }
    across = np.concatenate([scaled["source_y"], scaled["receiver_y"]])
    along = np.concatenate([scaled["source_x"], scaled["receiver_x"]])
    _refuse_angles(file, np.abs([along, across]).max())
    if dim == 2 and np.ptp(across) > 0.0:
        raise ValueError(
            f"file {str(file.path)!r}: sources and receivers stand at y from {across.min():g} to "
            f"{across.max():g}; expected one y of a 2-D line: give dim=3, or turn the coordinates first."
        )
    source = (scaled["source_x"], scaled["source_y"], scaled["source_elevation"] - scaled["source_depth"])
    receiver = (scaled["receiver_x"], scaled["receiver_y"], scaled["receiver_elevation"])
    unit, axes = (_FOOT if file.in_feet else 1.0), (0, 2) if dim == 2 else (0, 1, 2)
    sources, receivers = (unit * np.stack([of[a] for a in axes], axis=1) for of in (source, receiver))
    return sources, receivers


def _refuse_angles(file: SegyFile, largest: float) -> None:
    """Coordinates that are said to be degrees are lengths, with a warning, if no degrees are as large."""
    units = {2: "seconds of arc", 3: "decimal degrees", 4: "degrees, minutes and seconds"}
    claims = [int(unit) for unit in np.unique(file.headers["coordinate_unit"]) if int(unit) in units]
    if claims == [3] and largest > _ANGLE:
        _log.warning(
            "%s: coordinates are said to be decimal degrees and reach %g; taken as lengths.",
            file.path.name, largest,
        )  # fmt: skip
    elif claims:
        raise ValueError(
            f"file {str(file.path)!r}: coordinates are {units[claims[0]]} (unit {claims[0]} in the traces' "
            "headers); expected lengths: project them onto a plane first."
        )


def _start(file: SegyFile, rows: np.ndarray, record: int, sources: np.ndarray) -> float:
    """Time of the first sample [s] of a shot's traces, whose times and source must be the same."""
    delays = 1e-3 * file.scaled("delay", "time_scalar")[rows]
    for what, values in (("source's position", sources[rows]), ("recording delay", delays)):
        other = np.flatnonzero((values != values[0]).reshape(len(rows), -1).any(axis=1))
        if len(other):
            raise ValueError(
                f"file {str(file.path)!r}: field record {record} has one {what} of {values[0]} in its first "
                f"trace and another of {values[other[0]]} in trace {other[0]}; expected one for a shot."
            )
    return float(delays[0])


def _receivers(
    file: SegyFile, rows: np.ndarray, places: np.ndarray, what: tuple[str, str]
) -> list[Point2D | Point3D]:
    channels, counts = np.unique(file.headers["channel"][rows], return_counts=True)
    if (counts > 1).any():
        record, twice = file.headers["record"][rows[0]], channels[counts.argmax()]
        raise ValueError(
            f"file {str(file.path)!r}: field record {record} has channel {twice} {counts.max()} times; "
            "expected each once: split the record first."
        )
    (field, network), kind = what, Point2D if places.shape[1] == 2 else Point3D
    make: Any = kind
    return [
        make(
            **dict(zip("xyz", place, strict=False)),
            network_code=network,
            station_code=f"{channel:04d}",
            fields=(field,),
        )
        for place, channel in zip(places.tolist(), file.headers["channel"][rows].tolist(), strict=True)
    ]
