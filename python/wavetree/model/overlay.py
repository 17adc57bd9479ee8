"""Several models on top of each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wavetree.model.background.homogeneous import Homogeneous
from wavetree.model.background.one_dimensional import Layered
from wavetree.model.base import Bounds, Model
from wavetree.model.parameter_set import ParameterSet
from wavetree.model.parameters import SETS, find_set
from wavetree.model.volume.cartesian import FunctionModel, GenericModel

__all__ = ["OverlaidModel", "merged"]


class OverlaidModel(Model):
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

    def __init__(
        self, background: Homogeneous | Layered | None, volume_models: Sequence[GenericModel | FunctionModel]
    ) -> None:
        if background is None and not volume_models:
            raise ValueError("background is None and volume_models is empty; expected at least one model.")
        dims = {model.name: model.dims for model in volume_models}
        self.dims = tuple(dim for dim in (2, 3) if all(dim in usable for usable in dims.values()))
        if not self.dims:
            fixed = {name: usable[0] for name, usable in dims.items() if len(usable) == 1}
            raise ValueError(
                f"volume_models have different numbers of dimensions, {fixed}; expected all 2-D or all 3-D."
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
                f"position ({position}) m lies outside the volume models {names}, or where they are not "
                "defined; expected models that cover the domain: extend one, shrink the domain or give a "
                "background_model."
            )
        return merged(parts, shape, coordinates.shape[-1])

    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Say at which coordinates (..., dim) [m] a model is defined: bool (...,)."""
        covered = np.full(np.shape(coordinates)[:-1], self.background is not None)
        for model in self.volume_models:
            covered |= model.contains(coordinates)
        return covered

    def knots(self, bounds: Bounds) -> list[np.ndarray]:
        """Return, per axis, where inside a box values may bend or jump, sorted (n,) [m].

        Notes
        -----
        The middles between the edges of the models are among them: they show the background in gaps.
        """
        parts = [model.knots(bounds) for model in self._varying]
        boxes = [model.bounds for model in self.volume_models if model.bounds and len(model.bounds) > 1]
        axes = []
        for axis, (low, high) in enumerate(bounds):
            edges = np.concatenate([[low, high], *[box[axis] for box in boxes]])
            edges = np.unique(np.clip(edges, low, high))
            places = [part[axis] for part in parts]
            axes.append(np.unique(np.concatenate([edges, 0.5 * (edges[1:] + edges[:-1]), *places])))
        return axes

    def spacing(self, dim: int) -> np.ndarray:
        """Return the smallest distance over which a model changes, per axis (dim,) [m]; inf if unknown."""
        return np.min([np.full(dim, np.inf), *[model.spacing(dim) for model in self._varying]], axis=0)

    def slowest_velocity(self, bounds: Bounds) -> float:
        """Return the velocity of the slowest wave [m/s] inside a box: shear in solids, sound in fluids.

        Raises
        ------
        ValueError
            If the models do not cover the box.
        """
        values = self.evaluate(np.stack(np.meshgrid(*self.knots(bounds), indexing="ij"), axis=-1))
        return float(find_set(values, len(bounds)).slowest_velocity(values).min())

    @property
    def _varying(self) -> list[Model]:
        background = [self.background] if isinstance(self.background, Model) else []
        return [*background, *self.volume_models]


def merged(
    parts: list[tuple[np.ndarray, dict[str, np.ndarray]]], shape: tuple[int, ...], dim: int
) -> dict[str, np.ndarray]:
    """Return a medium made of parts, in the parameters of the most general one.

    Parameters
    ----------
    parts
        Where each part is, a mask or index of the first axes of the result, and its values there by name; the
        later one counts.
    shape
        Shape of the result.
    dim
        Number of space dimensions.
    """
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
