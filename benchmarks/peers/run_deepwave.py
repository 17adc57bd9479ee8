"""The event with deepwave: finite differences, a perfectly matched layer, temporal dispersion removed."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence

import deepwave
import numpy as np
import torch
from deepwave import time_dispersion

from common import Event, Prepared, Settings, main

warnings.simplefilter("ignore")
torch.set_num_threads(1)


def prepare(event: Event, settings: Settings) -> Prepared:
    spacing = event.wavelength / settings["cells_per_wavelength"]
    sizes = [math.ceil((high - low) / spacing - 1e-9) for low, high in event.bounds]
    places = np.vstack([event.source, event.receivers])
    room = min(np.min(places - np.array(event.bounds)[:, 0]), np.min(np.array(event.bounds)[:, 1] - places))
    # The windows of the positions have to lie inside the model.
    margin = max(0, settings["halfwidth"] + 1 - math.floor(room / spacing))
    low = np.array([low for low, _ in event.bounds]) - margin * spacing
    shape = [n + 1 + 2 * margin for n in sizes]
    velocity, dim = torch.full(shape, event.velocity), len(shape)
    courant, width = settings["courant_number"], settings["pml_width"]
    longest = time_dispersion.cfl_internal_dt(
        spacing, event.duration, event.velocity, courant_number=courant, ndim=dim
    )
    n_steps = math.ceil(event.duration / longest - 1e-9)
    dt = event.duration / n_steps
    # The correction moves content backward in time from beyond the end of the records.
    n_computed = n_steps + 1 + math.ceil(4 * n_steps ** (1 / 3))
    source, receivers = (
        deepwave.Hicks(torch.tensor((x - low) / spacing).reshape(1, -1, dim), halfwidth=settings["halfwidth"])
        for x in (event.source, event.receivers)
    )

    def run() -> np.ndarray:
        times = dt * torch.arange(2 * n_computed, dtype=torch.float64)
        wavelet = torch.tensor(event.wavelet(times.numpy()), dtype=torch.float32)[None, None]
        # Deepwave's right-hand side is −s times the volume of a cell.
        driving = -time_dispersion.correct_source(wavelet, dt)[..., :n_computed] / spacing**dim
        with torch.no_grad():
            output = deepwave.scalar(
                velocity,
                spacing,
                dt,
                source_amplitudes=driving,
                source_locations=source,
                receiver_locations=receivers,
                accuracy=settings["accuracy"],
                pml_width=width,
                pml_freq=event.frequency,
                max_vel=event.velocity,
                courant_number=courant,
            )
        records = time_dispersion.correct_receivers(output.receiver_amplitudes, dt)
        return records[0, :, : n_steps + 1].numpy()

    points = math.prod(n + 2 * width for n in shape)
    return Prepared(run, dt * np.arange(n_steps + 1), points, n_computed)


def schemes(event: Event, tolerance: float) -> Sequence[Settings]:
    """Return orders, widths of the layer in cells, time steps, windows of positions."""
    longest = {4: 0.866, 6: 0.813, 8: 0.784}  # in two and three dimensions
    return [
        {"accuracy": accuracy, "pml_width": width, "courant_number": courant, "halfwidth": halfwidth}
        for accuracy, width, halfwidth in itertools.product((8, 6, 4), (10, 20), (3, 4, 6))
        for courant in (longest[accuracy], 0.6)
    ]


if __name__ == "__main__":
    main(prepare, schemes)
