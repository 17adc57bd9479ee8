"""The sites of a project: those that it describes, those of the user's file, this machine and Slurm."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from wavetree.errors import unknown_name
from wavetree.process import machine_bytes
from wavetree.simulation.cost import Cost
from wavetree.sites.detached import DetachedSite
from wavetree.sites.local import LocalSite, usable_cores
from wavetree.sites.pool import Limits
from wavetree.sites.protocol import JobControl, Site
from wavetree.sites.settings import LocalSettings, SiteSettings, SlurmSettings, default_sites, read_sites
from wavetree.sites.slurm import SlurmSite

__all__ = ["Sites"]

# What is over sooner need not outlive the program, and starting a process would take a good part of it.
_DETACHED_SECONDS = 10.0
_MEMORY_SHARE = 0.8
_log = logging.getLogger("wavetree")


class Sites:
    """Finds sites by name and decides where on this machine a task runs.

    Parameters
    ----------
    folder
        Where sites keep what they need for jobs that outlive the program.
    own
        Returns the settings of the sites that the project describes, by name.
    make_control
        Makes the control object of jobs in this process.
    """

    def __init__(
        self, folder: Path, own: Callable[[], dict[str, SiteSettings]], make_control: Callable[[], JobControl]
    ) -> None:
        self._folder = folder
        self._own = own
        self.inner = LocalSite(make_control=make_control)
        self._outer: dict[str, tuple[SiteSettings, Site]] = {}

    def settings(self) -> dict[str, SiteSettings]:
        """Return the settings of all sites by name: the project's before those of the user's file."""
        return {**default_sites(), **read_sites(), **self._own()}

    def check(self, name: str) -> SiteSettings:
        """Return the settings of a site; ValueError if there is none of that name."""
        known = self.settings()
        if name not in known:
            raise unknown_name("site", name, known)
        return known[name]

    def threads(self, name: str, ranks_per_job: int, threads_per_rank: int | None = None) -> int:
        """Return the threads of a job.

        Raises
        ------
        ValueError
            If the site is unknown or a number is below 1.
        """
        self.check(name)
        for argument, number in (
            ("ranks_per_job", ranks_per_job),
            ("threads_per_rank", threads_per_rank or 1),
        ):
            if int(number) != number or number < 1:
                raise ValueError(f"{argument}={number!r} is not valid; expected a whole number, at least 1.")
        threads = int(ranks_per_job) * int(threads_per_rank or 1)
        if ranks_per_job > 1:
            _log.info(
                "A job of site %r is one process: %d ranks become %d threads.", name, ranks_per_job, threads
            )
        return threads

    def place(self, name: str, cost: Cost, threads: int) -> Site:
        """Return where a task runs, given the name of a site and what the task will take."""
        settings = self.check(name)
        if not isinstance(settings, LocalSettings):
            return self.outer(name)
        self.inner.cores = settings.cores or usable_cores()
        large = settings.processes == "auto" and cost.seconds(threads) > _DETACHED_SECONDS
        return self.outer(name) if large or settings.processes == "always" else self.inner

    def outer(self, name: str) -> Site:
        """Return the site of that name whose jobs outlive this process."""
        settings = self.check(name)
        known = self._outer.get(name)
        if known is None or known[0] != settings:
            self._outer[name] = (settings, self._make(settings))
        return self._outer[name][1]

    def shutdown(self) -> None:
        """Stop what runs in this process; what outlives it goes on."""
        self.inner.shutdown()
        for _, site in self._outer.values():
            site.shutdown()

    def _make(self, settings: SiteSettings) -> Site:
        home = self._folder / settings.name
        if isinstance(settings, SlurmSettings):
            return SlurmSite(settings, home)
        limits = Limits(settings.cores or usable_cores(), settings.memory_in_bytes or _memory())
        return DetachedSite(settings.name, home, limits, settings.restart_interval_in_seconds)


def _memory() -> int:
    return int(_MEMORY_SHARE * machine_bytes())
