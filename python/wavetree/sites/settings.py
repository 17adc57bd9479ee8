"""What users say of a site: in a project, or in a TOML file for all of them."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from wavetree.config import Configuration, configuration

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LocalSettings", "SiteSettings", "SlurmSettings", "default_sites", "read_sites", "sites_file"]

_Name = Annotated[str, Field(pattern=r"^\w[\w.\-]*$")]
_Words = tuple[Annotated[str, Field(min_length=1)], ...]
_RESTART_SECONDS = 300.0


@configuration
class LocalSettings(Configuration):
    """The machine that the program runs on as a site.

    Parameters
    ----------
    name
        Name of the site.
    cores
        Cores to keep busy; all that may be used when None.
    memory_in_bytes
        What simulations may take together, as far as it is known before; four fifths of the memory when None.
    processes
        "always" runs simulations in processes that go on when the program ends, "never" in threads of the
        program, "auto" in processes if they are likely to take more than 10 s.
    restart_interval_in_seconds
        How often a forward run in a process of its own writes down how far it is, so that one that is cut off
        goes on from there; None for never.
    """

    name: _Name = "local"
    _: KW_ONLY
    cores: PositiveInt | None = None
    memory_in_bytes: PositiveInt | None = None
    processes: Literal["auto", "always", "never"] = "auto"
    restart_interval_in_seconds: PositiveFloat | None = _RESTART_SECONDS

    @property
    def summary(self) -> str:
        """What it is, in some words."""
        return "this machine" if self.cores is None else f"{self.cores} cores of this machine"


@configuration
class SlurmSettings(Configuration):
    """A cluster with Slurm, on whose login node the program runs.

    Parameters
    ----------
    name
        Name of the site.
    account, partition, qos, constraint
        As the options of sbatch of these names; what Slurm takes without them when None.
    modules
        Environment modules to load.
    commands
        Lines of shell before the run, to activate an environment for example; the run does not begin if one
        fails.
    launcher
        Words before the run, ``("srun", "--cpu-bind=cores")`` for example.
    python
        The interpreter that has wavetree on the nodes; that of the program when None.
    extra_arguments
        Further options of sbatch, ``("--mem=8G",)`` for example.
    wall_time_in_seconds_per_job
        Longest time of a job where none is given; what Slurm takes without one when None.
    poll_interval_in_seconds
        Slurm is not asked more often than this.
    jobs_per_array
        Most jobs in one job array, at most the MaxArraySize of the cluster.
    restart_interval_in_seconds
        How often a forward run writes down how far it is, so that one that is cut off goes on from there;
        None for never.

    Examples
    --------
    >>> p += wt.SlurmSettings("cluster", partition="main", modules=["gcc"], extra_arguments=["--mem=8G"])
    >>> p.simulations.launch("initial_model", site_name="cluster", wall_time_in_seconds_per_job=600)
    """

    name: _Name = "slurm"
    _: KW_ONLY
    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    constraint: str | None = None
    modules: _Words = ()
    commands: _Words = ()
    launcher: _Words = ()
    python: str | None = None
    extra_arguments: _Words = ()
    wall_time_in_seconds_per_job: PositiveFloat | None = None
    poll_interval_in_seconds: PositiveFloat = 10.0
    jobs_per_array: PositiveInt = 1000
    restart_interval_in_seconds: PositiveFloat | None = _RESTART_SECONDS

    @property
    def summary(self) -> str:
        """What it is, in some words."""
        names = ("account", "partition", "qos", "constraint")
        return ", ".join(
            ["Slurm", *(f"{n} {getattr(self, n)}" for n in names if getattr(self, n) is not None)]
        )

    @field_validator("extra_arguments")
    @classmethod
    def _leaves_the_rest(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse options that this class or the site sets itself."""
        taken = {"--array": "", "-a": "", "--output": "", "-o": "", "--job-name": "", "-J": "", "--wrap": ""}
        taken |= {"--time": "wall_time_in_seconds_per_job", "-t": "wall_time_in_seconds_per_job"}
        taken |= {"--cpus-per-task": "threads_per_rank of SiteConfig", "-c": "threads_per_rank of SiteConfig"}
        for word in words:
            option = word.partition("=")[0]
            if option in taken:
                instead = f"use {taken[option]} for it" if taken[option] else "leave it out"
                raise ValueError(f"{word!r} is set by the site; {instead}.")
        return words


SiteSettings = LocalSettings | SlurmSettings
_TYPES: dict[str, Any] = {"local": LocalSettings, "slurm": SlurmSettings}


def default_sites() -> dict[str, SiteSettings]:
    """Return the sites that need no description: this machine, and Slurm where its commands are."""
    sites: dict[str, SiteSettings] = {"local": LocalSettings()}
    if shutil.which("sbatch"):
        sites["slurm"] = SlurmSettings()
    return sites


def sites_file() -> Path:
    """Return the file that describes a user's sites: $WAVETREE_SITES or ~/.config/wavetree/sites.toml."""
    if given := os.environ.get("WAVETREE_SITES"):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "wavetree" / "sites.toml"


def read_sites() -> dict[str, SiteSettings]:
    """Return the sites of the user's file, by name; none where there is no file.

    A table is a site: its name, ``type`` ("slurm" when left out, but "local" for the table of that name) and
    the arguments of `SlurmSettings` or `LocalSettings`.

    Raises
    ------
    ValueError
        If the file cannot be read, or describes a site in another way.
    """
    path = sites_file()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(f"the file of sites {str(path)!r} cannot be read: {error}; correct it.") from error
    return {name: _site(path, name, table) for name, table in tables.items()}


def _site(path: Path, name: str, table: Any) -> SiteSettings:
    if not isinstance(table, dict):
        raise ValueError(f"{name} = {table!r} in {str(path)!r}; expected tables, one a site: [{name}].")
    values = dict(table)
    kind = values.pop("type", "local" if name == "local" else "slurm")
    if kind not in _TYPES:
        raise ValueError(f"type = {kind!r} of site {name!r} in {str(path)!r}; expected 'local' or 'slurm'.")
    try:
        made: SiteSettings = _TYPES[kind](name, **values)
    except ValueError as error:
        raise ValueError(f"site {name!r} in {str(path)!r}: {error}") from error
    return made
