"""Several models on top of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wavetree.model.background.homogeneous import IsotropicAcoustic
from wavetree.model.volume.cartesian import GenericModel

__all__ = ["OverlaidModel"]

_AXES = "xy"


class OverlaidModel:
    """A background with volume models on top: where several are defined, the last one counts.

    Parameters
    ----------
    background
        Counts where no volume model is defined; None if the volume models cover everything.
    volume_models
        Volume models, from the lowest to the topmost.

    Raises
    ------
    ValueError
        If there is neither a background nor a volume model.
    """

    def __init__(self, background: IsotropicAcoustic | None, volume_models: Sequence[GenericModel]) -> None:
        if background is None and not volume_models:
            raise ValueError("background is None and volume_models is empty; expected at least one model.")
        self.background = background
        self.volume_models = tuple(volume_models)

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return VP [m/s] and RHO [kg/m^3], shape (...,), at coordinates (..., 2) [m].

        Raises
        ------
        ValueError
            If no model is defined at a position.
        """
        coordinates = np.asarray(coordinates, dtype=np.float64)
        covered = np.full(coordinates.shape[:-1], self.background is not None)
        if self.background is not None:
            values = self.background.evaluate(coordinates)
        else:
            values = {name: np.zeros(coordinates.shape[:-1]) for name in ("VP", "RHO")}
        for model in self.volume_models:
            inside = model.contains(coordinates)
            for name, part in model.evaluate(coordinates[inside]).items():
                values[name][inside] = part
            covered |= inside
        if not covered.all():
            x, y = coordinates[~covered][0]
            names = ", ".join(f"{m.name!r} (x {m.bounds[0]}, y {m.bounds[1]})" for m in self.volume_models)
            raise ValueError(
                f"position ({x:g}, {y:g}) m lies outside the volume models {names}; expected models that "
                "cover the "
                "domain: extend one, shrink the domain or give a background_model."
            )
        return values

    def slowest_velocity(self, bounds: tuple[tuple[float, float], ...]) -> float:
        """Return the smallest VP [m/s] inside a box.

        Notes
        -----
        Bilinear functions have their extremes at grid nodes or on the edge of what is looked at. The
        middles between the edges of the models show the background in gaps.
        """
        axes = []
        for axis, (lo, hi) in enumerate(bounds):
            grids = [np.asarray(model.data[_AXES[axis]]) for model in self.volume_models]
            edges = np.concatenate([[lo, hi], *[model.bounds[axis] for model in self.volume_models]])
            edges = np.unique(np.clip(edges, lo, hi))
            places = np.concatenate([*grids, edges, 0.5 * (edges[1:] + edges[:-1])])
            axes.append(np.unique(places[(places >= lo) & (places <= hi)]))
        positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        return float(self.evaluate(positions)["VP"].min())
