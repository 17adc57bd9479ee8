"""SEG-Y files written byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

# First byte of a trace's header, counted from 1, and how the number is packed.
ENTRIES = {
    "record": (9, ">i"),
    "channel": (13, ">i"),
    "kind": (29, ">h"),
    "receiver_elevation": (41, ">i"),
    "source_elevation": (45, ">i"),
    "source_depth": (49, ">i"),
    "elevation_scalar": (69, ">h"),
    "coordinate_scalar": (71, ">h"),
    "source_x": (73, ">i"),
    "source_y": (77, ">i"),
    "receiver_x": (81, ">i"),
    "receiver_y": (85, ">i"),
    "unit": (89, ">h"),
    "delay": (109, ">h"),
    "samples": (115, ">H"),
    "interval": (117, ">H"),
    "time_scalar": (215, ">h"),
}
KINDS = {1: ">u4", 2: ">i4", 3: ">i2", 5: ">f4", 6: ">f8", 8: ">i1"}


def write(path: Path, traces: np.ndarray, headers: list[dict[str, int]], **of_file: Any) -> Path:
    """Write traces (n_traces, n_samples), each with entries of its header; words of format 1 as they are."""
    n, code = traces.shape[1], of_file.get("format", 5)
    binary = bytearray(400)
    own = {
        "interval": (17, 2000),
        "samples": (21, n),
        "format": (25, code),
        "unit": (55, 1),
        "texts": (305, 0),
    }
    for name, (first, usual) in own.items():
        struct.pack_into(">h", binary, first - 1, of_file.get(name, usual))
    parts = [b"\x40" * 3200, bytes(binary), b"\x40" * 3200 * of_file.get("texts", 0)]
    for trace, entries in zip(traces, headers, strict=True):
        header = bytearray(240)
        for name, value in ({"samples": n, "interval": 2000, "kind": 1} | entries).items():
            first, form = ENTRIES[name]
            struct.pack_into(form, header, first - 1, value)
        parts += [bytes(header), np.asarray(trace).astype(KINDS[code]).tobytes()]
    path.write_bytes(b"".join(parts))
    return path
