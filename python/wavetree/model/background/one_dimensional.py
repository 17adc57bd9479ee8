"""Media that vary along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, PositiveFloat, model_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.model.base import Bounds, Model
from wavetree.model.parameters import find_set

__all__ = ["BUILT_IN", "Layered", "built_in"]


def _listed(values: object) -> object:
    return values.tolist() if isinstance(values, np.ndarray) else values


def _at_least_two(values: tuple[float, ...]) -> tuple[float, ...]:
    if len(values) < 2:
        raise ValueError(f"{values} has {len(values)} entries; expected at least 2, one for every row")
    return values


Column = Annotated[tuple[PositiveFloat, ...], BeforeValidator(_listed), AfterValidator(_at_least_two)]
Shear = Annotated[tuple[Annotated[float, Field(ge=0.0)], ...], BeforeValidator(_listed)]
Places = Annotated[tuple[FiniteFloat, ...], BeforeValidator(_listed)]


@configuration
class Layered(Model, Configuration):
    """A medium that varies along one axis: a table with rows of depth or height and parameters.

    Between two rows the parameters are linear; two rows at the same place are a jump. Before the first and
    after the last row the medium is constant. `from_layers` makes the table of constant layers.

    Parameters
    ----------
    depths, heights
        Places of the rows (n,) [m], one of both: depths below `surface`, or coordinates along the axis; in
        either order.
    vp
        Velocity of compressional waves (n,) [m/s].
    rho
        Density (n,) [kg/m^3].
    vs
        Velocity of shear waves (n,) [m/s], 0 in fluid layers; None if all of them are fluid.
    surface
        Coordinate of depth 0 along the axis [m].
    axis
        ``"x"``, ``"y"`` or ``"z"``; when None the last one, which is y in 2-D and z in 3-D.

    Raises
    ------
    ValueError
        If the columns differ in length, the places are not sorted, three rows are at the same place, values
        are those of no medium, or shear begins inside a layer.

    Notes
    -----
    At a jump the medium is that on the side of larger coordinates.
    """

    dims = (2, 3)

    depths: Places | None = None
    _: KW_ONLY
    heights: Places | None = None
    vp: Column
    rho: Column
    vs: Shear | None = None
    surface: FiniteFloat = 0.0
    axis: Literal["x", "y", "z"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Layered:
        if (self.depths is None) == (self.heights is None):
            raise ValueError(
                f"depths is {self.depths} and heights is {self.heights}; expected exactly one of them"
            )
        name = "depths" if self.heights is None else "heights"
        lengths = {name: len(self._given), **{key: len(column) for key, column in self._columns.items()}}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns have different lengths, {lengths}; expected one value for every row")
        steps = np.diff(self._given)
        if not ((steps >= 0).all() or (steps <= 0).all()) or ((steps[1:] == 0) & (steps[:-1] == 0)).any():
            raise ValueError(
                f"{name} is {self._given}; expected sorted places, each at most twice: sort the rows, and "
                "give a jump as two rows"
            )
        self._refuse_faults(name)
        return self

    @classmethod
    def from_layers(
        cls, interfaces: Sequence[float], *, vp: Sequence[float], rho: Sequence[float],
        vs: Sequence[float] | None = None, surface: float = 0.0,
    ) -> Layered:  # fmt: skip
        """Make a stack of constant layers along the last axis, from top to bottom.

        Parameters
        ----------
        interfaces
            Depths of the interfaces below `surface` (n - 1,) [m], increasing.
        vp, rho, vs
            Parameters of the layers (n,).
        surface
            Height of depth 0 [m].

        Raises
        ------
        ValueError
            If there is not one interface less than layers, or they do not increase.
        """
        depths = np.asarray(interfaces, dtype=np.float64)
        if (
            depths.ndim != 1
            or len(vp) != len(depths) + 1
            or not len(depths)
            or not (np.diff(depths) > 0).all()
        ):
            raise ValueError(
                f"interfaces is {list(interfaces)} and there are {len(vp)} layers; expected increasing "
                "depths, one less than layers and at least one"
            )
        columns = {"vp": vp, "rho": rho, **({} if vs is None else {"vs": vs})}
        doubled = {name: np.repeat(column, 2)[1:-1].tolist() for name, column in columns.items()}
        return cls(tuple(np.repeat(depths, 2).tolist()), **doubled, surface=surface)

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters of the medium by name, shape (...,), at coordinates (..., dim) [m]."""
        along = np.asarray(coordinates, dtype=np.float64)[..., self._column(np.shape(coordinates)[-1])]
        heights, rows = self._ascending
        # The last of two rows at one place, and beyond the ends twice the same row.
        lower = np.clip(np.searchsorted(heights, along, side="right") - 1, 0, None)
        upper = np.clip(np.searchsorted(heights, along, side="right"), None, len(heights) - 1)
        span = np.where(heights[upper] > heights[lower], heights[upper] - heights[lower], 1.0)
        fraction = np.clip((along - heights[lower]) / span, 0.0, 1.0)
        values = {}
        for name, column in self._columns.items():
            rows_of = np.asarray(column, dtype=np.float64)[rows]
            values[name.upper()] = rows_of[lower] + fraction * (rows_of[upper] - rows_of[lower])
        return values

    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Return True for all coordinates (..., dim): bool (...,)."""
        return np.ones(np.shape(coordinates)[:-1], dtype=bool)

    def knots(self, bounds: Bounds) -> list[np.ndarray]:
        """Return, per axis, the rows inside a box, and what lies just below jumps, sorted (n,) [m]."""
        knots = [np.zeros(0) for _ in bounds]
        column = self._column(len(bounds))
        low, high = bounds[column]
        heights = self._ascending[0]
        jumps = heights[1:][np.diff(heights) == 0.0]
        places = np.concatenate([heights, np.nextafter(jumps, -np.inf)])
        knots[column] = np.unique(places[(places > low) & (places < high)])
        return knots

    def spacing(self, dim: int) -> np.ndarray:
        """Return the smallest distance of rows along the axis, inf along the others, (dim,) [m]."""
        steps = np.diff(self._ascending[0])
        spacing = np.full(dim, np.inf)
        spacing[self._column(dim)] = steps[steps > 0.0].min(initial=np.inf)
        return spacing

    @property
    def _given(self) -> tuple[float, ...]:
        return self.depths or self.heights or ()

    @property
    def _columns(self) -> dict[str, tuple[float, ...]]:
        shear = {} if self.vs is None else {"vs": self.vs}
        return {"vp": self.vp, **shear, "rho": self.rho}

    @property
    def _ascending(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the rows from small to large, and their numbers."""
        places = np.asarray(self._given, dtype=np.float64)
        heights = places if self.depths is None else self.surface - places
        rows = np.arange(len(heights))
        if heights[-1] < heights[0]:
            rows = rows[::-1]
        return heights[rows], rows

    def _column(self, dim: int) -> int:
        column = dim - 1 if self.axis is None else "xyz".index(self.axis)
        if column >= dim:
            raise ValueError(f"axis is {self.axis!r} but there are {dim} dimensions; expected one of theirs.")
        return column

    def _refuse_faults(self, places: str) -> None:
        values = {name.upper(): np.array(column) for name, column in self._columns.items()}
        found = find_set(values, 2)
        fault = found.first_fault(values)
        if fault is not None:
            row = int(np.argmax(fault.bad))
            numbers = ", ".join(f"{name.lower()} = {values[name][row]:g}" for name in fault.names)
            raise ValueError(
                f"row {row} ({places} {self._given[row]:g}) has {numbers}: {fault.problem}; expected "
                f"{fault.expected}"
            )
        fluid, steps = found.is_fluid(values), np.diff(self._given)
        mixed = (fluid[1:] != fluid[:-1]) & (steps != 0.0)
        if mixed.any():
            row = int(np.argmax(mixed))
            raise ValueError(
                f"vs goes from {values['VS'][row]:g} to {values['VS'][row + 1]:g} between {places} "
                f"{self._given[row]:g} and {self._given[row + 1]:g}; expected fluid and solid to meet at a "
                "jump: give two rows at one place"
            )


BUILT_IN = {
    "ak135": (
        (0.0, 5800.0, 3460.0, 2720.0),
        (20e3, 5800.0, 3460.0, 2720.0),
        (20e3, 6500.0, 3850.0, 2920.0),
        (35e3, 6500.0, 3850.0, 2920.0),
        (35e3, 8040.0, 4480.0, 3319.8),
        (77.5e3, 8045.0, 4490.0, 3345.5),
        (120e3, 8050.0, 4500.0, 3371.3),
        (165e3, 8175.0, 4509.0, 3398.5),
        (210e3, 8300.0, 4518.0, 3425.8),
        (210e3, 8300.0, 4523.0, 3425.8),
        (260e3, 8482.5, 4609.0, 3456.1),
        (310e3, 8665.0, 4696.0, 3486.4),
        (360e3, 8847.5, 4783.0, 3516.7),
        (410e3, 9030.0, 4870.0, 3547.0),
        (410e3, 9360.0, 5080.0, 3755.7),
        (460e3, 9528.0, 5186.0, 3817.5),
        (510e3, 9696.0, 5292.0, 3879.3),
        (560e3, 9864.0, 5398.0, 3941.0),
        (610e3, 10032.0, 5504.0, 4002.8),
        (660e3, 10200.0, 5610.0, 4064.6),
        (660e3, 10790.0, 5960.0, 4371.4),
    ),
}
"""Rows of depth [m], VP, VS [m/s] and RHO [kg/m^3] by name of the model."""


def built_in(name: str, *, surface: float = 0.0) -> Layered:
    """Return a published model of the Earth as a stack of flat layers.

    Parameters
    ----------
    name
        ``"ak135"``: crust and mantle of continents down to 660 km.
    surface
        Height of depth 0 along the last axis [m].

    Raises
    ------
    ValueError
        If there is no model of that name.

    Notes
    -----
    ak135: Kennett, Engdahl & Buland 1995, Geophys. J. Int. 122, 108–124; densities of Montagner & Kennett
    1996, Geophys. J. Int. 125, 229–248, as in common travel-time tables. The Earth's curvature is left out:
    depths are taken as flat, which is right for regions that are small against its radius.
    """
    if name not in BUILT_IN:
        raise unknown_name("built-in model", name, BUILT_IN)
    depths, vp, vs, rho = zip(*BUILT_IN[name], strict=True)
    return Layered(depths, vp=vp, vs=vs, rho=rho, surface=surface)
