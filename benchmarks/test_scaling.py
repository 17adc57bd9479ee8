"""Scaling over ranks: what the command measures, and the model that is fitted to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import scaling_page
from scaling import LARGE, Message, Point, better, keep, launch, read
from scaling_model import CACHES, Model, Network, Parts, cube, cubic_mesh, fit, largest_part, predict
from wavetree.benchmark import find_cases

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
POINT = {"acoustic2d": 2e-9, "elastic2d": 4e-9, "acoustic3d": 3e-9, "elastic3d": 1e-8}
KNOWN = Model(2e-6, POINT, exchange=5e-6, value=3e-9, order=1e-11, memory=6e-11, cache=CACHES[20])
CUBES = Parts(imbalance=1.0, halo=1.0, first=1.0, neighbours=26.0)
NETWORK = Network(latency=2e-6, bandwidth=25e9, ranks_per_node=100)


def point(case: str, n: int, how: str, points: int, halo: int = 0) -> Point:
    """A run that takes what the known model says."""
    made = Point(case, n, how, 0.0, 0.0, 1.0, points // 125, points, 0.1, halo, 4 * halo, int(halo > 0), 0)
    return replace(made, seconds=KNOWN.seconds(made), clock=KNOWN.seconds(made))


def known_points() -> dict[tuple[str, int, str], Point]:
    made = []
    for name in scaling_page.CASES:
        (case,) = find_cases([name])
        for small, large in scaling_page.pairs(name):
            alone, together = case.n_points(small), case.n_points(large)
            halo = (3 if case.solid else 1) * (4 * large) ** (case.dim - 1)
            made += [point(name, small, "apart", alone), point(name, large, "shared", together // 2, halo)]
            made += [point(name, large, how, together) for how in ("one", "threads")]
    return {p.key: p for p in made}


# -- measurement -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured() -> dict[str, Point]:
    """A case of 6³ elements on two ranks and 6³ on each of them, by a launch of its own."""
    pytest.importorskip("mpi4py")
    return {p.how: p for p in (Point(**one) for one in launch("elastic3d", 6, 6, 1, 1, 1e-3, 0.0))}


def test_two_ranks_share_the_elements_of_one(measured: dict[str, Point]) -> None:
    assert set(measured) == {"one", "threads", "apart", "shared"}
    assert measured["one"].elements == measured["apart"].elements == 6**3
    assert abs(measured["shared"].elements - 6**3 / 2) <= 2
    assert all(p.points == 125 * p.elements and 0.0 < p.seconds < 1.0 for p in measured.values())


def test_the_halo_is_what_a_cut_through_the_box_has_in_common(measured: dict[str, Point]) -> None:
    shared = measured["shared"]
    assert (shared.neighbours, shared.n_bytes) == (1, 4 * shared.halo)
    # Not less than a plane of 25² nodes with 3 values, hardly more; a layer of 3 goes first.
    assert 3 * 25**2 <= shared.halo < 1.3 * 3 * 25**2
    assert 1 / 3 <= shared.first < 0.5
    for how in ("one", "threads", "apart"):
        assert (measured[how].halo, measured[how].first, measured[how].neighbours) == (0, 0.0, 0)


def test_the_better_measurement_is_kept(tmp_path: Path) -> None:
    file, slow = tmp_path / "points.json", point("elastic3d", 12, "apart", 1000)
    fast = replace(slow, seconds=0.5 * slow.seconds, clock=0.6 * slow.clock, clean=0.9)
    assert better(slow, None) is slow
    assert better(slow, replace(fast, clock=2.0 * slow.clock)) == replace(slow, seconds=fast.seconds)
    for one, seconds in ((slow, 2e-5), (fast, 1e-5), (slow, 2e-5)):
        keep(file, [vars(one)], [vars(Message(100, seconds))])
    assert read(file) == ({slow.key: fast}, {100: Message(100, 1e-5)})


# -- model -------------------------------------------------------------------------------------


def test_a_fit_finds_the_constants_that_made_the_points() -> None:
    found = fit(scaling_page.fitted_and_checked(known_points())[0])
    assert found.step == pytest.approx(KNOWN.step, rel=1e-6)
    assert found.point == pytest.approx(KNOWN.point, rel=1e-6)
    assert (found.exchange, found.value) == pytest.approx((KNOWN.exchange, KNOWN.value), rel=1e-6)
    assert (found.memory, found.cache) == pytest.approx((KNOWN.memory, KNOWN.cache), rel=1e-6)
    assert found.order == pytest.approx(KNOWN.order, rel=1e-6)


def test_a_fit_is_the_least_sum_of_squares() -> None:
    generator = np.random.default_rng(0)
    points = scaling_page.fitted_and_checked(known_points())[0]
    points = [replace(p, seconds=p.seconds * (1.0 + 0.02 * generator.standard_normal())) for p in points]
    found = fit(points)
    least = (found.errors(points) ** 2).sum()
    for changed in (
        replace(found, value=1.01 * found.value),
        replace(found, point={case: 0.999 * t for case, t in found.point.items()}),
    ):
        assert (changed.errors(points) ** 2).sum() > least


def test_fewer_runs_than_constants_are_refused() -> None:
    with pytest.raises(ValueError, match="3 runs; expected at least 7"):
        fit([point("elastic3d", n, "apart", n**3) for n in (10, 20, 30)])


def test_a_model_that_is_off_ends_the_command() -> None:
    points = known_points()
    scaling_page.assert_checked(points, KNOWN)
    key = ("elastic3d", 20, "shared")
    points[key] = replace(points[key], seconds=1.3 * points[key].seconds)
    with pytest.raises(SystemExit, match=r"off by -23%, expected at most 20%"):
        scaling_page.assert_checked(points, KNOWN)


def test_a_cube_within_a_mesh_sends_its_surface() -> None:
    mesh = cubic_mesh(6)
    ranks = np.array([x // 2 for x in range(6)])
    centres = mesh.node_coordinates(1).mean(axis=1).astype(int)
    number = (ranks[centres] * [1, 3, 9]).sum(axis=1)
    found = largest_part(mesh, 27, number)
    # The cube in the middle: every node of its surface goes to 1 rank, on edges to 3, at corners to 7.
    assert (found.elements, found.first, found.neighbours) == (8, 8, 26)
    assert found.halo == cube(8.0).halo == 3 * (6 * 7**2 + 12 * 3 * 7 + 8 * 7)


def test_the_partitioner_is_not_far_from_cubes() -> None:
    parts = Parts.of(largest_part(cubic_mesh(12), 27), 12**3 / 27)
    assert 1.0 <= parts.imbalance < 1.1
    assert 0.8 < parts.halo < 1.6
    assert 0.8 < parts.first < 1.3


def test_efficiency_tends_to_one_in_large_parts_and_to_none_in_small_ones() -> None:
    found = [predict(KNOWN, NETWORK, CUBES, 1e9, n) for n in (100, 10_000, 1_000_000, 100_000_000)]
    efficiencies = np.array([[p.efficiency, p.efficiency_exposed] for p in found])
    assert 0.9 < efficiencies[0, 0] < 1.0
    assert (np.diff(efficiencies, axis=0) < 0.0).all()
    assert (efficiencies[-1] < 0.2).all()
    assert (efficiencies[:, 0] >= efficiencies[:, 1]).all()


def test_a_step_without_network_costs_work_and_halo() -> None:
    free = Network(latency=0.0, bandwidth=np.inf, ranks_per_node=1)
    found = predict(KNOWN, free, CUBES, 8000.0, 8)
    more = 5e-6 + 3e-9 * cube(1000.0).halo + 1e-11 * 35 * 125_000
    expected = KNOWN.work("elastic3d", 125_000.0) + more
    assert (found.overlapped, found.exposed) == pytest.approx((expected, expected))
    assert found.efficiency == pytest.approx(KNOWN.work("elastic3d", 125_000.0) / expected)


def test_messages_take_latency_and_their_share_of_the_nodes_bandwidth() -> None:
    part = cube(1000.0)
    assert NETWORK.seconds(part) == pytest.approx(26 * 2e-6 + 4 * part.halo * 100 / 25e9)
    found = predict(KNOWN, NETWORK, CUBES, 8000.0, 8)
    # 512 elements of 1000 lie inside and take longer than the messages: all of these overlap.
    look = 2 * 3 * 2e-6 / 64
    assert NETWORK.seconds(part) < 512 * 125 * 1e-8
    assert found.exposed - found.overlapped == pytest.approx(NETWORK.seconds(part))
    more = 5e-6 + 3e-9 * part.halo + 1e-11 * 35 * 125_000
    assert found.overlapped == pytest.approx(KNOWN.work("elastic3d", 125_000.0) + more + look)


# -- page --------------------------------------------------------------------------------------


def test_the_page_has_a_place_for_every_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling_page, "_PARTITIONS", ((6, 8),))
    page = tmp_path / "scaling.md"
    page.write_text(PAGE.read_text())
    (tmp_path / "images").mkdir()
    scaling_page.write(known_points(), {100: Message(100, 1e-5)}, page)
    text = page.read_text()
    assert re.findall(r"^<!-- table (\w+) -->$", text, re.MULTILINE)
    assert "| per value of the halo [ns] | 3 |" in text
    assert "| 3-D elastic, 20³, 2 ranks share it |" in text
    assert (tmp_path / "images" / "scaling.png").stat().st_size < 100_000


@pytest.mark.slow
def test_two_ranks_are_nearly_twice_as_fast() -> None:
    name, (small, large) = LARGE
    points = {p["how"]: p["clock"] for p in launch(name, small, large, 5, 20, 0.5, 120.0)}
    assert points["one"] / points["shared"] >= 1.7
