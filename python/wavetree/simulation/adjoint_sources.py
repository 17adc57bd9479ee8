"""Adjoint sources as they are given, checked and brought to the computed time steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wavetree.errors import unknown_name
from wavetree.simulation.sampling import RecordSampling
from wavetree.survey.receiver.receiver import PointReceiver

__all__ = ["at_computed_steps"]

Shape = tuple[int, int, int]


def at_computed_steps(
    adjoint_sources: Mapping[str, np.ndarray],
    receivers: Sequence[PointReceiver],
    shapes: Mapping[str, Shape],
    sampling: RecordSampling,
    n_steps: int,
) -> dict[str, np.ndarray]:
    """Return adjoint sources at all computed steps, (n_receivers, n_components, n_steps) by field.

    Parameters
    ----------
    adjoint_sources
        f† by receiver field, (n_receivers, n_components, n_samples).
    receivers
        The receivers.
    shapes
        Shapes of the records by field.
    sampling
        How records are taken from the samples at all steps.
    n_steps
        Number of computed steps.

    Raises
    ------
    ValueError
        If there are none, a field is not recorded, a shape is not that of the records, or a value is not
        finite.
    """
    if not adjoint_sources:
        raise ValueError(f"adjoint_sources is empty; expected those of {', '.join(map(repr, shapes))}.")
    result = {}
    for field, values in adjoint_sources.items():
        if field not in shapes:
            raise unknown_name("receiver field", field, shapes)
        given = np.asarray(values, dtype=np.float64)
        if given.shape != shapes[field]:
            raise ValueError(
                f"adjoint_sources[{field!r}] has shape {given.shape}; expected {shapes[field]}, "
                "that of the records."
            )
        if not np.isfinite(given).all():
            recording = [r.name for r in receivers if field in r.fields]
            receiver = recording[int(np.argwhere(~np.isfinite(given))[0, 0])]
            raise ValueError(
                f"adjoint_sources[{field!r}] is NaN or infinite, first at receiver {receiver!r}; "
                "expected finite numbers: look at the misfit and its observed records there."
            )
        result[field] = sampling.adjoint(given, n_steps)
    return result
