"""Several models on top of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wavetree.model.background.homogeneous import Homogeneous
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import SETS, find_set
from wavetree.model.volume.cartesian import GenericModel

__all__ = ["OverlaidModel"]


class OverlaidModel:
    """A background with volume models on top: where several are defined, the last one counts.

    Parameters
    ----------
    background
        Counts where no volume model is defined; None if the volume models cover everything.
    volume_models
        Volume models, from the lowest to the topmost. Models may be given in different parameter sets: what
        is evaluated has those of the most general one.

    Raises
    ------
    ValueError
        If there is neither a background nor a volume model, or the volume models are 2-D and 3-D.
    """

    def __init__(self, background: Homogeneous | None, volume_models: Sequence[GenericModel]) -> None:
        if background is None and not volume_models:
            raise ValueError("background is None and volume_models is empty; expected at least one model.")
        dims = {model.name: model.dim for model in volume_models}
        if len(set(dims.values())) > 1:
            raise ValueError(
                f"volume_models have different numbers of dimensions, {dims}; expected all 2-D or all 3-D."
            )
        self.background = background
        self.volume_models = tuple(volume_models)

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters of the medium by name, shape (...,), at coordinates (..., dim) [m].

        Raises
        ------
        ValueError
            If no model is defined at a position.
        """
        coordinates = np.asarray(coordinates, dtype=np.float64)
        shape = coordinates.shape[:-1]
        covered = np.full(shape, self.background is not None)
        parts = []
        if self.background is not None:
            parts.append((covered.copy(), self.background.evaluate(coordinates[covered])))
        for model in self.volume_models:
            inside = model.contains(coordinates)
            parts.append((inside, model.evaluate(coordinates[inside])))
            covered |= inside
        if not covered.all():
            position = ", ".join(f"{x:g}" for x in coordinates[~covered][0])
            names = ", ".join(f"{m.name!r} ({m.covers()})" for m in self.volume_models)
            raise ValueError(
                f"position ({position}) m lies outside the volume models {names}; expected models that cover "
                "the domain: extend one, shrink the domain or give a background_model."
            )
        return _merged(parts, shape, coordinates.shape[-1])

    def slowest_velocity(self, bounds: tuple[tuple[float, float], ...]) -> float:
        """Return the velocity of the slowest wave [m/s] inside a box: shear in solids, sound in fluids.

        Notes
        -----
        Multilinear functions have their extremes at grid nodes or on the edge of what is looked at. The
        middles between the edges of the models show the background in gaps.
        """
        axes = []
        for axis, (lo, hi) in enumerate(bounds):
            grids = [np.asarray(model.data["xyz"[axis]]) for model in self.volume_models]
            edges = np.concatenate([[lo, hi], *[model.bounds[axis] for model in self.volume_models]])
            edges = np.unique(np.clip(edges, lo, hi))
            places = np.concatenate([*grids, edges, 0.5 * (edges[1:] + edges[:-1])])
            axes.append(np.unique(places[(places >= lo) & (places <= hi)]))
        values = self.evaluate(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
        return float(find_set(values, len(bounds)).slowest_velocity(values).min())


def _merged(
    parts: list[tuple[np.ndarray, dict[str, np.ndarray]]], shape: tuple[int, ...], dim: int
) -> dict[str, np.ndarray]:
    """Values of parts, each where it is defined, in the parameters of the most general one."""
    sets = [find_set(values, dim) for _, values in parts]
    common = _most_general(sets, dim)
    merged: dict[str, np.ndarray] = {}
    for found, (inside, values) in zip(sets, parts, strict=True):
        for name in common.orientation:
            if name in merged:  # a part without one is not turned
                merged[name][inside] = 0.0
        for name, part in found.convert(values, common).items():
            merged.setdefault(name, np.zeros(shape))[inside] = part
    return merged


def _most_general(sets: list[ParameterSet], dim: int) -> ParameterSet:
    """The topmost of the sets that are furthest from special ones."""
    kinds = [("acoustic", "elastic", "anisotropic").index(found.physics) for found in sets]
    rank = [(kind, kind == 2 and found == SETS[dim][-1]) for kind, found in zip(kinds, sets, strict=True)]
    return max(zip(rank, range(len(sets)), sets, strict=True), key=lambda item: item[:2])[2]
