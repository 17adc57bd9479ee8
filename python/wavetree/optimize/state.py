"""What a method carries between the stages of an iteration; all of it can be stored without loss.

`to_arrays` gives float64 arrays for a binary file and attributes for JSON, whose numbers Python writes with
all their digits: a step computed after `from_arrays` has the same bits as one computed before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wavetree.errors import unknown_name
from wavetree.optimize.compact_bfgs import CurvaturePair
from wavetree.optimize.space import MetricVector, Point

__all__ = ["State", "Step", "Verdict"]

_HISTORY = ("history_s", "history_Ps", "history_Sy", "history_y")
_VECTOR = "vector_"


@dataclass(frozen=True, eq=False)
class Step:
    """A proposed step; of the trust region, the global minimiser of the model within it.

    Parameters
    ----------
    update
        p, the change of the model vector, shape (n,).
    dual_update
        P p, shape (n,).
    predicted_reduction
        ⟨g, p⟩ + ½ ⟨p, B p⟩, negative; without a model of the curvature ⟨g, p⟩ alone.
    slope
        ⟨g, p⟩.
    norm
        ‖p‖ in the metric P.
    radius
        Δ that the step was computed for.
    on_boundary
        Whether ‖p‖ ≥ (1 − 1e-6) Δ.
    multiplier
        λ ≥ 0 of the constraint ‖p‖ ≤ Δ: B p + λ P p = −g.
    kkt_residual
        Largest relative violation of the optimality conditions of the subproblem.
    """

    update: np.ndarray
    dual_update: np.ndarray
    predicted_reduction: float
    slope: float
    norm: float
    radius: float
    on_boundary: bool
    multiplier: float
    kkt_residual: float

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the arrays and the JSON-serialisable attributes that `from_arrays` reads."""
        arrays = {"update": self.update, "dual_update": self.dual_update}
        return arrays, _scalars(self, set(arrays))

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], attributes: dict[str, Any]) -> Step:
        """Rebuild the step that `to_arrays` wrote.

        Raises
        ------
        ValueError
            If an array or attribute is missing or unknown.
        """
        return cls(**_complete("step", cls, {**arrays, **attributes}))


@dataclass(frozen=True)
class Verdict:
    """What became of a step, in numbers and words.

    Parameters
    ----------
    accepted
        Whether the trial model becomes the next iterate.
    trial_misfit
        χ at the trial model; None if it was not finite or not asked for.
    actual_reduction
        χ_trial − χ, negative if the trial is better; None if there is no misfit of the trial.
    ratio
        Actual by predicted reduction; None if one of them is missing or the predicted one is not negative.
    on_boundary
        Whether the step ended on the boundary of the trust region.
    radius
        The new radius.
    reason
        Why, in words.
    """

    accepted: bool
    trial_misfit: float | None
    actual_reduction: float | None
    ratio: float | None
    on_boundary: bool
    radius: float
    reason: str

    def to_attributes(self) -> dict[str, Any]:
        """Return the JSON-serialisable attributes that `from_attributes` reads."""
        return _scalars(self, set())

    @classmethod
    def from_attributes(cls, attributes: dict[str, Any]) -> Verdict:
        """Rebuild the verdict that `to_attributes` wrote.

        Raises
        ------
        ValueError
            If an attribute is missing or unknown.
        """
        return cls(**_complete("verdict", cls, attributes))


@dataclass(frozen=True, eq=False)
class State:
    """State of a method at one iterate.

    Parameters
    ----------
    point
        Misfit, gradient and preconditioned gradient at the iterate.
    radius
        Δ in the metric P, the largest length of the next step; 0 if the gradient is zero.
    gamma
        γ of the model's initial matrix B0 = P/γ.
    gradient_norm
        ‖g‖ = √⟨g, S g⟩.
    first_gradient_norm
        ‖g‖ at the iterate that the method began (or was restarted) from.
    history
        Curvature pairs, oldest first.
    rejections
        Steps rejected in a row at this iterate.
    steepest_descent
        Whether the history was dropped after too many rejections and steepest descent is the last attempt.
    stopped
        Why no step is left to try, in words; None while there is one.
    reason
        What the last transition did to radius and history, in words.
    vectors, scalars
        What else a method carries, by name; vectors have the shape (n,).
    """

    point: Point
    radius: float
    gamma: float
    gradient_norm: float
    first_gradient_norm: float
    history: tuple[CurvaturePair, ...] = ()
    rejections: int = 0
    steepest_descent: bool = False
    stopped: str | None = None
    reason: str = ""
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    scalars: Mapping[str, Any] = field(default_factory=dict)

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the arrays and the JSON-serialisable attributes that `from_arrays` reads.

        The history's arrays have the shape (n_pairs, n), oldest pair first; without pairs they are left out,
        as are vectors and scalars where the method has none.
        """
        arrays = {"gradient": self.point.gradient, "preconditioned": self.point.preconditioned}
        if self.history:
            columns = zip(*[(*pair.s, *pair.y) for pair in self.history], strict=True)
            arrays.update({name: np.stack(vectors) for name, vectors in zip(_HISTORY, columns, strict=True)})
        arrays.update({_VECTOR + name: vector for name, vector in self.vectors.items()})
        attributes = {
            "misfit": self.point.misfit,
            **_scalars(self, {"point", "history", "vectors", "scalars"}),
        }
        if self.scalars:
            attributes["scalars"] = dict(self.scalars)
        return arrays, attributes

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], attributes: dict[str, Any]) -> State:
        """Rebuild the state that `to_arrays` wrote.

        Raises
        ------
        ValueError
            If an array or attribute is missing or unknown, or an array is damaged.
        """
        content: dict[str, Any] = {**arrays, **attributes}
        for name in ("misfit", "gradient", "preconditioned"):
            if name not in content:
                raise _incomplete("state", name)
        point = Point(content.pop("misfit"), content.pop("gradient"), content.pop("preconditioned"))
        history: tuple[CurvaturePair, ...] = ()
        if any(name in content for name in _HISTORY):
            for name in _HISTORY:
                if name not in content:
                    raise _incomplete("state", name)
            rows = zip(*[content.pop(name) for name in _HISTORY], strict=True)
            history = tuple(CurvaturePair(MetricVector(s, Ps), MetricVector(Sy, y)) for s, Ps, Sy, y in rows)
        names = [name for name in arrays if name.startswith(_VECTOR)]
        vectors = {name.removeprefix(_VECTOR): content.pop(name) for name in names}
        content = {"scalars": {}, **content, "point": point, "history": history, "vectors": vectors}
        return cls(**_complete("state", cls, content))


def _scalars(value: Any, without: set[str]) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in without}


def _complete(kind: str, cls: type, content: dict[str, Any]) -> dict[str, Any]:
    """The content, if it names every field of the class and nothing else."""
    fields = [f.name for f in dataclasses.fields(cls)]
    for name in content:
        if name not in fields:
            raise unknown_name(f"entry of a stored {kind}", name, fields)
    for name in fields:
        if name not in content:
            raise _incomplete(kind, name)
    return content


def _incomplete(kind: str, name: str) -> ValueError:
    return ValueError(
        f"stored {kind} lacks {name!r}: the file is damaged or of another kind; remove it to compute it again"
    )
