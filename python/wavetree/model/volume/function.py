"""Models from functions of coordinates."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from wavetree.config import Configuration, configuration
from wavetree.model.base import Bounds, Model
from wavetree.model.parameters import find_set
from wavetree.user_function import UserFunction

__all__ = ["FunctionModel"]

# Along each axis the function is looked at in so many places for its slowest wave.
_LOOKS = {2: 257, 3: 65}


def _identified(function: Any) -> Any:
    return (
        UserFunction.of(function)
        if callable(function) and not isinstance(function, UserFunction)
        else function
    )


@configuration
class FunctionModel(Model, Configuration):
    """A medium as a function of coordinates, called when a mesh is made.

    Parameters
    ----------
    name
        Name of the model.
    function
        Called with arrays ``x, y`` (and ``z`` in 3-D) [m] of one shape; returns a dictionary of parameters
        by lower-case name, for example ``{"vp": 1500.0 + 0.5 * y, "rho": 1000.0}``, arrays of that shape or
        numbers. Where one is NaN the model is not defined.
    bounds
        Smallest and largest coordinate per axis [m] of the box in which the model is defined; everywhere when
        None.

    Raises
    ------
    ValueError
        If the function has no source text by which it could be told from others, or takes other arguments.

    Notes
    -----
    The function itself is never stored; it is identified by a hash of its source and of what it uses. The
    slowest wave is looked for in 257 places along each axis in 2-D and 65 in 3-D.
    """

    name: Annotated[str, Field(pattern=r"^\w[\w.\- ]*$")]
    _: KW_ONLY
    function: Annotated[UserFunction, BeforeValidator(_identified)]
    bounds: tuple[tuple[float, float], ...] | None = None

    @model_validator(mode="after")
    def _check(self) -> FunctionModel:
        pairs = self.bounds or ()
        if self.bounds is not None and (len(pairs) not in (2, 3) or not all(lo < hi for lo, hi in pairs)):
            raise ValueError(
                f"bounds is {self.bounds}; expected ((x0, x1), (y0, y1)) or three such pairs, each increasing"
            )
        called = self.function.function
        dims = tuple(dim for dim in (2, 3) if called is None or _takes(called, dim))
        if self.bounds is not None:
            dims = tuple(dim for dim in dims if dim == len(pairs))
        if not dims:
            raise ValueError(
                f"function {self.function.name!r} cannot be called with the coordinates x, y or x, y, z "
                f"of bounds {self.bounds}; expected function(x, y) in 2-D and function(x, y, z) in 3-D"
            )
        object.__setattr__(self, "dims", dims)
        return self

    def evaluate(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters by upper-case name, shape (...,), at coordinates (..., dim) [m].

        Raises
        ------
        ValueError
            If the model is not defined at a position, or the function returns values of no medium.
        """
        values = self._call(coordinates)
        outside = ~(self._inside(coordinates) & _complete(values))
        if outside.any():
            position = ", ".join(f"{x:g}" for x in np.asarray(coordinates)[outside][0])
            raise ValueError(
                f"position ({position}) m lies where the volume model {self.name!r} is not defined; expected "
                "positions where it is: extend the model or shrink the domain."
            )
        fault = find_set(values, np.shape(coordinates)[-1]).first_fault(values)
        if fault is not None:
            index = tuple(np.argwhere(fault.bad)[0])
            position = ", ".join(f"{x:g}" for x in np.asarray(coordinates)[index])
            numbers = ", ".join(f"{name.lower()} = {values[name][index]:g}" for name in fault.names)
            raise ValueError(
                f"function {self.function.name!r} returned {numbers} at ({position}) m: {fault.problem}; "
                f"expected {fault.expected}."
            )
        return values

    def contains(self, coordinates: np.ndarray) -> np.ndarray:
        """Say at which coordinates (..., dim) [m] the model is defined: bool (...,)."""
        inside = self._inside(coordinates)
        if inside.any():
            inside[inside] = _complete(self._call(np.asarray(coordinates)[inside]))
        return inside

    def knots(self, bounds: Bounds) -> list[np.ndarray]:
        """Return, per axis, places inside a box at which the function is looked at, sorted (n,) [m]."""
        own = self.bounds or bounds
        looks = _LOOKS[len(bounds)]
        places = []
        for (low, high), (first, last) in zip(bounds, own, strict=True):
            begin, end = max(low, first), min(high, last)
            places.append(np.linspace(begin, end, looks) if begin < end else np.zeros(0))
        return places

    def spacing(self, dim: int) -> np.ndarray:
        """Return the smallest distance over which the model changes, per axis (dim,) [m]: inf, unknown."""
        return np.full(dim, np.inf)

    def covers(self) -> str:
        """Return the extent as text."""
        if self.bounds is None:
            return "everywhere that its function is not NaN"
        return ", ".join(f"{axis} {pair}" for axis, pair in zip("xyz", self.bounds, strict=False))

    def _inside(self, coordinates: np.ndarray) -> np.ndarray:
        if self.bounds is None:
            return np.ones(np.shape(coordinates)[:-1], dtype=bool)
        low, high = np.array(self.bounds).T
        slack = 1e-9 * (high - low)
        return np.asarray(((coordinates >= low - slack) & (coordinates <= high + slack)).all(axis=-1))

    def _call(self, coordinates: np.ndarray) -> dict[str, np.ndarray]:
        coordinates = np.asarray(coordinates, dtype=np.float64)
        shape, dim = coordinates.shape[:-1], coordinates.shape[-1]
        if dim not in self.dims:
            raise ValueError(
                f"coordinates has shape {coordinates.shape}; expected (..., {self.dims[0]}), for the "
                f"function {self.function.name!r} is one of {self.dims[0]} coordinates."
            )
        returned = self.function(*np.moveaxis(coordinates, -1, 0))
        if not isinstance(returned, dict):
            raise ValueError(
                f"function {self.function.name!r} returned a {type(returned).__name__}; expected a "
                "dictionary of parameters, {'vp': ..., 'rho': ...}."
            )
        values: dict[str, np.ndarray] = {}
        for name, value in returned.items():
            array = np.asarray(value, dtype=np.float64)
            if array.shape not in ((), shape):
                raise ValueError(
                    f"function {self.function.name!r} returned {name!r} of shape {array.shape}; expected "
                    f"{shape}, that of the coordinates, or a number."
                )
            values[str(name).upper()] = np.broadcast_to(array, shape).copy()
        return values


def _complete(values: dict[str, np.ndarray]) -> np.ndarray:
    return ~np.any([np.isnan(value) for value in values.values()], axis=0)


def _takes(function: Callable[..., Any], number: int) -> bool:
    try:
        inspect.signature(function).bind(*range(number))
    except TypeError:
        return False
    return True
