"""Writes wavefields while a simulation runs: HDF5, with XDMF beside it for ParaView.

A file holds one grid for every medium, ``fluid`` and ``solid``, of elements (or facets of elements) that have
nodes of their own, for derivatives jump between elements. Its arrays are

    time (n_times,) [s], step (n_times,)
    <grid>/points (n * n_nodes, dim) [m], <grid>/cells (n_cells, n_corners), <grid>/element (n,)
    <grid>/side (n,), <grid>/side_set (n,)                        of surfaces
    <grid>/fields/<field>/<part>/<number of the time>             float32 (n * n_nodes[, 3])

with one part, ``value``, of scalars and of vectors, which have three components in two dimensions too because
ParaView draws no others, and one part for every component of tensors.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from wavetree.arrays import GrowingFile, growing_file, write_text
from wavetree.data.wavefield_output import FORMAT
from wavetree.errors import WavetreeError
from wavetree.mesh.io import TOPOLOGY, straight_cells
from wavetree.mesh.side_sets import AXES, facet_nodes
from wavetree.simulation.core import Core
from wavetree.simulation.output import OutputConfiguration, SurfaceData, VolumeData
from wavetree.simulation.output_fields import ElementFields
from wavetree.simulation.rows import symmetric_pairs
from wavetree.simulation.time_axis import TimeAxis
from wavetree.survey.receiver.fields import FIELDS

__all__ = ["DISPERSION", "OutputWriter", "write_output"]

DISPERSION = {
    True: "unfiltered: fields have the time stepping's dispersion that is removed from the records",
    False: "unfiltered: fields and records have the time stepping's dispersion",
}
"""What files of wavefields say of themselves, by whether records are filtered."""


@dataclass(frozen=True)
class _Grid:
    """Where fields of one medium are written: whole elements, or facets of them.

    Attributes
    ----------
    medium, part
        The medium and its number.
    dim
        Dimensions of what is written.
    fields
        Names of the fields.
    place
        For every element or facet the mesh's element, of facets also side and number of the side set.
    rows, columns
        Where an array (n_elements, n_nodes) of the evaluated elements has the values of the nodes.
    values
        Evaluates fields.
    points
        Coordinates (n, n_nodes, dim) [m].
    """

    medium: str
    part: int
    dim: int
    fields: tuple[str, ...]
    place: Mapping[str, np.ndarray]
    rows: np.ndarray
    columns: np.ndarray
    values: ElementFields
    points: np.ndarray

    def evaluate(self, field: str, wavefield: np.ndarray) -> np.ndarray:
        """Return a field (n * n_nodes, n_components)."""
        values = self.values.evaluate(field, wavefield)[self.rows, self.columns]
        return values.reshape(-1, values.shape[-1])


def _grids(core: Core, request: VolumeData | SurfaceData) -> list[_Grid]:
    mesh, order = core.mesh, core.mesh.tensor_order
    coordinates = mesh.node_coordinates(order)
    grids = []
    for part, medium in enumerate(core.media):
        fields = tuple(name for name in request.fields if FIELDS[name].medium == medium)
        domain = core.parts[part].elements[core.parts[part].elements < mesh.nelem]
        if not fields or not len(domain):
            continue
        if isinstance(request, SurfaceData):
            place = _facets(core, part, request.side_sets)
            elements, rows = np.unique(place["element"], return_inverse=True)
            columns, dim = facet_nodes(mesh.dim, order)[place["side"]], mesh.dim - 1
        else:
            place, elements, rows, dim = {"element": domain}, domain, np.arange(len(domain)), mesh.dim
            columns = np.arange(coordinates.shape[1])[None]
        numbers = np.searchsorted(core.parts[part].elements, elements)
        values = ElementFields(core, part, numbers)
        points = coordinates[place["element"][:, None], columns]
        grids.append(_Grid(medium, part, dim, fields, place, rows.reshape(-1, 1), columns, values, points))
    return grids


def _facets(core: Core, part: int, side_sets: Iterable[str]) -> dict[str, np.ndarray]:
    """Facets of one medium in side sets."""
    found = []
    for number, name in enumerate(side_sets):
        sides = core.mesh.side_sets[name]
        sides = sides[core.part_of_element[sides[:, 0]] == part]
        found.append(np.column_stack([sides, np.full(len(sides), number, dtype=np.int64)]))
    return dict(zip(("element", "side", "side_set"), np.concatenate(found).T, strict=True))


class OutputWriter:
    """Writes what was asked for into a file, step by step.

    Parameters
    ----------
    file
        The file; None on ranks that leave the writing to another.
    core
        The compiled simulation.
    request
        What is asked for.
    axis
        The time steps.

    Notes
    -----
    All fields are those of the step's own time. The scheme's velocity w stands half a step before, so
    v = (w⁺ + w)/2 and a = (w⁺ − w)/dt with the w⁺ of the next step; this a is M⁻¹(F − Ku − Cv) but for the
    rounding of w, a relative error of 6e-8/(ω dt) in float32.
    """

    def __init__(
        self, file: GrowingFile | None, core: Core, request: VolumeData | SurfaceData, axis: TimeAxis
    ) -> None:
        self._file, self._core, self._dt = file, core, axis.dt
        self.grids = _grids(core, request)
        self.steps = np.arange(0, axis.n_samples, request.sampling_interval_in_time_steps)
        self.times = axis.times[self.steps]
        self._derivatives = any(FIELDS[name].time_derivative for name in request.fields)
        self._seen = 0  # how many steps were looked at
        self._open: list[tuple[np.ndarray, np.ndarray]] | None = None  # u and w of the last of them
        self._write_grids(request)

    def stops(self, begin: int, end: int) -> list[int]:
        """Return the steps after `begin` and before `end` that are still to be seen, ascending."""
        steps = self.steps[self._seen :]
        if self._derivatives:
            steps = np.union1d(steps, self.steps[max(0, self._seen - (self._open is not None)) :] + 1)
        return [int(step) for step in steps[(steps > begin) & (steps < end)]]

    def see(self, state: Any) -> None:
        """Look at a state; one that is not asked for, or was seen before, is passed over."""
        if self._open is not None and state.step == self.steps[self._seen - 1] + 1:
            after = [self._field(state, grid, True) for grid in self.grids]
            self._write(self._seen - 1, [(u, w, w1) for (u, w), w1 in zip(self._open, after, strict=True)])
            self._open = None
        if self._seen < len(self.steps) and state.step == self.steps[self._seen]:
            field = [self._field(state, grid) for grid in self.grids]
            self._seen += 1
            if self._derivatives:
                before = [self._field(state, grid, True) for grid in self.grids]
                self._open = list(zip(field, before, strict=True))
            else:
                self._write(self._seen - 1, [(u, u, u) for u in field])

    def check_complete(self) -> None:
        """Raise WavetreeError unless all steps were seen."""
        if self._seen < len(self.steps) or self._open is not None:
            raise WavetreeError(f"the run ended after {self._seen} of {len(self.steps)} times of its output")

    def _field(self, state: Any, grid: _Grid, velocity: bool = False) -> np.ndarray:
        return self._core.gather(grid.part, np.asarray(self._core.compiled.field(state, grid.part, velocity)))

    def _write(self, number: int, wavefields: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Write the fields of a time, of u and the velocities half a step before and after per grid."""
        with _together(self._core):
            if self._file is not None:
                self._write_fields(self._file, number, wavefields)

    def _write_fields(
        self, file: GrowingFile, number: int, wavefields: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]
    ) -> None:
        for grid, (field, before, after) in zip(self.grids, wavefields, strict=True):
            for name in grid.fields:
                kind = FIELDS[name].time_derivative
                wavefield = field
                if kind == 1:
                    wavefield = 0.5 * (before.astype(np.float64) + after)
                elif kind == 2:
                    wavefield = (after.astype(np.float64) - before) / self._dt
                values = grid.evaluate(name, wavefield)
                for part, array in _parts(name, values, self._core.mesh.dim).items():
                    file.write(f"{grid.medium}/fields/{name}/{part}/{number:06d}", array)

    def _write_grids(self, request: VolumeData | SurfaceData) -> None:
        if self._file is None:
            return
        mesh = self._core.mesh
        self._file.write("time", self.times, {"units": "s"})
        self._file.write("step", self.steps)
        for grid in self.grids:
            n, n_nodes, dim = grid.points.shape
            self._file.write(f"{grid.medium}/points", grid.points.reshape(-1, dim))
            self._file.write(f"{grid.medium}/cells", straight_cells(n, mesh.tensor_order, grid.dim))
            for name, array in grid.place.items():
                self._file.write(f"{grid.medium}/{name}", array)
            self._file.describe(grid.medium, {"n_nodes": n_nodes})
            if isinstance(request, SurfaceData):
                self._file.describe(grid.medium, {"side_sets": json.dumps(request.side_sets)})
            for name in grid.fields:
                field = FIELDS[name]
                about = {
                    "units": field.unit,
                    "components": json.dumps(field.components(dim)),
                    "parts": json.dumps(_part_names(name, dim)),
                }
                self._file.describe(f"{grid.medium}/fields/{name}", about)


@contextlib.contextmanager
def write_output(
    core: Core, output: OutputConfiguration, folder: Path, axis: TimeAxis, attributes: Mapping[str, str]
) -> Iterator[_Several]:
    """Open the files of an output; they appear when the run is over, complete, or not at all.

    Parameters
    ----------
    core
        The compiled simulation.
    output
        What is asked for, already checked.
    folder
        Where ``volume.h5``, ``surface.h5`` and the XDMF files beside them go.
    axis
        The time steps.
    attributes
        What else the files say.

    Yields
    ------
    Observer
        What is to see the states of the run, on every rank; one of them writes.

    Raises
    ------
    ProjectError
        If a file cannot be written; nothing half-written stays.
    """
    writers: dict[Path, OutputWriter] = {}
    writes = core.ranks is None or core.ranks.rank == 0
    with contextlib.ExitStack() as stack:
        for name, request in output.requests.items():
            path = Path(folder) / output.file_names[name]
            about = {"output_type": name, **attributes}
            with _together(core):
                file = stack.enter_context(growing_file(path, FORMAT, about)) if writes else None
            writers[path] = OutputWriter(file, core, request, axis)
        yield _Several(list(writers.values()))
        for path, writer in writers.items():
            writer.check_complete()
            if not writes:
                continue
            write_text(path.with_suffix(".xdmf"), _xdmf_text(writer, path.name, core.mesh.dim))


class _Several:
    """Several writers as one observer."""

    def __init__(self, writers: list[OutputWriter]) -> None:
        self._writers = writers

    def stops(self, begin: int, end: int) -> list[int]:
        return sorted({step for writer in self._writers for step in writer.stops(begin, end)})

    def see(self, state: Any) -> None:
        for writer in self._writers:
            writer.see(state)


def _together(core: Core) -> contextlib.AbstractContextManager[None]:
    """What fails on the rank that writes fails on all."""
    return contextlib.nullcontext() if core.ranks is None else core.ranks.together()


def _part_names(field: str, dim: int) -> list[str]:
    """The arrays that a field is written as."""
    kind = FIELDS[field].kind
    if kind in ("scalar", "vector"):
        return ["value"]
    pairs = symmetric_pairs(dim) if "symmetric" in kind else np.ndindex(dim, dim)
    return ["".join(AXES[axis] for axis in pair) for pair in pairs]


def _parts(field: str, values: np.ndarray, dim: int) -> dict[str, np.ndarray]:
    """Values (n, n_components) as the arrays that are written."""
    names = _part_names(field, dim)
    if len(names) > 1:
        return dict(zip(names, values.T, strict=True))
    if FIELDS[field].kind == "vector":
        return {names[0]: np.pad(values, ((0, 0), (0, 3 - dim)))}
    return {names[0]: values[:, 0]}


def _xdmf_text(writer: OutputWriter, h5_name: str, dim: int) -> str:
    """A grid per time, and inside it one per medium if there are two."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<Xdmf Version="3.0"><Domain>']
    lines.append('<Grid Name="wavefield" GridType="Collection" CollectionType="Temporal">')
    several = len(writer.grids) > 1
    for number, time in enumerate(writer.times):
        value = f'<Time Value="{time:.17g}"/>'
        if several:
            lines.append(f'<Grid Name="both" GridType="Collection" CollectionType="Spatial">{value}')
        for grid in writer.grids:
            lines += [f'<Grid Name="{grid.medium}" GridType="Uniform">', "" if several else value]
            lines += _xdmf_grid(grid, number, h5_name, dim)
            lines.append("</Grid>")
        if several:
            lines.append("</Grid>")
    return "\n".join([*filter(None, lines), "</Grid></Domain></Xdmf>", ""])


def _xdmf_grid(grid: _Grid, number: int, h5_name: str, dim: int) -> Iterator[str]:
    n_points = grid.points.shape[0] * grid.points.shape[1]
    order = round(grid.points.shape[1] ** (1.0 / grid.dim)) - 1
    n_cells, corners = grid.points.shape[0] * order**grid.dim, 2**grid.dim

    def item(shape: str, kind: str, name: str) -> str:
        # The path is relative: the pair of files may be moved together.
        place = f"{h5_name}:/{grid.medium}/{name}"
        return f'<DataItem Dimensions="{shape}" {kind} Format="HDF">{place}</DataItem>'

    cells = item(f"{n_cells} {corners}", 'NumberType="Int" Precision="8"', "cells")
    yield f'<Topology {TOPOLOGY[grid.dim]} NumberOfElements="{n_cells}">{cells}</Topology>'
    points = item(f"{n_points} {dim}", 'NumberType="Float" Precision="8"', "points")
    yield f'<Geometry GeometryType="{"XYZ"[:dim]}">{points}</Geometry>'
    for field in grid.fields:
        vector = FIELDS[field].kind == "vector"
        shape, kind = (f"{n_points} 3", "Vector") if vector else (f"{n_points}", "Scalar")
        for part in _part_names(field, dim):
            name = field if part == "value" else f"{field}_{part}"
            values = item(shape, 'NumberType="Float" Precision="4"', f"fields/{field}/{part}/{number:06d}")
            about = f'Name={quoteattr(name)} AttributeType="{kind}" Center="Node"'
            yield f"<Attribute {about}>{values}</Attribute>"
