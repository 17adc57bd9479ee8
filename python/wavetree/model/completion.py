"""Parameters that a dataset lacks, from numbers and from relations between parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from wavetree.model.relations import Relation

__all__ = ["Completion", "complete"]

Completion = float | Relation | Callable[..., Any]


def complete(data: xr.Dataset, **parameters: Completion) -> xr.Dataset:
    """Return a dataset with more parameters, each a constant or a function of those that are there.

    Parameters
    ----------
    data
        Parameters by lower-case name, for example ``vp`` [m/s] alone.
    **parameters
        What to add, in this order, by lower-case name: a number, a relation of `wavetree.model.relations`, or
        a function whose arguments are named after parameters (``def relation(vp): ...``), called with their
        arrays.

    Returns
    -------
    xarray.Dataset
        With the variables of `data` and the new ones on the same dimensions.

    Raises
    ------
    ValueError
        If there is nothing to start from, a parameter is there already, or a function needs one that is not,
        or a relation is one for another parameter.

    Examples
    --------
    >>> from wavetree.model.relations import gardner
    >>> data = xr.Dataset({"vp": ("x", [1500.0, 2000.0])}, coords={"x": [0.0, 10.0]})
    >>> complete(data, rho=gardner)["rho"].round(1).values.tolist()
    [1929.2, 2073.1]
    """
    names = list(map(str, data.data_vars))
    if not names:
        raise ValueError("data has no variables; expected at least one to complete.")
    result = data.copy()
    dims, shape = data[names[0]].dims, data[names[0]].shape
    for name, given in parameters.items():
        if name in result.data_vars:
            raise ValueError(f"data has the variable {name!r} already; drop it, or do not complete it.")
        known = {str(key): result[key].transpose(*dims).values for key in result.data_vars}
        if isinstance(given, Relation):
            values = _related(name, given, known)
        elif callable(given):
            values = np.asarray(given(**_arguments(name, given, known)), dtype=np.float64)
        else:
            values = np.full(shape, float(given))
        if values.shape != shape:
            raise ValueError(
                f"the relation for {name!r} returned values of shape {values.shape}; expected {shape}."
            )
        result[name] = (dims, values)
    return result


def _related(name: str, relation: Relation, known: Mapping[str, np.ndarray]) -> np.ndarray:
    target, source = relation.target.lower(), relation.source.lower()
    if target != name or source not in known:
        raise ValueError(
            f"the relation {relation.name!r} gives {target!r} from {source!r}; expected one that gives "
            f"{name!r} from what is there: {', '.join(map(repr, known))}."
        )
    return np.asarray(relation.value(known[source]), dtype=np.float64)


def _arguments(
    name: str, relation: Callable[..., Any], known: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The arrays that a relation asks for."""
    wanted = inspect.signature(relation).parameters.values()
    lacking = [p.name for p in wanted if p.default is p.empty and p.name not in known]
    if lacking:
        raise ValueError(
            f"the relation for {name!r} needs {', '.join(map(repr, lacking))}, but there are only "
            f"{', '.join(map(repr, known))}; expected arguments named after parameters that are there."
        )
    return {p.name: known[p.name] for p in wanted if p.name in known}
