"""What all sources have in common."""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from wavetree.config import Configuration
from wavetree.survey.placement import SideSetMesh, checked_medium, coordinates, move_onto_side_set
from wavetree.survey.stf import SourceTimeFunction

__all__ = ["PointSource", "SideSetSource", "Source"]

_VECTOR: dict[int, tuple[str, ...]] = {2: ("fx", "fy"), 3: ("fx", "fy", "fz")}
_AMPLITUDES: dict[str, dict[int, tuple[str, ...]]] = {
    "scalar": {2: ("f",), 3: ("f",)},
    "scalar_gradient": _VECTOR,
    "vector": _VECTOR,
    "moment_tensor": {2: ("mxx", "myy", "mxy"), 3: ("mxx", "myy", "mzz", "myz", "mxz", "mxy")},
}
_MEDIUM = {"scalar": "fluid", "scalar_gradient": "fluid", "vector": "solid"}


class Source(Configuration):
    """A source of waves at one place.

    Attributes
    ----------
    dim
        Number of space dimensions.
    spatial_type
        "scalar", "scalar_gradient", "vector" or "moment_tensor".
    source_time_function
        Its own source time function; that of the event configuration when None.
    """

    dim: ClassVar[int]
    spatial_type: ClassVar[str]
    source_time_function: SourceTimeFunction | None

    @property
    def amplitude_names(self) -> tuple[str, ...]:
        """Names of its amplitudes: f, fx ... or mxx ..."""
        return _AMPLITUDES[self.spatial_type][self.dim]

    @property
    def amplitudes(self) -> np.ndarray:
        """What multiplies s(t): (1,) scalar, (dim,) vector and gradient, symmetric (dim, dim) tensor."""
        names = self.amplitude_names
        if self.spatial_type != "moment_tensor":
            return np.array([getattr(self, name) for name in names])
        tensor = np.empty((self.dim, self.dim))
        for name in names:
            row, column = ("xyz".index(axis) for axis in name[1:])
            tensor[row, column] = tensor[column, row] = getattr(self, name)
        return tensor

    @abstractmethod
    def resolve(self, mesh: SideSetMesh) -> PointSource:
        """Return the same source at the place that it has on a mesh.

        Raises
        ------
        ValueError
            If it stands on a side set that is unknown or missed.
        """

    @abstractmethod
    def _place(self) -> str:
        """Return where it is, for messages."""

    def check_medium(self, medium: str) -> None:
        """Refuse a medium in which there is no such source.

        Parameters
        ----------
        medium
            "fluid" or "solid".

        Raises
        ------
        ValueError
            For forces in fluids, scalar sources and their gradients in solids, and moment tensors in fluids
            that are not isotropic.
        """
        kind = self.spatial_type
        if kind == "moment_tensor":
            tensor = self.amplitudes
            mean = np.trace(tensor) / self.dim
            deviation = np.abs(tensor - mean * np.eye(self.dim)).max()
            if checked_medium(medium) == "fluid" and deviation > 1e-12 * np.abs(tensor).max():
                raise ValueError(
                    f"the moment tensor at {self._place()} is {tensor.tolist()} and lies in a fluid, which "
                    f"bears no shear; expected an isotropic one, for example {mean:g} times the identity."
                )
        elif checked_medium(medium) != _MEDIUM[kind]:
            other = "scalar or isotropic moment tensor" if medium == "fluid" else "vector or moment tensor"
            raise ValueError(
                f"the {kind} source at {self._place()} lies in a {medium}, but such a source is one of a "
                f"{_MEDIUM[kind]}; expected a {other} source there, or another place."
            )


class PointSource(Source):
    """A source at a point that is known without a mesh."""

    @functools.cached_property  # asked for again in every run
    def location(self) -> tuple[float, ...]:
        """Position (x, y) or (x, y, z) [m]."""
        return tuple(coordinates(self).values())

    def resolve(self, mesh: SideSetMesh) -> PointSource:
        """Return the source itself."""
        return self

    def _place(self) -> str:
        return str(self.location)


class SideSetSource(Source):
    """A source at a point that is moved onto a side set of the mesh."""

    plain: ClassVar[Any]
    point: tuple[float, ...]
    side_set_name: str

    def resolve(self, mesh: SideSetMesh) -> PointSource:
        """Return the plain source at the place that this one has on a mesh.

        Raises
        ------
        ValueError
            If the side set is unknown or the line through the point misses it.
        """
        amplitudes = {name: getattr(self, name) for name in self.amplitude_names}
        place = move_onto_side_set(self, mesh)
        resolved: PointSource = self.plain(
            **place, **amplitudes, source_time_function=self.source_time_function
        )
        return resolved

    def _place(self) -> str:
        return f"{self.point}, moved onto {self.side_set_name!r},"
