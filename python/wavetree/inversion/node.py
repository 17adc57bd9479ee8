"""A node of the iteration tree as it is stored: a JSON document that names the files with its arrays."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field, replace
from typing import Any

from wavetree.errors import ProjectError
from wavetree.inversion.settings import NodeSettings
from wavetree.optimize import Verdict

__all__ = ["STAGES", "Node", "Origin", "StateRecord", "Trial"]

STAGES = (
    "initialize",
    "misfit_and_gradient",
    "gradient",
    "check_convergence",
    "preconditioner",
    "propose",
    "misfit",
    "accept_or_reject",
    "finalize_iteration",
    "finished",
)
_FORMAT = 2


@dataclass(frozen=True)
class StateRecord:
    """Where a state of the optimiser is stored.

    Attributes
    ----------
    point_file
        Gradient and preconditioned gradient.
    pair_files
        The curvature pairs, oldest first; a pair lies in the folder of the node that found it.
    scalars
        Everything else.
    """

    point_file: str
    pair_files: tuple[str, ...]
    scalars: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """A proposed step and what became of it.

    Attributes
    ----------
    file
        The step and the inversion parameters of the trial model.
    step
        Scalars of the step.
    mesh
        Digest of the mesh with the trial model; None if the model was refused.
    refusal
        Why the model was refused without a simulation, None if it was not.
    unstable
        Whether it was refused because its time step would have to be smaller.
    misfits
        Misfit by name of the events that the step is judged by; None as long as it is not known.
    weight
        Factor of the sum of misfits: all events by those that the step is judged by.
    verdict
        The optimiser's verdict; None as long as there is none.
    """

    file: str
    step: dict[str, Any]
    mesh: str | None = None
    refusal: str | None = None
    unstable: bool = False
    misfits: dict[str, float] | None = None
    weight: float = 1.0
    verdict: dict[str, Any] | None = None

    @property
    def misfit(self) -> float:
        """Weighted sum of the misfits; NaN if the model was refused or they are not known."""
        return math.nan if self.misfits is None else self.weight * math.fsum(self.misfits.values())

    @property
    def judged(self) -> Verdict | None:
        """The verdict, None as long as there is none."""
        return None if self.verdict is None else Verdict.from_attributes(self.verdict)


@dataclass(frozen=True)
class Origin:
    """What led to a node.

    Attributes
    ----------
    state
        State of the optimiser that proposed the step.
    trial
        The accepted trial.
    rejections
        Steps that were rejected before it.
    control_group
        Names of the events that it was judged by; None for all in the misfit.
    control_file
        Gradient of their misfit where it was proposed from; None if that is the state's.
    control_misfit
        Their weighted misfit there.
    """

    state: StateRecord
    trial: Trial
    rejections: int = 0
    control_group: tuple[str, ...] | None = None
    control_file: str | None = None
    control_misfit: float | None = None


@dataclass(frozen=True)
class Node:
    """One iteration.

    Attributes
    ----------
    created
        When it was added [s since 1970].
    stage
        What is to be done next, one of `STAGES`.
    settings
        What it is computed with besides the inverse problem's configuration.
    changed
        What differs from the parent so that the history is dropped, in words.
    origin
        The accepted trial that led here; None at the prior and after an iteration that ended without one.
    batch
        The mini-batch, as JSON content; before the first stage that of the parent. None without batches.
    events
        Names of the events in the misfit; None for all of the inverse problem.
    control_group
        Names of the events that steps are judged by; None for all in the misfit. Before the first stage
        that of the parent.
    model_file
        The inversion parameters; None before the first stage of a node at the prior.
    mesh
        Digest of the mesh with the model.
    misfits
        Misfit by event name, None as long as it is not known.
    validation_misfits
        The same of the events that are not inverted.
    weight
        Factor of the sum of misfits: all events by those in the misfit.
    derivative_file
        Derivative of the misfit by the inversion parameters, with batches those of the events too.
    control_file
        Gradient of the control group's misfit, where that is not the whole batch.
    control_misfit
        Weighted misfit of the control group, where that is not the whole batch.
    silent
        Whether no event has an adjoint source.
    state
        State of the optimiser.
    trials
        Steps that were tried.
    outcome
        "accepted", "converged" or "stopped"; None while the iteration is open.
    reason
        The outcome in words.
    recomputed
        Events whose stored wavefields were not there and computed again.
    unstable_trials
        Trials on the way here, since the time step was chosen, that would have needed a smaller one.
    seconds
        Time that calls have spent advancing the iteration [s].
    """

    created: float
    stage: str = "initialize"
    settings: NodeSettings = field(default_factory=NodeSettings)
    changed: tuple[str, ...] = ()
    origin: Origin | None = None
    batch: dict[str, Any] | None = None
    events: tuple[str, ...] | None = None
    control_group: tuple[str, ...] | None = None
    model_file: str | None = None
    mesh: str | None = None
    misfits: dict[str, float] | None = None
    validation_misfits: dict[str, float] | None = None
    weight: float = 1.0
    derivative_file: str | None = None
    control_file: str | None = None
    control_misfit: float | None = None
    silent: bool = False
    state: StateRecord | None = None
    trials: tuple[Trial, ...] = ()
    outcome: str | None = None
    reason: str = ""
    recomputed: int = 0
    unstable_trials: int = 0
    seconds: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.outcome is None

    @property
    def misfit(self) -> float | None:
        """Weighted sum of the events' misfits, None as long as they are not known."""
        return None if self.misfits is None else self.weight * math.fsum(self.misfits.values())

    def with_trial(self, **changes: Any) -> Node:
        """Return the node with changes to its newest trial."""
        return replace(self, trials=(*self.trials[:-1], replace(self.trials[-1], **changes)))

    def to_document(self) -> dict[str, Any]:
        """Return the JSON-serialisable content."""
        return {"format": _FORMAT, **dataclasses.asdict(self)}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Node:
        """Rebuild the node that `to_document` wrote.

        Raises
        ------
        ProjectError
            If the document is of another format.
        """
        content = dict(document)
        if content.pop("format", None) != _FORMAT:
            raise ProjectError(
                f"an iteration is stored in format {document.get('format')!r}, this version of wavetree "
                f"reads {_FORMAT}; use the version that wrote it."
            )
        content["settings"] = NodeSettings(**content["settings"])
        for name in ("changed", "events", "control_group"):
            content[name] = None if content[name] is None else tuple(content[name])
        content["trials"] = tuple(Trial(**trial) for trial in content["trials"])
        content["state"] = _state(content["state"])
        if content["origin"] is not None:
            origin = content["origin"]
            state = _state(origin["state"])
            assert state is not None
            group, trial = origin["control_group"], Trial(**origin["trial"])
            group = None if group is None else tuple(group)
            content["origin"] = Origin(**{**origin, "state": state, "trial": trial, "control_group": group})
        return cls(**content)


def _state(document: dict[str, Any] | None) -> StateRecord | None:
    if document is None:
        return None
    return StateRecord(document["point_file"], tuple(document["pair_files"]), document["scalars"])
