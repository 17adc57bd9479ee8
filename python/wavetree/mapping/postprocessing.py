"""Functions of the user that change the update of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree.errors import unknown_name
from wavetree.user_function import UserFunction

__all__ = ["LinearPostprocessing", "apply_function", "as_functions"]

Fields = Mapping[str, np.ndarray]

_TOLERANCE = 1e-10


def as_functions(given: Any) -> Any:
    """Return one function, or a pair of them, in the form in which a configuration keeps it.

    Raises
    ------
    ValueError
        If it is something else, or a function without source text.
    """
    if given is None or isinstance(given, UserFunction):
        return given
    if callable(given):
        return UserFunction.of(given)
    if isinstance(given, (list, tuple)) and len(given) == 2:
        return tuple(as_functions(function) for function in given)
    raise ValueError(
        f"postprocess_model_update is {given!r}; expected a pair of functions (forward, adjoint), or one "
        "function that is applied after acceptance."
    )


def apply_function(function: UserFunction, update: Fields, coordinates: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a function of the user makes of an update.

    Parameters
    ----------
    function
        f(update, coordinates) -> update; it gets copies.
    update
        Parameter name to nodal values (n_dofs,).
    coordinates
        Of the nodes (n_dofs, dim) [m].

    Raises
    ------
    ValueError
        If the function returns something else than finite nodal values of all parameters.
    """
    result = function({name: values.copy() for name, values in update.items()}, coordinates.copy())
    where = f"postprocess_model_update: the function {function.name!r}"
    if not isinstance(result, Mapping):
        raise ValueError(f"{where} returned {type(result).__name__}; expected a dictionary as it was given.")
    for name in result:
        if name not in update:
            raise unknown_name(f"parameter in the result of {function.name!r}", name, update)
    found = {}
    for name, values in update.items():
        if name not in result:
            raise ValueError(f"{where} returned no {name!r}; expected {', '.join(update)}.")
        found[name] = np.array(result[name], dtype=np.float64)
        if found[name].shape != values.shape or not np.isfinite(found[name]).all():
            raise ValueError(
                f"{where} returned for {name!r} an array of shape {found[name].shape}, "
                f"{int((~np.isfinite(found[name])).sum())} values of it not finite; expected finite values "
                f"of shape {values.shape}."
            )
    return found


@dataclass(frozen=True)
class LinearPostprocessing:
    """A linear operation on updates and its transpose.

    Parameters
    ----------
    functions
        (forward, adjoint), each f(update, coordinates) -> update with nodal values (n_dofs,) by parameter.
    coordinates
        Of the nodes (n_dofs, dim) [m].
    """

    functions: tuple[UserFunction, UserFunction]
    coordinates: np.ndarray

    def forward(self, update: Fields) -> dict[str, np.ndarray]:
        """Return the changed update."""
        return apply_function(self.functions[0], update, self.coordinates)

    def adjoint(self, derivative: Fields) -> dict[str, np.ndarray]:
        """Apply the transpose of `forward` to a derivative by nodal values."""
        return apply_function(self.functions[1], derivative, self.coordinates)

    def check(self, parameters: tuple[str, ...]) -> None:
        """Refuse a pair that is not linear, or whose adjoint is not the transpose.

        Raises
        ------
        ValueError
            If forward(x + c y) differs from forward(x) + c forward(y), or ⟨forward(x), y⟩ from
            ⟨x, adjoint(y)⟩, the sums over all parameters and nodes, by more than 1e-10 of the factors' norms.
        """
        x, y = (self._probe(parameters, k) for k in (0, 1))
        # Large, so that thresholds show.
        large = {name: x[name] + 1e7 * y[name] for name in parameters}
        of_x, of_y, of_large = self.forward(x), self.forward(y), self.forward(large)
        defect = {name: of_large[name] - of_x[name] - 1e7 * of_y[name] for name in parameters}
        names = " and ".join(repr(function.name) for function in self.functions)
        if _norm(defect) > _TOLERANCE * (_norm(of_large) + _norm(of_x) + 1e7 * _norm(of_y)):
            raise ValueError(
                f"postprocess_model_update: {self.functions[0].name!r} is not linear, f(x + y) differs from "
                f"f(x) + f(y) by {_norm(defect):g}; expected a linear function, or one function alone, which "
                "is applied after acceptance."
            )
        left, right = _dot(of_x, y), _dot(x, self.adjoint(y))
        if abs(left - right) > _TOLERANCE * _norm(of_x) * _norm(y):
            raise ValueError(
                f"postprocess_model_update: {names} are not a pair of transposes, ⟨forward(x), y⟩ is "
                f"{left:g}, but ⟨x, adjoint(y)⟩ {right:g}; expected the same, the sums over all parameters "
                "and nodes without weights."
            )

    def _probe(self, parameters: tuple[str, ...], phase: int) -> dict[str, np.ndarray]:
        """Values without pattern or symmetry, the same on every run."""
        n = len(self.coordinates)
        return {
            name: np.cos(np.sqrt(2.0) * (np.arange(n) + k * n) ** 1.5 + phase)
            for k, name in enumerate(parameters, 1)
        }


def _dot(a: Fields, b: Fields) -> float:
    return sum(float(np.dot(a[name], b[name])) for name in a)


def _norm(a: Fields) -> float:
    return float(np.sqrt(_dot(a, a)))
