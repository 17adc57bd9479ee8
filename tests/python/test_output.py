"""Wavefields in volumes and on side sets: values, files, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import xarray as xr

import wavetree.arrays
from outputs import IN_FLUID, IN_SOLID, ORDER, curved_mesh, inner_nodes, simulate
from test_medium import FLUID
from wavetree.config import load
from wavetree.data.event_data import EventData
from wavetree.errors import Cancelled, ProjectError, WavetreeError
from wavetree.mesh.interpolation import derivative_matrix, gll_points
from wavetree.mesh.side_sets import facet_nodes
from wavetree.simulation.output import OutputConfiguration, SurfaceData, VolumeData
from wavetree.simulation.simulation import Simulation
from wavetree.simulation.storage import ForwardRun
from wavetree.simulation.task import make_control
from wavetree.survey.receiver.fields import FIELDS

EVERYTHING = [*IN_FLUID, *IN_SOLID]


def volume(interval: int = 1, fields: list[str] | None = None) -> OutputConfiguration:
    request = VolumeData(interval, fields=fields or EVERYTHING)
    return OutputConfiguration(volume_data=request)


def surface(side_sets: list[str], interval: int = 1, fields: list[str] | None = None) -> OutputConfiguration:
    request = SurfaceData(interval, fields=fields or EVERYTHING, side_sets=side_sets)
    return OutputConfiguration(surface_data=request)


def at_receivers(data: EventData, simulation: Simulation, field: str) -> np.ndarray:
    """The volume output where the receivers are (n_receivers, n_components, n_times)."""
    output = data.get_wavefield_output("volume", field).load()
    elements = np.array([e for e in range(simulation.mesh.nelem) if (e in FLUID) == (field in IN_FLUID)])
    nodes = inner_nodes(simulation.mesh)[0][elements]
    values = [output.sel(element=e)[:, n].values for e, n in zip(elements, nodes, strict=True)]
    return np.stack(values).transpose(0, 2, 1)


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dim", "medium", "sponge"),
    [
        (2, "elastic", False),
        (2, "elastic", True),
        (2, "hexagonal", False),
        (3, "elastic", False),
        (3, "hexagonal", False),
    ],
)
def test_volumes_are_what_receivers_record(tmp_path: Path, dim: int, medium: str, sponge: bool) -> None:
    simulation = simulate(dim, medium, sponge)
    interval = 1 if dim == 2 else 5
    data = simulation.run(output=volume(interval), output_folder=tmp_path)
    for field in EVERYTHING:
        output, record = at_receivers(data, simulation, field), data.data[field][:, :, ::interval]
        assert output.dtype == np.float32 and output.shape == record.shape
        peak = np.abs(record).max()
        assert peak > 0.0
        np.testing.assert_allclose(output, record, rtol=0.0, atol=1e-7 * peak, err_msg=field)
    times = data.get_wavefield_output("volume", "phi").coords["time"].values
    np.testing.assert_allclose(times, data.axis.times[::interval], rtol=0.0, atol=1e-15)


def test_derivatives_by_time_keep_their_digits_in_single_precision(tmp_path: Path) -> None:
    simulation = simulate(precision="float32")
    data = simulation.run(output=volume(3), output_folder=tmp_path)
    bounds = {0: 2e-7, 1: 2e-7, 2: 6e-8 / (2 * np.pi * 2000.0 * simulation.time_axis.dt) + 2e-7}
    for field in EVERYTHING:
        record = data.data[field][:, :, ::3]
        error = np.abs(at_receivers(data, simulation, field) - record).max() / np.abs(record).max()
        # Slopes multiply the rounding of neighbouring values.
        allowed = bounds[FIELDS[field].time_derivative] * (20 if FIELDS[field].kind.endswith("tensor") else 5)
        assert error < allowed, field


@pytest.mark.parametrize("dim", [2, 3])
def test_surfaces_are_the_sides_of_the_volumes(tmp_path: Path, dim: int) -> None:
    simulation, interval = simulate(dim), 9
    top = ["x0", f"{'xyz'[dim - 1]}1"]
    both = OutputConfiguration(
        volume_data=VolumeData(interval, fields=EVERYTHING),
        surface_data=SurfaceData(2 * interval, fields=EVERYTHING, side_sets=top),
    )
    data = simulation.run(output=both, output_folder=tmp_path)
    columns = facet_nodes(dim, ORDER)
    for field in EVERYTHING:
        facets, inside = (
            data.get_wavefield_output("surface", field),
            data.get_wavefield_output("volume", field),
        )
        assert facets.dims == ("time", "facet", "node", "component")
        expected_sets = {"x0"} if field in IN_FLUID else set(top)
        assert set(facets.coords["side_set"].values) == expected_sets
        for k in range(facets.sizes["facet"]):
            one = facets[:, k]
            rows = simulation.mesh.side_sets[str(one.coords["side_set"].values)].tolist()
            assert [int(one.coords["element"]), int(one.coords["side"])] in rows
            there = inside.sel(element=int(one.coords["element"]))[::2, columns[int(one.coords["side"])]]
            np.testing.assert_array_equal(one.values, there.values)
            np.testing.assert_array_equal(one.coords["y"].values, there.coords["y"].values)
    n_facets = sum(len(simulation.mesh.side_sets[name]) for name in top)
    pair = (data.get_wavefield_output("surface", name).sizes["facet"] for name in ("phi", "strain"))
    assert sum(pair) == n_facets


def test_the_derivative_of_polynomials_is_exact() -> None:
    for order in range(1, 9):
        x = gll_points(order)
        powers = np.stack([x**k for k in range(order + 1)], axis=1)
        slopes = np.stack([k * x ** max(k - 1, 0) for k in range(order + 1)], axis=1)
        np.testing.assert_allclose(derivative_matrix(order) @ powers, slopes, rtol=0.0, atol=1e-13 * order**2)


@pytest.mark.parametrize("stored", [None, 1, 4])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_output_does_not_change_records_or_the_stored_field(tmp_path, stored, precision) -> None:
    simulation = simulate(precision=precision, temporal_dispersion_correction=True)
    plain = simulation.run(stored)
    field = None if stored is None else simulation.wavefield.copy()
    watched = simulation.run(stored, output=volume(7), output_folder=tmp_path)
    for name, values in plain.data.items():
        np.testing.assert_array_equal(watched.data[name], values)
    if field is not None:
        np.testing.assert_array_equal(simulation.wavefield, field)
    assert plain.wavefield_files == {} and set(watched.wavefield_files) == {"volume"}


def test_steps_are_seen_once(tmp_path: Path) -> None:
    """A run that goes back to an earlier state and on again writes nothing a second time."""
    simulation = simulate()
    n_steps, state = simulation.n_steps, simulation._core.compiled.start(simulation.time_axis.dt)
    with simulation._writing(volume(5), tmp_path) as observer:
        run = simulation.forward_run(n_steps, simulation._receivers.samples(n_steps), None, observer)
        run.advance(state, 23)
        checkpoint = state.copy()
        run.advance(state, n_steps)
        run.advance(checkpoint, n_steps)
    direct = simulation.run(output=volume(5), output_folder=tmp_path / "direct")
    again = direct.get_wavefield_output("volume", "velocity").values
    direct.wavefield_files = {"volume": tmp_path / "volume.h5"}
    np.testing.assert_array_equal(direct.get_wavefield_output("volume", "velocity").values, again)


# -- arrays ------------------------------------------------------------------------------------


def test_arrays_have_coordinates_and_are_read_when_looked_at(tmp_path: Path, monkeypatch) -> None:
    simulation = simulate()
    data = simulation.run(output=volume(10), output_folder=tmp_path)
    output = data.get_wavefield_output("volume", "displacement")
    assert output.name == "displacement" and output.attrs["units"] == "m"
    assert output.attrs["event_name"] == "event" and output.attrs["dispersion"].startswith("unfiltered")
    assert list(output.coords["component"].values) == ["X", "Y"]
    assert sorted(output.coords["element"].values) == [e for e in range(12) if e not in FLUID]
    nodes = simulation.mesh.node_coordinates(ORDER)[output.coords["element"].values]
    np.testing.assert_array_equal(output.coords["x"].values, nodes[..., 0])
    np.testing.assert_array_equal(output.coords["y"].values, nodes[..., 1])
    everything = output.values
    read, one = [], h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda d, key: read.append(d.name) or one(d, key))
    lazy = data.get_wavefield_output("volume", "displacement")
    assert not any("displacement" in name for name in read)
    picks = [
        (3,),
        (slice(1, 3), 2),
        (slice(None, None, 2), slice(4, None, -2), 5),
        (..., 1),
        (-1, [2, 0], 3, 0),
    ]
    for pick in picks:
        np.testing.assert_array_equal(lazy[pick].values, everything[pick])
    read.clear()
    assert lazy[2, 1].values.shape == (16, 2) and sum("displacement" in name for name in read) == 1
    assert lazy[:0].values.shape == (0, 8, 16, 2)
    assert float(lazy.max("time").sum()) == pytest.approx(float(xr.DataArray(everything).max("dim_0").sum()))


def test_unknown_names_get_the_nearest(tmp_path: Path) -> None:
    data = simulate().run(output=volume(50, ["phi", "stress"]), output_folder=tmp_path)
    with pytest.raises(ValueError, match="unknown output_type 'volumes'; did you mean 'volume'"):
        data.get_wavefield_output("volumes", "phi")
    with pytest.raises(ValueError, match="field of the volume output of event 'phi_t'; did you mean 'phi'"):
        data.get_wavefield_output("volume", "phi_t")
    with pytest.raises(
        ValueError, match="event has no surface output; give surface_data in extra_output_con"
    ):
        data.get_wavefield_output("surface", "phi")


def test_missing_and_damaged_files_are_named(tmp_path: Path) -> None:
    data = simulate().run(output=volume(50), output_folder=tmp_path)
    path = tmp_path / "volume.h5"
    content = path.read_bytes()
    for broken in (content[:2000], b"hello"):
        path.write_bytes(broken)
        with pytest.raises(
            ValueError, match=r"cannot use file '.*volume\.h5': it is truncated, damaged or was"
        ):
            data.get_wavefield_output("volume", "phi")
    wavetree.arrays.write_arrays(path, {"time": np.zeros(1)})
    with pytest.raises(ValueError, match="was not written by wavetree"):
        data.get_wavefield_output("volume", "phi")
    path.unlink()
    with pytest.raises(ValueError, match=r"volume\.h5' is not there any more; run the simulation"):
        data.get_wavefield_output("volume", "phi")


# -- files -------------------------------------------------------------------------------------


def items(path: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(path).iter("DataItem"))


@pytest.mark.parametrize("dim", [2, 3])
def test_xdmf_describes_the_arrays(tmp_path: Path, dim: int) -> None:
    simulation = simulate(dim)
    both = OutputConfiguration(
        volume_data=VolumeData(20, fields=EVERYTHING),
        surface_data=SurfaceData(30, fields=EVERYTHING, side_sets=["x0"]),
    )
    data = simulation.run(output=both, output_folder=tmp_path)
    for kind, cell_dim in (("volume", dim), ("surface", dim - 1)):
        root = ElementTree.parse(tmp_path / f"{kind}.xdmf").getroot()
        (series,) = root.findall("Domain/Grid")
        assert series.get("CollectionType") == "Temporal"
        times = [float(grid.find("Time").get("Value")) for grid in series]
        output = data.get_wavefield_output(kind, "phi")
        np.testing.assert_array_equal(times, output.coords["time"].values)
        for step in series:
            assert step.get("CollectionType") == "Spatial"
            assert [grid.get("Name") for grid in step.findall("Grid")] == ["fluid", "solid"]
        with h5py.File(tmp_path / f"{kind}.h5") as file:
            for item in items(tmp_path / f"{kind}.xdmf"):
                name, place = item.text.split(":")
                array = file[place]
                assert name == f"{kind}.h5" and array.shape == tuple(map(int, item.get("Dimensions").split()))
                assert array.dtype.itemsize == int(item.get("Precision"))
                assert array.dtype.kind == {"Int": "i", "Float": "f"}[item.get("NumberType")]
            for medium in ("fluid", "solid"):
                cells, points = file[f"{medium}/cells"][()], file[f"{medium}/points"][()]
                assert cells.shape[1] == 2**cell_dim and set(cells.ravel()) == set(range(len(points)))
    attributes = {a.get("Name"): a.get("AttributeType") for a in root.iter("Attribute")}
    assert (
        attributes["phi"] == "Scalar"
        and attributes["displacement"] == attributes["gradient-of-phi"] == "Vector"
    )
    assert {"strain_xy", "stress_xx", "gradient-of-displacement_yx"} < set(attributes)


def test_vectors_in_two_dimensions_are_padded_for_paraview(tmp_path: Path) -> None:
    data = simulate().run(output=volume(40, ["displacement"]), output_folder=tmp_path)
    with h5py.File(tmp_path / "volume.h5") as file:
        values = file["solid/fields/displacement/value/000002"][()]
    output = data.get_wavefield_output("volume", "displacement")[2].values
    np.testing.assert_array_equal(values.reshape(*output.shape[:2], 3)[..., :2], output)
    assert not values[:, 2].any()


@pytest.mark.parametrize("request_", [volume(30, ["phi"]), surface(["y0"], 30, ["phi", "gradient-of-phi"])])
def test_meshio_reads_one_medium(tmp_path: Path, request_: OutputConfiguration) -> None:
    meshio = pytest.importorskip("meshio")
    data = simulate().run(output=request_, output_folder=tmp_path)
    ((kind, path),) = data.wavefield_files.items()
    output = data.get_wavefield_output(kind, "phi")
    with meshio.xdmf.TimeSeriesReader(path.with_suffix(".xdmf")) as reader:
        points, cells = reader.read_points_cells()
        assert reader.num_steps == output.sizes["time"]
        assert [block.type for block in cells] == ["quad" if kind == "volume" else "line"]
        np.testing.assert_array_equal(points[:, 0], output.coords["x"].values.ravel())
        for k in range(reader.num_steps):
            time, fields, _ = reader.read_data(k)
            assert time == output.coords["time"].values[k]
            np.testing.assert_array_equal(fields["phi"], output[k].values.ravel())


def test_files_appear_complete_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    simulation, seen = simulate(), []
    advance = ForwardRun._advance

    def stopped(*arguments: object) -> None:
        seen.append(os.listdir(tmp_path))
        if len(seen) == 3:
            raise Cancelled("stopped")
        advance(*arguments)

    with monkeypatch.context() as patched, pytest.raises(Cancelled):
        patched.setattr(ForwardRun, "_advance", stopped)
        simulation.run(output=volume(10), output_folder=tmp_path)
    assert all(len(names) == 1 and names[0].endswith(".part") for names in seen)
    assert os.listdir(tmp_path) == []
    with pytest.raises(ProjectError, match=r"cannot write '.*volume\.h5'"):
        simulation.run(output=volume(10), output_folder="/proc/wavetree")
    simulation.run(output=volume(10), output_folder=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["volume.h5", "volume.xdmf"]


def test_a_full_disk_stops_the_run(tmp_path: Path, monkeypatch) -> None:
    written, write = [], os.pwrite

    def limited(descriptor: int, data: bytes, position: int) -> int:
        if position > 30_000:
            raise OSError(28, "No space left on device")
        written.append(position)
        return write(descriptor, data, position)

    simulation = simulate()
    control = make_control()
    monkeypatch.setattr(os, "pwrite", limited)
    with pytest.raises(ProjectError, match=r"cannot write '.*volume\.h5': No space left on device"):
        simulation.run(control=control, output=volume(1), output_folder=tmp_path)
    assert written and os.listdir(tmp_path) == [] and control.progress < 1.0


def test_a_run_that_ends_early_is_no_result(tmp_path: Path) -> None:
    simulation = simulate()
    samples = simulation._receivers.samples(simulation.n_steps)
    with (
        pytest.raises(WavetreeError, match="the run ended after 3 of"),
        simulation._writing(volume(10), tmp_path) as o,
    ):
        run = simulation.forward_run(simulation.n_steps, samples, None, o)
        run.advance(simulation._core.compiled.start(simulation.time_axis.dt), 25)
    assert os.listdir(tmp_path) == []


# -- requests ----------------------------------------------------------------------------------


def test_requests_are_data_and_take_dictionaries() -> None:
    given = {
        "volume_data": {"sampling_interval_in_time_steps": 10, "fields": ["phi"]},
        "surface_data": {"sampling_interval_in_time_steps": 2, "fields": ["velocity"], "side_sets": ["y1"]},
    }
    made = OutputConfiguration(**given)
    assert made.volume_data == VolumeData(10, fields=["phi"])
    assert made.surface_data == SurfaceData(2, fields=("velocity",), side_sets=("y1",))
    assert load(made.to_dict()) == made and made.file_names == {
        "volume": "volume.h5",
        "surface": "surface.h5",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither volume_data nor surface_data is given"),
        ({"volume": 1}, "unknown argument 'volume'; did you mean 'volume_data'"),
        (
            {"volume_data": {"sampling_interval_in_time_steps": 0, "fields": ["phi"]}},
            "volume_data: VolumeData: sampling_interval_in_time_steps=0 is not valid: expected",
        ),
        ({"volume_data": {"sampling_interval_in_time_steps": 1, "fields": []}}, "fields=[] is not valid"),
        ({"volume_data": {"sampling_interval_in_time_steps": 1, "field": "phi"}}, "did you mean 'fields'"),
        (
            {"volume_data": {"sampling_interval_in_time_steps": 1, "fields": ["ph"]}},
            "'ph'; did you mean 'phi'",
        ),
        ({"volume_data": {"sampling_interval_in_time_steps": 1, "fields": ["phi", "phi"]}}, "named 2 times"),
        (
            {"surface_data": {"sampling_interval_in_time_steps": 1, "fields": ["phi"]}},
            "argument 'side_sets' is missing",
        ),
    ],
)
def test_bad_requests(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match="OutputConfiguration: ") as caught:
        OutputConfiguration(**given)
    assert message in str(caught.value)


def test_requests_that_do_not_fit_the_simulation(tmp_path: Path) -> None:
    simulation = simulate()
    cases = [
        (surface(["y2"]), "unknown side set in surface_data 'y2'; did you mean 'y"),
        (
            surface(["y1"], 1, ["phi"]),
            "fields of surface_data name 'phi', a field of fluids, but there is no such",
        ),
        (
            volume(100_000),
            f"of volume_data is 100000, but the simulation has {simulation.time_axis.n_steps} time",
        ),
    ]
    for output, message in cases:
        with pytest.raises(ValueError, match="expected|Known") as caught:
            simulation.run(output=output, output_folder=tmp_path)
        assert message in str(caught.value)
    with pytest.raises(ValueError, match="output_folder is None; expected the folder"):
        simulation.run(output=volume(10))
    solid = curved_mesh(2)
    solid.attach_field("VS", np.full((solid.nelem, (ORDER + 1) ** 2), 1200.0))
    with pytest.raises(ValueError, match=r"name 'phi', a field of fluids, .* expected some of displacement"):
        volume(1, ["phi"]).check(solid, 10)
    assert os.listdir(tmp_path) == []
