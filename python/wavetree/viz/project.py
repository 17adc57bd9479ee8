"""The figures of a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wavetree.mesh import Mesh, resolved_frequency
from wavetree.project.events import EventSelection
from wavetree.simulation.medium import slowest_velocity
from wavetree.viz.domain import draw_positions, draw_spectra, draw_wavelets, plot_domain
from wavetree.viz.gradients import plot_gradients
from wavetree.viz.inversion import plot_history, plot_inversion
from wavetree.viz.iteration import plot_iteration
from wavetree.viz.mesh import draw_field, field_values, parameters, plot_models
from wavetree.viz.misfits import plot_misfits
from wavetree.viz.notebook import has_widgets, selection
from wavetree.viz.style import new_figure, row_height, scale_of, stacked
from wavetree.viz.waveforms import plot_waveforms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wavetree.project.project import Project

__all__ = ["NotebookFigures", "ProjectViz"]

_COLUMNS = 4  # of parameters; tensors have up to 22


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
        placed = [event.resolve(mesh) for event in chosen]
        fields = parameters(mesh)
        columns = min(len(fields), _COLUMNS)
        rows = -(-len(fields) // columns)
        height = rows * row_height(3.56, mesh.bounds) + 0.5  # with the legend
        figure = new_figure(4.4 * columns, height + 2.14)
        top, bottom = stacked(figure, height, 2.14)
        grid = top.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(fields) :]:
            axes.set_axis_off()
        for axes, field in zip(grid.flat, fields, strict=False):
            values = field_values(mesh, field)
            draw_field(axes, mesh, values, scale_of(field, values), f"{setup.name}: {field}")
            draw_positions(axes, placed)
            axes.label_outer()
        top.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        left, right = bottom.subplots(1, 2)
        wavelets, times = setup.event_configuration.wavelets, setup.time_axis.times
        draw_wavelets(left, wavelets, times)
        draw_spectra(right, wavelets, times, resolved_frequency(mesh, slowest_velocity(mesh)))
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
        mesh = self._project.simulations.get_mesh(simulation_configuration)
        return plot_gradients(total(names), single, [event.resolve(mesh) for event in chosen])

    def model(self, models: Any, fields: str | Sequence[str] | None = None) -> Figure:
        """Draw media side by side, with the same colours.

        Parameters
        ----------
        models
            One simulation configuration or several, by name or themselves; or names, configurations and
            meshes by title.
        fields
            One parameter or several; all when None.

        Raises
        ------
        ValueError
            For unknown names.
        """
        if not isinstance(models, Mapping):
            models = {_name(m): m for m in (models if isinstance(models, (list, tuple)) else [models])}
        if not models:
            raise ValueError("models is empty; expected one name or several.")
        find = self._project.simulations.get_mesh
        meshes = {title: m if isinstance(m, Mesh) else find(m) for title, m in models.items()}
        return plot_models(meshes, [fields] if isinstance(fields, str) else fields)

    def inversion(
        self, inverse_problem_configuration: Any, iteration_id: int | None = None, models: bool = True
    ) -> Any:
        """Draw tree, misfits and trust region of an inversion, and model and gradient of an iteration.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        iteration_id
            The iteration to show; when None, the newest with the newest gradient there is, and in notebooks
            (with ipywidgets) a menu of all.
        models
            Draw model and gradient.

        Returns
        -------
        matplotlib.figure.Figure
            The figure; in notebooks without `iteration_id` a widget.

        Raises
        ------
        ValueError
            If the iteration is unknown.
        """
        inversions, name = self._project.inversions, _name(inverse_problem_configuration)
        iterations = inversions.tree(name).iterations
        if iteration_id is not None:
            return self._inversion(name, inversions.get_iteration(name, iteration_id).id)
        if len(iterations) < 2 or not models:
            return plot_history(iterations)
        if not has_widgets():
            return self._inversion(name, None)
        choices: dict[str, int | None] = {"newest": None}
        choices |= {f"{node.id} ({node.stage})": node.id for node in iterations}
        return selection("iteration", choices, None, lambda chosen: self._inversion(name, chosen))

    def _inversion(self, name: str, chosen: int | None) -> Figure:
        inversions = self._project.inversions
        iterations = inversions.tree(name).iterations
        shown = iterations[-1].id if chosen is None else chosen
        known = [i.id for i in iterations if i.gradient_norm is not None and chosen in (None, i.id)]
        gradient = (known[-1], inversions.get_gradient(name, known[-1])) if known else None
        model, prior = (inversions.get_model(name, number) for number in (shown, iterations[0].id))
        return plot_inversion(iterations, shown, model, prior, gradient)

    def iteration(self, inverse_problem_configuration: Any, iteration_id: int | None = None) -> Figure:
        """Draw model, gradient, smoothed gradient, accepted step and trials of an iteration.

        Parameters
        ----------
        inverse_problem_configuration
            Name of the inverse problem, or its configuration.
        iteration_id
            The iteration; the newest that has a gradient when None.

        Raises
        ------
        ValueError
            If the iteration is unknown, or has no gradient yet.
        """
        inversions, name = self._project.inversions, _name(inverse_problem_configuration)
        if iteration_id is None:
            known = [i.id for i in inversions.tree(name) if i.gradient_norm is not None]
            iteration_id = known[-1] if known else 0
        iteration = inversions.get_iteration(name, iteration_id)
        gradients = {
            title: inversions.get_gradient(name, iteration_id, preconditioned)
            for title, preconditioned in (("gradient", False), ("smoothed gradient", True))
        }
        if iteration.settings.preconditioner is None:
            del gradients["smoothed gradient"]
        accepted = inversions.get_model(name, iteration.children[0]) if iteration.accepted else None
        model = inversions.get_model(name, iteration_id)
        return plot_iteration(iteration, model, gradients, accepted)


def _name(configuration: Any) -> str:
    return configuration if isinstance(configuration, str) else str(configuration.name)
