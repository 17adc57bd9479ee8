"""What users read of an iteration and of the tree."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wavetree.inversion.configuration import InverseProblemConfiguration
from wavetree.inversion.node import Node, Trial
from wavetree.project.store import IterationRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Iteration", "IterationTree", "TrialFigures"]

_COLUMNS = (
    *("iteration", "stage", "chi", "||g||"),
    *("pred", "ared", "ratio", "norm_update", "tr_radius", "trials", "changes"),
)


@dataclass(frozen=True)
class TrialFigures:
    """Figures of a proposed step; None where they are not known.

    Attributes
    ----------
    misfit, misfits
        At the trial model: the sum, and by event name.
    predicted_reduction, actual_reduction, ratio
        Change of the misfit by the model and in truth (negative is good), and actual by predicted.
    norm_update, radius
        Norm of the step and the radius of the trust region that it was found in.
    accepted
        Whether the step was accepted.
    reason
        Why, in words.
    """

    misfit: float | None
    misfits: dict[str, float] | None
    predicted_reduction: float
    actual_reduction: float | None
    ratio: float | None
    norm_update: float
    radius: float
    accepted: bool | None
    reason: str

    @classmethod
    def of(cls, trial: Trial) -> TrialFigures:
        """Return the figures of a stored trial."""
        verdict = trial.judged
        return cls(
            misfit=None if trial.misfits is None else trial.misfit,
            misfits=trial.misfits,
            predicted_reduction=trial.step["predicted_reduction"],
            actual_reduction=None if verdict is None else verdict.actual_reduction,
            ratio=None if verdict is None else verdict.ratio,
            norm_update=trial.step["norm"],
            radius=trial.step["radius"],
            accepted=None if verdict is None else verdict.accepted,
            reason="" if verdict is None else verdict.reason,
        )


@dataclass(frozen=True)
class Iteration:
    """An iteration of an inverse problem; figures are None as long as they are not known.

    Attributes
    ----------
    inverse_problem, id
        Name of the inverse problem, and the iteration's number.
    parent, children
        Ids of the iterations that it came from and that came from it.
    stage
        What is to be done next.
    misfit, misfits
        At this iterate: the sum, and by event name. With batches the sum is multiplied by the number of all
        events over that of the batch.
    validation_misfits
        The same by name of the events that are not inverted; None without them.
    gradient_norm
        ‖g‖ = √⟨g, S g⟩.
    predicted_reduction, actual_reduction, ratio, norm_update, radius
        Of the step that led to this iterate, see `TrialFigures`; None where no step led to it.
    accepted
        Whether a step from this iterate was accepted; False where the iteration ended without one.
    reason
        How the iteration ended, in words.
    trials
        The steps that were tried from this iterate.
    events, control_group
        Names of the events in the misfit, and of those that steps are judged by.
    settings
        The configuration with what a branch has changed.
    changed
        What differs from the parent so that the curvature history was dropped, in words.
    seconds
        Time that calls have spent advancing it [s].
    recomputed
        Events whose stored wavefields were not there and computed again.
    """

    inverse_problem: str
    id: int
    parent: int | None
    children: tuple[int, ...]
    stage: str
    misfit: float | None
    misfits: dict[str, float] | None
    validation_misfits: dict[str, float] | None
    gradient_norm: float | None
    predicted_reduction: float | None
    actual_reduction: float | None
    ratio: float | None
    norm_update: float | None
    radius: float | None
    accepted: bool | None
    reason: str
    trials: tuple[TrialFigures, ...]
    events: tuple[str, ...]
    control_group: tuple[str, ...]
    settings: InverseProblemConfiguration
    changed: tuple[str, ...]
    seconds: float
    recomputed: int

    @classmethod
    def of(
        cls, record: IterationRecord, children: Sequence[int], events: Sequence[str],
        settings: InverseProblemConfiguration,
    ) -> Iteration:  # fmt: skip
        """Return the iteration that a record holds."""
        node = Node.from_document(record.document)
        led = None if node.origin is None else TrialFigures.of(node.origin.trial)
        taken = tuple(node.events or events)
        return cls(
            inverse_problem=record.problem,
            id=record.id,
            parent=record.parent,
            children=tuple(children),
            stage=node.stage,
            misfit=node.misfit,
            misfits=node.misfits,
            validation_misfits=node.validation_misfits,
            gradient_norm=None if node.state is None else node.state.scalars["gradient_norm"],
            predicted_reduction=None if led is None else led.predicted_reduction,
            actual_reduction=None if led is None else led.actual_reduction,
            ratio=None if led is None else led.ratio,
            norm_update=None if led is None else led.norm_update,
            radius=None if led is None else led.radius,
            accepted=None if node.is_open else node.outcome == "accepted",
            reason=node.reason,
            trials=tuple(TrialFigures.of(trial) for trial in node.trials),
            events=taken,
            control_group=taken if node.stage == "initialize" else tuple(node.control_group or taken),
            settings=settings,
            changed=node.changed,
            seconds=node.seconds,
            recomputed=node.recomputed,
        )

    def row(self) -> tuple[str, ...]:
        """Return the cells of its row in a table: reductions, norm and radius are of its newest trial."""
        trial = self.trials[-1] if self.trials else None
        figures = [self.misfit, self.gradient_norm]
        names = ("predicted_reduction", "actual_reduction", "ratio", "norm_update", "radius")
        figures += [None if trial is None else getattr(trial, name) for name in names]
        cells = ("---" if figure is None else f"{figure:.5g}" for figure in figures)
        return (str(self.id), self.stage, *cells, str(len(self.trials)), ", ".join(self.changed))

    def __repr__(self) -> str:
        lines = [f"Iteration {self.id} of {self.inverse_problem!r}"]
        return "\n".join(lines + [f"    {title}: {text}" for title, text in self._content()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(title)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for title, text in self._content()
        )
        return f"<b>Iteration {self.id}</b> of {html.escape(self.inverse_problem)}<table>{rows}</table>"

    def _content(self) -> Iterator[tuple[str, str]]:
        yield "stage", self.stage + (f" ({self.reason})" if self.reason else "")
        yield "parent", "none" if self.parent is None else str(self.parent)
        yield "children", ", ".join(map(str, self.children)) or "none"
        if self.changed:
            yield "changes", ", ".join(self.changed)
        judged = len(self.control_group)
        control = "" if judged == len(self.events) else f", {judged} of them in the control group"
        yield "events", f"{len(self.events)}{control}"
        yield "misfit", _figure(self.misfit)
        if self.validation_misfits is not None:
            yield "validation misfit", _figure(sum(self.validation_misfits.values()))
        yield "gradient norm", _figure(self.gradient_norm)
        if self.predicted_reduction is not None:
            reductions = f"{_figure(self.predicted_reduction)}, actual {_figure(self.actual_reduction)}"
            size = f"norm of the update {_figure(self.norm_update)} in radius {_figure(self.radius)}"
            yield "led here by", f"predicted reduction {reductions}, ratio {_figure(self.ratio)}, {size}"
        for number, trial in enumerate(self.trials):
            text = trial.reason or f"predicted reduction {_figure(trial.predicted_reduction)}"
            yield f"trial {number}", f"misfit {_figure(trial.misfit)}, {text}"
        yield "seconds", f"{self.seconds:.3g}"


@dataclass(frozen=True)
class IterationTree:
    """The iterations of an inverse problem.

    Attributes
    ----------
    inverse_problem
        Name of the inverse problem.
    iterations
        All of them by id.
    """

    inverse_problem: str
    iterations: tuple[Iteration, ...]

    def __iter__(self) -> Iterator[Iteration]:
        return iter(self.iterations)

    def __len__(self) -> int:
        return len(self.iterations)

    def __repr__(self) -> str:
        rows = [_COLUMNS, *self._rows()]
        widths = [max(len(row[k]) for row in rows) for k in range(len(_COLUMNS))]
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"Inverse problem {self.inverse_problem!r}", *lines])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in _COLUMNS)
        rows = (
            "<tr>" + "".join(f"<td style='white-space:pre'>{html.escape(c)}</td>" for c in row) + "</tr>"
            for row in self._rows()
        )
        return f"<b>{html.escape(self.inverse_problem)}</b><table><tr>{head}</tr>{''.join(rows)}</table>"

    def plot(self) -> Figure:
        """Draw the tree; returns the figure."""
        from wavetree.viz.tree import plot_tree

        return plot_tree(self.iterations)

    def _rows(self) -> list[tuple[str, ...]]:
        """Depth first; branches are indented, a line of single children is not."""
        found = {iteration.id: iteration for iteration in self.iterations}
        rows = []
        pending = [(i.id, 0) for i in reversed(self.iterations) if i.parent is None]
        while pending:
            number, depth = pending.pop()
            cells = found[number].row()
            rows.append(("  " * depth + cells[0], *cells[1:]))
            children = found[number].children
            pending += [(child, depth + (len(children) > 1)) for child in reversed(children)]
        return rows


def _figure(value: float | None) -> str:
    return "not known" if value is None else f"{value:.6g}"
