"""What is built and installed: complete, small, and bound to no MPI."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import wavetree
from wavetree import _core

MEBIBYTE = 2**20


def installed() -> Path:
    return Path(_core.__file__)


def test_the_extension_stays_small() -> None:
    assert installed().stat().st_size <= 10 * MEBIBYTE


def test_there_is_one_extension_and_the_types_are_there() -> None:
    package = Path(wavetree.__file__).parent  # not the extension's folder in an editable installation
    suffix = installed().name.removeprefix("_core")
    assert [file.name for file in installed().parent.glob(f"*{suffix}")] == [installed().name]
    assert (package / "py.typed").is_file()
    assert (package / "_core.pyi").is_file()


def test_the_stub_names_what_the_extension_has() -> None:
    tree = ast.parse((Path(wavetree.__file__).parent / "_core.pyi").read_text())
    stub = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            stub.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            stub.add(node.target.id)
    assert stub - {"__all__"} == {name for name in vars(_core) if not name.startswith("_")}


def test_the_extension_needs_no_mpi() -> None:
    # Names of linked libraries stand in the file as plain text.
    assert not re.search(rb"libmpi|libmpich|libopen-rte", installed().read_bytes())


def test_kernels_of_every_instruction_set_of_this_processor() -> None:
    sets = _core.instruction_sets()
    assert sets[-1] == "base"
    assert set(sets) <= {"base", "v3", "v4"}


def test_version_and_script_of_the_project_file(checkout: Path) -> None:
    text = (checkout / "pyproject.toml").read_text()
    (version,) = re.findall(r'^version = "(.+)"$', text, re.MULTILINE)
    assert wavetree.__version__ == version
    ((module, name),) = re.findall(r'^wavetree = "(.+):(.+)"$', text, re.MULTILINE)
    assert callable(getattr(importlib.import_module(module), name))


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("h5py", "matplotlib", "mpi4py", "scipy", "xarray")
    code = f"import sys, wavetree; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
