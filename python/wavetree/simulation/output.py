"""What a simulation writes of its wavefield besides the records of receivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, model_validator

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.simulation.boundary import SideSets
from wavetree.simulation.medium import fluid_elements
from wavetree.survey.receiver.fields import FIELDS

__all__ = ["OutputConfiguration", "SurfaceData", "VolumeData"]


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in FIELDS:
            raise unknown_name("field", name, FIELDS)
        if names.count(name) > 1:
            raise ValueError(f"field {name!r} is named {names.count(name)} times; expected every name once.")
    return names


FieldNames = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known)]


@configuration
class VolumeData(Configuration):
    """Fields in all elements, at some of the time steps.

    Parameters
    ----------
    sampling_interval_in_time_steps
        Every n-th time step is written, from the first on.
    fields
        What is written, names of receiver fields: those of fluids in the fluid elements, those of solids in
        the solid ones.
    """

    sampling_interval_in_time_steps: PositiveInt
    _: KW_ONLY
    fields: FieldNames


@configuration
class SurfaceData(Configuration):
    """Fields on side sets, at some of the time steps.

    Parameters
    ----------
    sampling_interval_in_time_steps
        Every n-th time step is written, from the first on.
    fields
        What is written, names of receiver fields: those of fluids on sides of fluid elements, those of solids
        on sides of solid ones.
    side_sets
        Names of side sets of the mesh.
    """

    sampling_interval_in_time_steps: PositiveInt
    _: KW_ONLY
    fields: FieldNames
    side_sets: SideSets


def _made(kind: type) -> Callable[[Any], Any]:
    """Return what makes a request of a dictionary, with the request's own words for what is wrong with it."""
    return lambda given: kind(**given) if isinstance(given, Mapping) else given


@configuration
class OutputConfiguration(Configuration):
    """What a simulation writes of its wavefield besides the records of receivers.

    Parameters
    ----------
    volume_data
        Fields in all elements, or None.
    surface_data
        Fields on side sets, or None.

    Examples
    --------
    >>> output = OutputConfiguration(volume_data={"sampling_interval_in_time_steps": 10, "fields": ["phi"]})
    >>> output.volume_data.fields
    ('phi',)
    """

    _: KW_ONLY
    volume_data: Annotated[VolumeData | None, BeforeValidator(_made(VolumeData))] = None
    surface_data: Annotated[SurfaceData | None, BeforeValidator(_made(SurfaceData))] = None

    @model_validator(mode="after")
    def _not_empty(self) -> OutputConfiguration:
        if self.volume_data is None and self.surface_data is None:
            raise ValueError("neither volume_data nor surface_data is given; expected at least one of them.")
        return self

    @property
    def requests(self) -> dict[str, VolumeData | SurfaceData]:
        """What is asked for, by type of output: "volume", "surface"."""
        both = {"volume": self.volume_data, "surface": self.surface_data}
        return {name: request for name, request in both.items() if request is not None}

    @property
    def file_names(self) -> dict[str, str]:
        """Names of the HDF5 files by type of output."""
        return {name: f"{name}.h5" for name in self.requests}

    def files(self, folder: str | Path) -> dict[str, Path]:
        """Return the HDF5 files in a folder by type of output; XDMF files of the same stems go with them."""
        return {name: Path(folder) / file for name, file in self.file_names.items()}

    def check(self, mesh: Mesh, n_steps: int) -> None:
        """Refuse what a simulation cannot write.

        Parameters
        ----------
        mesh
            The domain with its medium, as `wavetree.simulation.medium.medium` returns it.
        n_steps
            Number of time steps.

        Raises
        ------
        ValueError
            If a side set is unknown, the medium has not got a field, or the sampling interval is longer than
            the simulation.
        """
        fluid = fluid_elements(mesh)
        for name, request in self.requests.items():
            argument = f"{name}_data"
            interval = request.sampling_interval_in_time_steps
            if interval > n_steps:
                raise ValueError(
                    f"sampling_interval_in_time_steps of {argument} is {interval}, but the simulation has "
                    f"{n_steps} time steps; expected at most as many."
                )
            where, place = fluid, "the mesh"
            if isinstance(request, SurfaceData):
                where = fluid[_sides(mesh, request.side_sets)[:, 0]]
                place = f"side set {' or '.join(map(repr, request.side_sets))}"
            _check_media(request.fields, where, argument, place)


def _sides(mesh: Mesh, names: tuple[str, ...]) -> np.ndarray:
    for name in names:
        if name not in mesh.side_sets:
            raise unknown_name("side set in surface_data", name, mesh.side_sets)
    return np.concatenate([mesh.side_sets[name] for name in names])


def _check_media(fields: tuple[str, ...], fluid: np.ndarray, argument: str, place: str) -> None:
    there: dict[str, Any] = {"fluid": fluid.any(), "solid": not fluid.all()}
    for field in fields:
        medium = FIELDS[field].medium
        if not there[medium]:
            possible = [name for name, known in FIELDS.items() if there[known.medium]]
            raise ValueError(
                f"fields of {argument} name {field!r}, a field of {medium}s, but there is no such element "
                f"at {place}; expected some of {', '.join(possible)}."
            )
