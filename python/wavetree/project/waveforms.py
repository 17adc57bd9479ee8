"""Waveforms of a project: synthetic ones and those from elsewhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from wavetree.arrays import array_digest, write_arrays
from wavetree.config import content_digest
from wavetree.data.event_data import EventData
from wavetree.errors import ConflictError, unknown_name
from wavetree.project.events import EventSelection
from wavetree.project.pipeline import ObservedData, read_event_data

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["Waveforms", "split_data_name"]

SYNTHETIC, EXTERNAL = "SYNTHETIC_DATA", "EXTERNAL_DATA"
_log = logging.getLogger("wavetree")


def split_data_name(data_name: str) -> tuple[str, str]:
    """Return (kind, name) of "SYNTHETIC_DATA:x", "EXTERNAL_DATA:x" or bare "x", which is synthetic.

    Raises
    ------
    ValueError
        If the kind is unknown or the name empty.
    """
    kind, colon, name = str(data_name).partition(":")
    if not colon:
        kind, name = SYNTHETIC, kind
    if kind not in (SYNTHETIC, EXTERNAL):
        raise unknown_name("kind of data", kind, (SYNTHETIC, EXTERNAL))
    if not name or "/" in name:
        raise ValueError(f"data_name {data_name!r} has no usable name; expected for example {kind}:my_data.")
    return kind, name


class Waveforms:
    """The waveforms of a project; ``p.waveforms``.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def get(self, data_name: str, events: EventSelection = None) -> list[EventData]:
        """Return the waveforms of events.

        Parameters
        ----------
        data_name
            "SYNTHETIC_DATA:x" or bare "x" for those of simulation x, "EXTERNAL_DATA:x".
        events
            A name, an Event, a list of either, a collection, or None for all.

        Returns
        -------
        list of EventData
            In the order of the events.

        Raises
        ------
        ValueError
            For unknown names, and events of which there are no such data.
        """
        observed = self.observed(data_name, events)
        missing = [name for name, data in observed.items() if not data.file.is_file()]
        if missing:
            raise ValueError(
                f"data_name {data_name!r}: {', '.join(missing[:5])} not computed yet; call "
                "p.simulations.launch and wait with p.simulations.query(block=True)."
            )
        return [self._read(data) for data in observed.values()]

    def _read(self, found: ObservedData) -> EventData:
        data = read_event_data(found.file)
        if found.task is not None:
            files = self._project.simulations.with_output(found.task).wavefield_files
            paths = {name: found.file.parent / file for name, file in files.items()}
            data.wavefield_files = {name: path for name, path in paths.items() if path.is_file()}
        return data

    def list_external(self) -> dict[str, list[str]]:
        """Return the names of the external data, each with the events that it has data of."""
        found: dict[str, list[str]] = {}
        for key in self._project.store.list_notes("external/"):
            name, event = key.removeprefix("external/").split("/", 1)
            found.setdefault(name, []).append(event)
        return found

    def add_external(self, data_name: str, event: Any, data: Any, overwrite: bool = False) -> None:
        """Add recorded data of an event.

        Parameters
        ----------
        data_name
            "EXTERNAL_DATA:x" or bare "x".
        event
            Name of the event, or the event.
        data
            Event data, or an xarray as `EventData.to_xarray` returns it.
        overwrite
            Replace other data of that name and event.

        Raises
        ------
        ConflictError
            If there are other data of that name and event and `overwrite` is False.
        ValueError
            For unknown events and data that do not fit to the event's receivers.
        """
        kind, name = split_data_name(data_name if ":" in data_name else f"{EXTERNAL}:{data_name}")
        if kind != EXTERNAL:
            raise ValueError(f"data_name {data_name!r} is not valid here; expected {EXTERNAL}:{name}.")
        (of,) = self._project.events.select(event)
        if not isinstance(data, EventData):
            data = EventData.from_xarray(data, of)
        self._check_receivers(data, of)
        arrays, attributes = data.to_arrays()
        digest = content_digest([attributes, {key: array_digest(array) for key, array in arrays.items()}])
        key = f"external/{name}/{of.event_name}"
        known = self._project.store.get_note(key)
        if known is not None and known["digest"] == digest:
            _log.info("%s:%s of %s is in the project already.", EXTERNAL, name, of.event_name)
            return
        if known is not None and not overwrite:
            raise ConflictError(
                f"{EXTERNAL}:{name} of {of.event_name} is in the project with other content; give it "
                "another name or pass overwrite=True."
            )
        file = f"external_data/{digest}.h5"
        write_arrays(self._project.path / file, arrays, attributes)
        self._project.store.set_note(key, {"digest": digest, "file": file})

    def observed(self, data_name: str, events: EventSelection = None) -> dict[str, ObservedData]:
        """Return where the data of events are, or will be, by event name."""
        kind, name = split_data_name(data_name)
        if kind == EXTERNAL:
            selected = self._project.events.select(events)
            return {str(e.event_name): self._external(name, str(e.event_name)) for e in selected}
        self._project.simulations.check(name, self._project.events.select(events))
        runner = self._project.runner
        return {
            event: ObservedData(task.digest(), runner.folder(task) / "waveforms.h5", task)
            for event, task in self._project.simulations.tasks(name, events).items()
        }

    def _external(self, name: str, event: str) -> ObservedData:
        note = self._project.store.get_note(f"external/{name}/{event}")
        if note is None:
            known = self.list_external()
            if name not in known:
                raise unknown_name("external data", name, known)
            raise ValueError(
                f"{EXTERNAL}:{name} has no data of {event!r}, only of {', '.join(known[name][:10])}."
            )
        return ObservedData(note["digest"], self._project.path / note["file"])

    @staticmethod
    def _check_receivers(data: EventData, event: Any) -> None:
        known = set(event.receiver_names)
        unknown = [name for name in data.receiver_names if name not in known]
        if unknown:
            raise unknown_name(f"receiver of {event.event_name}", unknown[0], known)
