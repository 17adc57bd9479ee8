"""What a driver may ask of every optimisation method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from wavetree.optimize.judgement import Control
from wavetree.optimize.space import Point, Space
from wavetree.optimize.state import State, Step, Verdict

__all__ = ["Method"]


class Method(Protocol):
    """An optimisation method: pure transitions from one state to the next.

    A driver begins at a point, then repeats: propose a step, find the misfit of the trial model if the method
    tests its steps, judge, and either reject (the next proposal is shorter) or accept with the new point.
    """

    tests_steps: ClassVar[bool]
    """Whether the trial's misfit must be known before a step is taken."""

    def initial_change(self, defaults: Mapping[str, float]) -> dict[str, float]:
        """Return the largest change in the first step for each parameter in `defaults`."""

    def parameter_scales(self, initial_change: Mapping[str, float]) -> dict[str, float]:
        """Return r_k of ⟨a, b⟩ = Σ_k a_kᵀ G b_k / r_k²."""

    def begin(self, point: Point, space: Space) -> State:
        """Return the state at a first point."""

    def restart(self, state: State, point: Point, space: Space, changed: Sequence[str]) -> State:
        """Return a first state for a branch in which what `changed` names differs from its parent's."""

    def propose(self, state: State, space: Space) -> Step:
        """Return the next step to try; applies S once."""

    def judge(
        self, state: State, step: Step, trial_misfit: float | None, control: Control | None = None
    ) -> Verdict:
        """Return whether a step is accepted.

        `trial_misfit` is None only if the method does not test steps. With a control group, `control` holds
        its figures at the iterate and `trial_misfit` is its misfit at the trial model.
        """

    def reject(self, state: State, step: Step, verdict: Verdict) -> State:
        """Return the state after a rejected step."""

    def accept(
        self,
        state: State,
        step: Step,
        verdict: Verdict,
        new_point: Point,
        space: Space,
        ends: tuple[Point, Point] | None = None,
    ) -> State:
        """Return the state at the accepted trial.

        `ends` are the points of the events common to both iterates, at the old and at the new model; None if
        all events are the same.
        """

    def converged(
        self, state: State, step: Step | None, precision: str, space: Space | None = None
    ) -> str | None:
        """Return why the iteration is at its end, in words, or None."""
