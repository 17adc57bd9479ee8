"""Shots from SEG-Y files as data of events, synthetic and real ones."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projects import DOMAIN, simulation
from segy_files import write
from wavetree.data.shots import read_shots
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.project import Project
from wavetree.survey.event import Event

TRACES = np.random.default_rng(0).standard_normal((5, 60))


def headers(**changes: Any) -> list[dict[str, int]]:
    """Two shots of three and two channels, in decimetres and centimetres of depth."""
    rows = [
        {
            "record": 7 + k // 3,
            "channel": 1 + k % 3,
            "source_x": 1000 + 250 * (k // 3),
            "source_elevation": 100,
            "source_depth": 700,
            "receiver_x": 2000 + 125 * (k % 3),
            "receiver_elevation": -1050,
            "coordinate_scalar": -10,
            "elevation_scalar": -100,
            "delay": -40,
        }
        for k in range(5)
    ]
    return [row | {key: v[k] if isinstance(v, list) else v for key, v in changes.items()}
            for k, row in enumerate(rows)]  # fmt: skip


def test_shots_are_events(tmp_path: Path) -> None:
    first, second = read_shots(write(tmp_path / "a.segy", TRACES, headers()), "pressure", network_code="LN")
    assert [first.event_name, second.event_name] == ["shot_0007", "shot_0008"]
    assert first.receiver_names == ["LN.0001.", "LN.0002.", "LN.0003."] and len(second.receivers) == 2
    assert [r.location for r in first.receivers] == [(200.0, -10.5), (212.5, -10.5), (225.0, -10.5)]
    assert [s.location for s in first.sources or ()] == [(100.0, -6.0)]
    assert [s.location for s in second.sources or ()] == [(125.0, -6.0)]
    np.testing.assert_array_equal(second.data["pressure"], np.float32(TRACES[3:, None]))
    assert (first.sampling_rate_in_hertz, first.start_time_in_seconds) == (pytest.approx(500.0), -0.04)
    assert first.axis.npts == 60


def test_three_dimensions_and_feet(tmp_path: Path) -> None:
    path = write(tmp_path / "a.segy", TRACES, headers(source_y=30, receiver_y=[0, 10, 20, 0, 10]), unit=2)
    first, _ = read_shots(path, "phi", dim=3)
    assert first.receivers[2].location == pytest.approx((225.0 * 0.3048, 2.0 * 0.3048, -10.5 * 0.3048))
    assert (first.sources or [])[0].location == pytest.approx((100 * 0.3048, 3 * 0.3048, -6 * 0.3048))
    with pytest.raises(ValueError, match="stand at y from 0 to 3; expected one y of a 2-D line: give dim=3"):
        read_shots(path, "phi")


def test_traces_without_records_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.segy", TRACES, headers(kind=[1, 2, 1, 0, 6]))
    first, second = read_shots(path, "pressure")
    assert first.receiver_names == ["XX.0001.", "XX.0003."] and second.receiver_names == ["XX.0001."]
    np.testing.assert_array_equal(first.data["pressure"], np.float32(TRACES[[0, 2], None]))
    assert "a.segy: 2 traces are dead or hold no records" in caplog.text


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({}, {"receiver_field": "velocity"}, "'velocity', which has components, of which a trace is one"),
        ({}, {"receiver_field": "presure"}, "unknown receiver_field 'presure'; did you mean 'pressure'"),
        ({}, {"dim": 1}, "dim is 1; expected 2 or 3"),
        ({}, {"sampling_interval_in_seconds": 0.0}, "sampling_interval_in_seconds is 0.0; expected a pos"),
        (
            {"interval": 4000},
            {},
            "name the sampling intervals 2000 and 4000 µs; expected one: give sampling_",
        ),
        ({"unit": 2}, {}, r"coordinates are seconds of arc \(unit 2 .*; expected lengths"),
        ({"unit": 3}, {}, "coordinates are decimal degrees"),
        ({"delay": [0, 0, 4, 0, 0]}, {}, r"record 7 has one recording delay of 0.0 in its first .* 0.004 in"),
        ({"source_x": [1, 1, 1, 2, 1]}, {}, r"record 8 has one source's position of \[ 0.2 -6. \] in its"),
        ({"channel": [1, 2, 2, 1, 2]}, {}, "field record 7 has channel 2 2 times; expected each once"),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: Any, arguments: Any, message: str) -> None:
    if changes.get("unit") == 3:
        changes = changes | {"source_x": 100, "receiver_x": 110}
    path = write(tmp_path / "a.segy", TRACES, headers(**changes))
    with pytest.raises(ValueError, match=message):
        read_shots(path, **({"receiver_field": "pressure"} | arguments))


def test_an_interval_given_decides(tmp_path: Path) -> None:
    path = write(tmp_path / "a.segy", TRACES, headers(interval=4000, time_scalar=-10))
    (first, _) = read_shots(path, "pressure", sampling_interval_in_seconds=1e-3)
    assert (first.sampling_rate_in_hertz, first.start_time_in_seconds) == (1000.0, -0.004)


def test_shots_are_observed_data_of_a_project(tmp_path: Path) -> None:
    """The misfit of a simulation against the shots of a file, within the small box of `projects`."""
    where = {"source_x": 0, "receiver_x": [10, 20, 30, 10, 20], "coordinate_scalar": -1000}
    depth = {"source_elevation": 0, "source_depth": 5, "receiver_elevation": -5, "elevation_scalar": -1000}
    own = headers(**where, **depth, delay=-2, interval=16)
    path = write(tmp_path / "a.segy", np.zeros((5, 400)), own, interval=16)
    p = Project.from_domain(tmp_path / "project", DOMAIN)
    p += simulation("initial")
    shots = read_shots(path, "phi")
    for data in shots:
        p += Event(data.sources, receivers=data.receivers, event_name=data.event_name)
        p.waveforms.add_external("shots", data.event_name, data)
    p += MisfitConfiguration("L2", observed_data="EXTERNAL_DATA:shots", receiver_field="phi")
    found = p.actions.inversion.compute_misfits("initial", "L2")
    for name, chi in (found or {}).items():
        (u,) = p.waveforms.get("initial", name)
        assert chi == pytest.approx(0.5 * (u.data["phi"] ** 2).sum() / u.sampling_rate_in_hertz, rel=1e-6)
    assert list(found or {}) == ["shot_0007", "shot_0008"]
    p.close()


@pytest.mark.data
def test_viking_graben(checkout: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Four shots of 120 channels; the bytes read apart, with numbers of IBM one by one."""
    folder = Path(os.environ.get("WAVETREE_SHARED", checkout.parent / "shared")) / "data/segy_viking_prestack"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {folder}; set WAVETREE_SHARED")
    caplog.set_level(logging.WARNING, "wavetree")
    shots = read_shots(folder / "viking_small.segy", "pressure")
    assert "file's header says 600 samples a trace, the traces' headers say 1500" in caplog.text
    assert "decimal degrees and reach 3312; taken as lengths" in caplog.text
    kind = np.dtype([("head", "S240"), ("words", ">u4", 600)])
    raw = np.fromfile(folder / "viking_small.segy", dtype=kind, offset=3600).reshape(4, 120)
    bytes_ = np.fromfile(folder / "viking_small.segy", dtype=np.uint8, offset=3600).reshape(4, 120, -1)
    whole = np.ascontiguousarray(bytes_[..., :240]).view(">i4")  # entry k holds bytes 4k + 1 to 4k + 4
    assert [data.event_name for data in shots] == [f"shot_{n:04d}" for n in whole[:, 0, 2]]
    assert [data.event_name for data in shots] == ["shot_0003", "shot_0004", "shot_0005", "shot_0006"]
    for k, data in enumerate(shots):
        assert data.axis.npts == 600 and data.sampling_rate_in_hertz == pytest.approx(250.0)
        assert [s.location for s in data.sources or ()] == [(float(whole[k, 0, 18]), -6.0)]
        places = np.array([r.location for r in data.receivers])
        np.testing.assert_array_equal(places[:, 0], whole[k, :, 20])
        np.testing.assert_array_equal(places[:, 1], -10.0)
        offsets = places[:, 0] - (data.sources or [])[0].location[0]
        np.testing.assert_array_equal(offsets, whole[k, :, 9])  # as the file states them
        for trace in (0, 57, 119):
            words = raw["words"][k, trace].tolist()
            values = [
                (-1) ** (w >> 31) * (w & 0xFFFFFF) / 2.0**24 * 16.0 ** ((w >> 24 & 127) - 64) for w in words
            ]
            np.testing.assert_allclose(data.data["pressure"][trace, 0], values, rtol=1e-15)
    # The far channels hear the first arrival later, at about the velocity of water.
    energy = np.cumsum(shots[0].data["pressure"][:, 0] ** 2, axis=1)
    assert np.isfinite(energy).all() and (energy[:, -1] > 0.0).all()
