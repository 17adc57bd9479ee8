"""Exceptions of wavetree.

Bad input is a `ValueError`; everything that goes wrong later is a `WavetreeError`, which is a
`RuntimeError`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WavetreeError(RuntimeError):
    """Base of everything that fails after the input was found to be good."""


class SimulationFailed(WavetreeError):
    """A simulation stopped; the message names the events and their logs."""


class Cancelled(WavetreeError):
    """Work was stopped on request before it was done; what was finished is kept."""


class RankError(WavetreeError):
    """The ranks of one run do not find each other; the message says what to start differently."""


class ProjectError(WavetreeError):
    """A project folder cannot be used: written by a newer version, damaged or not writable."""


class ConflictError(ValueError):
    """An entity of that name exists with other content; the message says what differs."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """Return the error for a name that is not known, with the nearest known one.

    Parameters
    ----------
    kind
        What is named, for example ``"event"``.
    name
        The name that was asked for.
    known
        The names that exist.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    listed = ", ".join(repr(n) for n in names[:10]) + (", ..." if len(names) > 10 else "")
    return ValueError(f"unknown {kind} {name!r}{hint} Known: {listed or 'none yet'}.")
