"""Regular grids, for arrays that know nothing of where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field, FiniteFloat, PositiveFloat, model_validator

from wavetree.config import Configuration, configuration

__all__ = ["Grid"]

Axis = Literal["x", "y", "z", "depth"]


@configuration
class Grid(Configuration):
    """Where the nodes of an array are.

    Parameters
    ----------
    axes
        Names of the array's axes in their order: of ``"x"``, ``"y"``, ``"z"`` and ``"depth"``, which counts
        downwards and becomes the negative of the axis that is missing: y in 2-D (beside x), z in 3-D.
    spacing
        Distance of nodes along each axis [m], or one for all.
    origin
        Coordinate of the first node along each axis [m]; 0 when None. Along ``"depth"``, its depth.

    Raises
    ------
    ValueError
        If an axis is named twice, or there are not as many numbers as axes.

    Examples
    --------
    A section that was stored depth first, 20 m apart:

    >>> Grid(("depth", "x"), spacing=20.0).dataset({"vp": np.full((3, 5), 1500.0)})["y"].values.tolist()
    [-40.0, -20.0, 0.0]
    """

    axes: Annotated[tuple[Axis, ...], Field(min_length=1, max_length=3)]
    _: KW_ONLY
    spacing: PositiveFloat | tuple[PositiveFloat, ...]
    origin: tuple[FiniteFloat, ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> Grid:
        names = self._names
        if sorted(names) not in (["x"], ["y"], ["z"], ["x", "y"], ["x", "y", "z"]):
            raise ValueError(
                f"axes is {self.axes}; expected one axis, x and y, or x, y and z, where depth may stand for "
                "the last of them"
            )
        for argument, given in (("spacing", self.spacing), ("origin", self.origin)):
            if isinstance(given, tuple) and len(given) != len(self.axes):
                raise ValueError(
                    f"{argument} is {given}; expected {len(self.axes)} numbers, one for each axis"
                )
        return self

    def dataset(self, arrays: Mapping[str, np.ndarray]) -> xr.Dataset:
        """Return arrays with their coordinates, those of depths turned into increasing heights.

        Parameters
        ----------
        arrays
            Values by name of the parameter, of one shape.

        Raises
        ------
        ValueError
            If an array has another number of axes.
        """
        shapes = {name: np.shape(array) for name, array in arrays.items()}
        for name, shape in shapes.items():
            if len(shape) != len(self.axes) or shape != next(iter(shapes.values())):
                raise ValueError(
                    f"arrays have the shapes {shapes}; expected all alike with the axes "
                    f"{', '.join(self.axes)}: look at {name!r}."
                )
        shape = next(iter(shapes.values()))
        spacing = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,) * len(self.axes)
        origin = self.origin or (0.0,) * len(self.axes)
        coordinates = {
            name: (start + step * np.arange(n)) * (-1.0 if axis == "depth" else 1.0) + 0.0
            for axis, name, start, step, n in zip(self.axes, self._names, origin, spacing, shape, strict=True)
        }
        data = xr.Dataset(
            {name: (self._names, np.asarray(array)) for name, array in arrays.items()}, coords=coordinates
        )
        return data.sortby(list(self._names))

    @property
    def _names(self) -> tuple[str, ...]:
        """Names of the axes with depth replaced by the vertical one."""
        vertical = "z" if len(self.axes) == 3 else "y"
        return tuple(vertical if axis == "depth" else axis for axis in self.axes)
