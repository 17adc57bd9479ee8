from __future__ import annotations

import json

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot

from wavetree.data.event_data import EventData
from wavetree.data.resample import SampleAxis
from wavetree.survey import Event
from wavetree.survey.receiver.cartesian import Point2D, Point3D
from wavetree.survey.receiver.cartesian.collections import RingPoint2D
from wavetree.survey.source.cartesian import ScalarPoint2D
from wavetree.survey.stf import Ricker

matplotlib.use("Agg")
FLUID_AND_SOLID = [
    Point2D(x=0, y=k, station_code=f"{k}", fields=fields)
    for k, fields in enumerate((["phi"], ["strain", "velocity"], ["phi"], ["velocity"]))
]
SOURCE = ScalarPoint2D(x=0, y=0, f=1, source_time_function=Ricker(5.0))
RING = RingPoint2D(x=0, y=0, radius=1, count=4, fields=["phi", "displacement"])
EVENT = Event(SOURCE, receivers=RING, event_name="shot")
AXIS = SampleAxis(-0.4, 100.0, 200)


def signal(times: np.ndarray) -> np.ndarray:
    """Four scalar records, (4, 1, n)."""
    return np.array([(k + 1) * np.sin(2 * np.pi * (k + 3) * times + k) for k in range(4)])[:, None]


def data(dtype: type = np.float64) -> EventData:
    records = {"phi": signal(AXIS.times).astype(dtype), "displacement": np.ones((4, 2, 200), dtype)}
    return EventData("shot", EVENT.receivers, records, -0.4, 100.0, EVENT.sources)


def coupled() -> EventData:
    """Two receivers in a fluid and two in a solid, values that say receiver and component."""
    phi = np.ones((2, 1, 200)) * np.array([0.0, 2.0])[:, None, None]
    velocity = 10.0 + np.array([[1.0, 1.5], [3.0, 3.5]])[:, :, None] * np.ones(200)
    strain = np.arange(3.0)[None, :, None] * np.ones(200)
    records = {"phi": phi, "velocity": velocity, "strain": strain}
    return EventData("shot", FLUID_AND_SOLID, records, -0.4, 100.0, [SOURCE])


def test_accessors() -> None:
    d = data(np.float32)
    assert d.receiver_names[1] == "XX.0001." and d.receiver_fields == ["phi", "displacement"]
    assert d.components("phi") == ("A",) and d.components("displacement") == ("X", "Y")
    assert d.start_time_in_seconds == -0.4 and d.sampling_rate_in_hertz == 100.0
    times, values = d.get_data_cube("phi", "A")
    np.testing.assert_array_equal(times, AXIS.times)
    assert values.shape == (4, 200) and values.dtype == np.float32
    assert d.get_data_cube("displacement")[1].shape == (4, 2, 200)
    np.testing.assert_array_equal(d.get_receiver_data("XX.0002.", "phi")[1], d.data["phi"][2])


def test_temporal_interpolation_of_what_is_shown() -> None:
    d, target = data(), SampleAxis(-0.213, 171.0, 250)
    d.set_temporal_interpolation(-0.213, 171.0, 250)
    times, values = d.get_data_cube("phi", "A")
    np.testing.assert_array_equal(times, target.times)
    np.testing.assert_allclose(values, signal(times)[:, 0], atol=4e-6)
    np.testing.assert_array_equal(d.get_receiver_data("XX.0003.", "phi")[1][0], values[3])
    np.testing.assert_array_equal(d.get_waveform_data_xarray("phi").values[:, 0], values)
    np.testing.assert_array_equal(d.interpolated("phi", target)[:, 0], values)
    assert d.axis == AXIS and d.to_xarray().sizes["time"] == 200  # the records themselves stay
    with pytest.raises(ValueError, match=r"do not cover the time axis .*; provide longer records"):
        d.set_temporal_interpolation(-0.5, 100.0, 10)
    np.testing.assert_array_equal(
        d.get_data_cube("phi", "A")[0], target.times
    )  # a refused axis changes nothing


def test_xarray_out_and_in() -> None:
    d = data()
    array = d.get_waveform_data_xarray("displacement")
    assert array.dims == ("receiver", "component", "time") and list(array.component.values) == ["X", "Y"]
    again = EventData.from_xarray(d.to_xarray(), EVENT)
    assert again.receiver_names == d.receiver_names and again.axis.npts == 200 and again.sources == d.sources
    assert again.sampling_rate_in_hertz == pytest.approx(100.0, rel=1e-12)
    for field in d.data:
        np.testing.assert_array_equal(again.data[field], d.data[field])
    scalar = (
        d.get_waveform_data_xarray("phi").isel(component=0, drop=True)[[2, 0]].transpose("time", "receiver")
    )
    part = EventData.from_xarray(scalar, EVENT)
    assert part.receiver_names == ["XX.0002.", "XX.0000."]
    np.testing.assert_array_equal(part.data["phi"], d.data["phi"][[2, 0]])
    unnamed = EventData.from_xarray(scalar[:, [1, 0, 1, 0]].drop_vars("receiver"), EVENT)
    assert unnamed.receiver_names == d.receiver_names


def test_xarray_errors() -> None:
    array = data().get_waveform_data_xarray("phi")
    uneven = array.assign_coords(time=array.time.values**3)
    for bad, text in (
        (array.rename(None), "the array has no name"),
        (array.rename(time="t"), "expected 'receiver' and 'time' among them"),
        (uneven, "200 times are given that are not evenly spaced"),
        (array.drop_vars("time"), "not evenly spaced"),
        (
            array.assign_coords(receiver=["XX.0000.", "XX.0001.", "XX.0002.", "XX.0009."]),
            "unknown receiver of shot",
        ),
        (
            array[:2].drop_vars("receiver"),
            "data has 2 receivers without names, shot has 4",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            EventData.from_xarray(bad, EVENT)
    assert isinstance(array, xr.DataArray)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_out_and_in(dtype: type) -> None:
    d = data(dtype)
    arrays, attributes = d.to_arrays()
    again = EventData.from_arrays(arrays, json.loads(json.dumps(attributes, allow_nan=False)))
    assert again.receivers == d.receivers and again.sources == d.sources and again.axis == d.axis
    assert again.event_name == "shot" and again.data["phi"].dtype == dtype
    np.testing.assert_array_equal(again.data["phi"], d.data["phi"])
    attributes.pop("receivers")
    with pytest.raises(ValueError, match="attributes: 'receivers' is missing"):
        EventData.from_arrays(arrays, attributes)


def test_errors_name_what_is_known() -> None:
    d = data()
    for call, text in (
        (lambda: d.get_data_cube("phy", "A"), "unknown field of shot 'phy'; did you mean 'phi'"),
        (lambda: d.get_data_cube("displacement", "Z"), "unknown component of displacement 'Z'"),
        (
            lambda: d.get_receiver_data("XX.001.", "phi"),
            "unknown receiver of shot 'XX.001.'; did you mean 'XX.0",
        ),
        (lambda: d.plot("A", "phi", ["wiggle"]), "unknown plot type 'wiggle'; did you mean 'wiggles'"),
        (lambda: EventData("e", EVENT.receivers, {"phi": np.zeros((4, 9))}, 0, 1), r"has shape \(4, 9\)"),
        (lambda: EventData("e", EVENT.receivers, {"phi": np.zeros((4, 2, 9))}, 0, 1), "the components A"),
        (lambda: EventData("e", EVENT.receivers, {}, 0, 1), "give at least one field"),
        (
            lambda: EventData(
                "e", EVENT.receivers, {"phi": np.zeros((4, 1, 9)), "displacement": np.zeros((4, 2, 8))}, 0, 1
            ),
            "all with the same number",
        ),
        (
            lambda: EventData("e", EVENT.receivers, {"phi": np.zeros((4, 1, 9))}, 0, 0),
            "sampling_rate_in_hertz=0.0",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            call()


def test_prints_readably() -> None:
    text = repr(data())
    assert text.splitlines()[0] == "EventData of 'shot'" and "fields: phi (A), displacement (X, Y)" in text
    assert "<th>receivers</th><td>4</td>" in data()._repr_html_()


def test_plot() -> None:
    d = data()
    figure = d.plot("A", "phi", plot_types=["shotgather", "wiggles"])
    left, right = figure.axes[:2]
    assert left.get_ylabel() == right.get_ylabel() == "time [s]"
    assert left.get_ylim() == right.get_ylim() == (AXIS.times[-1], AXIS.times[0])  # time runs down
    assert left.images[0].get_array().shape == (200, 4) and len(right.lines) == 4
    pyplot.close(figure)
    silent = EventData("shot", EVENT.receivers, {"phi": np.zeros((4, 1, 9))}, 0.0, 1.0)
    pyplot.close(silent.plot(plot_types=["wiggles"]))


def test_fields_have_rows_for_those_who_record_them() -> None:
    d = coupled()
    assert d.get_receiver_names("phi") == ["XX.0.", "XX.2."]
    assert d.get_receiver_names("velocity") == ["XX.1.", "XX.3."]
    assert d.get_receiver_names("strain") == ["XX.1."] and d.components("strain") == ("0", "1", "2")
    assert d.get_data_cube("velocity", "Y")[1][:, 0].tolist() == [11.5, 13.5]
    assert d.get_receiver_data("XX.3.", "velocity")[1][:, 0].tolist() == [13.0, 13.5]
    assert d.get_receiver_data("XX.2.", "phi")[1][:, 0].tolist() == [2.0]
    assert list(d.get_waveform_data_xarray("velocity").receiver.values) == ["XX.1.", "XX.3."]
    with pytest.raises(
        ValueError, match=r"receiver_field is 'phi', but receiver 'XX\.3\.' of shot records velocity"
    ):
        d.get_receiver_data("XX.3.", "phi")
    with pytest.raises(
        ValueError, match=r"data\['phi'\] has shape \(4, 1, 9\); .* the 2 receivers that record it"
    ):
        EventData("e", FLUID_AND_SOLID, {"phi": np.zeros((4, 1, 9))}, 0, 1)
    with pytest.raises(ValueError, match="unknown field of data 'velocty'; did you mean 'velocity'"):
        EventData("e", FLUID_AND_SOLID, {"velocty": np.zeros((2, 2, 9))}, 0, 1)
    nobody = EventData("e", [], {"phi": np.zeros((0, 1, 9)), "velocity": np.zeros((0, 3, 9))}, 0, 1)
    assert nobody.components("velocity") == ("X", "Y", "Z") and nobody.get_receiver_names("phi") == []
    assert "phi (A; 2 of 4 receivers), velocity (X, Y; 2 of 4 receivers), strain (0, 1, 2; 1 of 4" in repr(d)


def test_components_in_space() -> None:
    receivers = [Point3D(x=0, y=0, z=0, station_code="a", fields=["stress", "displacement"])]
    records = {"stress": np.zeros((1, 6, 9)), "displacement": np.zeros((1, 3, 9))}
    d = EventData("e", receivers, records, 0.0, 1.0)
    assert d.components("stress") == tuple("012345") and d.components("displacement") == ("X", "Y", "Z")
    with pytest.raises(ValueError, match="the components 0, 1, 2, 3, 4, 5"):
        EventData("e", receivers, {"stress": np.zeros((1, 3, 9))}, 0.0, 1.0)


def test_fields_of_some_receivers_out_and_in() -> None:
    d, event = coupled(), Event(SOURCE, receivers=FLUID_AND_SOLID, event_name="shot")
    dataset = d.to_xarray()
    assert dataset.sizes["receiver"] == 4 and list(dataset.receiver.values) == d.receiver_names
    assert np.isnan(dataset["phi"].values[[1, 3]]).all() and not np.isnan(dataset["phi"].values[[0, 2]]).any()
    arrays, attributes = d.to_arrays()
    for again in (
        EventData.from_xarray(dataset, event),
        EventData.from_arrays(arrays, json.loads(json.dumps(attributes))),
    ):
        assert again.receivers == d.receivers and again.receiver_fields == d.receiver_fields
        for field in d.data:
            np.testing.assert_array_equal(again.data[field], d.data[field])
    part = EventData.from_xarray(d.get_waveform_data_xarray("velocity")[[1]], event)
    assert part.receiver_names == ["XX.3."] and part.data["velocity"][0, :, 0].tolist() == [13.0, 13.5]
    wrong = dataset["phi"].fillna(0.0)
    with pytest.raises(
        ValueError, match=r"data has 'phi' of receiver 'XX\.1\.', which records strain, velocity"
    ):
        EventData.from_xarray(wrong, event)


def test_interpolation_keeps_rows() -> None:
    d = coupled()
    d.set_temporal_interpolation(0.0, 50.0, 20)
    times, values = d.get_data_cube("velocity")
    assert values.shape == (2, 2, 20) and d.shown_axis == SampleAxis(0.0, 50.0, 20) and len(times) == 20
    np.testing.assert_allclose(values[1, 1], 13.5, rtol=1e-6)


def test_any_component_is_drawn() -> None:
    figure = coupled().plot("1", "strain", ["wiggles"])
    assert figure.axes[0].get_title() == "shot: strain, 1 [1]" and len(figure.axes[0].lines) == 1
    pyplot.close(figure)
    figure = coupled().plot(receiver_field="velocity")
    assert figure.axes[0].get_title() == "shot: velocity, X [m/s]"
    assert figure.axes[0].images[0].get_array().shape == (200, 2)
    pyplot.close(figure)
