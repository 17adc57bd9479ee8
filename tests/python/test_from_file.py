"""Meshes from files of other programs: node order, blocks, side sets, fields, and what is refused."""

from __future__ import annotations

import logging
import sys

import meshio
import numpy as np
import pytest

from mesh_files import GMSH_HEX27, KINDS, VTK_NODES, curved, write_exodus, write_meshio
from wavetree.mesh import Mesh, box_mesh, read_mesh_file
from wavetree.mesh.cell_types import CELL_TYPES

UNIT = [(0.0, 1.0)] * 3


def area(mesh: Mesh) -> float:
    return float(mesh.mass_weights(4).sum())


def sides(mesh: Mesh) -> dict[str, set[tuple[int, int]]]:
    return {name: set(map(tuple, rows.tolist())) for name, rows in mesh.side_sets.items()}


# -- node order --------------------------------------------------------------------------------


FORMATS = {"gmsh22": ".msh", "gmsh": ".msh", "vtk": ".vtk", "vtu": ".vtu", "abaqus": ".inp", "exodus": ".exo"}
# meshio knows no Abaqus hex of 27 nodes.
CASES = [(form, kind) for form in FORMATS for kind in KINDS if (form, kind) != ("abaqus", "hexahedron27")]


@pytest.mark.parametrize(("file_format", "kind"), CASES)
def test_curved_elements_keep_their_geometry(tmp_path, file_format, kind):
    mesh, size = curved(kind)
    path = tmp_path / f"mesh{FORMATS[file_format]}"
    if file_format == "exodus":
        write_exodus(path, mesh.points, [("all", kind, mesh.connectivity)])
    else:
        write_meshio(path, mesh, kind, file_format)
    back, report = read_mesh_file(path)
    assert report.passed, report
    assert (back.dim, back.shape_order, back.n_points) == (mesh.dim, mesh.shape_order, mesh.n_points)
    np.testing.assert_allclose(
        back.points[back.connectivity], mesh.points[mesh.connectivity], rtol=0, atol=1e-15
    )
    assert area(back) == pytest.approx(size, rel=1e-12)


def test_gmsh_hex_of_27_nodes_as_gmsh_numbers_it(tmp_path):
    mesh, _ = curved("hexahedron27")
    one = mesh.points[mesh.connectivity[0]]
    lines = ["$MeshFormat", "2.2 0 8", "$EndMeshFormat", "$Nodes", "27"]
    lines += [f"{k + 1} {' '.join(map(repr, map(float, x)))}" for k, x in enumerate(one)]
    lines += ["$EndNodes", "$Elements", "1", f"1 12 2 7 7 {' '.join(str(k + 1) for k in GMSH_HEX27)}"]
    (tmp_path / "one.msh").write_text("\n".join([*lines, "$EndElements", ""]))
    back = Mesh.from_file(tmp_path / "one.msh")
    np.testing.assert_array_equal(back.points[back.connectivity[0]], one)
    assert back.elemental_fields["block"].tolist() == [7.0]


@pytest.mark.parametrize("kind", ["quad8", "hexahedron20"])
def test_serendipity_elements_reproduce_their_polynomials(kind):
    """Their space holds all quadratics and the terms x²y, x²yz, ...; the missing nodes must lie on them."""
    cell = CELL_TYPES[kind]
    rng = np.random.default_rng(3)
    powers = [p for p in np.ndindex((3,) * cell.dim) if sum(q for q in p if q > 1) <= 2]
    coefficients = rng.normal(size=len(powers))

    def polynomial(x: np.ndarray) -> np.ndarray:
        return sum(c * (x**p).prod(axis=-1) for c, p in zip(coefficients, powers, strict=True))

    assert len(powers) == len(cell.places)
    given = polynomial(np.array(cell.places) - 1.0)
    missing = cell.missing()
    assert [column for column, _, _ in missing] == ([4] if cell.dim == 2 else [4, 10, 12, 13, 14, 16, 22])
    for column, sources, weights in missing:
        expected = polynomial(cell.tensor_places[column] - 1.0)
        assert weights @ given[sources] == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("kinds", [("hexahedron20", "hexahedron20"), ("hexahedron20", "hexahedron27")])
def test_blocks_of_serendipity_elements_stay_connected(tmp_path, kinds):
    mesh = box_mesh(UNIT, (2, 1, 1), shape_order=2)
    blocks = [(f"b{k}", kind, mesh.connectivity[k : k + 1]) for k, kind in enumerate(kinds)]
    write_exodus(tmp_path / "mesh.exo", mesh.points, blocks)
    back, report = read_mesh_file(tmp_path / "mesh.exo")
    assert report.passed and report.parts.max() == 0, report
    assert back.n_points == mesh.n_points
    np.testing.assert_allclose(back.points[back.connectivity], mesh.points[mesh.connectivity], atol=1e-15)


# -- blocks, side sets, fields -----------------------------------------------------------------


def gmsh_file(path, file_format: str = "gmsh22") -> Mesh:
    """Four quads, the upper ones rock; the bottom, the line between and half of the left side are named."""
    mesh = box_mesh(UNIT[:2], (2, 2), shape_order=2)
    grid = np.arange(25).reshape(5, 5)
    lines = [
        grid[0, [0, 2, 1]],
        grid[0, [4, 2, 3]],
        grid[2, [0, 2, 1]],
        grid[2, [2, 4, 3]],
        grid[[0, 2, 1], 0],
    ]
    tags = [[1, 1, 2, 2], [5, 5, 6, 6, 9]]
    write_meshio(
        path,
        mesh,
        "quad9",
        file_format,
        more=[("line3", np.array(lines))],
        cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
        field_data={"sea": [1, 2], "wet rock": [2, 2], "bottom": [5, 1], "sea/floor": [6, 1]},
    )
    return mesh


def test_physical_groups_become_blocks_and_side_sets(tmp_path):
    gmsh_file(tmp_path / "mesh.msh")
    mesh, report = read_mesh_file(tmp_path / "mesh.msh")
    assert mesh.elemental_fields["block"].tolist() == [1, 1, 2, 2]
    assert dict(mesh.block_names) == {1: "sea", 2: "wet rock"}
    assert sides(mesh) == {
        "bottom": {(0, 2), (1, 2)},
        "sea_floor": {(0, 3), (1, 3), (2, 2), (3, 2)},
        "9": {(0, 0)},
    }
    assert report.notes == ("all quads lie in the plane z = 0: x and y are the x and y of the mesh.",)


MSH41 = """$MeshFormat
4.1 0 8
$EndMeshFormat
$PhysicalNames
3
1 4 "left"
1 5 "outer"
2 8 "water"
$EndPhysicalNames
$Entities
0 2 1 0
1 0 0 0 0 1 0 2 4 5 0
2 0 0 0 1 0 0 1 5 0
3 0 0 0 1 1 0 1 8 2 1 2
$EndEntities
$Nodes
1 4 10 40
2 3 0 4
10
20
30
40
0 0 0
1 0 0
1 1 0
0 1 0
$EndNodes
$Elements
3 3 1 3
1 1 1 1
1 40 10
1 2 1 1
2 10 20
2 3 3 1
3 10 20 30 40
$EndElements
"""


def test_a_line_of_gmsh_4_may_be_in_two_groups(tmp_path):
    (tmp_path / "mesh.msh").write_text(MSH41)
    mesh = Mesh.from_file(tmp_path / "mesh.msh")
    assert dict(mesh.block_names) == {8: "water"}
    assert sides(mesh) == {"left": {(0, 0)}, "outer": {(0, 0), (0, 2)}}


def test_abaqus_sets(tmp_path):
    text = """*NODE
1, 0., 0., 0.
2, 1., 0., 0.
3, 2., 0., 0.
4, 0., 1., 0.
5, 1., 1., 0.
6, 2., 1., 0.
*ELEMENT, TYPE=CPS4, ELSET=steel
1, 1, 2, 5, 4
2, 2, 3, 6, 5
*ELEMENT, TYPE=T2D2, ELSET=top
3, 4, 5
*ELSET, ELSET=weld
2
*NSET, NSET=base
1, 2, 3
*NSET, NSET=pin
6
"""
    (tmp_path / "mesh.inp").write_text(text)
    mesh, report = read_mesh_file(tmp_path / "mesh.inp")
    # The weld lies inside the steel; the smaller set says more.
    names = {name: number for number, name in mesh.block_names.items()}
    assert mesh.elemental_fields["block"].tolist() == [names["steel"], names["weld"]]
    assert sides(mesh) == {"top": {(0, 3)}, "base": {(0, 2), (1, 2)}}
    assert "the point set 'pin' holds no whole side of an element; left out." in report.notes


def test_exodus_blocks_side_sets_and_fields(tmp_path):
    mesh = box_mesh(UNIT, (2, 1, 1))
    path = tmp_path / "mesh.e"
    # Sides of Exodus: 1 y-, 2 x+, 3 y+, 4 x-, 5 z-, 6 z+.
    side_sets = {"walls": ([1, 1, 2, 2], [4, 1, 2, 3]), "floor": ([1, 2], [5, 5]), "": ([2], [6])}
    fields = {"VP": np.array([1500.0, 3000.0]), "depth": mesh.points[:, 2]}
    blocks = [("sea", "hexahedron", mesh.connectivity[:1]), ("", "hexahedron", mesh.connectivity[1:])]
    write_exodus(path, mesh.points, blocks, side_sets, fields)
    back = Mesh.from_file(path)
    assert back.elemental_fields["block"].tolist() == [10, 20]
    assert dict(back.block_names) == {10: "sea"}
    assert sides(back) == {
        "walls": {(0, 0), (0, 2), (1, 1), (1, 3)},
        "floor": {(0, 4), (1, 4)},
        "3": {(1, 5)},
    }
    assert back.elemental_fields["VP"].tolist() == [1500.0, 3000.0]
    np.testing.assert_array_equal(back.nodal_fields["depth"], back.points[:, 2])
    # Every named side lies where its name says.
    for name, axis, place in (("floor", 2, 0.0), ("3", 2, 1.0)):
        for element, side in back.side_sets[name]:
            corners = back.points[back.connectivity[element]].reshape(2, 2, 2, 3)
            assert (np.take(corners, side % 2, axis=2 - side // 2)[..., axis] == place).all()


def test_sides_of_mirrored_elements_stay_where_they_were(tmp_path):
    mesh = box_mesh(UNIT, (2, 1, 1))
    wrong = mesh.connectivity.copy()
    wrong[1] = wrong[1].reshape(2, 2, 2)[::-1].ravel()  # upside down, so left-handed
    all_sides = {f"side {k}": ([2], [k]) for k in range(1, 7)}
    write_exodus(tmp_path / "mesh.e", mesh.points, [("", "hexahedron", wrong)], all_sides)
    back, report = read_mesh_file(tmp_path / "mesh.e")
    assert report.repairs == ("1 left-handed elements were mirrored.",)
    assert area(back) == pytest.approx(1.0, rel=1e-13)
    # As written, side 5 is z- of an element that stands on its head: z = 1.
    places = {1: (1, 0.0), 2: (0, 1.0), 3: (1, 1.0), 4: (0, 0.5), 5: (2, 1.0), 6: (2, 0.0)}
    for number, (axis, place) in places.items():
        ((element, side),) = back.side_sets[f"side {number}"]
        corners = back.points[back.connectivity[element]].reshape(2, 2, 2, 3)
        assert (np.take(corners, side % 2, axis=2 - side // 2)[..., axis] == place).all(), number


@pytest.mark.parametrize("kind", ["quad8", "hexahedron27"])
def test_fields_of_vtk(tmp_path, kind):
    mesh, _ = curved(kind)
    x = mesh.points[:, 0]
    options = {
        "point_data": {"x": x, "u/v": np.zeros((len(x), 3)), "holes": np.where(x > 0.5, np.nan, x)},
        "cell_data": {"VP": [np.arange(4.0)]},
    }
    # The middles that eight nodes leave out are no points of the file.
    used = np.zeros(len(x), dtype=bool)
    used[mesh.connectivity[:, VTK_NODES[kind]]] = True
    write_meshio(tmp_path / "mesh.vtu", mesh, kind, **options)
    back, report = read_mesh_file(tmp_path / "mesh.vtu")
    assert back.elemental_fields["VP"].tolist() == [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_allclose(back.nodal_fields["x"], back.points[:, 0], atol=1e-15)
    assert set(back.nodal_fields) == {"x"}
    assert "field 'u/v' has values of shape (3,) and was left out." in report.notes
    assert "field 'holes' has values that are NaN or infinite and was left out." in report.notes
    dropped = f"{int((~used).sum())} points that belong to no element were dropped."
    assert (dropped in report.repairs) == (kind == "quad8")


def test_own_files_are_read_too(tmp_path):
    gmsh_file(tmp_path / "mesh.msh")
    mesh = Mesh.from_file(tmp_path / "mesh.msh")
    mesh.write_h5(tmp_path / "mesh.h5")
    back, report = read_mesh_file(tmp_path / "mesh.h5")
    assert back.digest() == mesh.digest()
    assert dict(back.block_names) == {1: "sea", 2: "wet rock"}
    assert report.passed


# -- planes ------------------------------------------------------------------------------------


def test_quads_in_a_vertical_plane(tmp_path):
    mesh = box_mesh([(0.0, 3.0), (-1.0, 0.0)], (3, 2))
    points = np.stack([mesh.points[:, 0], np.full(mesh.n_points, 7.0), mesh.points[:, 1]], axis=1)
    cells = [("quad", mesh.connectivity[:, VTK_NODES["quad"]])]
    meshio.write(tmp_path / "mesh.vtk", meshio.Mesh(points, cells))
    back, report = read_mesh_file(tmp_path / "mesh.vtk")
    assert back.bounds == ((0.0, 3.0), (-1.0, 0.0))
    assert report.notes == ("all quads lie in the plane y = 7: x and z are the x and y of the mesh.",)


def test_quads_of_a_surface_are_refused(tmp_path):
    mesh = box_mesh(UNIT[:2], (2, 2))
    points = np.column_stack([mesh.points, mesh.points[:, 0]])
    meshio.write(tmp_path / "mesh.vtk", meshio.Mesh(points, [("quad", mesh.connectivity[:, [0, 1, 3, 2]])]))
    with pytest.raises(ValueError, match=r"vary by \[1\.0, 1\.0, 1\.0\].*expected quads in a plane"):
        Mesh.from_file(tmp_path / "mesh.vtk")


# -- refused files -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            ("triangle", [[0, 1, 2]]),
            r"neither quads nor hexes of order 1 or 2: 1 of type 'triangle'; expected",
        ),
        (("tetra", [[0, 1, 2, 4], [0, 1, 2, 5]]), r"2 of type 'tetra'.*mesh the domain with these"),
        (("wedge", [[0, 1, 2, 3, 4, 5]]), r"1 of type 'wedge'"),
        (("quad8", [[0, 2, 8, 6, 1, 5, 7, 3]]), r"mixes 'quad' of order 1, 'quad8' of order 2; expected one"),
    ],
)
def test_other_elements_are_refused(tmp_path, extra, message):
    mesh = box_mesh(UNIT[:2], (2, 2))
    write_meshio(tmp_path / "mesh.vtu", mesh, "quad", more=[(extra[0], np.array(extra[1]))])
    with pytest.raises(ValueError, match=rf"(?s)file '.*mesh\.vtu' holds no usable mesh: .*{message}"):
        Mesh.from_file(tmp_path / "mesh.vtu")


def test_a_mesh_of_lines_is_refused(tmp_path):
    meshio.write(tmp_path / "mesh.vtk", meshio.Mesh([[0, 0, 0], [1.0, 0, 0]], [("line", [[0, 1]])]))
    with pytest.raises(ValueError, match=r"it has no quads or hexes, only 1 of type 'line'"):
        Mesh.from_file(tmp_path / "mesh.vtk")


@pytest.mark.parametrize("ending", [".msh", ".vtk", ".vtu", ".inp", ".exo"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff nonsense\n", b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n"])
def test_damaged_and_foreign_files_are_refused(tmp_path, ending, content, capsys):
    path = tmp_path / f"mesh{ending}"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"mesh\{ending}' (as (gmsh|vtk|vtu|abaqus|Exodus)|holds no usable)"
    ):
        Mesh.from_file(path)


@pytest.mark.parametrize("file_format", ["gmsh22", "vtu", "exodus"])
def test_truncated_files_are_refused(tmp_path, file_format):
    mesh, _ = curved("quad9")
    path = tmp_path / {"gmsh22": "mesh.msh", "vtu": "mesh.vtu", "exodus": "mesh.exo"}[file_format]
    if file_format == "exodus":
        write_exodus(path, mesh.points, [("", "quad9", mesh.connectivity)])
    else:
        write_meshio(path, mesh, "quad9", file_format)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"it is damaged or of another format|holds no usable mesh"):
        Mesh.from_file(path)


def test_names_that_no_reader_knows(tmp_path):
    with pytest.raises(ValueError, match=r"mesh\.stl'; expected a name that ends in one of \.msh, \.vtk"):
        Mesh.from_file(tmp_path / "mesh.stl")
    with pytest.raises(ValueError, match=r"mesh\.msh' is not a file; expected a mesh file"):
        Mesh.from_file(tmp_path / "mesh.msh")


@pytest.mark.parametrize(("ending", "package"), [(".msh", "meshio"), (".exo", "netCDF4")])
def test_missing_packages_are_named(tmp_path, monkeypatch, ending, package):
    (tmp_path / f"mesh{ending}").write_text("")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}.*pip install 'wavetree\[mesh\]'"):
        Mesh.from_file(tmp_path / f"mesh{ending}")


def test_repairs_are_logged_and_problems_warned_of(tmp_path, caplog):
    coarse, fine = box_mesh(UNIT[:2], (1, 1)), box_mesh([(1.0, 2.0), (0.0, 1.0)], (1, 2))
    points = np.concatenate([coarse.points, fine.points])
    rows = np.concatenate([coarse.connectivity, 4 + fine.connectivity])
    meshio.write(tmp_path / "mesh.vtu", meshio.Mesh(points, [("quad", rows[:, [0, 1, 3, 2]])]))
    with (
        caplog.at_level(logging.INFO, "wavetree"),
        pytest.warns(UserWarning, match=r"1 hanging nodes.*\(1, 0\.5\)"),
    ):
        Mesh.from_file(tmp_path / "mesh.vtu")
    assert any("2 points were merged" in text for text in caplog.messages)
