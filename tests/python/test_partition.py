"""Elements shared out among ranks."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from meshes import disc
from wavetree.mesh import box_mesh
from wavetree.mesh.partition import partition

UNIT = ((0.0, 1.0), (0.0, 1.0))


@pytest.fixture(params=["metis", "bisection"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways; without pymetis it is bisection."""
    if request.param == "metis":
        pytest.importorskip("pymetis")
    else:
        monkeypatch.setitem(sys.modules, "pymetis", None)
    return str(request.param)


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4, 7])
def test_work_is_equal_and_borders_short(method: str, n_ranks: int) -> None:
    found = partition(box_mesh(UNIT, (20, 21)), n_ranks)
    assert found.method == (method if n_ranks > 1 else "bisection")
    assert set(found.rank) == set(range(n_ranks)) and found.imbalance <= 1.05
    # Strips would have 20 faces each.
    assert found.cut_faces <= 21 * max(0, n_ranks - 1)
    assert f"among {n_ranks} ranks by" in repr(found)


def test_bisection_is_exact_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymetis", None)
    for counts, n_ranks in (((2, 2), 2), ((4, 4), 4), ((9, 8), 2), ((8, 4), 8)):
        assert partition(box_mesh(UNIT, counts), n_ranks).imbalance == 1.0


def test_weights_count(method: str) -> None:
    mesh = box_mesh(UNIT, (16, 16))
    weights = np.where(mesh.node_coordinates(1).mean(axis=1)[:, 0] < 0.25, 5.0, 1.0)
    found = partition(mesh, 2, weights)
    assert found.imbalance <= 1.06
    assert abs(np.diff(np.bincount(found.rank))[0]) > 60, "where work is heavy there are fewer elements"


def test_elements_of_two_kinds_that_touch_stay_together(method: str) -> None:
    mesh = box_mesh(UNIT, (12, 12))
    upper = mesh.node_coordinates(1).mean(axis=1)[:, 1] > 0.5
    found = partition(mesh, 4, kinds=upper)
    ends = found.neighbours[np.diff(upper[found.neighbours].astype(int), axis=1)[:, 0] != 0]
    assert len(ends) == 12 and (found.rank[ends[:, 0]] == found.rank[ends[:, 1]]).all()
    assert found.imbalance <= 1.15


def test_the_same_on_every_run(method: str) -> None:
    mesh = disc(2, 6, 2)
    first, second = partition(mesh, 5), partition(mesh, 5)
    assert np.array_equal(first.rank, second.rank)


def test_more_ranks_than_parts_are_refused() -> None:
    mesh = box_mesh(UNIT, (2, 1))
    with pytest.raises(ValueError, match=r"n_ranks is 3, but the mesh has 2 parts .*start fewer ranks"):
        partition(mesh, 3)
    with pytest.raises(ValueError, match="has 1 parts"):
        partition(mesh, 2, kinds=np.array([0, 1]))
