"""Surfaces of Abaqus files become side sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wavetree.mesh import Mesh, read_mesh_file
from wavetree.mesh.side_sets import facet_nodes

pytest.importorskip("meshio", reason="meshio, which reads Abaqus files, is not installed")

QUADS = """*HEADING
two quads, the second of which begins at another corner
*NODE
1, 0., 0.
2, 1., 0.
3, 2., 0.
4, 0., 1.
5, 1., 1.
6, 2., 1.
*ELEMENT, TYPE=CPS4, ELSET=Steel
10, 1, 2, 5, 4
20, 5, 2, 3, 6
*ELSET, ELSET=both, GENERATE
10, 20, 10
*ELSET, ELSET=nested
Steel
"""
# Corners of faces as the manual lists them, of a hex of nodes 1 to 8.
FACES = {
    "S1": (1, 2, 3, 4),
    "S2": (5, 8, 7, 6),
    "S3": (1, 5, 6, 2),
    "S4": (2, 6, 7, 3),
    "S5": (3, 7, 8, 4),
    "S6": (4, 8, 5, 1),
}
# A skewed hex, so that every corner has its own place; right-handed, and mirrored.
CORNERS = np.array(
    [[0, 0, 0], [1, 0.1, 0], [1.2, 1, 0.1], [0, 0.9, 0], [0.1, 0, 1], [1, 0, 1.1], [1.1, 1, 1], [0, 1, 0.9]]
)


def read(tmp_path: Path, text: str) -> tuple[Mesh, tuple[str, ...]]:
    (tmp_path / "mesh.inp").write_text(text)
    mesh, report = read_mesh_file(tmp_path / "mesh.inp")
    return mesh, report.notes


def corners(mesh: Mesh, name: str) -> list[set[tuple[float, ...]]]:
    """Corners of all sides in a set, in the order of its rows."""
    local = facet_nodes(mesh.dim, 1)
    return [
        {tuple(x) for x in mesh.points[mesh.connectivity[element, local[side]]].tolist()}
        for element, side in mesh.side_sets[name]
    ]


def test_faces_of_quads(tmp_path: Path) -> None:
    """Faces 1 to 4 of 5-2-3-6 are x = 1, y = 0, x = 2 and y = 1, in either spelling."""
    surfaces = "".join(f"*SURFACE, NAME=face {k}\n20, {'SE'[k % 2]}{k}\n" for k in range(1, 5))
    mesh, _ = read(tmp_path, QUADS + surfaces)
    assert corners(mesh, "face 1") == [{(1.0, 0.0), (1.0, 1.0)}]
    assert corners(mesh, "face 2") == [{(1.0, 0.0), (2.0, 0.0)}]
    assert corners(mesh, "face 3") == [{(2.0, 0.0), (2.0, 1.0)}]
    assert corners(mesh, "face 4") == [{(1.0, 1.0), (2.0, 1.0)}]


@pytest.mark.parametrize("of", ["Steel", "STEEL", "both", "nested"])
def test_faces_of_element_sets(tmp_path: Path, of: str) -> None:
    text = f"*Surface, type = ELEMENT, name = low\n** a comment\n10, S1\n{of}, S2\n10, S1\n"
    mesh, _ = read(tmp_path, QUADS + text)
    # 10 has x = 1 as its second face and y = 0 as its first; what stands twice counts once.
    expected = [{(0.0, 0.0), (1.0, 0.0)}, {(1.0, 0.0), (1.0, 1.0)}, {(1.0, 0.0), (2.0, 0.0)}]
    assert sorted(map(sorted, corners(mesh, "low"))) == sorted(map(sorted, expected))


@pytest.mark.parametrize("kind", ["C3D8R", "C3D20"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_faces_of_hexes(tmp_path: Path, kind: str, mirrored: bool) -> None:
    """All six, by the corners that the manual lists; nodes of order 2 go over two lines."""
    places = CORNERS * (np.array([1, 1, -1]) if mirrored else 1)
    numbers = [1, 2, 3, 4, 5, 6, 7, 8]
    if kind == "C3D20":
        edges = [(1, 2), (2, 3), (3, 4), (4, 1), (5, 6), (6, 7), (7, 8), (8, 5)]
        edges += [(k, k + 4) for k in range(1, 5)]
        middles = [0.5 * (places[a - 1] + places[b - 1]) for a, b in edges]
        places, numbers = np.concatenate([places, middles]), list(range(1, 21))
    text = "*NODE\n" + "".join(
        f"{k}, {x!r}, {y!r}, {z!r}\n" for k, (x, y, z) in enumerate(places.tolist(), 1)
    )
    words = [7, *numbers]
    text += f"*ELEMENT, TYPE={kind}, ELSET=all\n{', '.join(map(str, words[:12]))}"
    text += (",\n" + ", ".join(map(str, words[12:])) if len(words) > 12 else "") + "\n"
    text += "".join(f"*SURFACE, NAME={face}\nall, {face}\n" for face in FACES)
    mesh, _ = read(tmp_path, text)
    assert set(mesh.side_sets) == set(FACES)
    local = facet_nodes(3, mesh.shape_order)
    for face, nodes in FACES.items():
        ((element, side),) = mesh.side_sets[face]
        found = {tuple(x) for x in mesh.points[mesh.connectivity[element, local[side]]].tolist()}
        assert {tuple(places[n - 1].tolist()) for n in nodes} <= found, face


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    text = "*NSET, NSET=base\n1, 2, 3\n*SURFACE, NAME=nodes, TYPE=NODE\nbase\n"
    text += "*SURFACE, NAME=whole\nSteel\n*SURFACE, NAME=both sides\nSteel, SPOS\nSteel, S1\n"
    mesh, notes = read(tmp_path, QUADS + text)
    assert "surface 'nodes' is not made of elements and their faces; left out." in notes
    assert "surface 'whole' names 'Steel' with no face; left out." in notes
    assert "surface 'both sides' names 'Steel' with SPOS; left out." in notes
    assert set(mesh.side_sets) == {"base", "both sides"} and len(mesh.side_sets["both sides"]) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Stel, S1", "unknown element set of surface 'x' 'STEL'; did you mean 'STEEL'"),
        ("11, S1", "its surface 'x' names element 11, which is not in the file"),
        ("10, S5", r"unknown face of a quad in surface 'x' 'S5'.*S4"),
        ("10, top", "unknown face of a quad in surface 'x' 'TOP'"),
        ("10, S0", "unknown face of a quad in surface 'x' 'S0'"),
    ],
)
def test_wrong_names_are_refused(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)cannot read file .* as abaqus .*{message}"):
        read(tmp_path, f"{QUADS}*SURFACE, NAME=x\n{lines}\n")


def test_included_files_and_numbers_given_twice(tmp_path: Path) -> None:
    (tmp_path / "more.inp").write_text("*AMPLITUDE\n")
    _, notes = read(tmp_path, f"{QUADS}*INCLUDE, INPUT={tmp_path / 'more.inp'}\n*SURFACE, NAME=x\n10, S1\n")
    assert any(note.startswith("surfaces were left out: the file includes others") for note in notes)
    with pytest.raises(ValueError, match="two of its elements have the same number"):
        read(tmp_path, QUADS.replace("20, 5", "10, 5") + "*SURFACE, NAME=x\n10, S1\n")
