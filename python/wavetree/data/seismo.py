"""Records in the formats of seismology: ObsPy streams and ASDF files."""

from __future__ import annotations

import importlib
import os
import re
import uuid
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wavetree.survey.receiver.fields import FIELDS

if TYPE_CHECKING:
    import obspy

    from wavetree.data.event_data import EventData

__all__ = ["to_stream", "write_asdf"]


def to_stream(data: EventData) -> obspy.Stream:
    """Return a trace per receiver, field and component.

    Parameters
    ----------
    data
        The records of an event.

    Returns
    -------
    obspy.Stream
        Traces with the receiver's codes and the component as channel, receiver by receiver. Each has
        ``stats.wavetree`` with event_name, field and unit, and location [m] if it is known.

    Raises
    ------
    ImportError
        If ObsPy is not installed.

    Notes
    -----
    Time 0 of a simulation is 1970-01-01T00:00:00; ObsPy keeps times to a nanosecond. The time axis is that of
    `EventData.get_data_cube`.
    """
    obspy = _required("obspy", "to_obspy")
    traces: dict[str, list[Any]] = {name: [] for name in data.receiver_names}
    receivers = dict(zip(data.receiver_names, data.receivers, strict=True))
    for field in data.receiver_fields:
        times, values = data.get_data_cube(field)
        for name, record in zip(data.get_receiver_names(field), values, strict=True):
            receiver = receivers[name]
            about = {"event_name": data.event_name, "field": field, "unit": FIELDS[field].unit}
            place = {"location": receiver.location} if hasattr(receiver, "location") else {}
            for component, samples in zip(data.components(field), record, strict=True):
                header = {
                    "network": receiver.network_code,
                    "station": receiver.station_code,
                    "location": receiver.location_code,
                    "channel": component,
                    "starttime": obspy.UTCDateTime(float(times[0])),
                    "sampling_rate": data.shown_axis.sampling_rate_in_hertz,
                    "wavetree": {**about, **place},
                }
                traces[name].append(obspy.Trace(samples.copy(), header))
    return obspy.Stream([trace for of_receiver in traces.values() for trace in of_receiver])


def write_asdf(data: EventData, filename: str | Path) -> None:
    """Write records to an ASDF file, with the field as tag ("gradient-of-phi" as "gradient_of_phi").

    Parameters
    ----------
    data
        The records of an event; see `to_stream` for codes and times.
    filename
        File to write; it appears complete or not at all.

    Raises
    ------
    ImportError
        If ObsPy or pyasdf is not installed.
    ValueError
        If the file exists, or the folder it goes into does not.
    """
    pyasdf = _required("pyasdf", "to_asdf")
    path = Path(filename)
    if path.exists():
        raise ValueError(f"filename={str(path)!r} exists; give another name or delete it")
    if not path.parent.is_dir():
        raise ValueError(f"filename={str(path)!r}: there is no folder {str(path.parent)!r}; make it first")
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        with pyasdf.ASDFDataSet(str(temporary), mpi=False) as file:
            for trace in to_stream(data):
                file.add_waveforms(trace, tag=re.sub("[^a-z0-9_]", "_", trace.stats.wavetree.field))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _required(name: str, method: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"EventData.{method} needs {name}, which cannot be imported ({error}); install it with "
            "python -m pip install 'wavetree[seismo]'"
        ) from error
