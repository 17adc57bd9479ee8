"""Who may import whom, and how long things may get: the house rules as tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from structure import Import, cpp_code, cpp_functions, cpp_includes, python_functions, python_imports

# Of each part of the package, the other parts it may import when it is loaded.
PYTHON = {
    "errors": set(),
    "config": {"errors"},
    "array_cache": set(),
    "ranks": {"errors"},
    "arrays": {"array_cache", "errors"},
    "user_function": {"config", "errors"},
    "segy": set(),
    "domain": {"config", "errors"},
    "optimize": {"config", "errors"},
    "process": set(),
    "sites": {"config", "errors", "process"},
    "worker": {"process", "simulation", "sites", "survey"},
    "data": {"config", "errors", "segy", "survey"},
    "survey": {"config", "data", "errors"},
    "misfit": {"config", "data", "errors", "user_function"},
    "mesh": {"_core", "arrays", "config", "errors"},
    "model": {"arrays", "config", "errors", "segy", "user_function"},
    "material": {"config", "errors", "model"},
    "layered_meshing": {"config", "errors", "material", "mesh", "model", "simulation"},
    "simulation": {
        *("_core", "arrays", "config", "data", "domain", "errors", "material", "mesh", "model"),
        *("process", "ranks", "survey"),
    },
    "mapping": {"config", "errors", "mesh", "model", "simulation", "user_function"},
    "smoothing": {"_core", "config", "errors", "mesh", "ranks", "simulation"},
    "inversion": {
        *("arrays", "config", "data", "errors", "mapping", "mesh", "misfit", "optimize", "process"),
        "project",
        *("simulation", "smoothing", "survey"),
    },
    "project": {
        *(
            "arrays",
            "config",
            "data",
            "domain",
            "errors",
            "inversion",
            "mesh",
            "misfit",
            "model",
            "process",
            "ranks",
            "simulation",
        ),
        *("sites", "smoothing", "survey", "testing"),
    },
    "testing": {"data", "errors", "misfit", "model", "simulation"},
    "viz": {"data", "domain", "errors", "inversion", "mesh", "model", "project", "simulation", "survey"},
    "demo": {"__init__", "errors", "project"},
    "benchmark": {"config", "errors", "mesh", "ranks", "simulation", "survey"},
    "cli": {"__init__", "benchmark", "demo", "errors", "mesh", "model", "simulation", "sites"},
    "namespace": {"__init__"},
    "__init__": set(),
}
CORE_USERS = {"mesh", "simulation", "smoothing"}
# Packages of others, where a part is held to few of them.
OTHERS = {
    "optimize": {"numpy", "scipy", "pydantic"},
    "misfit": {"numpy", "scipy", "pydantic"},
    "sites": {"pydantic", "tomli"},
    "data/resample.py": {"numpy", "scipy"},
    "data/frequency_band.py": {"numpy", "scipy", "pydantic"},
    "project/store.py": set(),
    "project/entities.py": set(),
}
# The import that stands inside a function does not tie modules together, but these do not even do that.
NEVER_IMPORTED = {"cli", "tests", "examples", "benchmarks"}

# Of each C++ directory, the other directories it may include.
CPP = {
    "core": set(),
    "basis": {"core"},
    "mesh": {"core", "basis"},
    "physics": {"core"},
    "kernels": {"core", "basis", "mesh"},
    "operators": {"core", "basis", "mesh", "kernels", "physics"},
    "solver": {"core", "basis", "mesh", "kernels", "physics", "operators"},
    "bindings": {"core", "basis", "mesh", "kernels", "physics", "operators", "solver"},
}
PYTHON_HEADERS = re.compile(r"pybind11/|Python\.h|numpy/")
MPI_HEADERS = re.compile(r"(^|/)mpi\.h")
# OpenMP or an instruction set by name.
MACHINE = re.compile(
    r"#\s*pragma\s+omp|\bomp_\w+\(|<omp\.h>|__(AVX|SSE|FMA)\w*|\b_mm\d*_\w+|immintrin|__builtin_cpu_"
)

MAX_FILE, MAX_FUNCTION, MAX_ARGUMENTS = 500, 40, 6
# Signatures that the published interface fixes.
FIXED_BY_INTERFACE = {
    "simulation/simulation.py Simulation.__init__",
    "project/actions.py InversionActions.compute_gradients",
    "project/simulations.py Simulations.launch",
}
# Their counterparts in the bindings: flat calls, whose arguments Python names.
FIXED_BY_BINDINGS = {
    "bindings/simulation.cpp BoundSimulation",
    "bindings/simulation.cpp adjoint",
    "bindings/simulation.cpp forward",
    "bindings/diffusion.cpp BoundDiffusion",
}


def part_of(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def own_target(found: Import) -> str | None:
    """Part of wavetree that an import names."""
    first, *rest = found.module.split(".")
    if first != "wavetree":
        return None
    return rest[0] if rest and rest[0] in {*PYTHON, "_core", *NEVER_IMPORTED} else "__init__"


def import_faults(path: str, text: str) -> Iterator[str]:
    """Yield what a file of the package imports and should not; path from the package on."""
    part = part_of(path)
    package = ".".join(["wavetree", *path.split("/")[:-1]])
    for found in python_imports(text, package):
        where, first = f"{path}:{found.line}", found.module.split(".")[0]
        target = own_target(found)
        if target is None:
            allowed = next((OTHERS[k] for k in (path, part) if k in OTHERS), None)
            other = first not in sys.stdlib_module_names and first != "__future__"
            if other and allowed is not None and first not in allowed:
                yield f"{where} imports {first}"
        elif target in NEVER_IMPORTED:
            yield f"{where} imports {target}, which nothing may"
        elif target == "_core" and part not in CORE_USERS:
            yield f"{where} imports _core"
        elif target == "viz" and part != "viz":
            lazy_plot = found.function is not None and found.function.startswith("plot")
            of_project = path == "project/project.py" and found.function is not None
            if not (lazy_plot or of_project or found.typing_only):
                yield f"{where} imports viz"
        elif target != part and not found.typing_only and target not in {*PYTHON[part], "viz"}:
            yield f"{where} imports {target}"


def include_faults(path: str, text: str) -> Iterator[str]:
    """Yield what a C++ file includes or names and should not; path from cpp/wavetree on."""
    part = part_of(path)
    for name in cpp_includes(text):
        if MPI_HEADERS.search(name):
            yield f"{path} includes {name}"
        if PYTHON_HEADERS.search(name) and part != "bindings":
            yield f"{path} includes {name}"
        if name.startswith("wavetree/"):
            target = name.split("/")[1]
            if target != part and target not in CPP[part]:
                yield f"{path} includes {name}"
    if part != "kernels" and (named := MACHINE.search(cpp_code(text))):
        yield f"{path} names {named[0]}"


def length_faults(path: str, text: str) -> Iterator[str]:
    """Yield a file that is too long."""
    if (n := len(text.splitlines())) > MAX_FILE:
        yield f"{path} has {n} lines"


def function_faults(path: str, text: str, exempt: set[str]) -> Iterator[str]:
    """Yield functions that are too long or have too many arguments."""
    for name, lines, arguments in (python_functions if path.endswith(".py") else cpp_functions)(text):
        if lines > MAX_FUNCTION:
            yield f"{path} {name} has {lines} lines"
        if arguments > MAX_ARGUMENTS and f"{path} {name}" not in exempt:
            yield f"{path} {name} has {arguments} arguments"


def sources(folder: Path, *patterns: str) -> list[tuple[str, str]]:
    files = sorted(file for pattern in patterns for file in folder.rglob(pattern))
    assert files, folder
    return [(file.relative_to(folder).as_posix(), file.read_text()) for file in files]


def expect_none(faults: Iterable[str]) -> None:
    text = "\n".join(faults)
    assert not text, f"\n{text}"


@pytest.fixture(scope="module")
def package(checkout: Path) -> list[tuple[str, str]]:
    return sources(checkout / "python/wavetree", "*.py")


@pytest.fixture(scope="module")
def cpp(checkout: Path) -> list[tuple[str, str]]:
    return sources(checkout / "cpp/wavetree", "*.hpp", "*.cpp")


def test_every_part_has_its_line_in_the_tables(package: list, cpp: list) -> None:
    assert {part_of(path) for path, _ in package} == set(PYTHON)
    assert {part_of(path) for path, _ in cpp} == set(CPP)


def test_python_imports(package: list) -> None:
    expect_none(fault for path, text in package for fault in import_faults(path, text))


def test_cpp_includes(cpp: list) -> None:
    expect_none(fault for path, text in cpp for fault in include_faults(path, text))


def test_lengths_of_files(package: list, cpp: list, checkout: Path) -> None:
    tests = sources(checkout / "tests", "*.py", "*.hpp", "*.cpp")
    expect_none(fault for path, text in package + cpp + tests for fault in length_faults(path, text))


def test_lengths_and_arguments_of_functions(package: list, cpp: list) -> None:
    exempt = FIXED_BY_INTERFACE | FIXED_BY_BINDINGS
    expect_none(fault for path, text in package + cpp for fault in function_faults(path, text, exempt))


def test_no_exemption_outlives_its_function(package: list, cpp: list) -> None:
    faults = {fault for path, text in package + cpp for fault in function_faults(path, text, set())}
    wide = {fault.rsplit(" has ", 1)[0] for fault in faults if fault.endswith("arguments")}
    assert (FIXED_BY_INTERFACE | FIXED_BY_BINDINGS) - wide == set()


def test_third_party_imports_are_declared(package: list, checkout: Path) -> None:
    text = (checkout / "pyproject.toml").read_text()

    def declared(begin: str) -> set[str]:
        block = text.partition(begin)[2].partition("]")[0]
        return {re.split(r"[<>=~ ]", name)[0] for name in re.findall(r'"([^"]+)"', block)}

    always, with_mpi = declared("\ndependencies = ["), declared("\nmpi = [")
    assert {"numpy", "pydantic"} <= always and "mpi4py" in with_mpi
    known = {*sys.stdlib_module_names, *always, "wavetree", "__future__"}
    for _, file in package:
        for found in python_imports(file, "wavetree"):
            # What only some need is imported where it is used.
            allowed = known | with_mpi if found.function else known
            assert found.typing_only or found.module.split(".")[0] in allowed, found


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("survey/event.py", "from wavetree import _core", "survey/event.py:1 imports _core"),
        ("optimize/space.py", "import wavetree.mesh.mesh", "optimize/space.py:1 imports mesh"),
        ("optimize/space.py", "import h5py", "optimize/space.py:1 imports h5py"),
        ("sites/local.py", "from ..project.store import Store", "sites/local.py:1 imports project"),
        ("project/store.py", "\nimport numpy as np", "project/store.py:2 imports numpy"),
        ("mesh/mesh.py", "from wavetree.viz import mesh", "mesh/mesh.py:1 imports viz"),
        ("mesh/mesh.py", "def show():\n    import wavetree.viz.mesh", "mesh/mesh.py:2 imports viz"),
        ("project/project.py", "import wavetree.viz", "project/project.py:1 imports viz"),
        ("project/runner.py", "def f():\n    from wavetree import cli", "project/runner.py:2 imports cli"),
        ("mapping.py", "def f():\n    from wavetree.project import x", "mapping.py:2 imports project"),
        ("model/overlay.py", "from wavetree import Mesh", "model/overlay.py:1 imports __init__"),
    ],
)
def test_a_wrong_import_is_found(path: str, text: str, fault: str) -> None:
    (found,) = import_faults(path, text)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("mesh/mesh.py", "class Mesh:\n    def plot(self):\n        from wavetree.viz.mesh import plot_mesh"),
        ("project/project.py", "def viz(self):\n    from wavetree.viz.project import ProjectViz"),
        ("mesh/io.py", "if TYPE_CHECKING:\n    from wavetree.project.project import Project"),
        ("optimize/state.py", "import numpy as np\nfrom wavetree.errors import WavetreeError"),
        ("simulation/simulation.py", "from . import boundary\nfrom wavetree import _core"),
    ],
)
def test_a_right_import_passes(path: str, text: str) -> None:
    assert list(import_faults(path, text)) == []


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        (
            "mesh/mesh.hpp",
            '#include "wavetree/solver/diffusion.hpp"',
            "includes wavetree/solver/diffusion.hpp",
        ),
        ("physics/acoustic.hpp", '#  include "wavetree/mesh/mesh.hpp"', "includes wavetree/mesh/mesh.hpp"),
        ("solver/newmark.cpp", "#include <mpi.h>", "includes mpi.h"),
        ("bindings/module.cpp", '#include "openmpi/mpi.h"', "includes openmpi/mpi.h"),
        ("solver/newmark.cpp", "#include <pybind11/numpy.h>", "includes pybind11/numpy.h"),
        ("operators/point.cpp", "#pragma omp parallel for", "names #pragma omp"),
        ("operators/point.cpp", "#ifdef __AVX2__", "names __AVX2__"),
    ],
)
def test_a_wrong_include_is_found(path: str, text: str, fault: str) -> None:
    (found,) = include_faults(path, text)
    assert found == f"{path} {fault}"


def test_a_right_include_passes() -> None:
    text = '// #include <mpi.h>\n/*\n#include <mpi.h>\n*/\n#include "wavetree/mesh/mesh.hpp"\n'
    text += 'auto x = "#pragma omp";'
    assert list(include_faults("operators/point.cpp", text)) == []


def test_what_is_too_long_is_found() -> None:
    assert list(length_faults("a.py", "\n" * 500)) == []
    assert list(length_faults("a.cpp", "\n" * 501)) == ["a.cpp has 501 lines"]
    body = "    x = 1\n" * 40
    python = f'def f(self, a, b, c, d, e, g):\n    """One\n    two."""\n{body}'
    assert list(function_faults("a.py", python, set())) == ["a.py f has 41 lines"]
    body = "    g(1);\n" * 40
    cpp = f"namespace n {{\n\ntemplate <class A, class B>\nint f(int a) {{\n{body}}}\n\n}}\n"
    assert list(function_faults("a.cpp", cpp, set())) == ["a.cpp f has 43 lines"]


def test_what_is_too_wide_is_found() -> None:
    python = "class A:\n    def f(a, b, c, d, e, *, g, h): ..."
    assert list(function_faults("a.py", python, set())) == ["a.py A.f has 7 arguments"]
    assert list(function_faults("a.py", python, {"a.py A.f"})) == []
    constructor = "S(int a, int b, int c, int d, int e, int g, T<x, y> h) : a_(a), b_({1, 2}) { f({}); }"
    cpp = f"struct S {{\n    {constructor}\n}};\n"
    assert list(function_faults("a.hpp", cpp, set())) == ["a.hpp S has 7 arguments"]


def test_cpp_functions_are_read() -> None:
    text = """
const auto table = [](int i) {
    return i;
};
void Class::method(int a, std::array<int, 2> b) const {
    if (a) {
        f([&](Index i, Index j) { return 1; });
    }
}
int none() { return 0; }
"""
    assert list(cpp_functions(text)) == [("Class::method", 5, 2), ("none", 1, 0)]
