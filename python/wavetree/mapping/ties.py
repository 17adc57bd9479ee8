"""Parameters of the material that follow others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from wavetree.config import Configuration, configuration
from wavetree.errors import unknown_name
from wavetree.model.relations import RELATIONS, Relation
from wavetree.user_function import UserFunction

__all__ = ["BoundTie", "Tie", "as_tie", "bind_tie", "source_of"]

_log = logging.getLogger("wavetree")

_STEP = 1e-4  # of a central difference, relative to the values
_TOLERANCE = 1e-5  # between the given derivative and the difference, relative to the largest of them
_PROBES = 100


@configuration
class Tie(Configuration):
    """A relation of the user's own.

    Parameters
    ----------
    source
        The parameter that is followed; None for the only one that is inverted for.
    value
        f(source) -> target, pointwise, for arrays (...) in SI units.
    derivative
        Its derivative, f'(source), likewise.
    """

    source: str | None = None
    _: KW_ONLY
    value: UserFunction
    derivative: UserFunction


def as_tie(given: Any) -> Any:
    """Return what users give as a relation in the form in which a configuration keeps it.

    Raises
    ------
    ValueError
        If it is no relation, or its name is unknown.
    """
    if isinstance(given, str):
        if given not in RELATIONS:
            raise unknown_name("relation in tied_parameters", given, RELATIONS)
        return given
    if isinstance(given, Relation):
        if RELATIONS.get(given.name) is given:
            return given.name
        given = (given.source, given.value, given.derivative)
    if isinstance(given, Tie):
        return given
    if isinstance(given, (list, tuple)) and len(given) in (2, 3):
        *source, value, derivative = given
        if callable(value) and callable(derivative) and (not source or isinstance(source[0], str)):
            functions = {"value": _function(value), "derivative": _function(derivative)}
            return Tie(source[0] if source else None, **functions)
    raise ValueError(
        f"a relation in tied_parameters is {given!r}; expected one of {', '.join(RELATIONS)}, functions "
        '(value, derivative) of the inverted parameter, or ("VP", value, derivative) with its name.'
    )


def source_of(target: str, tie: str | Tie, inverted: tuple[str, ...]) -> str:
    """Return the parameter that a tied one follows.

    Raises
    ------
    ValueError
        If the relation is one for another parameter, or what it follows is not inverted for, or not said.
    """
    if isinstance(tie, str):
        relation = RELATIONS[tie]
        if relation.target != target:
            raise ValueError(
                f"tied_parameters ties {target!r} by {tie!r}, which gives {relation.target} from "
                f"{relation.source}; expected a relation for {target}."
            )
        source = relation.source
    elif tie.source is None:
        if len(inverted) > 1:
            raise ValueError(
                f"tied_parameters does not say which of {', '.join(inverted)} {target!r} follows; give "
                f'("{inverted[0]}", value, derivative).'
            )
        source = inverted[0]
    else:
        source = tie.source
    if source not in inverted:
        raise ValueError(
            f"tied_parameters lets {target!r} follow {source!r}, which is not inverted for; expected one of "
            f"inversion_parameters, {', '.join(inverted)}."
        )
    return source


@dataclass(frozen=True)
class BoundTie:
    """A tied parameter about its prior.

    Parameters
    ----------
    source
        The parameter that is followed.
    value, derivative
        The relation f and f'.
    prior, source_prior
        The prior of the tied parameter and of its source (nelem, n_nodes).

    Notes
    -----
    m = m_prior + (f(v) − f(v_prior)) with v the source: the prior's jumps survive, and so does a prior that
    does not obey the relation.
    """

    source: str
    value: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    prior: np.ndarray
    source_prior: np.ndarray

    def apply(self, source: np.ndarray) -> np.ndarray:
        """Return the tied parameter (nelem, n_nodes) for the source (nelem, n_nodes)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.prior + (self.value(source) - self.value(self.source_prior)))


def bind_tie(target: str, tie: str | Tie, source: str, priors: dict[str, np.ndarray]) -> BoundTie:
    """Return a relation about the prior (nelem, n_nodes) of all parameters.

    Raises
    ------
    ValueError
        If a function of the user returns another shape or values that are not finite at the prior, or the
        derivative is not that of the value there.
    """
    v = priors[source]
    if isinstance(tie, str):
        relation = RELATIONS[tie]
        outside = int((~relation.covers(v)).sum())
        if outside:
            _log.warning(
                "%s lies outside %g to %g, which the relation %r was made for, at %d of %d nodes.",
                source, *relation.valid, tie, outside, v.size,
            )  # fmt: skip
        return BoundTie(source, relation.value, relation.derivative, priors[target], v)
    _check_derivative(target, tie, v)
    return BoundTie(source, tie.value, tie.derivative, priors[target], v)


def _check_derivative(target: str, tie: Tie, prior: np.ndarray) -> None:
    values = np.unique(prior)
    v = values[np.linspace(0, len(values) - 1, min(len(values), _PROBES)).astype(int)]
    h = _STEP * np.where(v == 0.0, 1.0, np.abs(v))
    found = {"value": [tie.value(v - h), tie.value(v + h)], "derivative": [tie.derivative(v)]}
    for name, results in found.items():
        for result in results:
            if np.shape(result) != v.shape or not np.isfinite(result).all():
                raise ValueError(
                    f"tied_parameters: the {name} of {target!r} has the shape {np.shape(result)} for values "
                    f"{v.shape}, or is not finite; expected a pointwise function, finite from {v[0]:g} to "
                    f"{v[-1]:g}."
                )
    difference = (found["value"][1] - found["value"][0]) / (2.0 * h)
    (given,) = found["derivative"]
    error = np.abs(given - difference)
    if error.max() > _TOLERANCE * max(np.abs(difference).max(), np.abs(given).max()):
        k = int(error.argmax())
        raise ValueError(
            f"tied_parameters: the derivative of {target!r} is {given[k]:g} at {v[k]:g}, but differences of "
            f"its value give {difference[k]:g}; expected the derivative of the value."
        )


def _function(given: Any) -> UserFunction:
    return given if isinstance(given, UserFunction) else UserFunction.of(given)
