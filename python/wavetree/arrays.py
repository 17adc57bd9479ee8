"""Arrays with JSON attributes in HDF5 files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5p, h5s, h5t

from wavetree.array_cache import ArrayCache, identity_of
from wavetree.errors import ProjectError

__all__ = [
    "TEMPORARY",
    "Durability",
    "GrowingFile",
    "array_digest",
    "array_link",
    "growing_file",
    "read_arrays",
    "write_arrays",
    "write_text",
]

TEMPORARY = ".part"
"""How the names of files end that are being written; they begin with a dot."""

Durability = Literal["lasting", "whole", "checked"]
"""What a loss of power may do to a file that was just written: nothing; the file may be missing; it may also
be damaged, which is noticed when it is read. What can be computed again need not be waited for."""

_FORMAT = "wavetree arrays 1"
_ATTRIBUTES = "attributes"
_BLOCK_BYTES = 4 * 2**20
_IMAGE_BYTES = 2**20
_CACHE = ArrayCache(capacity=64 * 2**20, largest=2**18)


class _Sink:
    """A file for HDF5 to write into that keeps the first error instead of reporting it.

    HDF5 keeps trying to flush after a failed write and crashes the process when the file is
    closed, so a full disk must not become visible to it; `error` is raised once HDF5 is done.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.position = 0
        self.error: BaseException | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: os.fstat(self.descriptor).st_size}
        self.position = base[whence] + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, size: int) -> bytes:
        """Part of what h5py knows a file object by; it reads through `readinto`."""
        data = os.pread(self.descriptor, size, self.position)
        self.position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self.descriptor, len(view), self.position)
        view[: len(data)] = data
        view[len(data) :] = bytes(len(view) - len(data))
        self.position += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += os.pwrite(self.descriptor, view[done:], self.position + done)
        except BaseException as error:
            self.error = error
        self.position += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        size = self.position if size is None else size
        try:
            os.ftruncate(self.descriptor, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def flush(self) -> None:
        """HDF5 asks for it; the one sync that counts follows after the file is closed."""


def write_arrays(
    path: Path | str,
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any] | None = None,
    durability: Durability = "lasting",
) -> None:
    """Write arrays and JSON attributes to an HDF5 file that appears complete or not at all.

    Parameters
    ----------
    path
        File to write; an older one is replaced in one step. Its folder is made if missing.
    arrays
        Numerical arrays by name.
    attributes
        JSON-serialisable values by name.
    durability
        What a loss of power may do to the file; a kill of the process never does anything.

    Raises
    ------
    ProjectError
        If the file cannot be written (full disk, read-only folder); nothing half-written stays.
    """
    path, text = Path(path), json.dumps(dict(attributes or {}), allow_nan=False)
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    # A dataset, because HDF5 attributes end at 64 kB.
    datasets = {_ATTRIBUTES: np.frombuffer(text.encode(), dtype=np.uint8)}
    datasets |= {array_link(name): array for name, array in arrays.items()}
    checksums = [_checksum(array) for array in datasets.values()]
    header = {"format": _FORMAT, "names": json.dumps(list(arrays)), "checksums": json.dumps(checksums)}
    with _replacing(path, durability) as descriptor:
        if sum(array.nbytes for array in datasets.values()) <= _IMAGE_BYTES:
            _write_bytes(descriptor, _image(header, datasets))
        else:
            with _hdf5(descriptor, header) as file:
                for name, array in datasets.items():
                    file.add(name, array)
        identity = identity_of(descriptor)
    _CACHE.put(path, identity, arrays, text)


class GrowingFile:
    """An HDF5 file that arrays are written to one after the other; see `growing_file`."""

    def __init__(self, file: h5py.File, sink: _Sink) -> None:
        self._file, self._sink = file, sink

    def write(self, name: str, array: np.ndarray, attributes: Mapping[str, Any] | None = None) -> None:
        """Add an array; ``"group/name"`` names make groups.

        Raises
        ------
        OSError
            If the disk is full, which `growing_file` turns into a `ProjectError`.
        """
        dataset = _write_array(self._file, name, np.asarray(array))
        dataset.attrs.update(attributes or {})
        del dataset  # closed, so that HDF5 hands its blocks over now
        self._raise()

    def add(self, name: str, array: np.ndarray) -> None:
        """Add an array in one piece, without the checksums that `write` adds."""
        self._file.create_dataset(name, data=array)
        self._raise()

    def _raise(self) -> None:
        if self._sink.error is not None:
            raise self._sink.error

    def describe(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Add attributes to a group of arrays, which is made if it is not there."""
        self._file.require_group(name).attrs.update(attributes)


@contextlib.contextmanager
def growing_file(path: Path | str, form: str, attributes: Mapping[str, Any]) -> Iterator[GrowingFile]:
    """Open an HDF5 file to be filled piece by piece that appears at the end, complete, or not at all.

    Parameters
    ----------
    path
        File to write; an older one is replaced in one step. Its folder is made if missing.
    form
        Name and version of the format, attribute ``format`` of the file.
    attributes
        Short values by name, attributes of the file.

    Raises
    ------
    ProjectError
        If the file cannot be written (full disk, read-only folder); nothing half-written stays.
    """
    with _replacing(Path(path)) as descriptor, _hdf5(descriptor, {"format": form, **attributes}) as file:
        yield file


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file that appears complete or not at all.

    Raises
    ------
    ProjectError
        If the file cannot be written; nothing half-written stays.
    """
    with _replacing(Path(path)) as descriptor:
        _write_bytes(descriptor, text.encode())


def read_arrays(
    path: Path | str, names: Iterable[str] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_arrays` wrote.

    Parameters
    ----------
    path
        File to read.
    names
        The arrays to read; all when None.

    Returns
    -------
    arrays, attributes
        Arrays by name (the shapes and types they were written with) and the JSON attributes.

    Raises
    ------
    ValueError
        If the file is missing, damaged or not one of ours, or lacks one of `names`.
    """
    path = Path(path)
    kept = _CACHE.get(path)
    if kept is not None:
        arrays, text = kept
    elif not path.is_file():
        raise ValueError(f"path {str(path)!r} is not a file; expected an HDF5 file written by wavetree.")
    try:
        if kept is None:
            identity = identity_of(path)
            arrays, text = _read(path, names)
            if names is None and identity == identity_of(path):
                _CACHE.put(path, identity, arrays, text)
        elif names is not None:
            arrays = {name: arrays[name] for name in _known(names, list(arrays))}
        return arrays if kept is None else {n: a.copy() for n, a in arrays.items()}, json.loads(text)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"cannot use file {str(path)!r}: it is truncated, damaged or was not written by wavetree "
            f"({error}); restore it from a copy, or delete it to have it made anew."
        ) from error


def array_digest(array: np.ndarray) -> str:
    """Return the SHA-256 hex digest of an array's type, shape and values."""
    array = np.ascontiguousarray(array)
    total = hashlib.sha256(f"{array.dtype.str}|{array.shape}|".encode())
    total.update(array.data)
    return total.hexdigest()


def _read(path: Path, names: Iterable[str] | None) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of a file (all when `names` is None) and its attributes as JSON text."""
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != _FORMAT:
            raise ValueError("it was not written by wavetree")
        known = json.loads(file.attrs["names"])
        # Files of other programs may be without.
        checksums = json.loads(file.attrs.get("checksums", "null")) or [None] * (1 + len(known))
        wanted = _known(names, known)
        text = _checked(file[_ATTRIBUTES][()], checksums[0]).tobytes().decode()
        numbers = dict(zip(known, checksums[1:], strict=True))
        return {name: _checked(file[array_link(name)][()], numbers[name]) for name in wanted}, text


def _known(names: Iterable[str] | None, known: list[str]) -> list[str]:
    """The names, all that are known when None."""
    wanted = known if names is None else list(names)
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ValueError(f"it has no array {missing[0]!r}, only {known}")
    return wanted


def _checked(array: np.ndarray, checksum: int | None) -> np.ndarray:
    if checksum is not None and _checksum(array) != checksum:
        raise ValueError("what it holds is not what was written")
    return array


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.asarray(array, order="C").reshape(-1).view(np.uint8).data)


def _image(header: Mapping[str, str], datasets: Mapping[str, np.ndarray]) -> bytes:
    """An HDF5 file made in memory by h5py's lower layer: a small file takes a third of the time this way."""
    access, links = h5p.create(h5p.FILE_ACCESS), h5p.create(h5p.LINK_CREATE)
    access.set_fapl_core(sum(array.nbytes for array in datasets.values()) + 2**16, False)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    links.set_create_intermediate_group(True)
    links.set_char_encoding(h5t.CSET_UTF8)
    file = h5f.create(uuid.uuid4().hex.encode(), h5f.ACC_EXCL, fapl=access)
    try:
        kind, scalar = h5t.py_create(h5py.string_dtype(), logical=True), h5s.create(h5s.SCALAR)
        for name, text in header.items():
            h5a.create(file, name.encode(), kind, scalar).write(np.array(text, dtype=h5py.string_dtype()))
        for link, array in datasets.items():
            space = h5s.create_simple(array.shape) if array.ndim else scalar
            kind = h5t.py_create(array.dtype, logical=True)
            dataset = h5d.create(file, link.encode(), kind, space, lcpl=links)
            if array.size:
                dataset.write(h5s.ALL, h5s.ALL, array)
        h5f.flush(file)
        return bytes(file.get_file_image())
    finally:
        file.close()


@contextlib.contextmanager
def _hdf5(descriptor: int, header: Mapping[str, Any]) -> Iterator[GrowingFile]:
    """Open an HDF5 file in a descriptor; the first error of writing it is raised once HDF5 is done."""
    sink = _Sink(descriptor)
    try:
        with h5py.File(sink, "w", libver=("v110", "v110")) as file:
            file.attrs.update(header)
            yield GrowingFile(file, sink)
    finally:
        if sink.error is not None:
            raise sink.error


def _write_bytes(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def array_link(name: str) -> str:
    """Return where in a file an array stands; ``"group/name"`` names make groups."""
    # HDF5 gives "." a meaning of its own, and links cannot be empty.
    return "arrays/" + "/".join(f"{part}." if part.strip(".") == "" else part for part in name.split("/"))


def _write_array(group: h5py.File, name: str, array: np.ndarray) -> h5py.Dataset:
    """In blocks with checksums, so that a damaged block is noticed when it is read."""
    if array.size == 0 or array.ndim == 0:
        return group.create_dataset(name, data=array)
    rows = max(1, min(len(array), _BLOCK_BYTES * len(array) // array.nbytes))
    return group.create_dataset(name, data=array, chunks=(rows, *array.shape[1:]), fletcher32=True)


@contextlib.contextmanager
def _replacing(path: Path, durability: Durability = "lasting") -> Iterator[int]:
    """Let the caller write into the descriptor of a temporary file, which then gets the name `path`."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, descriptor = _open_temporary(path)
        try:
            yield descriptor
            if durability != "checked":
                os.fsync(descriptor)
            os.replace(temporary, path)
            temporary = None
        finally:
            os.close(descriptor)
        if durability == "lasting":
            _sync_folder(path.parent)
    except OSError as error:
        raise ProjectError(
            f"cannot write {str(path)!r}: {error.strerror or error}; nothing was lost, "
            "make room or permit writing there and start again."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _open_temporary(path: Path) -> tuple[Path, int]:
    """Make a file beside `path` that stays locked while it is written: without its lock it is an orphan."""
    while True:
        temporary = path.parent / f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}{TEMPORARY}"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with contextlib.suppress(OSError):  # file systems without locks
            # Shared, for the reader of a file that has just got its name asks for such a lock too.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        # It was taken for abandoned in the moment before it was locked.
        os.close(descriptor)
