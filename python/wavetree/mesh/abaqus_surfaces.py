"""Surfaces of Abaqus files, which meshio leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavetree.errors import unknown_name

__all__ = ["read_surfaces"]

# Ours are x-, x+, y-, y+, z-, z+; Abaqus walks around quads, and begins with bottom and top of hexes.
_SIDES = {"quad": (2, 1, 3, 0), "hexahedron": (4, 5, 2, 1, 3, 0)}


@dataclass(frozen=True)
class _Section:
    """A keyword with its parameters by upper-case name, and the items of the lines after it."""

    keyword: str
    parameters: dict[str, str]
    lines: list[list[str]]


def read_surfaces(path: Path, kinds: Sequence[tuple[str, int]]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the element-based surfaces of an Abaqus input file.

    Parameters
    ----------
    path
        Name of the file.
    kinds
        Name of the cell type and number of nodes of every ``*ELEMENT`` section, in the file's order.

    Returns
    -------
    side_sets, notes
        [cell, side] rows (n, 2) by name, with cells counted through all sections and our sides; and what was
        left out, in words.

    Raises
    ------
    ValueError
        If a surface names an element or element set that is not in the file, or a face that its elements do
        not have.

    Notes
    -----
    ``*SURFACE, NAME=..., TYPE=ELEMENT`` with lines of an element or element set and a face: S1 to S4 or E1 to
    E4 of quads go around from the first node (1-2, 2-3, 3-4, 4-1), S1 to S6 of hexes are 1-2-3-4, 5-8-7-6,
    1-5-6-2, 2-6-7-3, 3-7-8-4 and 4-8-5-1 (Abaqus Analysis User's Guide, continuum elements). Names differ in
    more than upper and lower case.
    """
    sections = list(_sections(path))
    if not any(section.keyword == "SURFACE" for section in sections):
        return {}, []
    if any(section.keyword == "INCLUDE" for section in sections):
        return {}, ["surfaces were left out: the file includes others, so its elements are not all in it."]
    return _Surfaces(sections, kinds).read()


def _sections(path: Path) -> Iterator[_Section]:
    current = None
    for raw in path.read_text(errors="replace").splitlines():
        line = raw.strip()
        if not line or line.startswith("**"):
            continue
        words = [word.strip() for word in line.split(",")]
        if line.startswith("*"):
            if current is not None:
                yield current
            pairs = (word.partition("=") for word in words[1:] if word)
            parameters = {key.strip().upper(): value.strip().strip('"') for key, _, value in pairs}
            current = _Section(words[0].lstrip("*").strip().upper(), parameters, [])
        elif current is not None:
            current.lines.append([word.strip('"') for word in words])
    if current is not None:
        yield current


class _Surfaces:
    def __init__(self, sections: Sequence[_Section], kinds: Sequence[tuple[str, int]]) -> None:
        self.sections = sections
        self.notes: list[str] = []
        self.shapes = np.zeros(0, dtype="U16")
        self.numbers: dict[int, int] = {}  # of a label: the cell
        self.sets: dict[str, list[int]] = {}  # by upper-case name
        self._read_elements(kinds)
        for section in sections:
            if section.keyword == "ELSET":
                self._read_set(section)

    def read(self) -> tuple[dict[str, np.ndarray], list[str]]:
        found: dict[str, np.ndarray] = {}
        for section in self.sections:
            if section.keyword != "SURFACE":
                continue
            name, kind = section.parameters.get("NAME", ""), section.parameters.get("TYPE", "ELEMENT").upper()
            if kind != "ELEMENT" or "COMBINE" in section.parameters:
                self.notes.append(f"surface {name!r} is not made of elements and their faces; left out.")
                continue
            rows = [self._rows(name, line) for line in section.lines]
            found[name] = np.concatenate([np.zeros((0, 2), dtype=np.int64), *rows])
        return {name: rows for name, rows in found.items() if len(rows)}, self.notes

    def _read_elements(self, kinds: Sequence[tuple[str, int]]) -> None:
        blocks = [section for section in self.sections if section.keyword == "ELEMENT"]
        shapes = []
        for section, (kind, n_nodes) in zip(blocks, kinds, strict=True):
            items = [int(word) for line in section.lines for word in line if word]
            labels = items[:: n_nodes + 1]
            self.numbers |= {label: len(self.numbers) + k for k, label in enumerate(labels)}
            shapes += [kind.rstrip("0123456789")] * len(labels)
            if "ELSET" in section.parameters:
                self.sets.setdefault(section.parameters["ELSET"].upper(), []).extend(labels)
        if len(self.numbers) != len(shapes):
            raise ValueError("two of its elements have the same number")
        self.shapes = np.array(shapes, dtype="U16")

    def _read_set(self, section: _Section) -> None:
        members = self.sets.setdefault(section.parameters.get("ELSET", "").upper(), [])
        for line in section.lines:
            words = [word for word in line if word]
            if "GENERATE" in section.parameters:
                first, last, step = (*map(int, words), 1)[:3]
                members.extend(range(first, last + 1, step))
                continue
            for word in words:
                if not word.isdigit() and word.upper() not in self.sets:
                    raise unknown_name("element set", word.upper(), self.sets)
                members.extend([int(word)] if word.isdigit() else self.sets[word.upper()])

    def _rows(self, name: str, line: list[str]) -> np.ndarray:
        """[cell, side] rows of an element or set and a face."""
        what, face = line[0], (line[1] if len(line) > 1 else "").upper()
        if face in ("", "SPOS", "SNEG"):
            self.notes.append(f"surface {name!r} names {what!r} with {face or 'no face'}; left out.")
            return np.zeros((0, 2), dtype=np.int64)
        if not what.isdigit() and what.upper() not in self.sets:
            raise unknown_name(f"element set of surface {name!r}", what.upper(), self.sets)
        labels = [int(what)] if what.isdigit() else self.sets[what.upper()]
        missing = [label for label in labels if label not in self.numbers]
        if missing:
            raise ValueError(f"its surface {name!r} names element {missing[0]}, which is not in the file")
        cells = np.array([self.numbers[label] for label in labels], dtype=np.int64)
        sides = [self._side(name, face, shape) for shape in self.shapes[cells].tolist()]
        return np.stack([cells, np.array(sides, dtype=np.int64)], axis=1)

    def _side(self, name: str, face: str, shape: str) -> int:
        sides = _SIDES.get(shape, ())
        letters = "SE" if shape == "quad" else "S"
        if not (face[1:].isdigit() and face[0] in letters and 1 <= int(face[1:]) <= len(sides)):
            known = [f"{letter}{k + 1}" for letter in letters for k in range(len(sides))]
            raise unknown_name(f"face of a {shape} in surface {name!r}", face, known)
        return sides[int(face[1:]) - 1]
