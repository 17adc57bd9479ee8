"""The command line ``wavetree``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

import wavetree
from wavetree.errors import WavetreeError

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Full-waveform inversion.")

_OPTIONAL = {
    "ipywidgets": "progress bars in notebooks",
    "pytest": "tests",
    "pytest-benchmark": "benchmarks",
}


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
    with _plain_errors():
        try:
            from wavetree.demo import run_demo

            run_demo(folder, iterations, typer.echo)
        except KeyboardInterrupt:
            again = f"wavetree demo --folder {shlex.quote(str(folder))} --iterations {iterations}"
            typer.echo(f"\nStopped. What is finished is kept; to go on: {again}", err=True)
            raise typer.Exit(130) from None


@app.command()
def info() -> None:
    """Print version, instruction sets, threads, MPI and optional packages."""
    from wavetree.simulation.core import default_instruction_set, instruction_sets
    from wavetree.sites.local import usable_cores

    with _plain_errors():
        in_use = default_instruction_set()
    lines = {
        "wavetree": wavetree.__version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "instruction sets": f"{', '.join(instruction_sets())} (in use: {in_use})",
        "threads": f"{usable_cores()} usable of {os.cpu_count()}",
        "MPI": _mpi(),
    }
    for name, purpose in _OPTIONAL.items():
        lines[name] = f"{_version(name) or 'not installed'} ({purpose})"
    for name, text in lines.items():
        typer.echo(f"{name + ':':<18}{text}")


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


def _names(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


def _mpi() -> str:
    """What can be said without importing MPI, which may abort where its launcher is missing."""
    launcher = shutil.which("mpiexec") or shutil.which("mpirun")
    found = [f"mpi4py {_version('mpi4py')}" if importlib.util.find_spec("mpi4py") else "no mpi4py"]
    found.append(f"launcher {launcher}" if launcher else "no launcher (mpiexec) on the path")
    return f"{', '.join(found)}; simulations run in one process"


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
    except (ValueError, WavetreeError, OSError) as error:
        raise _refused(str(error)) from error


def _refused(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(1)


if __name__ == "__main__":
    app()
