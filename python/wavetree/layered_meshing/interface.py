"""Interfaces between layers, and topography: heights as functions of the horizontal coordinates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, FiniteFloat, field_validator, model_validator
from scipy.interpolate import BSpline, RectBivariateSpline, make_interp_spline

from wavetree.config import Configuration, configuration

__all__ = ["Curve", "Hyperplane", "Interface", "Surface"]

Interpolation = Literal["cubic", "linear"]

_DEGREES = {"cubic": 3, "linear": 1}
_SLACK = 1e-9  # of the extent, by which positions may lie outside what is interpolated


class Interface(Configuration):
    """Base of all interfaces."""

    @abstractmethod
    def elevation(self, horizontal: np.ndarray) -> np.ndarray:
        """Return the height (n,) [m] at horizontal positions (n, dim - 1) [m].

        Raises
        ------
        ValueError
            If the interface is not defined at a position or in that number of dimensions.
        """


@configuration
class Hyperplane(Interface):
    """A horizontal line or plane.

    Parameters
    ----------
    z
        Its height [m]: y in 2-D, z in 3-D.
    """

    z: FiniteFloat

    @classmethod
    def at(cls, z: float) -> Hyperplane:
        """Return the horizontal line or plane at a height [m]."""
        return cls(z)

    def elevation(self, horizontal: np.ndarray) -> np.ndarray:
        """Return the height (n,) [m], the same everywhere."""
        return np.full(len(horizontal), self.z)


@configuration
class Curve(Interface):
    """A line through points, in 2-D.

    Parameters
    ----------
    x
        Horizontal coordinates of the points [m], increasing; at least two.
    y
        Their heights [m].
    interpolation
        ``"cubic"`` (spline, its third derivative continuous next to the ends; with two points a line, with
        three a parabola) or ``"linear"``. Splines overshoot where heights jump.
    """

    x: Annotated[tuple[FiniteFloat, ...], Field(min_length=2)]
    _: KW_ONLY
    y: tuple[FiniteFloat, ...]
    interpolation: Interpolation = "cubic"

    @model_validator(mode="after")
    def _consistent(self) -> Curve:
        if len(self.x) != len(self.y):
            raise ValueError(
                f"x has {len(self.x)} numbers and y {len(self.y)}; expected as many of both, one pair a point"
            )
        _refuse_disorder("x", np.array(self.x))
        return self

    @classmethod
    def from_points(
        cls, x: Sequence[float], y: Sequence[float], interpolation: Interpolation = "cubic"
    ) -> Curve:
        """Return the line through points; see the class."""
        # Of arrays too, whose numbers are not Python's.
        x, y = (tuple(float(v) for v in values) for values in (x, y))
        return cls(x, y=y, interpolation=interpolation)

    @cached_property
    def _spline(self) -> BSpline:
        return _spline(np.array(self.x), np.array(self.y), self.interpolation)

    def elevation(self, horizontal: np.ndarray) -> np.ndarray:
        """Return the height (n,) [m] at positions (n, 1) [m]."""
        _refuse_dimensions("a Curve is a line and", horizontal, 1)
        (x,) = _inside("the curve", horizontal, {"x": np.array(self.x)})
        return np.asarray(self._spline(x))


@configuration
class Surface(Interface):
    """A line or surface through the nodes of a grid.

    Parameters
    ----------
    data
        Heights [m] on ``x`` and ``y`` in 3-D, on ``x`` in 2-D, with increasing coordinates [m].
    interpolation
        As in `Curve`, along both axes.
    """

    data: xr.DataArray
    _: KW_ONLY
    interpolation: Interpolation = "cubic"

    @field_validator("data", mode="before")
    @classmethod
    def _checked(cls, value: Any) -> Any:
        data = xr.DataArray.from_dict(value) if isinstance(value, dict) else value
        if not isinstance(data, xr.DataArray) or set(data.dims) not in ({"x"}, {"x", "y"}):
            found = getattr(data, "dims", type(data).__name__)
            raise ValueError(
                f"data has the dimensions {found}; expected an xarray.DataArray on x, or x and y"
            )
        for axis in data.dims:
            if axis not in data.coords or data.sizes[axis] < 2:
                raise ValueError(
                    f"data has {data.sizes[axis]} positions along {axis!r}; expected coordinates [m], "
                    "at least two"
                )
            _refuse_disorder(str(axis), data[axis].values)
        if data.dtype.kind not in "fiu" or not np.isfinite(data.values).all():
            raise ValueError("data has values that are not finite numbers; expected a height at every node")
        return data

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON-serialisable dictionary with the class under ``"type"``."""
        content = {"data": self.data.to_dict(), "interpolation": self.interpolation}
        return {"type": self._type_name, **content}

    @cached_property
    def _grid(self) -> dict[str, np.ndarray]:
        return {axis: self.data[axis].values.astype(np.float64) for axis in ("x", "y")[: self.data.ndim]}

    @cached_property
    def _spline(self) -> BSpline | RectBivariateSpline:
        axes = list(self._grid.values())
        values = self.data.transpose(*self._grid).values.astype(np.float64)
        if len(axes) == 1:
            return _spline(axes[0], values, self.interpolation)
        degrees = [min(_DEGREES[self.interpolation], len(axis) - 1) for axis in axes]
        return RectBivariateSpline(*axes, values, kx=degrees[0], ky=degrees[1])

    def elevation(self, horizontal: np.ndarray) -> np.ndarray:
        """Return the height (n,) [m] at horizontal positions (n, dim - 1) [m]."""
        _refuse_dimensions(
            f"the Surface has heights on {', '.join(self._grid)} and", horizontal, self.data.ndim
        )
        positions = _inside("the surface", horizontal, self._grid)
        if len(positions) == 1:
            return np.asarray(self._spline(positions[0]))
        return np.asarray(self._spline.ev(*positions))


def _spline(x: np.ndarray, y: np.ndarray, interpolation: Interpolation) -> BSpline:
    # Degree 2 has its knots between the points, degree 3 leaves out those next to the ends.
    return make_interp_spline(x, y, k=min(_DEGREES[interpolation], len(x) - 1))


def _refuse_disorder(axis: str, positions: np.ndarray) -> None:
    if not np.isfinite(positions).all() or not (np.diff(positions) > 0.0).all():
        raise ValueError(
            f"{axis} has the values {positions[:3].tolist()}, ...; expected finite and strictly increasing "
            "ones: sort the points"
        )


def _refuse_dimensions(what: str, horizontal: np.ndarray, expected: int) -> None:
    if horizontal.shape[1] != expected:
        raise ValueError(
            f"{what} cannot be used in {horizontal.shape[1] + 1} dimensions; expected "
            f"{'a Surface on x and y, or a Hyperplane' if horizontal.shape[1] == 2 else 'an interface on x'}."
        )


def _inside(what: str, horizontal: np.ndarray, grid: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Positions along every axis, moved onto the ends of the grid where rounding has them outside."""
    positions = []
    for values, (axis, edges) in zip(horizontal.T, grid.items(), strict=True):
        low, high = edges[0], edges[-1]
        slack = _SLACK * (high - low)
        if values.min() < low - slack or values.max() > high + slack:
            raise ValueError(
                f"{what} has heights for {axis} from {low:g} to {high:g} m, but the domain reaches from "
                f"{values.min():g} to {values.max():g} m; expected heights for all of it: add points or "
                "shrink the domain."
            )
        positions.append(np.clip(values, low, high))
    return positions
