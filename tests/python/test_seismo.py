"""Records as ObsPy streams and ASDF files; skipped where these are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from wavetree.data.event_data import EventData
from wavetree.survey.receiver.cartesian import Point2D, SideSetPoint2D

RECEIVERS = [
    Point2D(x=1, y=2, network_code="AB", station_code="S1", location_code="00", fields=["phi"]),
    Point2D(x=3, y=4, station_code="S2", fields=["velocity", "gradient-of-displacement"]),
    SideSetPoint2D((5, 6), direction="y", side_set_name="y1", station_code="S3", fields=["velocity"]),
]


def records(dtype: type = np.float32) -> EventData:
    rng = np.random.default_rng(0)
    shapes = {"phi": (1, 1), "velocity": (2, 2), "gradient-of-displacement": (1, 4)}
    data = {field: rng.standard_normal((*shape, 50)).astype(dtype) for field, shape in shapes.items()}
    return EventData("shot", RECEIVERS, data, -0.125, 2000.0)


def test_a_trace_per_receiver_field_and_component() -> None:
    pytest.importorskip("obspy")
    d = records()
    stream = d.to_obspy()
    assert [trace.id for trace in stream] == [
        "AB.S1.00.A",
        *("XX.S2..X", "XX.S2..Y", "XX.S2..0", "XX.S2..1", "XX.S2..2", "XX.S2..3"),
        *("XX.S3..X", "XX.S3..Y"),
    ]
    assert {trace.stats.starttime.timestamp for trace in stream} == {-0.125}
    assert {trace.stats.sampling_rate for trace in stream} == {2000.0}
    about = stream[3].stats.wavetree
    assert (about.field, about.unit, about.event_name) == ("gradient-of-displacement", "1", "shot")
    assert tuple(about.location) == (3.0, 4.0) and "location" not in stream[-1].stats.wavetree
    np.testing.assert_array_equal(stream[-1].data, d.data["velocity"][1, 1])
    assert stream[0].data.dtype == np.float32 and records(np.float64).to_obspy()[0].data.dtype == np.float64
    stream[0].data[:] = 0.0
    assert d.data["phi"].any()  # the stream has its own samples


def test_streams_follow_the_shown_time_axis() -> None:
    pytest.importorskip("obspy")
    d = records()
    d.set_temporal_interpolation(-0.12, 4000.0, 60)
    trace = d.to_obspy()[0]
    assert (trace.stats.npts, trace.stats.sampling_rate) == (60, 4000.0)
    np.testing.assert_array_equal(trace.data, d.get_data_cube("phi", "A")[1][0])


def test_asdf_out_and_in(tmp_path: Path) -> None:
    pyasdf = pytest.importorskip("pyasdf")
    d, file = records(), tmp_path / "shot.h5"
    d.to_asdf(file)
    assert [path.name for path in tmp_path.iterdir()] == ["shot.h5"]
    with pyasdf.ASDFDataSet(str(file), mode="r", mpi=False) as dataset:
        assert sorted(dataset.waveforms.list()) == ["AB.S1", "XX.S2", "XX.S3"]
        assert set(dataset.waveforms["XX.S2"].get_waveform_tags()) == {"velocity", "gradient_of_displacement"}
        stream = dataset.waveforms["XX.S2"]["velocity"].sort()
        np.testing.assert_array_equal(stream[1].data, d.data["velocity"][0, 1])
        assert stream[1].stats.channel == "Y" and stream[1].stats.starttime.timestamp == -0.125
    with pytest.raises(ValueError, match="shot.h5' exists; give another name"):
        d.to_asdf(file)
    with pytest.raises(ValueError, match="there is no folder .*nowhere"):
        d.to_asdf(tmp_path / "nowhere" / "a.h5")


@pytest.mark.parametrize("name", ["obspy", "pyasdf"])
def test_what_is_not_installed_is_named(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # makes the import fail
    with pytest.raises(ImportError, match=rf"needs {name}, .* pip install 'wavetree\[seismo\]'"):
        records().to_obspy() if name == "obspy" else records().to_asdf(tmp_path / "a.h5")
