"""What a node of the tree is computed with: the inverse problem's configuration and what a branch changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import wavetree.config
from wavetree.config import content_digest, plain
from wavetree.errors import unknown_name
from wavetree.inversion.configuration import InverseProblemConfiguration

__all__ = ["NodeSettings", "changed_settings"]

# What a branch may change. Curvature and radius of the parent mean nothing to a misfit or space of another
# kind, so those drop the history; others only change how the same numbers come about.
_DROPS_HISTORY = {
    "prior_model": "prior",
    "events": "events",
    "misfit_configuration": "misfit",
    "frequency_band": "frequency band",
    "mapping": "mapping",
    "preconditioner": "preconditioner",
    "method": "method",
    "batch": "batches",
}
_KEEPS_HISTORY = {
    "wavefield_compression": "wavefield compression",
    "validation_events": "validation events",
    "job_submission": "site",
}
# The model vector belongs to a prior and a mapping: with others, the parent's model becomes the prior.
_NEEDS_BASE = ("prior_model", "mapping")


@dataclass(frozen=True)
class NodeSettings:
    """Settings of a node besides those of its inverse problem.

    Attributes
    ----------
    overrides
        Fields of the inverse problem's configuration with other values, as JSON content.
    base
        Digest of the mesh with the prior, where that is another than the prior model's.
    time_step_divisor
        The time step is that of the prior divided by this.
    """

    overrides: dict[str, Any] = field(default_factory=dict)
    base: str | None = None
    time_step_divisor: int = 1

    def digest(self) -> str:
        """Return the hash of the content."""
        return content_digest(dataclasses.asdict(self))

    def changes(self, parent: NodeSettings | None = None) -> dict[str, Any]:
        """Return the overrides that a parent (None: the inverse problem itself) does not have."""
        inherited = {} if parent is None else parent.overrides
        own = {k: v for k, v in self.overrides.items() if k not in inherited or inherited[k] != v}
        return {name: wavetree.config.load(value) for name, value in own.items()}

    def apply(self, configuration: InverseProblemConfiguration) -> InverseProblemConfiguration:
        """Return the configuration with the overrides in it."""
        values = {name: wavetree.config.load(value) for name, value in self.overrides.items()}
        return replace(configuration, **values)


def changed_settings(
    configuration: InverseProblemConfiguration, settings: NodeSettings, overrides: Mapping[str, Any]
) -> tuple[NodeSettings, tuple[str, ...], bool]:
    """Return the settings of a child.

    Parameters
    ----------
    configuration
        The inverse problem's own configuration.
    settings
        The parent's settings, which the child inherits.
    overrides
        What the child changes: fields of the configuration by name.

    Returns
    -------
    settings
        The child's settings, those of the parent if nothing differs.
    changed
        What differs so that the history is dropped, in words.
    needs_base
        Whether the parent's model has to become the child's prior.

    Raises
    ------
    ValueError
        If a field is unknown or cannot be changed, or its value does not fit.
    """
    known = {**_DROPS_HISTORY, **_KEEPS_HISTORY}
    for name in overrides:
        if name == "name":
            raise ValueError("name cannot be changed for one iteration; it belongs to the whole tree.")
        if name not in known:
            raise unknown_name("setting of an iteration", name, known)
    parent = settings.apply(configuration)
    # Made through the configuration, so that every value is validated as it is there.
    child = replace(parent, **overrides)
    before, after = ({name: plain(getattr(one, name)) for name in known} for one in (parent, child))
    differing = [name for name in known if before[name] != after[name]]
    if not differing:
        return settings, (), False
    own = {name: after[name] for name in differing}
    changed = tuple(_DROPS_HISTORY[name] for name in differing if name in _DROPS_HISTORY)
    needs_base = any(name in differing for name in _NEEDS_BASE)
    # Cut-outs around other sources and receivers make another material of the same update.
    needs_base |= "events" in differing and child.mapping.needs_positions
    return replace(settings, overrides={**settings.overrides, **own}), changed, needs_base
