"""The project: what a user holds."""

from __future__ import annotations

import contextlib
import html
import logging
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from wavetree.domain import BoxDomain, box_domain
from wavetree.errors import ConflictError, ProjectError
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.model.volume.cartesian import GenericModel
from wavetree.project.actions import Actions
from wavetree.project.disk_use import DiskUse, disk_use
from wavetree.project.entities import KINDS, Entities, kind_of, name_of
from wavetree.project.events import Events, check_positions
from wavetree.project.inversions import Inversions
from wavetree.project.log import show_log
from wavetree.project.pipeline import MisfitProblem, Pipeline, Resources
from wavetree.project.runner import Runner
from wavetree.project.setup import MeshFiles, keep_speeds, resolve_speeds
from wavetree.project.simulations import Simulations
from wavetree.project.sites import Sites
from wavetree.project.store import Store
from wavetree.project.waveforms import Waveforms
from wavetree.ranks import launched
from wavetree.simulation.speeds import SpeedTable
from wavetree.simulation.task import make_control
from wavetree.sites.settings import SiteSettings
from wavetree.survey.event import EventCollection

__all__ = ["Project"]

_DATABASE = "wavetree.sqlite"
_log = logging.getLogger("wavetree")


class Project:
    """A folder with a domain, models, events, configurations and all that was computed with them.

    Parameters
    ----------
    path
        Folder of an existing project; `from_domain` and `from_volume_model` make new ones.

    Attributes
    ----------
    entities, events, simulations, waveforms, actions, inversions
        The parts of the project's interface.
    path
        The folder.

    Raises
    ------
    ValueError
        If there is no project in the folder.
    ProjectError
        If the project was written by a newer version or cannot be used, or more than one MPI rank opens it.
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        if not (path / _DATABASE).is_file():
            raise ValueError(
                f"path {str(path)!r} holds no project; make one with Project.from_domain or "
                "Project.from_volume_model."
            )
        self._open(path)

    @classmethod
    def from_domain(cls, path: Path | str, domain: BoxDomain, load_if_exists: bool = False) -> Project:
        """Make a project for a domain.

        Parameters
        ----------
        path
            Folder to make.
        domain
            The domain.
        load_if_exists
            Open the project if it exists, provided that it has the same domain.

        Raises
        ------
        ValueError
            If the folder is in use and `load_if_exists` is False, or not a project's.
        ConflictError
            If the project has another domain.
        """
        return cls._make(Path(path), [domain], load_if_exists)

    @classmethod
    def from_volume_model(
        cls, path: Path | str, volume_model: GenericModel, load_if_exists: bool = False
    ) -> Project:
        """Make a project for the domain of a volume model, which is added to it.

        Parameters
        ----------
        path
            Folder to make.
        volume_model
            The model.
        load_if_exists
            Open the project if it exists, provided that it has the same domain and model.

        Raises
        ------
        ValueError
            If the folder is in use and `load_if_exists` is False, or not a project's.
        ConflictError
            If the project has another domain, or another model of that name.
        """
        domain = box_domain(volume_model)
        return cls._make(Path(path), [domain, volume_model], load_if_exists)

    @classmethod
    def _make(cls, path: Path, first: list[Any], load_if_exists: bool) -> Project:
        _refuse_many_ranks()
        if (path / _DATABASE).is_file() and not load_if_exists:
            raise ValueError(
                f"path {str(path)!r} holds a project already; pass load_if_exists=True or choose "
                "another folder."
            )
        if not (path / _DATABASE).is_file() and path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ValueError(
                f"path {str(path)!r} exists and is not a project; choose a folder that is new or empty."
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(f"cannot make the folder {str(path)!r}: {error.strerror}.") from error
        project = object.__new__(cls)
        project._open(path)
        for entity in first:
            project.entities.add(entity)
        resolve_speeds(project.store)
        return project

    def _open(self, path: Path) -> None:
        _refuse_many_ranks()
        show_log()
        self.path = path.resolve()
        self.store = Store(self.path / _DATABASE)
        self.meshes = MeshFiles(self.path / "meshes")
        self.entities = Entities(self.store, self.path, self.meshes)
        self.events = Events(self.entities)
        self.simulations = Simulations(self)
        self.waveforms = Waveforms(self)
        self.actions = Actions(self)
        self.inversions = Inversions(self)

    @cached_property
    def runner(self) -> Runner:
        """Runs the project's tasks."""
        return Runner(self.store, self.path / "results", self.sites.inner, self.sites)

    @cached_property
    def sites(self) -> Sites:
        """Where the project's tasks can run."""

        def own() -> dict[str, SiteSettings]:
            return {name: self.entities.get("site", name) for name in self.entities.list("site")}

        return Sites(self.path / "jobs", own, make_control)

    @cached_property
    def viz(self) -> Any:
        """Figures."""
        from wavetree.viz.project import ProjectViz

        return ProjectViz(self)

    @property
    def visualizations(self) -> Any:
        """Figures, by the name that existing scripts use."""
        return self.viz

    @property
    def domain(self) -> BoxDomain:
        """The domain."""
        domain: BoxDomain = self.entities.get("domain", "domain")
        return domain

    def add_to_project(self, entity: Any, overwrite: bool = False) -> None:
        """Add an entity; one with identical content that is there already stays.

        Parameters
        ----------
        entity
            A volume model, event, collection or list of events, or configuration.
        overwrite
            Replace an entity of that name with other content.

        Raises
        ------
        ConflictError
            If there is one of that name with other content and `overwrite` is False; the message says
            what differs.
        ValueError
            If the entity names others that are unknown, or a source or receiver is outside the domain.
        """
        if isinstance(entity, EventCollection) or (
            isinstance(entity, Iterable) and not isinstance(entity, str)
        ):
            for item in entity:
                self.add_to_project(item, overwrite)
            return
        kind = kind_of(entity)
        if kind == "domain" and entity.digest() != self.domain.digest():
            raise ConflictError("the domain of a project cannot be changed; make another project for it.")
        if kind == "event":
            check_positions(entity, self.domain)
        if self.entities.add(entity, overwrite):
            _log.info("Added %s %r.", kind.replace("_", " "), name_of(entity))

    def __iadd__(self, entity: Any) -> Project:
        self.add_to_project(entity)
        return self

    def pipeline(self, problem: MisfitProblem, resources: Resources | None = None) -> Pipeline:
        """Return the pipeline that computes misfits and gradients in this project."""
        return Pipeline(self.runner, self.path / "adjoint_sources", problem, resources)

    def misfit_configuration(self, misfit_configuration: Any) -> MisfitConfiguration:
        """Return a misfit configuration by name, or check that one given is that of the project."""
        name = misfit_configuration if isinstance(misfit_configuration, str) else misfit_configuration.name
        stored: MisfitConfiguration = self.entities.get("misfit_configuration", name)
        if not isinstance(misfit_configuration, str) and stored.digest() != misfit_configuration.digest():
            raise ConflictError(
                f"misfit configuration {name!r} is in the project with other content than the one given; "
                "pass its name, or add it with p.add_to_project(configuration, overwrite=True)."
            )
        return stored

    def set_speeds(self, table: SpeedTable) -> None:
        """Keep another table of speeds, by which is chosen what runs in lanes; what was chosen stays."""
        keep_speeds(self.store, table)

    def disk_use(self) -> DiskUse:
        """Return what the project's files take by kind; it prints as a table."""
        return disk_use(self.path, self.inversions.disposable_files())

    def close(self) -> None:
        """Stop what runs in this process and close the database; the object is of no use afterwards.

        What runs at sites that outlive the process goes on; who opens the project next finds it again.
        """
        if "runner" in self.__dict__:
            # On a full disk the ends of jobs cannot be recorded; what they wrote is found again all the same.
            with contextlib.suppress(ProjectError):
                self.runner.let_go()
            self.sites.shutdown()
        self.store.close()

    def __repr__(self) -> str:
        lines = [f"Project {str(self.path)!r}"]
        for title, names in self._content():
            lines.append(f"    {title}: {names}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(title)}</td>"
            f"<td style='text-align:left'>{html.escape(names)}</td></tr>"
            for title, names in self._content()
        )
        return f"<b>Project</b> {html.escape(str(self.path))}<table>{rows}</table>"

    def _content(self) -> list[tuple[str, str]]:
        extent = (f"{a} {lo:g} to {hi:g} m" for a, (lo, hi) in zip("xyz", self.domain.bounds, strict=False))
        lines = [("domain", ", ".join(extent))]
        for kind in dict.fromkeys(KINDS.values()):
            names = self.entities.list(kind)
            if kind != "domain" and names:
                lines.append((f"{kind.replace('_', ' ')}s ({len(names)})", _shortened(names)))
        for name in self.store.list_launched_simulations():
            tasks = self.store.get_simulation_events(name)
            records = [self.store.find_task(digest) for digest in tasks.values()]
            done = sum(record is not None and record.status == "done" for record in records)
            lines.append((f"results of {name}", f"{done} of {len(tasks)} launched events"))
        external = self.waveforms.list_external()
        if external:
            lines.append((f"external data ({len(external)})", _shortened(list(external))))
        return lines


def _shortened(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 8 else ", ".join([*names[:4], "...", names[-1]])


def _refuse_many_ranks() -> None:
    """A project belongs to one process; several ranks would write over each other."""
    mpi = sys.modules.get("mpi4py.MPI")
    size = mpi.COMM_WORLD.size if mpi is not None else 1
    size = max(size, launched()[0])  # a script that mpiexec starts need not have imported MPI
    if size > 1:
        raise ProjectError(
            f"a project was opened by {size} MPI ranks; expected one: start the script without mpiexec, "
            "or use wavetree.Simulation, which runs on many ranks."
        )
