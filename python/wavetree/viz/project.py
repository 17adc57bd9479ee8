"""The figures of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wavetree.mesh import Mesh, resolved_frequency
from wavetree.project.events import EventSelection
from wavetree.viz.domain import draw_positions, draw_spectra, draw_wavelets, plot_domain
from wavetree.viz.gradients import plot_gradients
from wavetree.viz.inversion import plot_inversion
from wavetree.viz.iteration import plot_iteration
from wavetree.viz.mesh import draw_field, field_values, parameters, plot_models
from wavetree.viz.misfits import plot_misfits
from wavetree.viz.style import new_figure, scale_of
from wavetree.viz.waveforms import plot_waveforms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wavetree.project.project import Project

__all__ = ["NotebookFigures", "ProjectViz"]


class ProjectViz:
    """Figures of a project; ``p.viz``.

    Parameters
    ----------
    project
        The project.

    Attributes
    ----------
    nb
        The figures; notebooks show them, scripts save them with ``figure.savefig(file)``.
    """

    def __init__(self, project: Project) -> None:
        self.nb = NotebookFigures(project)


class NotebookFigures:
    """The figures of a project; ``p.viz.nb``.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def domain(self) -> Figure:
        """Draw the domain with the sources and receivers of all events."""
        return plot_domain(self._project.domain, events=self._project.events.get_all())

    def simulation_setup(self, simulation_configuration: Any, events: EventSelection = None) -> Figure:
        """Draw the medium, sources and receivers, and wavelet of a simulation.

        Parameters
        ----------
        simulation_configuration
            Name of the configuration, or the configuration.
        events
            A name, an Event, a list of either, a collection, or None for all.
        """
        chosen = self._project.events.select(events)
        setup = self._project.simulations.setup(simulation_configuration)
        mesh = self._project.meshes.get(setup.mesh_digest)
        fields = parameters(mesh)
        figure = new_figure(4.4 * len(fields), 6.2)
        top, bottom = figure.subfigures(2, 1, height_ratios=[1.9, 1.0])
        for axes, field in zip(top.subplots(1, len(fields), squeeze=False)[0], fields, strict=True):
            values = field_values(mesh, field)
            draw_field(axes, mesh, values, scale_of(field, values), f"{setup.name}: {field}")
            draw_positions(axes, chosen)
        top.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        left, right = bottom.subplots(1, 2)
        wavelets, times = setup.event_configuration.wavelets, setup.time_axis.times
        draw_wavelets(left, wavelets, times)
        draw_spectra(right, wavelets, times, resolved_frequency(mesh))
        return figure

    def waveforms(
        self,
        data: str | Sequence[str],
        receiver_field: str | None = None,
        component: str | None = None,
        events: EventSelection = None,
    ) -> Figure:
        """Draw the records of all receivers, and of some of them as lines.

        Parameters
        ----------
        data
            One data name or several, such as those of observed and synthetic data. All are shown over the
            time that they have in common, of two the difference too.
        receiver_field
            The field; the first that was recorded when None.
        component
            Its component; the first when None.
        events
            A name, an Event, a list of either, a collection, or None for all. The first 6 are shown.

        Raises
        ------
        ValueError
            For unknown names and data that are not computed yet.
        """
        names = [data] if isinstance(data, str) else list(data)
        if not names:
            raise ValueError("data is empty; expected one data name or several.")
        records = {name: self._project.waveforms.get(name, events) for name in names}
        first = records[names[0]][0]
        field = receiver_field or first.receiver_fields[0]
        return plot_waveforms(records, field, component or first.components(field)[0])

    def misfits(
        self,
        simulation_configuration: Any,
        misfit_configuration: Any,
        events: EventSelection = None,
    ) -> Figure:
        """Draw the misfits of events, computing what is missing.

        Parameters
        ----------
        simulation_configuration
            One name or several, which are compared.
        misfit_configuration
            Name of the misfit configuration, or the configuration.
        events
            A name, an Event, a list of either, a collection, or None for all.
        """
        given = simulation_configuration
        configurations = given if isinstance(given, (list, tuple)) else [given]
        compute = self._project.actions.inversion.compute_misfits
        misfits = {_name(c): compute(c, misfit_configuration, events) or {} for c in configurations}
        return plot_misfits(misfits, _name(misfit_configuration))

    def gradients(
        self,
        simulation_configuration: Any,
        misfit_configuration: Any,
        events: EventSelection = None,
    ) -> Figure:
        """Draw the gradient, and below it those of single events, computing what is missing.

        Parameters
        ----------
        simulation_configuration, misfit_configuration
            Names of the configurations, or the configurations.
        events
            A name, an Event, a list of either, a collection, or None for all. The first 6 are shown alone.
        """
        chosen = self._project.events.select(events)
        names = [str(event.event_name) for event in chosen]

        def total(of: list[str]) -> Mesh:
            return self._project.actions.inversion.sum_gradients(
                simulation_configuration, misfit_configuration, of
            )

        single = {name: total([name]) for name in names} if len(names) > 1 else {}
        return plot_gradients(total(names), single, chosen)

    def model(self, simulation_configuration: Any, fields: str | Sequence[str] | None = None) -> Figure:
        """Draw the medium of a simulation, or those of several with the same colours.

        Parameters
        ----------
        simulation_configuration
            One name or several.
        fields
            One parameter or several; all when None.

        Raises
        ------
        ValueError
            For unknown names.
        """
        given = simulation_configuration
        configurations = given if isinstance(given, (list, tuple)) else [given]
        if not configurations:
            raise ValueError("simulation_configuration is empty; expected one name or several.")
        meshes = {_name(c): self._project.simulations.get_mesh(c) for c in configurations}
        return plot_models(meshes, [fields] if isinstance(fields, str) else fields)
