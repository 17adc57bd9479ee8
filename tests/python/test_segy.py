"""SEG-Y files: numbers of all formats, and how many samples a trace has."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segy_files import write
from wavetree.segy import read_segy_file

TRACES = np.random.default_rng(0).uniform(-100.0, 100.0, (3, 7))


@pytest.mark.parametrize("code", [2, 3, 5, 6, 8])
def test_formats(tmp_path: Path, code: int) -> None:
    kind = {2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1"}[code]
    path = write(tmp_path / "a.segy", TRACES, [{"channel": k} for k in range(3)], format=code, texts=1)
    file = read_segy_file(path)
    np.testing.assert_array_equal(file.samples, TRACES.astype(kind).astype(np.float64))
    assert file.headers["channel"].tolist() == [0, 1, 2]
    assert file.intervals == (2000,) and not file.in_feet


def test_numbers_of_ibm(tmp_path: Path) -> None:
    """The usual example, the largest number, the smallest one and others by their words."""
    words = {
        0xC276A000: -118.625,
        0x4276A000: 118.625,
        0x7FFFFFFF: (1.0 - 2.0**-24) * 16.0**63,
        0x00100000: 16.0**-65,
        0x00000000: 0.0,
        0x41100000: 1.0,
    }
    path = write(tmp_path / "a.segy", np.array([list(words)], dtype=np.uint32), [{}], format=1)
    np.testing.assert_array_equal(read_segy_file(path).samples[0], list(words.values()))


def test_files_of_another_writer(tmp_path: Path) -> None:
    obspy = pytest.importorskip("obspy", reason="ObsPy, which writes SEG-Y, is not installed")
    stream = obspy.Stream([obspy.Trace(np.float32(trace), {"delta": 0.004}) for trace in TRACES])
    for code, rtol in ((1, 1e-6), (5, 0.0)):
        stream.write(str(tmp_path / "a.segy"), format="SEGY", data_encoding=code)
        file = read_segy_file(tmp_path / "a.segy")
        np.testing.assert_allclose(file.samples, np.float32(TRACES), rtol=rtol)
        assert file.intervals == (4000,)


@pytest.mark.parametrize("of_file", [7, 20])
def test_the_size_decides_on_samples(tmp_path: Path, caplog: pytest.LogCaptureFixture, of_file: int) -> None:
    of_trace = 27 - of_file  # the other one, 20 or 7
    path = write(tmp_path / "a.segy", TRACES, [{"samples": of_trace}] * 3, samples=of_file)
    np.testing.assert_array_equal(read_segy_file(path).samples, np.float32(TRACES))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"header says {of_file} samples a trace, the traces' headers say {of_trace}" in record.message
    assert "Taken are 7, which the size of the file bears out" in record.message


def test_a_length_that_only_divides_is_not_taken(tmp_path: Path) -> None:
    """Two traces of 7 samples are as long as one of 74, which the file's header says: 240 + 4 · 74 bytes."""
    path = write(tmp_path / "a.segy", np.repeat(TRACES[:2], 2, axis=0), [{"samples": 7}] * 4, samples=74)
    assert read_segy_file(path).samples.shape == (4, 7)
    # Nor is one of 7 taken for what are traces of 74.
    path = write(tmp_path / "b.segy", np.ones((2, 74)), [{"samples": 7}] * 2, samples=74)
    assert read_segy_file(path).samples.shape == (2, 74)


@pytest.mark.parametrize(
    ("change", "of_file", "message"),
    [
        (lambda content: content[:3700], {}, "it has 3700 bytes; expected at least 3840"),
        (lambda content: content[:-3], {}, "7 samples a trace and the first trace's 7, and neither fits to"),
        (lambda content: content, {"samples": 0, "of_trace": 0}, "its header says 0 samples"),
        (lambda content: content, {"format": 4}, "its format code is 4; expected big-endian numbers"),
        (lambda content: content, {"format": 5 << 8}, "its numbers are little-endian; expected big-endian"),
        (lambda content: content, {"texts": -1}, "how many extended text headers"),
        (lambda content: content, {"texts": 3}, "ends before the first trace"),
        (lambda content: content, {"of_trace": 6}, None),
    ],
)
def test_what_is_refused(tmp_path: Path, change: Any, of_file: dict[str, int], message: str | None) -> None:
    path = tmp_path / "a.segy"
    n = of_file.get("of_trace", 7)
    write(path, TRACES[:1], [{"samples": n}])
    content = bytearray(path.read_bytes())
    for name, first in (("samples", 20), ("format", 24), ("texts", 304)):
        if name in of_file:
            content[3200 + first : 3202 + first] = (of_file[name]).to_bytes(2, "big", signed=True)
    path.write_bytes(change(bytes(content)))
    if message is None:
        assert read_segy_file(path).samples.shape == (1, 7)
        return
    with pytest.raises(ValueError, match=message):
        read_segy_file(path)


def test_traces_of_many_lengths_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.segy", TRACES, [{}] * 3)
    longer = write(tmp_path / "b.segy", np.zeros((3, 9)), [{}] * 3)
    path.write_bytes(path.read_bytes() + longer.read_bytes()[3600:])
    with pytest.raises(ValueError, match="neither fits .* traces of one length"):
        read_segy_file(path)
    with pytest.raises(ValueError, match="is not a file"):
        read_segy_file(tmp_path / "none.segy")


def test_scalars_of_headers(tmp_path: Path) -> None:
    """Positive ones multiply, negative ones divide, 0 is 1; trace by trace."""
    headers = [{"source_x": 250, "coordinate_scalar": scalar} for scalar in (10, -100, 0)]
    file = read_segy_file(write(tmp_path / "a.segy", TRACES, headers, unit=2))
    assert file.scaled("source_x", "coordinate_scalar").tolist() == [2500.0, 2.5, 250.0]
    assert file.in_feet
