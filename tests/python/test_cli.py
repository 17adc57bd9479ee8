"""The command line, but for what the demo computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import wavetree
from wavetree.cli import app


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_info_says_what_is_installed() -> None:
    code, text = invoke("info")
    lines = dict(line.split(":", 1) for line in text.splitlines())
    assert code == 0
    assert lines["wavetree"].strip() == wavetree.__version__
    sets = lines["instruction sets"].split()
    assert "base" in lines["instruction sets"] and sets[-1].rstrip(")") in ("v4", "v3", "base")
    assert int(lines["threads"].split()[0]) >= 1
    assert "mpi4py" in lines["MPI"]
    assert pytest.__version__ in lines["pytest"]


def test_info_follows_the_instruction_set_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVETREE_ISA", "base")
    assert "(in use: base)" in invoke("info")[1]


def test_info_refuses_an_unknown_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVETREE_ISA", "bass")
    code, text = invoke("info")
    assert code == 1
    assert text.startswith("error: unknown instruction set in WAVETREE_ISA 'bass'; did you mean 'base'?")


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


def test_unknown_commands_are_refused() -> None:
    code, text = invoke("dmeo")
    assert code == 2
    assert "No such command" in text
