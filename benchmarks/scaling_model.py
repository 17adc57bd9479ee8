"""A model of the time of a step on many ranks: fitted to points of ``scaling.py``, and what it predicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import coo_array

from wavetree.benchmark.cases import ORDER, find_cases
from wavetree.mesh import Mesh, box_mesh
from wavetree.mesh.partition import partition

_LOOK = 64  # a run looks at its field every so many steps, with one maximum over ranks
CACHES = np.geomspace(0.5e6, 64e6, 43).tolist()
_COMPONENTS, _ITEMSIZE = 3, 4  # of 3-D elastic waves in float32


class Measured(Protocol):
    """What the model needs of a measured run; see ``scaling.Point``."""

    @property
    def case(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def points(self) -> int: ...
    @property
    def halo(self) -> int: ...
    @property
    def neighbours(self) -> int: ...


@dataclass(frozen=True)
class Model:
    """Seconds of a step of a rank, all cores of the machine being busy.

    Attributes
    ----------
    step
        Of every step, whatever it has to do.
    point
        Per element node, by case.
    exchange
        Per step and rank that messages are exchanged with.
    value
        Per value that is packed, sent through this machine's memory, and added.
    order
        Per byte that a step of a rank with neighbours passes through: its elements stand in another order.
    memory
        More per byte that a step passes through and that does not fit into the cache.
    cache
        Bytes that a rank has of the cache.

    Notes
    -----
    t = step + point·N + memory·max(0, B·N − cache), with neighbours exchange·M + value·H + order·B·N more,
    for N element nodes with B bytes each (``Case.n_bytes``), M neighbours, H values of the halo.
    """

    step: float
    point: dict[str, float]
    exchange: float
    value: float
    order: float
    memory: float
    cache: float

    def work(self, case: str, points: float) -> float:
        """Return the seconds of a step without messages."""
        return self.step + self.point[case] * points + self.memory * _beyond(case, points, self.cache)

    def overhead(self, case: str, points: float, neighbours: float, halo: float) -> float:
        """Return the seconds more of a step of a rank with neighbours."""
        order = self.order * _n_bytes(case, points) if neighbours else 0.0
        return self.exchange * neighbours + self.value * halo + order

    def seconds(self, run: Measured) -> float:
        """Return what a step of a run takes by the model."""
        more = self.overhead(run.case, run.points, run.neighbours, run.halo)
        return self.work(run.case, run.points) + more

    def errors(self, runs: Iterable[Measured]) -> np.ndarray:
        """Return model by measurement, less 1."""
        return np.array([self.seconds(run) / run.seconds - 1.0 for run in runs])


def _n_bytes(case: str, points: float) -> float:
    return find_cases([case])[0].n_bytes * points


def _beyond(case: str, points: float, cache: float) -> float:
    return max(0.0, _n_bytes(case, points) - cache)


def fit(runs: Sequence[Measured]) -> Model:
    """Return the model with the least sum of squares of relative errors, no constant below 0.

    Raises
    ------
    ValueError
        If there are fewer runs than constants.
    """
    n_constants = 6 + len({run.case for run in runs})
    if len(runs) < n_constants:
        raise ValueError(f"{len(runs)} runs; expected at least {n_constants}, one for every constant.")
    # All but the cache are linear.
    return min((_fit(runs, cache) for cache in CACHES), key=lambda m: float((m.errors(runs) ** 2).sum()))


def _fit(runs: Sequence[Measured], cache: float) -> Model:
    cases = sorted({run.case for run in runs})
    rows = np.array(
        [
            [1.0, run.neighbours, run.halo]
            + [_n_bytes(run.case, run.points) * (run.neighbours > 0), _beyond(run.case, run.points, cache)]
            + [run.points * (run.case == case) for case in cases]
            for run in runs
        ]
    )
    rows = rows / np.array([[run.seconds] for run in runs])
    scale = np.abs(rows).max(axis=0)  # seconds per step and per value are far apart
    scale[scale == 0.0] = 1.0
    found = (nnls(rows / scale, np.ones(len(rows)))[0] / scale).tolist()
    return Model(found[0], dict(zip(cases, found[5:], strict=True)), *found[1:5], cache)


# -- partitions --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """The part of a mesh that has the most to do: elements, those that go first, values sent, neighbours."""

    elements: float
    first: float
    halo: float
    neighbours: float


def cube(elements: float) -> Part:
    """Return a cube of so many elements with others on all its sides, in 3-D elastic waves."""
    a = elements ** (1.0 / 3.0)
    nodes = ORDER * a
    inner = max(0.0, a - 2.0) ** 3
    # A node on an edge goes to 3 ranks, one at a corner to 7.
    sent = 6.0 * max(0.0, nodes - 1.0) ** 2 + 12.0 * 3.0 * max(0.0, nodes - 1.0) + 8.0 * 7.0
    return Part(elements, elements - inner, _COMPONENTS * sent, 26.0)


def largest_part(mesh: Mesh, n_ranks: int, rank: np.ndarray | None = None) -> Part:
    """Return the largest of what ranks get of a box, each number by itself.

    Parameters
    ----------
    mesh, n_ranks
        The box and the number of ranks.
    rank
        Of every element (nelem,); by `wavetree.mesh.partition` when None.
    """
    rank = np.asarray(partition(mesh, n_ranks).rank if rank is None else rank)
    dofs = _numbers(mesh)
    pairs = np.unique(dofs * n_ranks + rank[:, None])
    of, to = pairs // n_ranks, pairs % n_ranks
    incidence = coo_array((np.ones(len(pairs)), (of, to))).tocsr()
    common = (incidence.T @ incidence).tolil()
    common.setdiag(0.0)
    common = common.tocsr()
    shared = np.bincount(of) > 1
    first = np.bincount(rank[shared[dofs].any(axis=1)], minlength=n_ranks)
    return Part(
        float(np.bincount(rank).max()),
        float(first.max()),
        _COMPONENTS * float(common.sum(axis=1).max()),
        float((common > 0).sum(axis=1).max()),
    )


def _numbers(mesh: Mesh) -> np.ndarray:
    """Number of the nodes (nelem, n_nodes) of a box by their places on the axes."""
    x = mesh.node_coordinates(ORDER).round(9)
    by_axis = [np.unique(x[..., axis], return_inverse=True)[1].reshape(x.shape[:2]) for axis in range(3)]
    n = 1 + max(int(numbers.max()) for numbers in by_axis)
    return by_axis[0] + n * (by_axis[1] + n * by_axis[2])


@dataclass(frozen=True)
class Parts:
    """What the partitioner adds to cubes: factors of elements, halo and of elements that go first."""

    imbalance: float
    halo: float
    first: float
    neighbours: float

    @classmethod
    def of(cls, found: Part, elements: float) -> Parts:
        """Compare the largest part with a cube of the mean number of elements."""
        ideal = cube(elements)
        factors = found.elements / elements, found.halo / ideal.halo, found.first / ideal.first
        return cls(*factors, found.neighbours)

    @classmethod
    def worst(cls, several: Iterable[Parts]) -> Parts:
        """Return the largest of each factor."""
        return cls(*map(max, zip(*(astuple(parts) for parts in several), strict=True)))

    def part(self, elements: float) -> Part:
        """Return the largest part where ranks have so many elements in the mean."""
        ideal = cube(elements)
        # No rank has a part of an element.
        most = max(self.imbalance * elements, math.ceil(elements))
        first = min(most, self.first * ideal.first)
        return Part(most, first, self.halo * ideal.halo, self.neighbours)


# -- prediction --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A cluster: latency [s], bandwidth of a node in each direction [B/s], and the ranks that share it."""

    latency: float
    bandwidth: float
    ranks_per_node: int

    def seconds(self, part: Part) -> float:
        """Return what an exchange takes, every message over the network and one after the other."""
        n_bytes = part.halo * _ITEMSIZE
        return self.latency * part.neighbours + n_bytes * self.ranks_per_node / self.bandwidth


@dataclass(frozen=True)
class Prediction:
    """A step on many ranks [s] and its efficiency, with messages that overlap with work or do not."""

    n_ranks: int
    elements: float
    overlapped: float
    exposed: float
    efficiency: float
    efficiency_exposed: float


def predict(model: Model, network: Network, parts: Parts, n_elements: float, n_ranks: int) -> Prediction:
    """Predict 3-D elastic waves in a mesh of so many elements.

    Notes
    -----
    Work and halo are those of the largest part. With overlap the network has the time of the elements that
    touch no other rank; without, messages wait until it is over. Each `_LOOK` steps there is a maximum over
    ranks, up and down a tree.
    """
    each, per_element = n_elements / n_ranks, (ORDER + 1) ** 3
    part = parts.part(each)
    work = model.work("elastic3d", per_element * part.elements)
    own = work + model.overhead("elastic3d", per_element * part.elements, 1.0, part.halo)
    look = 2.0 * math.ceil(math.log2(n_ranks)) * network.latency / _LOOK
    inner = (work - model.step) * (1.0 - part.first / part.elements)
    net = network.seconds(part)
    overlapped, exposed = own + look + max(0.0, net - inner), own + look + net
    alone = model.work("elastic3d", per_element * each)
    return Prediction(n_ranks, each, overlapped, exposed, alone / overlapped, alone / exposed)


def cubic_mesh(n: int) -> Mesh:
    """Return a mesh of n³ cubes."""
    return box_mesh(((0.0, float(n)),) * 3, (n,) * 3)
