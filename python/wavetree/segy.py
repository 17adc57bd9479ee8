"""SEG-Y files: traces of one length and what their headers say."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["SegyFile", "read_segy_file"]

_log = logging.getLogger("wavetree")

_TEXT, _BINARY, _HEADER = 3200, 400, 240  # bytes
# Format codes with what NumPy calls the numbers; 1 are IBM's, read as the words that they are stored in.
_FORMATS: Mapping[int, str] = {1: ">u4", 2: ">i4", 3: ">i2", 5: ">f4", 6: ">f8", 8: ">i1"}
# First byte, counted from 1 as the standard does, and length.
_OF_FILE = {"interval": (17, 2), "samples": (21, 2), "format": (25, 2), "unit": (55, 2), "texts": (305, 2)}
_OF_TRACE = {
    "record": (9, 4),
    "channel": (13, 4),
    "kind": (29, 2),
    "receiver_elevation": (41, 4),
    "source_elevation": (45, 4),
    "source_depth": (49, 4),
    "elevation_scalar": (69, 2),
    "coordinate_scalar": (71, 2),
    "source_x": (73, 4),
    "source_y": (77, 4),
    "receiver_x": (81, 4),
    "receiver_y": (85, 4),
    "coordinate_unit": (89, 2),
    "delay": (109, 2),
    "samples": (115, 2),
    "interval": (117, 2),
    "time_scalar": (215, 2),
}


@dataclass(frozen=True)
class SegyFile:
    """What is in a SEG-Y file.

    Attributes
    ----------
    path
        The file.
    samples
        The traces (n_traces, n_samples), float64, in the file's unit.
    headers
        Numbers in the headers of all traces by name, each (n_traces,), as they are stored.
    intervals
        Sampling intervals [µs] that the file's header and those of the traces name, without zeros; one, or
        several if they contradict each other.
    in_feet
        Whether the file says that its lengths are in feet.
    """

    path: Path
    samples: np.ndarray
    headers: Mapping[str, np.ndarray]
    intervals: tuple[int, ...]
    in_feet: bool

    def scaled(self, name: str, scalar: str) -> np.ndarray:
        """Return numbers of the traces' headers (n_traces,) times the scalar of another entry.

        Notes
        -----
        A positive scalar multiplies, a negative one divides by its magnitude, 0 counts as 1.
        """
        factor = np.where(self.headers[scalar] == 0, 1, self.headers[scalar]).astype(np.float64)
        return self.headers[name] * np.where(factor < 0, -1.0 / factor, factor)


def read_segy_file(path: str | Path) -> SegyFile:
    """Read a SEG-Y file whose traces have one length.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        If the file is missing or truncated, has little-endian or other unknown numbers, or no number of
        samples that its headers name fits to its size.

    Notes
    -----
    SEG-Y revision 1 (SEG Technical Standards Committee, 2002), big-endian. The number of samples is that of
    the file's header or of the first trace's, whichever divides the file into whole traces whose headers
    agree; where they contradict each other a warning names both.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"path {str(path)!r} is not a file; look for a typing error.")
    content = np.fromfile(path, dtype=np.uint8)
    first = _TEXT + _BINARY
    if len(content) < first + _HEADER:
        raise ValueError(
            f"cannot read {str(path)!r} as SEG-Y: it has {len(content)} bytes; expected at least "
            f"{first + _HEADER}: headers and a trace."
        )
    own = {name: int(_number(content[None, _TEXT:first], *at)[0]) for name, at in _OF_FILE.items()}
    kind = np.dtype(_format(path, own["format"]))
    if own["texts"] < 0:
        raise ValueError(
            f"cannot read {str(path)!r} as SEG-Y: it does not say how many extended text headers it has; "
            "expected their number in bytes 3505 and 3506."
        )
    body = content[first + _TEXT * own["texts"] :]
    n_samples = _n_samples(path, body, own["samples"] & 0xFFFF, kind.itemsize)
    traces = body.reshape(-1, _HEADER + n_samples * kind.itemsize)
    headers = {name: _number(traces, *at) for name, at in _OF_TRACE.items()}
    words = np.ascontiguousarray(traces[:, _HEADER:]).view(kind)
    samples = _from_ibm(words) if own["format"] == 1 else words.astype(np.float64)
    intervals = {own["interval"] & 0xFFFF, *(headers["interval"] & 0xFFFF).tolist()} - {0}
    return SegyFile(path, samples, headers, tuple(sorted(intervals)), own["unit"] == 2)


def _format(path: Path, code: int) -> str:
    if code in _FORMATS:
        return _FORMATS[code]
    turned = int.from_bytes(code.to_bytes(2, "big", signed=True), "little")
    why = "its numbers are little-endian" if turned in _FORMATS else f"its format code is {code}"
    raise ValueError(
        f"cannot read {str(path)!r} as SEG-Y: {why}; expected big-endian numbers of format "
        f"{', '.join(map(str, _FORMATS))}: convert the file."
    )


def _n_samples(path: Path, body: np.ndarray, of_file: int, width: int) -> int:
    """The number of samples that the size of the file bears out."""
    if len(body) < _HEADER:
        raise ValueError(f"cannot read {str(path)!r} as SEG-Y: it ends before the first trace; restore it.")
    of_trace = int(_number(body[None, :_HEADER], *_OF_TRACE["samples"])[0]) & 0xFFFF
    found = [n for n in sorted((of_file, of_trace)) if n and _divides(body, n, width)]
    if not found:
        raise ValueError(
            f"cannot read {str(path)!r} as SEG-Y: its header says {of_file} samples a trace and the first "
            f"trace's {of_trace}, and neither fits to the {len(body)} bytes of "
            f"traces with {width} bytes a sample; expected a whole file with traces of one length."
        )
    if of_file != of_trace:
        _log.warning(
            "%s: the file's header says %d samples a trace, the traces' headers say %d. Taken are %d, which "
            "the size of the file bears out.", path.name, of_file, of_trace, found[0],
        )  # fmt: skip
    # Several short traces may be as long as a long one; then the headers of all of them were found.
    return found[0]


def _divides(body: np.ndarray, n_samples: int, width: int) -> bool:
    """Whether all of it are traces of this length, whose headers say the same of their sampling."""
    length = _HEADER + n_samples * width
    if len(body) % length:
        return False
    claims = body.reshape(-1, length)[:, 114:118]
    return bool((claims == claims[0]).all())


def _number(headers: np.ndarray, first: int, width: int) -> np.ndarray:
    """Whole numbers in headers (n, bytes) from a byte on, counted from 1."""
    part = np.ascontiguousarray(headers[:, first - 1 : first - 1 + width])
    return part.view(f">i{width}")[:, 0].astype(np.int64)


def _from_ibm(words: np.ndarray) -> np.ndarray:
    """Numbers of IBM's System/360: sign, exponent of 16 in excess of 64 and fraction of 24 bits."""
    exponent = (words >> 24 & 0x7F).astype(np.int32)
    magnitude = np.ldexp((words & 0xFFFFFF).astype(np.float64), 4 * (exponent - 64) - 24)
    return np.where(words >> 31, -magnitude, magnitude)
