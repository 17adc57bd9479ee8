"""What the files of a project's folder take, by what they hold."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from wavetree.arrays import TEMPORARY

__all__ = ["DiskUse", "FileCount", "disk_use", "readable_size", "size_of"]

# Of each kind the files, from the project's folder on; the first that fits counts, in the order of the table.
_PATTERNS = {
    "temporary": f"*/.*{TEMPORARY}",
    "meshes": "meshes/*",
    "checkpoints": "results/*/wavefield_*_states*.h5",
    "wavefields": "results/*/wavefield_*.h5",
    "gradients": "results/*/gradient.h5",
    "simulations": "results/*",
    "misfits": "adjoint_sources/*",
    "inversions": "inversions/*",
    "jobs": "jobs/*",
    "database": "wavetree.sqlite*",
    "other": "*",
}


@dataclass(frozen=True)
class FileCount:
    """A number of files.

    Attributes
    ----------
    n_files
        How many.
    n_bytes
        Their size [bytes].
    """

    n_files: int = 0
    n_bytes: int = 0

    def __add__(self, other: FileCount) -> FileCount:
        return FileCount(self.n_files + other.n_files, self.n_bytes + other.n_bytes)


@dataclass(frozen=True)
class DiskUse:
    """What the files of a project take; it prints as a table.

    Attributes
    ----------
    kinds
        By kind. Simulations are records, output and logs; wavefields and checkpoints are what gradients are
        computed from; jobs are what sites keep of them; "other" are volume models, external data and files
        that are not the project's.
    disposable
        What `Inversions.delete_disposable_files` would delete, counted among the kinds too.
    """

    kinds: Mapping[str, FileCount]
    disposable: FileCount

    @property
    def total(self) -> FileCount:
        """All files."""
        return sum(self.kinds.values(), FileCount())

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(len(row[k]) for row in rows) for k in range(3)]
        return "\n".join(
            f"{kind:<{widths[0]}}  {count:>{widths[1]}}  {size:>{widths[2]}}" for kind, count, size in rows
        )

    def _repr_html_(self) -> str:
        cells = (
            f"<tr><td style='text-align:left'>{html.escape(kind)}</td><td>{count}</td><td>{size}</td></tr>"
            for kind, count, size in self._rows()
        )
        return f"<table>{''.join(cells)}</table>"

    def _rows(self) -> list[tuple[str, str, str]]:
        counts = [*self.kinds.items(), ("total", self.total), ("of it disposable", self.disposable)]
        rows = [("kind", "files", "size")]
        return rows + [(kind, str(count.n_files), readable_size(count.n_bytes)) for kind, count in counts]


def disk_use(folder: Path, disposable: Iterable[Path]) -> DiskUse:
    """Return what the files of a folder take.

    Parameters
    ----------
    folder
        Folder of a project.
    disposable
        Files and folders in it that may be deleted.
    """
    kinds = dict.fromkeys((*list(_PATTERNS)[1:-1], "temporary", "other"), FileCount())
    for file in folder.rglob("*"):
        kinds[_kind(f"{file.relative_to(folder)}")] += _count(file)
    return DiskUse(kinds, size_of(disposable))


def size_of(paths: Iterable[Path]) -> FileCount:
    """Return number and size of the files named and of those in folders named; what is gone counts none."""
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(map(_count, files), FileCount())


def _kind(file: str) -> str:
    return next(kind for kind, pattern in _PATTERNS.items() if fnmatch(file, pattern))


def _count(file: Path) -> FileCount:
    """None for folders, and for files that have gone since they were listed."""
    with contextlib.suppress(OSError):
        if file.is_file():
            return FileCount(1, file.stat().st_size)
    return FileCount()


def readable_size(n_bytes: int) -> str:
    """Return a size with a unit, to three digits."""
    size, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000.0, larger
    return f"{n_bytes} B" if unit == "B" else f"{size:.3g} {unit}"
