"""Which sides of elements lie on each other."""

from __future__ import annotations

import numpy as np

__all__ = ["facet_partners", "matching_facets", "sorted_facets"]


def sorted_facets(connectivity: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Return the points of all sides, ascending within each (nelem * n_sides, n).

    Parameters
    ----------
    connectivity
        Points of every element (nelem, n_nodes).
    local
        Columns of every local side's nodes (n_sides, n).
    """
    return np.sort(connectivity[:, local].reshape(-1, local.shape[1]), axis=1)


def facet_partners(facets: np.ndarray, n_sides: int) -> np.ndarray:
    """Return which facet lies on which.

    Parameters
    ----------
    facets
        Points of all sides (nelem * n_sides, n) as `sorted_facets` gives them.
    n_sides
        Number of sides of an element.

    Returns
    -------
    numpy.ndarray
        Row of the side on the other side (nelem * n_sides,), -1 on the boundary.

    Raises
    ------
    ValueError
        If more than two elements share a facet.
    """
    order = np.lexsort(facets.T[::-1])
    ordered = facets[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    group = np.cumsum(new) - 1
    counts = np.bincount(group)
    if counts.max() > 2:
        shared = np.empty(len(facets), dtype=np.int64)
        shared[order] = counts[group]
        row = int(np.argmax(shared))
        raise ValueError(
            f"element {row // n_sides} shares its side {row % n_sides} (points "
            f"{facets[row].tolist()}) with "
            f"{int(shared[row]) - 1} elements; expected one neighbour or none: look for elements listed "
            "twice."
        )
    partners = np.full(len(facets), -1, dtype=np.int64)
    first = np.flatnonzero(new)[counts == 2]
    partners[order[first]] = order[first + 1]
    partners[order[first + 1]] = order[first]
    return partners


def matching_facets(facets: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of facets that have the points of one of those wanted.

    Parameters
    ----------
    facets
        Points (n, k), ascending within each row.
    wanted
        Points (m, k), in any order.

    Returns
    -------
    rows, found
        Rows of the facets, ascending, and whether each of those wanted is among them (m,).
    """
    wanted = np.sort(wanted, axis=1)
    # Few facets touch those wanted with all their points; the comparison needs to sort only these.
    near = np.flatnonzero(np.isin(facets, wanted).all(axis=1))
    _, number = np.unique(np.concatenate([wanted, facets[near]]), axis=0, return_inverse=True)
    of_wanted, of_near = np.split(number.ravel(), [len(wanted)])
    return near[np.isin(of_near, of_wanted)], np.isin(of_wanted, of_near)
