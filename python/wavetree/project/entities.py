"""The named things of a project: how they are stored, compared and deleted."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import wavetree.config
from wavetree.config import Configuration
from wavetree.errors import ConflictError, unknown_name
from wavetree.inversion.configuration import InverseProblemConfiguration
from wavetree.mesh import Mesh
from wavetree.model.volume.cartesian import GenericModel
from wavetree.project.setup import MeshFiles
from wavetree.project.store import EntityRecord, Store
from wavetree.simulation.configuration import MeshReference, UnstructuredMeshSimulationConfiguration

__all__ = ["KINDS", "Entities", "differences", "kind_of", "name_of"]

KINDS = {
    "BoxDomain2D": "domain",
    "BoxDomain3D": "domain",
    "GenericModel": "volume_model",
    "FunctionModel": "volume_model",
    "Event": "event",
    "SimulationConfiguration": "simulation_configuration",
    "UnstructuredMeshSimulationConfiguration": "simulation_configuration",
    "MisfitConfiguration": "misfit_configuration",
    "InverseProblemConfiguration": "inverse_problem_configuration",
    "LocalSettings": "site",
    "SlurmSettings": "site",
}
"""Kind of entity by the name of the class."""

Lines = list[str]  # inside `Entities` the name list is that of a method

_log = logging.getLogger("wavetree")


def kind_of(entity: Any) -> str:
    """Return the kind of an entity.

    Raises
    ------
    ValueError
        If the object is none.
    """
    name = type(entity).__name__
    if name not in KINDS:
        raise ValueError(f"entity is a {name}; expected one of {', '.join(KINDS)} or an EventCollection.")
    return KINDS[name]


def name_of(entity: Any) -> str:
    """Return the name of an entity; a project has one domain, which is named "domain"."""
    kind = kind_of(entity)
    if kind == "domain":
        return "domain"
    return str(entity.event_name if kind == "event" else entity.name)


def differences(stored: Any, new: Any, place: str = "") -> list[str]:
    """Return one line for every field in which two JSON documents differ."""
    if isinstance(stored, dict) and isinstance(new, dict):
        lines = []
        for key in [*stored, *(k for k in new if k not in stored)]:
            inner = f"{place}.{key}" if place else str(key)
            lines += differences(stored.get(key), new.get(key), inner)
        return lines
    if isinstance(stored, list) and isinstance(new, list):
        if len(stored) != len(new):
            return [f"{place}: {len(stored)} entries are stored, {len(new)} are new"]
        pairs = enumerate(zip(stored, new, strict=True))
        return [line for k, (a, b) in pairs for line in differences(a, b, f"{place}[{k}]")]
    if stored == new:
        return []
    return [f"{place}: {_short(stored)} is stored, {_short(new)} is new"]


class Entities:
    """The entities of a project by kind and name; ``p.entities``.

    Parameters
    ----------
    store
        The project's database.
    folder
        The project's folder, where volume models have their files.
    meshes
        Where the meshes of configurations are kept.
    """

    def __init__(self, store: Store, folder: Path, meshes: MeshFiles) -> None:
        self._store = store
        self._folder = folder
        self._meshes = meshes
        # What was added or read, as it is: user functions in it cannot be stored.
        self._live: dict[tuple[str, str], Any] = {}

    def add(self, entity: Any, overwrite: bool = False) -> bool:
        """Store an entity and return whether that changed anything.

        Raises
        ------
        ConflictError
            If one of that kind and name with other content exists and `overwrite` is False; the message
            says what differs.
        """
        kind, name = kind_of(entity), name_of(entity)
        digest = entity.digest()
        found = self._store.find_entity(kind, name)
        self._check_references(kind, name, entity)
        if found is not None and found.digest == digest:
            self._live[kind, name] = entity
            _log.info("%s %r is in the project already.", _words(kind), name)
            return False
        document = self._document(entity)
        if found is not None and not overwrite:
            lines = self._compare(found, entity, document)
            raise ConflictError(
                f"{_words(kind)} {name!r} is in the project with other content:\n  "
                + "\n  ".join(lines[:10] + (["..."] if len(lines) > 10 else []))
                + "\nGive it another name, or add it with p.add_to_project(entity, overwrite=True)."
            )
        self._write_arrays(entity, document)
        self._store.add_entity(EntityRecord(kind, name, document, digest), replace=found is not None)
        self._live[kind, name] = entity
        return True

    def get(self, entity_type: str, entity_name: str) -> Any:
        """Return an entity; unknown names raise ValueError with the nearest one."""
        live = self._live.get((self._checked_kind(entity_type), entity_name))
        # The document is long to read: only the digest is asked for where that will do.
        if live is None or live.digest() != self._store.find_digest(entity_type, entity_name):
            live = self._load(self._store.get_entity(entity_type, entity_name))
            self._live[entity_type, entity_name] = live
        return live

    def list(self, entity_type: str) -> Lines:
        """Return the names of all entities of a kind in the order in which they were added."""
        return self._store.list_entities(self._checked_kind(entity_type))

    def delete(self, entity_type: str, entity_name: str) -> None:
        """Delete an entity, not what was computed with it.

        Raises
        ------
        ValueError
            If there is none of that name.
        ConflictError
            If another entity needs it.
        """
        record = self._store.get_entity(self._checked_kind(entity_type), entity_name)
        if entity_type == "domain":
            raise ConflictError("the domain of a project cannot be deleted; make another project.")
        for other in self._store.all_entities():
            if (entity_type, entity_name) in _references(other.kind, other.document):
                raise ConflictError(
                    f"{_words(entity_type)} {entity_name!r} is used by {_words(other.kind)} {other.name!r}; "
                    "delete that first."
                )
        self._store.delete_entity(record.kind, record.name)
        self._live.pop((record.kind, record.name), None)

    def _checked_kind(self, entity_type: str) -> str:
        if entity_type not in KINDS.values():
            raise unknown_name("entity_type", entity_type, set(KINDS.values()))
        return entity_type

    def _check_references(self, kind: str, name: str, entity: Any) -> None:
        document = entity.to_dict() if isinstance(entity, Configuration) else {}
        for other_kind, other in _references(kind, document):
            known = self._store.list_entities(other_kind)
            if other not in known:
                raise ValueError(f"{_words(kind)} {name!r}: {unknown_name(_words(other_kind), other, known)}")

    def _write_arrays(self, entity: Any, document: dict[str, Any]) -> None:
        """Files first: a kill before the entity is stored leaves a file that nobody asks for."""
        if isinstance(entity, GenericModel):
            path = self._folder / document["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            entity.write_h5(path)
        elif isinstance(entity, UnstructuredMeshSimulationConfiguration):
            self._meshes.put(entity.mesh)
        elif isinstance(entity, InverseProblemConfiguration):
            mesh = entity.mapping.inversion_mesh
            if isinstance(mesh, Mesh):  # of one that was read from here there may be a reference alone
                self._meshes.put(mesh)

    def _document(self, entity: Any) -> dict[str, Any]:
        if isinstance(entity, Configuration):
            return entity.to_dict()
        file = f"volume_models/{entity.digest()}.h5"
        return {"type": type(entity).__name__, "name": name_of(entity), "file": file}

    def _load(self, record: EntityRecord) -> Any:
        if "file" in record.document:
            return GenericModel.from_h5(self._folder / record.document["file"])
        entity = wavetree.config.load(record.document)
        if isinstance(entity, UnstructuredMeshSimulationConfiguration):
            return entity.with_mesh(self._meshes.get(entity.mesh_digest))
        if isinstance(entity, InverseProblemConfiguration):
            mesh = entity.mapping.inversion_mesh
            if isinstance(mesh, MeshReference):
                mapping = entity.mapping.with_inversion_mesh(self._meshes.get(mesh.mesh_digest))
                return replace(entity, mapping=mapping)
        return entity

    def _compare(self, found: EntityRecord, entity: Any, document: dict[str, Any]) -> Lines:
        if isinstance(entity, Configuration) or "file" not in found.document:
            return differences(found.document, document)
        stored, new = self._load(found).data, entity.data
        return [
            f"data variable {key!r} differs"
            for key in sorted(map(str, {*stored.variables, *new.variables}))
            if key not in stored or key not in new or not stored[key].identical(new[key])
        ]


def _references(kind: str, document: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield (kind, name) of the entities that another one cannot do without."""
    if kind == "simulation_configuration":
        models = (document.get("model_configuration") or {}).get("volume_models") or ()
        yield from (("volume_model", m) for m in ([models] if isinstance(models, str) else models))
    elif kind == "inverse_problem_configuration":
        yield "simulation_configuration", document["prior_model"]
        yield "misfit_configuration", document["misfit_configuration"]
        events = [*(document["events"] or ()), *(document["validation_events"] or ())]
        yield from (("event", event) for event in events)
        factors = document.get("preconditioner") or []
        for factor in factors if isinstance(factors, list) else [factors]:
            if "reference_model" in factor:
                yield "simulation_configuration", factor["reference_model"]


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
