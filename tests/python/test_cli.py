"""The command line, but for what the demo computes."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import wavetree
from inversions import NAME, fingerprint, make_project
from projects import until_cancelled
from wavetree.cli import app
from wavetree.mesh import box_mesh
from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.project.project import Project
from wavetree.project.setup import resolve_speeds
from wavetree.simulation.speeds import DEFAULT_SPEEDS, KINDS, read_speeds
from wavetree.simulation.task import ForwardTask


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """Commands set it for the process that they run in."""
    log = logging.getLogger("wavetree")
    level = log.level
    yield
    log.setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with an inversion that has not begun."""
    make_project(tmp_path / "my project").close()
    return tmp_path / "my project"


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_info_says_what_is_installed() -> None:
    code, text = invoke("info")
    head, table = text.split("\n\n")
    lines = dict(line.split(":", 1) for line in head.splitlines())
    assert "one by one" in table and all(f"\n{kind} " in table for kind in KINDS)
    assert code == 0
    assert lines["wavetree"].strip() == wavetree.__version__
    sets = lines["instruction sets"].split()
    assert "base" in lines["instruction sets"] and sets[-1].rstrip(")") in ("v4", "v3", "base")
    assert int(lines["threads"].split()[0]) >= 1
    assert "mpi4py" in lines["MPI"]
    assert lines["sites"].split(",")[0].strip() == "local (this machine)"
    assert pytest.__version__ in lines["pytest"]


def test_info_follows_the_instruction_set_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVETREE_ISA", "base")
    assert "(in use: base)" in invoke("info")[1]


def test_info_refuses_an_unknown_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVETREE_ISA", "bass")
    code, text = invoke("info")
    assert code == 1
    assert text.startswith("error: unknown instruction set in WAVETREE_ISA 'bass'; did you mean 'base'?")


def test_measured_speeds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = replace(DEFAULT_SPEEDS, source="a machine of this test")
    monkeypatch.setattr("wavetree.benchmark.measure_speeds", lambda: table)
    monkeypatch.setenv("WAVETREE_SPEEDS", str(tmp_path / "new" / "speeds.json"))
    p = make_project(tmp_path / "project")
    p.close()
    code, text = invoke("measure-speeds", "--project", str(tmp_path / "project"))
    assert code == 0 and "a machine of this test" in text and read_speeds() == DEFAULT_SPEEDS
    p = Project(tmp_path / "project")
    assert resolve_speeds(p.store) == table
    p.close()
    code, text = invoke("measure-speeds")
    assert code == 0 and "speeds.json" in text and read_speeds() == table
    assert "a machine of this test" in invoke("info")[1]


def test_info_does_not_import_mpi() -> None:
    code = (
        "import sys\nfrom wavetree.cli import app\n"
        "app(['info'], standalone_mode=False)\nprint('mpi4py.MPI' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1] == "False"


@pytest.mark.parametrize("iterations", ["0", "-3"])
def test_demo_refuses_too_few_iterations(tmp_path: Path, iterations: str) -> None:
    folder = tmp_path / "demo"
    code, text = invoke("demo", "--folder", str(folder), "--iterations", iterations)
    assert (code, text) == (1, f"error: --iterations is {iterations}; expected at least 1.\n")
    assert not folder.exists()


def test_demo_refuses_a_file_as_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    code, text = invoke("demo", "--folder", str(file))
    assert code == 1
    assert text == f"error: --folder is {str(file)!r}, which is a file; give the name of a folder.\n"


def test_demo_refuses_a_folder_that_it_cannot_make(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, text = invoke("demo", "--folder", str(tmp_path / "file" / "demo"))
    assert code == 1
    assert text.startswith("error: ") and "Not a directory" in text and "Traceback" not in text


def test_demo_refuses_something_else_in_the_place_of_its_project(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "letter.txt").write_text("")
    code, text = invoke("demo", "--folder", str(tmp_path))
    assert code == 1
    assert "exists and is not a project" in text and "Traceback" not in text


def test_mesh_is_shown_and_checked(tmp_path: Path) -> None:
    mesh = box_mesh([(0.0, 2.0), (0.0, 1.0)], (4, 2), shape_order=2)
    mesh.attach_field("VP", np.linspace(1500.0, 3000.0, mesh.nelem))
    mesh.attach_field("block", np.arange(mesh.nelem) // 4 + 1)
    mesh.block_names = {1: "sea", 2: "rock"}
    mesh.write_h5(tmp_path / "mesh.h5")
    code, text = invoke("mesh", str(tmp_path / "mesh.h5"), "--plot", str(tmp_path / "mesh.png"))
    assert code == 0, text
    for expected in (
        "8 quads of shape order 2, 45 points",
        "x 0 to 2, y 0 to 1",
        "VP 1500 to 3000",
        "VP [m/s]",
        "1 sea, 2 rock",
        "x0 (2), x1 (2), y0 (4), y1 (4)",
        "scaled Jacobian",
        "crossing time [s]",
        "no problems were found.",
    ):
        assert expected in text
    assert (tmp_path / "mesh.png").stat().st_size > 10_000


def test_mesh_with_problems_has_exit_status_1(tmp_path: Path) -> None:
    points = [[0, 0], [1, 0], [0, 1], [1, 1], [1, 0.5], [2, 0], [2, 0.5]]
    wavetree.Mesh(points, [[0, 1, 2, 3], [1, 5, 4, 6]]).write_h5(tmp_path / "mesh.h5")
    code, text = invoke("mesh", str(tmp_path / "mesh.h5"))
    assert code == 1
    assert "problem: 1 hanging nodes" in text and "point 4 at (1, 0.5)" in text


def test_unreadable_meshes_have_exit_status_1(tmp_path: Path) -> None:
    (tmp_path / "mesh.h5").write_text("nothing of the kind")
    code, text = invoke("mesh", str(tmp_path / "mesh.h5"))
    assert code == 1
    assert text.startswith("error: cannot use file") and "Traceback" not in text
    code, text = invoke("mesh", str(tmp_path / "mesh.txt"))
    assert code == 1
    assert "expected a name that ends in one of .msh" in text


def test_unknown_commands_are_refused() -> None:
    code, text = invoke("dmeo")
    assert code == 2
    assert "No such command" in text


# Projects


def test_show_says_what_is_in_a_project(folder: Path) -> None:
    p = Project(folder)
    p.inversions.run(NAME, 2)
    expected = [repr(p), repr(p.inversions.tree(NAME)), repr(p.disk_use()).splitlines()[1]]
    p.close()
    code, text = invoke("show", str(folder))
    assert code == 0 and all(part in text for part in expected)
    assert "results of true: 2 of 2 launched events" in text and "of it disposable" in text
    assert "INFO" not in text


def test_show_before_anything_has_run(folder: Path) -> None:
    code, text = invoke("show", str(folder))
    assert code == 0 and "Inverse problem 'inversion'\niteration  stage" in text
    assert "no iterations yet" in text


@pytest.mark.parametrize("command", [["show"], ["run"]])
def test_projects_that_do_not_exist_are_refused(tmp_path: Path, command: list[str]) -> None:
    code, text = invoke(*command, str(tmp_path), *(["x"] if command == ["run"] else []))
    assert (code, text.startswith(f"error: path {str(tmp_path)!r} holds no project")) == (1, True)


def test_run_iterates_and_goes_on(folder: Path, tmp_path: Path) -> None:
    rows = []
    for _ in range(2):
        code, text = invoke("run", str(folder), NAME, "-n", "2")
        rows += [line.split() for line in text.splitlines()[1:]]
        assert code == 0 and text.splitlines()[0].split()[:2] == ["iteration", "chi"]
    p, other = Project(folder), make_project(tmp_path / "other")
    tree = p.inversions.tree(NAME).iterations
    assert [row[0] for row in rows] == ["0", "1", "2", "3"] and len(tree) == 5
    for row, iteration in zip(rows, tree, strict=False):
        share, trial = iteration.misfit / tree[0].misfit, iteration.trials[-1]  # type: ignore[operator]
        assert row[1:4] == [f"{iteration.misfit:.4g}", f"{share:.1%}", f"{iteration.gradient_norm:.4g}"]
        assert row[4:6] == [f"{trial.predicted_reduction:.4g}", f"{trial.actual_reduction:.4g}"]
    other.inversions.run(NAME, 4)
    assert fingerprint(p, range(5)) == fingerprint(other, range(5))
    p.close()
    other.close()


def test_run_ends_when_the_inversion_has_converged(folder: Path) -> None:
    p = Project(folder)
    misfit = MisfitConfiguration("L2", observed_data="initial", misfit_function="L2", receiver_field="phi")
    p.add_to_project(misfit, overwrite=True)
    p.close()
    for _ in range(2):
        code, text = invoke("run", str(folder), NAME, "-n", "5")
        assert code == 0
        assert "The inversion has ended at iteration 0: converged: the misfit is 0, the adjoint" in text


def test_run_says_why_an_inversion_has_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wavetree.optimize.trust_region._ACCEPT_ABOVE", 1e9)
    code, text = invoke("run", str(folder), NAME)
    assert code == 1
    assert "The inversion has ended at iteration 0: stopped after 6 rejected steps" in text


def test_run_names_what_failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlucky(task: ForwardTask, *args: Any, **options: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(ForwardTask, "run", unlucky)
    code, text = invoke("run", str(folder), NAME)
    assert code == 1 and "Traceback" not in text
    assert "error: 4 of 4 simulations failed:" in text and "event_0001 of initial: no room (log: " in text


def test_run_ends_when_the_time_is_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForwardTask, "run", until_cancelled)
    code, text = invoke("run", str(folder), NAME, "-n", "3", "--timeout", "0.2")
    assert code == 1
    assert f"the time of 0.2 s is up; what is finished is kept, to go on: wavetree run '{folder}'" in text


def test_run_says_when_simulations_are_cancelled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(*args: Any, **options: Any) -> None:
        raise wavetree.errors.Cancelled("stopped")

    monkeypatch.setattr(ForwardTask, "run", cancelled)
    code, text = invoke("run", str(folder), NAME)
    assert code == 1 and "error: the simulations were cancelled; what is finished is kept" in text


def test_ctrl_c_stops_a_run_that_can_be_resumed(folder: Path) -> None:
    arguments = [sys.executable, "-m", "wavetree.cli", "run", str(folder), NAME, "-n", "500"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        watchdog.cancel()
    assert process.returncode == 130 and lines[2].split()[0] == "1"
    again = f"wavetree run '{folder}' inversion -n 500"
    assert errors == f"\nStopped. What is finished is kept; to go on: {again}\n"
    code, text = invoke("run", str(folder), NAME)
    assert code == 0 and int(text.splitlines()[1].split()[0]) >= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "p", "x", "-n", "0"], "error: --iterations is 0; expected at least 1."),
        (["run", "p", "x", "--timeout", "0"], "error: --timeout is 0; expected seconds, more than 0."),
        (["--log-level", "inof", "info"], "error: unknown log level 'INOF'; did you mean 'INFO'?"),
    ],
)
def test_bad_options_are_refused(arguments: list[str], message: str) -> None:
    code, text = invoke(*arguments)
    assert code == 1 and text.startswith(message)


def test_the_log_level_decides_what_is_said(folder: Path) -> None:
    shown = {
        level: subprocess.run(
            [sys.executable, "-m", "wavetree.cli", *options, "run", str(folder), NAME],
            capture_output=True, text=True, check=True,
        ).stderr
        for level, options in {"none": [], "info": ["--log-level", "info"]}.items()
    }  # fmt: skip
    assert shown["none"] == "" and "INFO: Resuming iteration 1 of 'inversion'" in shown["info"]


def test_the_log_level_can_be_set_in_python(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("wavetree")
    for level, wanted in (("warning", ["b"]), ("INFO", ["a", "b"])):
        wavetree.set_log_level(level)
        caplog.clear()
        log.info("a")
        log.warning("b")
        assert [record.message for record in caplog.records] == wanted
    with pytest.raises(ValueError, match="unknown log level '3'"):
        wavetree.set_log_level(3)  # type: ignore[arg-type]
