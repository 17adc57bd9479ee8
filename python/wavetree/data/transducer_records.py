"""Records of transducers from those of their points, and the transpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array, diags_array

from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis, interpolation_matrix
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.receiver import Receiver
from wavetree.survey.transducer import Transducer, TransducerReceiver

__all__ = ["EventRecords", "TransducerRecords", "check_delays"]

# What any other receiver is to the map: one point that counts once and at once. Where it stands is not asked.
_POINT = Transducer("point", points=((0.0, 0.0),), weights=(1.0,), delays=(0.0,))


class TransducerRecords:
    """The map from records of points to records of transducers, for evenly sampled records.

    Parameters
    ----------
    transducers
        The transducers, in the order in which their points record.
    sampling_rate_in_hertz
        Samples per second.
    n_samples
        Samples of a record.

    Raises
    ------
    ValueError
        If a delay is longer than the records.

    Notes
    -----
    d(t) = Σ_k w_k u_k(t − τ_k), by the band-limited interpolation of `wavetree.data.resample`. Before the
    first sample the fields are taken as zero.
    """

    def __init__(
        self, transducers: Sequence[Transducer], sampling_rate_in_hertz: float, n_samples: int
    ) -> None:
        self.transducers = list(transducers)
        longest = max(max(t.delays) for t in self.transducers)
        if longest * sampling_rate_in_hertz > n_samples - 1:
            raise ValueError(
                f"a delay is {longest:g} s, but records last {(n_samples - 1) / sampling_rate_in_hertz:g} s; "
                "expected longer records or shorter delays."
            )
        delays = sorted({delay for t in self.transducers for delay in t.delays})
        self._shifts = {d: _shift(d * sampling_rate_in_hertz, n_samples) for d in delays}
        self._n_samples = n_samples
        self._rate = sampling_rate_in_hertz

    @property
    def n_points(self) -> int:
        """Number of points of all transducers."""
        return sum(len(t.points) for t in self.transducers)

    def combine(self, values: np.ndarray) -> np.ndarray:
        """Return the records of the transducers.

        Parameters
        ----------
        values
            Records of the points (n_points, n_components, n_samples).

        Returns
        -------
        numpy.ndarray
            (n_transducers, n_components, n_samples), float64.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        given = self._checked(values, self.n_points)
        result = np.zeros((len(self.transducers), *given.shape[1:]))
        for row, index, weight, shift in self._terms():
            result[row] += weight * (shift @ given[index].T).T
        return result

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Apply the transpose of `combine`, which takes adjoint sources of transducers to those of points.

        Parameters
        ----------
        values
            (n_transducers, n_components, n_samples), for example f† with ∂χ/∂d_n = dt f†_n.

        Returns
        -------
        numpy.ndarray
            (n_points, n_components, n_samples), float64.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        given = self._checked(values, len(self.transducers))
        result = np.zeros((self.n_points, *given.shape[1:]))
        for row, index, weight, shift in self._terms():
            result[index] = weight * (shift.T @ given[row].T).T
        return result

    def event_data(self, data: EventData) -> EventData:
        """Return the records of an event with a receiver for every transducer, in its middle.

        Parameters
        ----------
        data
            Records whose receivers are the points of all transducers, in their order; see
            `Transducer.receivers`.

        Raises
        ------
        ValueError
            If the receivers are others, or the records are sampled otherwise.
        """
        names = [(t.name, f"{k:04d}") for t in self.transducers for k in range(len(t.points))]
        if [(r.station_code, r.location_code) for r in data.receivers] != names:
            raise ValueError(
                f"data of {data.event_name!r} has {len(data.receivers)} receivers that are not the "
                f"{len(names)} points of the transducers in their order; expected those of "
                "Transducer.receivers."
            )
        if abs(data.sampling_rate_in_hertz / self._rate - 1.0) > 1e-9:
            raise ValueError(
                f"data has {data.sampling_rate_in_hertz:g} samples per second; expected {self._rate:g}."
            )
        records = {field: self.combine(values) for field, values in data.data.items()}
        receivers, first = [], 0
        for transducer in self.transducers:
            kind: Any = Point2D if transducer.dim == 2 else Point3D
            point = data.receivers[first]
            receivers.append(
                kind(
                    **dict(zip("xyz", transducer.center, strict=False)),
                    network_code=point.network_code,
                    station_code=transducer.name,
                    fields=point.fields,
                )
            )
            first += len(transducer.points)
        return EventData(
            data.event_name, receivers, records, data.start_time_in_seconds, self._rate, data.sources
        )

    def _terms(self) -> Any:
        """Yield number of the transducer, number of the point, weight and shift."""
        index = 0
        for row, transducer in enumerate(self.transducers):
            for weight, delay in zip(transducer.weights, transducer.delays, strict=True):
                yield row, index, weight, self._shifts[delay]
                index += 1

    def _checked(self, values: np.ndarray, rows: int) -> np.ndarray:
        given = np.asarray(values, dtype=np.float64)
        if given.ndim != 3 or given.shape[0] != rows or given.shape[2] != self._n_samples:
            raise ValueError(
                f"values has shape {given.shape}; expected ({rows}, n_components, {self._n_samples})."
            )
        return given


class EventRecords:
    """The map from what a simulation records at the points of an event to the records of its receivers.

    Parameters
    ----------
    receivers
        Receivers of the event, transducers among them or not.
    axis
        Samples of the records.

    Raises
    ------
    ValueError
        If a delay is longer than the records.

    Notes
    -----
    Without transducers it is the identity.
    """

    def __init__(self, receivers: Sequence[Receiver], axis: SampleAxis) -> None:
        check_delays(receivers, axis)
        self._receivers, self._axis = list(receivers), axis
        self._is_identity = not any(isinstance(r, TransducerReceiver) for r in receivers)
        self._maps: dict[str, TransducerRecords] = {}

    def combine(self, data: EventData) -> EventData:
        """Return the records of the receivers.

        Parameters
        ----------
        data
            Records of all points, in the order of `Event.points`.

        Raises
        ------
        ValueError
            If they are those of other points or sampled otherwise.
        """
        if self._is_identity:
            return data
        points = [point.name for receiver in self._receivers for point in receiver.points()]
        if data.receiver_names != points or data.axis != self._axis:
            raise ValueError(
                f"data of {data.event_name!r} has {len(data.receivers)} receivers and {data.axis.npts} "
                f"samples; expected the {len(points)} points of the event's receivers in their order and "
                f"{self._axis.npts} samples."
            )
        records = {field: self._map(field).combine(values) for field, values in data.data.items()}
        start, rate = self._axis.start_time_in_seconds, self._axis.sampling_rate_in_hertz
        return EventData(data.event_name, self._receivers, records, start, rate, data.sources)

    def spread(self, adjoint_sources: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Apply the transpose of `combine`.

        Parameters
        ----------
        adjoint_sources
            f† of the receivers by field (n_receivers, n_components, n_samples).

        Returns
        -------
        dict
            f† of the points by field (n_points, n_components, n_samples).

        Raises
        ------
        ValueError
            If a shape is another.
        """
        if self._is_identity:
            return dict(adjoint_sources)
        return {field: self._map(field).spread(values) for field, values in adjoint_sources.items()}

    def _map(self, field: str) -> TransducerRecords:
        """The map of one field: other receivers may record others."""
        if field not in self._maps:
            recording = [r for r in self._receivers if field in r.fields]
            parts = [r.transducer if isinstance(r, TransducerReceiver) else _POINT for r in recording]
            rate = self._axis.sampling_rate_in_hertz
            self._maps[field] = TransducerRecords(parts, rate, self._axis.npts)
        return self._maps[field]


def check_delays(receivers: Sequence[Receiver], axis: SampleAxis) -> None:
    """Raise ValueError if a transducer's delay is longer than its records."""
    lasting = axis.end_time_in_seconds - axis.start_time_in_seconds
    for receiver in receivers:
        if (
            isinstance(receiver, TransducerReceiver)
            and (longest := max(receiver.transducer.delays)) > lasting
        ):
            raise ValueError(
                f"receiver {receiver.name!r}: a delay is {longest:g} s, but records last {lasting:g} s; "
                "expected longer records or shorter delays."
            )


def _shift(samples: float, n_samples: int) -> csr_array:
    """The matrix that delays a record by a number of samples."""
    positions = np.arange(n_samples) - samples
    known = positions >= -1e-9
    matrix = interpolation_matrix(n_samples, np.clip(positions, 0.0, None))
    return csr_array(diags_array(known.astype(float)) @ matrix)
