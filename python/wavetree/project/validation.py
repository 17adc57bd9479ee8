"""Checks of a project's simulations before they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wavetree.mesh import Mesh
from wavetree.project.events import EventSelection
from wavetree.project.setup import resolve_storage
from wavetree.simulation.configuration import SimulationConfiguration, WavefieldCompression
from wavetree.simulation.validation import (
    GeometryReport,
    MemoryForecast,
    Resolution,
    TimeStepLimits,
    check_geometry,
    check_resolution,
    check_time_step,
    forecast_memory,
)

if TYPE_CHECKING:
    from wavetree.project.project import Project

__all__ = ["ValidationActions"]


class ValidationActions:
    """Checks before anything runs; ``p.actions.validation``. Each result prints and has ``plot()``.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def resolution(
        self, simulation_configuration: Any, frequency_in_hertz: float | None = None
    ) -> Resolution:
        """Return the points per wavelength of every element.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, or the configuration.
        frequency_in_hertz
            Highest frequency of interest [Hz]; when None that of the configuration, or, where a mesh was
            given, the highest of the wavelets.

        Raises
        ------
        ValueError
            If no frequency is given and the wavelets are not band-limited.
        """
        name, configuration = self._named(simulation_configuration)
        if frequency_in_hertz is None and isinstance(configuration, SimulationConfiguration):
            frequency_in_hertz = configuration.maximum_frequency
        if frequency_in_hertz is None:
            wavelets = configuration.event_configuration.wavelets
            contents = [wavelet.maximum_frequency() for wavelet in wavelets]
            if None in contents:
                raise ValueError(
                    f"frequency_in_hertz is None and a wavelet of {name!r} has all frequencies; give the "
                    "highest one of interest."
                )
            frequency_in_hertz = max(contents)
        return check_resolution(self._mesh(name), frequency_in_hertz, name)

    def time_step(self, simulation_configuration: Any) -> TimeStepLimits:
        """Return the time step, the largest stable one, and the elements that set it.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, or the configuration.
        """
        name, _ = self._named(simulation_configuration)
        setup = self._project.simulations.setup(name)
        return check_time_step(self._mesh(name), setup.boundary_conditions, setup.time_axis, name)

    def memory(
        self, simulation_configuration: Any, events: EventSelection = None,
        wavefield_compression: WavefieldCompression | None = None,
    ) -> MemoryForecast:  # fmt: skip
        """Return what simulations and gradients of events take of memory and disk.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, or the configuration.
        events
            A name, an Event, a list of either, a collection, or None for all. The one with the most receivers
            is taken for all.
        wavefield_compression
            How the forward wavefields are kept for gradients; None leaves it to the planner.

        Raises
        ------
        ValueError
            If there are no events, or an event cannot be simulated.
        """
        name, _ = self._named(simulation_configuration)
        project = self._project
        selected = project.events.select(events)
        setup = project.simulations.setup(name)
        storage = resolve_storage(project.store, project.meshes, setup, selected, wavefield_compression)
        largest = max(selected, key=lambda event: len(event.receivers))
        return forecast_memory(setup.forward_task(largest).simulation(), storage, len(selected), name)

    def geometry(self, simulation_configuration: Any, events: EventSelection = None) -> GeometryReport:
        """Return where sources and receivers stand, and which of them cannot be simulated there.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, or the configuration.
        events
            A name, an Event, a list of either, a collection, or None for all.
        """
        name, _ = self._named(simulation_configuration)
        return check_geometry(self._mesh(name), self._project.events.select(events), name)

    def _named(self, simulation_configuration: Any) -> tuple[str, Any]:
        given = simulation_configuration
        name = given if isinstance(given, str) else str(getattr(given, "name", given))
        self._project.simulations.mesh_and_conditions(given)  # refuses what is not in the project
        return name, self._project.entities.get("simulation_configuration", name)

    def _mesh(self, name: str) -> Mesh:
        return self._project.simulations.get_mesh(name)
