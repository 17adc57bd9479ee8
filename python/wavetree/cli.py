"""The command line ``wavetree``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shlex
import time
from collections.abc import Iterable, Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import wavetree
from wavetree.errors import RankError, WavetreeError

if TYPE_CHECKING:
    from wavetree.inversion.iteration import Iteration, IterationTree

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True)

_OPTIONAL = {
    "ipywidgets": "progress bars and menus in notebooks",
    "meshio": "mesh files of Gmsh, VTK and Abaqus",
    "netCDF4": "mesh files of Exodus",
    "pytest": "tests",
    "pytest-benchmark": "benchmarks",
}


@app.callback()
def options(
    context: typer.Context,
    log_level: Annotated[
        str | None,
        typer.Option(help="From which level on to log: debug, info, warning, error or critical."),
    ] = None,
) -> None:
    """Full-waveform inversion."""
    # Beside what these commands print, the log would say everything twice.
    quiet = context.invoked_subcommand in ("show", "run")
    if log_level is not None or quiet:
        with _plain_errors():
            wavetree.set_log_level(log_level or "WARNING")


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option(help="Folder for the project and the figures; one that was begun goes on.")
    ] = Path("wavetree_demo"),
    iterations: Annotated[int, typer.Option(help="Iterations of the inversion, at least 1.")] = 5,
) -> None:
    """Simulate ultrasound records of three discs in water, invert them and draw figures."""
    # A bad value is said before anything large is imported.
    if iterations < 1:
        raise _refused(f"--iterations is {iterations}; expected at least 1.")
    if folder.exists() and not folder.is_dir():
        raise _refused(f"--folder is {str(folder)!r}, which is a file; give the name of a folder.")
    again = f"wavetree demo --folder {shlex.quote(str(folder))} --iterations {iterations}"
    with _plain_errors(), _resumable(again):
        from wavetree.demo import run_demo

        run_demo(folder, iterations, typer.echo)


@app.command()
def info() -> None:
    """Print version, instruction sets, threads, MPI, sites, optional packages, and how fast events run."""
    from wavetree.simulation.core import default_instruction_set, instruction_sets, n_lanes
    from wavetree.simulation.speeds import read_speeds
    from wavetree.sites.local import usable_cores
    from wavetree.sites.settings import default_sites, read_sites

    with _plain_errors():
        in_use = default_instruction_set()
        sites = default_sites() | read_sites()
        speeds = read_speeds()
    lines = {
        "wavetree": wavetree.__version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "instruction sets": f"{', '.join(instruction_sets())} (in use: {in_use})",
        "threads": f"{usable_cores()} usable of {os.cpu_count()}",
        "MPI": _mpi(),
        "sites": ", ".join(f"{name} ({site.summary})" for name, site in sites.items()),
    }
    for name, purpose in _OPTIONAL.items():
        lines[name] = f"{_version(name) or 'not installed'} ({purpose})"
    for name, text in lines.items():
        typer.echo(f"{name + ':':<18}{text}")
    typer.echo(f"\n{speeds.to_text(n_lanes(in_use), usable_cores())}")


@app.command()
def measure_speeds(
    project: Annotated[
        Path | None,
        typer.Option(help="Folder of a project that is to have the table; else projects begun from now on."),
    ] = None,
) -> None:
    """Measure how fast events run one by one and in lanes, about two minutes, and keep the table.

    What runs in lanes and what one by one is chosen by it when a simulation or an inversion is begun; what
    was chosen before stays, with its results.
    """
    with _plain_errors():
        from wavetree.benchmark import measure_speeds
        from wavetree.simulation.core import default_instruction_set, n_lanes
        from wavetree.simulation.speeds import speeds_file
        from wavetree.sites.local import usable_cores

        opened = None if project is None else wavetree.Project(project)
        table = measure_speeds()
        typer.echo(table.to_text(n_lanes(default_instruction_set()), usable_cores()))
        if opened is not None:
            with contextlib.closing(opened):
                opened.set_speeds(table)
        else:
            path = speeds_file()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dumps(table.to_dict(), indent=1), encoding="utf-8")
            typer.echo(f"kept in {path}")


@app.command()
def benchmark(
    case: Annotated[
        str,
        typer.Option(
            help="Names of cases with commas between, or all; all but those of 48³ (7 GB) if left out."
        ),
    ] = "",
    quick: Annotated[bool, typer.Option(help="Smaller meshes: seconds in place of minutes.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of a run.")] = 1,
    instruction_set: Annotated[
        str | None, typer.Option(help="Kernel set; the best of the processor if left out.")
    ] = None,
    precision: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    json: Annotated[Path | None, typer.Option(help="File for all figures, in SI units.")] = None,
) -> None:
    """Print how fast time steps are, beside what the machine can do at most.

    Million element-node updates per second and core, order 4, absorbing edges, the time loop alone; GFLOP/s
    and GB/s by what an update needs; the share of the bound that multiply-adds and the bandwidth of copies
    set; and the ratio to the goal, as it stands and in proportion to the two machines' bounds.
    """
    with _plain_errors():
        from wavetree.benchmark import Settings, find_cases, run_benchmark

        cases = find_cases(_names(case))
        settings = Settings(
            quick=quick,
            threads=threads,
            instruction_set=instruction_set,
            precision=precision,
            seconds=0.1 if quick else 0.5,
        )
        report = run_benchmark(cases, settings)
        typer.echo(str(report))
        if json is not None:
            json.write_text(dumps(report.to_dict(), indent=1))


@app.command()
def show(project: Annotated[Path, typer.Argument(help="Folder of the project.")]) -> None:
    """Print what is in a project: entities, simulations, inversions, and what its files take."""
    with _plain_errors(), contextlib.closing(wavetree.Project(project)) as opened:
        parts = [repr(opened)]
        trees = (opened.inversions.tree(name) for name in opened.inversions.list())
        parts += [repr(tree) if len(tree) else f"{tree}\nno iterations yet" for tree in trees]
        typer.echo("\n\n".join([*parts, repr(opened.disk_use())]))


@app.command()
def run(
    project: Annotated[Path, typer.Argument(help="Folder of the project.")],
    inversion: Annotated[str, typer.Argument(help="Name of the inverse problem configuration.")],
    iterations: Annotated[int, typer.Option("--iterations", "-n", help="How many, at least 1.")] = 1,
    timeout: Annotated[
        float | None, typer.Option(help="Longest time for all of them in seconds; no limit if left out.")
    ] = None,
) -> None:
    """Do iterations of an inversion, all its open branches at a time.

    Exit status 0 when they are done or the inversion has converged; 1 when it has stopped without, when
    simulations fail, and when the time is up; 130 after Ctrl-C. What is finished is kept in any case.
    """
    if iterations < 1:
        raise _refused(f"--iterations is {iterations}; expected at least 1.")
    if timeout is not None and not timeout > 0.0:
        raise _refused(f"--timeout is {timeout:g}; expected seconds, more than 0.")
    again = f"wavetree run {shlex.quote(str(project))} {shlex.quote(inversion)} -n {iterations}"
    with _plain_errors(), _resumable(again), contextlib.closing(wavetree.Project(project)) as opened:
        _iterate(opened, inversion, iterations, timeout, again)


@app.command()
def check_gradient(
    project: Annotated[Path, typer.Argument(help="Folder of the project.")],
    simulation: Annotated[str, typer.Argument(help="Name of the simulation configuration.")],
    misfit: Annotated[str, typer.Argument(help="Name of the misfit configuration.")],
    events: Annotated[str, typer.Option(help="Names of events with commas between; all if left out.")] = "",
    parameters: Annotated[
        str, typer.Option(help="Parameters that change, such as VP,RHO; all if left out.")
    ] = "",
    figure: Annotated[Path | None, typer.Option(help="File for the figure, such as gradient.png.")] = None,
) -> None:
    """Check that a gradient is the derivative of the misfit: table, and exit status 1 if it is not.

    The checks take in the order of a hundred runs of each event; the log says how many.
    """
    with _plain_errors():
        opened = wavetree.Project(project)
        try:
            found = opened.actions.inversion.check_gradient(
                simulation, misfit, _names(events), _names(parameters)
            )
        finally:
            opened.close()
        typer.echo(str(found))
        if figure is not None:
            found.plot().savefig(figure)
    raise typer.Exit(0 if found.passed else 1)


@app.command()
def mesh(
    file: Annotated[Path, typer.Argument(help="Gmsh, VTK, Abaqus, Exodus or wavetree mesh file.")],
    plot: Annotated[
        Path | None, typer.Option(help="File for a figure of the quality, such as mesh.png.")
    ] = None,
) -> None:
    """Show and check a mesh: what it holds, how its elements are shaped; exit status 1 if it has problems."""
    with _plain_errors():
        from wavetree.mesh import read_mesh_file
        from wavetree.model.parameters import UNITS

        found, report = read_mesh_file(file)
        typer.echo(str(found))
        fields = {*found.nodal_fields, *found.elemental_fields, *found.element_nodal_fields}
        if known := [f"{name} [{UNITS[name]}]" for name in UNITS if name in fields and UNITS[name]]:
            typer.echo(f"    units: {', '.join(known)}")
        quality = found.quality()
        typer.echo(f"\n{quality}\n\n{report}")
        if plot is not None:
            quality.plot().savefig(plot)
    raise typer.Exit(0 if report.passed else 1)


def _iterate(
    project: wavetree.Project, name: str, iterations: int, timeout: float | None, again: str
) -> None:
    """Iterate and print a line for every iteration that ends; raise typer.Exit where it goes no further."""
    inversions, begun = project.inversions, time.monotonic()
    printed = {iteration.id for iteration in inversions.tree(name) if iteration.accepted is not None}
    typer.echo(_line(_COLUMNS))
    for _ in range(iterations):
        _raise_if_ended(inversions.tree(name))
        left = None if timeout is None else max(0.0, timeout - (time.monotonic() - begun))
        finished = inversions.iterate(name, timeout_in_seconds=left)
        tree = inversions.tree(name)
        for iteration in tree:
            if iteration.accepted is not None and iteration.id not in printed:
                printed.add(iteration.id)
                typer.echo(_line(_cells(iteration, tree.iterations[0])))
        if not finished:
            why = "the simulations were cancelled" if left is None else f"the time of {timeout:g} s is up"
            raise _refused(f"{why}; what is finished is kept, to go on: {again}")
    _raise_if_ended(tree)


def _raise_if_ended(tree: IterationTree) -> None:
    """Say how the branches ended, if all have."""
    if not len(tree) or any(iteration.accepted is None for iteration in tree):
        return
    leaves = [iteration for iteration in tree if not iteration.children]
    for leaf in leaves:
        typer.echo(f"The inversion has ended at iteration {leaf.id}: {leaf.reason}.")
    raise typer.Exit(0 if all(leaf.reason.startswith("converged") for leaf in leaves) else 1)


_COLUMNS = ("iteration", "chi", "of first", "||g||", "pred", "ared", "ratio", "radius", "trials", "seconds")
_WIDTHS = (9, 10, 8, 10, 11, 11, 7, 9, 6, 7)


def _cells(iteration: Iteration, first: Iteration) -> tuple[str, ...]:
    """What was found at an iterate, and the newest step that was tried from it."""
    share = iteration.misfit / first.misfit if iteration.misfit and first.misfit else None
    trial = iteration.trials[-1] if iteration.trials else None
    names = ("predicted_reduction", "actual_reduction", "ratio", "radius")
    figures = [None if trial is None else getattr(trial, name) for name in names]
    texts = [
        "---" if f is None else f"{f:.4g}" for f in (iteration.misfit, iteration.gradient_norm, *figures)
    ]
    texts.insert(1, "---" if share is None else f"{share:.1%}")
    return (str(iteration.id), *texts, str(len(iteration.trials)), f"{iteration.seconds:.1f}")


def _line(cells: Iterable[str]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


@contextlib.contextmanager
def _resumable(again: str) -> Iterator[None]:
    """Let Ctrl-C end a command that the same command line takes up again."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\nStopped. What is finished is kept; to go on: {again}", err=True)
        raise typer.Exit(130) from None


def _names(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


def _mpi() -> str:
    """What can be said without importing MPI, which may abort where its launcher is missing."""
    from wavetree.sites.mpiexec import find_mpiexec

    found = [f"mpi4py {_version('mpi4py')}" if importlib.util.find_spec("mpi4py") else "no mpi4py"]
    try:
        launcher = find_mpiexec()
        found.append(f"launcher {launcher.path} ({launcher.family})" if launcher else "no launcher (mpiexec)")
    except RankError as error:
        found.append(str(error))
    return f"{', '.join(found)}; jobs of projects run in one process"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Say what a user can do something about in one line."""
    try:
        yield
    except (ValueError, WavetreeError, OSError, ImportError) as error:
        raise _refused(str(error)) from error


def _refused(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)


if __name__ == "__main__":
    app()
