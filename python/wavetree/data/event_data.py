"""The records of one event."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from wavetree.config import load
from wavetree.data.resample import SampleAxis, resample
from wavetree.data.wavefield_output import read_wavefield_output
from wavetree.errors import unknown_name
from wavetree.survey.event import Event
from wavetree.survey.receiver.fields import FIELDS
from wavetree.survey.receiver.receiver import Receiver, load_receiver
from wavetree.survey.source.source import Source

if TYPE_CHECKING:
    import obspy
    from matplotlib.figure import Figure

__all__ = ["EventData"]


class EventData:
    """Records of all receivers of one event.

    Every field has records of the receivers that record it, in the order of the receivers: those in a fluid
    may record pressure while those in a solid record displacement.

    Parameters
    ----------
    event_name
        Name of the event.
    receivers
        The receivers, in the order of the records.
    data
        Records by field, each of shape (n_receivers, n_components, n_samples), float32 or float64, with a row
        for every receiver that records the field; see `get_receiver_names`.
    start_time_in_seconds
        Time of the first sample.
    sampling_rate_in_hertz
        Samples per second.
    sources
        The sources, if known.

    Attributes
    ----------
    wavefield_files
        Files of wavefields that were written with the records, by type of output; see `get_wavefield_output`.

    Raises
    ------
    ValueError
        If a field is unknown, or its shape does not fit to the receivers that record it and to the other
        fields' samples.

    Notes
    -----
    `data`, `axis`, `to_xarray` and `to_arrays` hold the records as they were made. The methods that show them
    (`get_data_cube`, `get_receiver_data`, `get_waveform_data_xarray`, `plot`, `to_obspy`, `to_asdf`) follow
    `set_temporal_interpolation`.
    """

    def __init__(
        self,
        event_name: str,
        receivers: Sequence[Receiver],
        data: Mapping[str, np.ndarray],
        start_time_in_seconds: float,
        sampling_rate_in_hertz: float,
        sources: Sequence[Source] | None = None,
    ) -> None:
        self.event_name = event_name
        self.receivers = list(receivers)
        self.receiver_names = [receiver.name for receiver in self.receivers]
        self.sources = None if sources is None else list(sources)
        self.data = {field: _checked(field, values, self.receivers) for field, values in data.items()}
        lengths = {field: values.shape[2] for field, values in self.data.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                f"data: fields have {lengths or 'no'} samples; give at least one field, all with the same "
                "number"
            )
        self.axis = SampleAxis(
            float(start_time_in_seconds), float(sampling_rate_in_hertz), next(iter(lengths.values()))
        )
        self._shown = self.axis
        self.wavefield_files: dict[str, Path] = {}

    @property
    def start_time_in_seconds(self) -> float:
        """Time of the first sample [s]."""
        return self.axis.start_time_in_seconds

    @property
    def sampling_rate_in_hertz(self) -> float:
        """Samples per second."""
        return self.axis.sampling_rate_in_hertz

    @property
    def shown_axis(self) -> SampleAxis:
        """The time axis on which records are shown; see `set_temporal_interpolation`."""
        return self._shown

    @property
    def receiver_fields(self) -> list[str]:
        """Names of the recorded fields."""
        return list(self.data)

    def components(self, receiver_field: str) -> tuple[str, ...]:
        """Return the names of a field's components: "A" of scalars, "X", "Y", "Z" of vectors, "0", ..."""
        count = self._field(receiver_field).shape[1]
        return next(names for names in _components(receiver_field, (2, 3)) if len(names) == count)

    def get_receiver_names(self, receiver_field: str) -> list[str]:
        """Return the names of the receivers that record a field, in the order of its records.

        Raises
        ------
        ValueError
            If the field is unknown.
        """
        self._field(receiver_field)
        return [receiver.name for receiver in self.receivers if receiver_field in receiver.fields]

    def set_temporal_interpolation(
        self, start_time_in_seconds: float, sampling_rate_in_hertz: float, npts: int
    ) -> None:
        """Let the records be shown on another time axis, by band-limited interpolation.

        Parameters
        ----------
        start_time_in_seconds, sampling_rate_in_hertz, npts
            The time axis; see `SampleAxis`.

        Raises
        ------
        ValueError
            If the records do not cover it.
        """
        axis = SampleAxis(start_time_in_seconds, sampling_rate_in_hertz, npts)
        resample(np.zeros(self.axis.npts), self.axis, axis)  # says now, not later, what does not fit
        self._shown = axis

    def interpolated(self, receiver_field: str, axis: SampleAxis) -> np.ndarray:
        """Return the records of a field on another time axis.

        Parameters
        ----------
        receiver_field
            Name of the field.
        axis
            The time axis.

        Returns
        -------
        np.ndarray
            Shape (n_receivers, n_components, axis.npts), float64.

        Raises
        ------
        ValueError
            If the field is unknown or the records do not cover the axis.
        """
        return resample(self._field(receiver_field), self.axis, axis)

    def get_data_cube(
        self, receiver_field: str, component: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return times and records of all receivers that record a field.

        Parameters
        ----------
        receiver_field
            Name of the field.
        component
            Name of the component; None for all.

        Returns
        -------
        times, values
            Shapes (n_samples,) [s] and (n_receivers, n_samples), or (n_receivers, n_components, n_samples) if
            `component` is None; the receivers are those of `get_receiver_names`.

        Raises
        ------
        ValueError
            If the field or component is unknown.
        """
        index: int | slice = slice(None)
        if component is not None:
            known = self.components(receiver_field)
            if component not in known:
                raise unknown_name(f"component of {receiver_field}", component, known)
            index = known.index(component)
        values = self._field(receiver_field)[:, index]
        shown = values if self._shown == self.axis else resample(values, self.axis, self._shown)
        return self._shown.times, shown

    def get_receiver_data(self, receiver_name: str, receiver_field: str) -> tuple[np.ndarray, np.ndarray]:
        """Return times and record of one receiver.

        Parameters
        ----------
        receiver_name
            Its name, "network.station.location".
        receiver_field
            Name of the field.

        Returns
        -------
        times, values
            Shapes (n_samples,) [s] and (n_components, n_samples).

        Raises
        ------
        ValueError
            If the receiver or field is unknown, or the receiver does not record the field.
        """
        if receiver_name not in self.receiver_names:
            raise unknown_name(f"receiver of {self.event_name}", receiver_name, self.receiver_names)
        names = self.get_receiver_names(receiver_field)
        if receiver_name not in names:
            recorded = self.receivers[self.receiver_names.index(receiver_name)].fields
            raise ValueError(
                f"receiver_field is {receiver_field!r}, but receiver {receiver_name!r} of {self.event_name} "
                f"records {', '.join(recorded)}; ask for that"
            )
        values = self._field(receiver_field)[names.index(receiver_name)]
        return self._shown.times, values if self._shown == self.axis else resample(
            values, self.axis, self._shown
        )

    def get_waveform_data_xarray(self, receiver_field: str) -> xr.DataArray:
        """Return the records of a field with dimensions (receiver, component, time).

        Raises
        ------
        ValueError
            If the field is unknown.
        """
        times, values = self.get_data_cube(receiver_field)
        return self._array(receiver_field, times, values, "component")

    def get_wavefield_output(self, output_type: str, field: str) -> xr.DataArray:
        """Return a field that the simulation wrote in all elements or on side sets.

        Parameters
        ----------
        output_type
            "volume" or "surface".
        field
            Name of the field.

        Returns
        -------
        xarray.DataArray
            Read from the file when it is looked at; see `wavetree.data.wavefield_output`.

        Raises
        ------
        ValueError
            If the type or field is unknown, or was not asked for when the simulation ran.
        """
        if output_type not in ("volume", "surface"):
            raise unknown_name("output_type", output_type, ("volume", "surface"))
        if output_type not in self.wavefield_files:
            raise ValueError(
                f"{self.event_name} has no {output_type} output; give {output_type}_data in "
                "extra_output_configuration of p.simulations.launch, or in output of Simulation.run."
            )
        return read_wavefield_output(self.wavefield_files[output_type], field)

    def to_xarray(self) -> xr.Dataset:
        """Return all fields, with dimensions (receiver, component_<field>, time), as they were recorded.

        Receivers that do not record a field have NaN there.
        """
        fields = {
            name: self._array(name, self.axis.times, values, f"component_{name}").reindex(
                receiver=self.receiver_names
            )
            for name, values in self.data.items()
        }
        return xr.Dataset(fields, attrs={"event_name": self.event_name})

    @classmethod
    def from_xarray(cls, data: xr.Dataset | xr.DataArray, event: Event) -> EventData:
        """Take records of an event's receivers from an xarray.

        Parameters
        ----------
        data
            A dataset with one variable per field, or a data array whose name is the field. Dimensions
            ``time``, with evenly spaced coordinates [s], ``receiver`` and, but for scalars, one more for
            components. The coordinates of ``receiver`` are names of receivers of the event, in any order and
            not necessarily all of them; without them all receivers in the event's order are meant. Receivers
            that do not record a field have NaN there.
        event
            The event.

        Raises
        ------
        ValueError
            If dimensions, names of receivers, times or shapes do not fit, or there are records of a receiver
            that does not record the field.
        """
        if isinstance(data, xr.DataArray):
            if data.name is None:
                raise ValueError(
                    "data: the array has no name; name it by its field, for example data.rename('phi')"
                )
            data = data.to_dataset()
        for dimension in ("receiver", "time"):
            if dimension not in data.dims:
                raise ValueError(
                    f"data has dimensions {tuple(data.dims)}; expected 'receiver' and 'time' among them"
                )
        axis = _even_axis(data)
        names = event.receiver_names
        if "receiver" in data.coords:
            names = [str(name) for name in data.coords["receiver"].values]
        known = {receiver.name: receiver for receiver in event.receivers}
        for name in names:
            if name not in known:
                raise unknown_name(f"receiver of {event.event_name}", name, known)
        if len(names) != data.sizes["receiver"]:
            raise ValueError(
                f"data has {data.sizes['receiver']} receivers without names, {event.event_name} has "
                f"{len(names)}; name them by the coordinates of 'receiver'"
            )
        receivers = [known[name] for name in names]
        fields = {
            str(field): _recorded(str(field), values.transpose("receiver", ..., "time").values, receivers)
            for field, values in data.data_vars.items()
        }
        start, rate = axis.start_time_in_seconds, axis.sampling_rate_in_hertz
        return cls(str(event.event_name), receivers, fields, start, rate, event.sources)

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the records by field and JSON-serialisable attributes, as `from_arrays` takes them."""
        return dict(self.data), {
            "event_name": self.event_name,
            "receivers": [receiver.to_dict() for receiver in self.receivers],
            "sources": None if self.sources is None else [source.to_dict() for source in self.sources],
            "start_time_in_seconds": self.start_time_in_seconds,
            "sampling_rate_in_hertz": self.sampling_rate_in_hertz,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> EventData:
        """Rebuild what `to_arrays` wrote.

        Raises
        ------
        ValueError
            If an attribute is missing or does not fit.
        """
        names = ("event_name", "receivers", "start_time_in_seconds", "sampling_rate_in_hertz", "sources")
        missing = [name for name in names if name not in attributes]
        if missing:
            raise ValueError(f"attributes: {missing[0]!r} is missing; these are not the records of an event")
        event_name, _, start, rate, sources = (attributes[name] for name in names)
        receivers = [load_receiver(document) for document in attributes["receivers"]]
        return cls(event_name, receivers, arrays, start, rate, load(sources))

    def to_obspy(self) -> obspy.Stream:
        """Return a trace per receiver, field and component; see `wavetree.data.seismo`."""
        from wavetree.data.seismo import to_stream

        return to_stream(self)

    def to_asdf(self, filename: str | Path) -> None:
        """Write the records to an ASDF file; see `wavetree.data.seismo`.

        Raises
        ------
        ValueError
            If the file exists.
        """
        from wavetree.data.seismo import write_asdf

        write_asdf(self, filename)

    def plot(
        self,
        component: str | None = None,
        receiver_field: str | None = None,
        plot_types: Sequence[str] = ("shotgather",),
    ) -> Figure:
        """Draw the records of all receivers that record a field.

        Parameters
        ----------
        component
            Name of the component; the first when None.
        receiver_field
            Name of the field; the first when None.
        plot_types
            "shotgather" (an image), "wiggles" (a line per receiver), or both, side by side.

        Raises
        ------
        ValueError
            If the field, component or a type is unknown.
        """
        from wavetree.viz.gather import plot_gather

        field = receiver_field or self.receiver_fields[0]
        drawn = [plot_types] if isinstance(plot_types, str) else list(plot_types)
        return plot_gather(self, field, component or self.components(field)[0], drawn)

    def __repr__(self) -> str:
        axis = self.axis
        fields = ", ".join(self._described(name) for name in self.data)
        return (
            f"EventData of {self.event_name!r}\n"
            f"    receivers: {len(self.receivers)}\n"
            f"    fields: {fields}\n"
            f"    time: {axis.npts} samples from {axis.start_time_in_seconds:.6g} s to "
            f"{axis.end_time_in_seconds:.6g} s at {axis.sampling_rate_in_hertz:.6g} Hz"
        )

    def _repr_html_(self) -> str:
        first, *lines = repr(self).splitlines()
        pairs = (line.strip().split(": ", 1) for line in lines)
        rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in pairs)
        return f"<b>{html.escape(first)}</b><table>{rows}</table>"

    def _described(self, field: str) -> str:
        """A field with its components, and with its number of receivers unless it is all of them."""
        count, total = len(self.data[field]), len(self.receivers)
        some = f"; {count} of {total} receivers" if count < total else ""
        return f"{field} ({', '.join(self.components(field))}{some})"

    def _field(self, name: str) -> np.ndarray:
        if name not in self.data:
            raise unknown_name(f"field of {self.event_name}", name, self.data)
        return self.data[name]

    def _array(self, field: str, times: np.ndarray, values: np.ndarray, component: str) -> xr.DataArray:
        coordinates = {
            "receiver": self.get_receiver_names(field),
            component: list(self.components(field)),
            "time": times,
        }
        array = xr.DataArray(values, coordinates, ("receiver", component, "time"), name=field)
        array.coords["time"].attrs["units"] = "s"
        return array.assign_attrs(event_name=self.event_name)


def _checked(field: str, values: np.ndarray, receivers: Sequence[Receiver]) -> np.ndarray:
    if field not in FIELDS:
        raise unknown_name("field of data", field, FIELDS)
    values, count = np.asarray(values), sum(field in receiver.fields for receiver in receivers)
    known = _components(field, {receiver.dim for receiver in receivers} or {2, 3})
    if values.ndim != 3 or values.shape[:2] not in [(count, len(names)) for names in known]:
        raise ValueError(
            f"data[{field!r}] has shape {values.shape}; expected (n_receivers, n_components, n_samples) with "
            f"the {count} receivers that record it and the components {', '.join(known[0])}"
        )
    return values if values.dtype == np.float32 else values.astype(np.float64, copy=False)


def _components(field: str, dims: Iterable[int]) -> list[tuple[str, ...]]:
    """The names of a field's components in each of some numbers of dimensions."""
    return [FIELDS[field].components(dim) for dim in dims]


def _recorded(field: str, values: np.ndarray, receivers: Sequence[Receiver]) -> np.ndarray:
    """Return the rows of the receivers that record a field, (n, n_components, n_samples)."""
    values = values[:, None] if values.ndim == 2 else values
    here = np.array([field in receiver.fields for receiver in receivers])
    for receiver, row in zip(receivers, values, strict=True):
        if field not in receiver.fields and not np.isnan(row).all():
            raise ValueError(
                f"data has {field!r} of receiver {receiver.name!r}, which records "
                f"{', '.join(receiver.fields)}; let the event's receiver record it, or drop the data"
            )
    return values[here]


def _even_axis(data: xr.Dataset) -> SampleAxis:
    times = np.asarray(data.coords["time"].values, np.float64) if "time" in data.coords else np.zeros(0)
    steps = np.diff(times)
    step = steps.mean() if steps.size else 0.0
    # Not a test against rounding alone: files often keep times in single precision.
    if step <= 0.0 or np.abs(times - np.linspace(times[0], times[-1], times.size)).max() > 1e-3 * step:
        raise ValueError(
            f"data: {times.size} times are given that are not evenly spaced and increasing; give at least "
            "two "
            "coordinates of 'time' [s], or interpolate the records first"
        )
    return SampleAxis(float(times[0]), float((times.size - 1) / (times[-1] - times[0])), times.size)
