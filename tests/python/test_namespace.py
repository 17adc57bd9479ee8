"""Public names."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wavetree
import wavetree.namespace

# The names and dotted paths that API users type, both in `wavetree` and in `wavetree.namespace`.
PATHS = [
    "AbsorbingBoundaryParameters",
    "Adam",
    "BatchSelection",
    "ConstantSmoothing",
    "Event",
    "EventCollection",
    "EventConfiguration",
    "EventData",
    "FrequencyBand",
    "InverseProblemConfiguration",
    "LBFGS",
    "Mapping",
    "Mesh",
    "MeshResolution",
    "MisfitConfiguration",
    "ModelConfiguration",
    "Project",
    "Simulation",
    "SimulationConfiguration",
    "SiteConfig",
    "SteepestDescent",
    "TrustRegion",
    "UnstructuredMeshSimulationConfiguration",
    "WaveformSimulationConfiguration",
    "WavefieldCompression",
    "mesh_from_domain",
    "box_mesh",
    "extract_model_to_regular_grid",
    "EventCollection.from_sources",
    "Project.from_domain",
    "Project.from_volume_model",
    "boundary.HomogeneousDirichlet",
    "boundary.Absorbing",
    "domain.dim2.BoxDomain",
    "domain.dim3.BoxDomain",
    "model.volume.cartesian.GenericModel",
    "model.background.homogeneous.IsotropicAcoustic",
    "model.background.homogeneous.IsotropicElastic",
    "layered_meshing.LayeredModel",
    "layered_meshing.MeshingProtocol",
    "layered_meshing.AbsorbingBoundaryParameters",
    "layered_meshing.MeshResolution",
    "layered_meshing.mesh_from_domain",
    "layered_meshing.interface.Hyperplane.at",
    "layered_meshing.interface.Curve.from_points",
    "layered_meshing.interface.Surface",
    "model.background.one_dimensional.Layered",
    "model.background.one_dimensional.built_in",
    "model.complete",
    "model.volume.Grid",
    "simple_config.transducer.Transducer",
    "model.volume.cartesian.FunctionModel",
    "model.volume.readers.from_segy",
    "material.from_params",
    "material.acoustic.Velocity",
    "material.elastic.Velocity",
    "material.elastic.hexagonal.Velocity",
    "material.elastic.triclinic.TensorComponents",
    "simple_config.source.cartesian.ScalarPoint2D",
    "simple_config.source.cartesian.ScalarGradientPoint2D",
    "simple_config.source.cartesian.VectorPoint2D",
    "simple_config.source.cartesian.MomentTensorPoint2D",
    "simple_config.source.cartesian.SideSetScalarPoint2D",
    "simple_config.source.cartesian.SideSetVectorPoint2D",
    "simple_config.source.cartesian.SideSetMomentTensorPoint2D",
    "simple_config.source.cartesian.ScalarPoint3D",
    "simple_config.source.cartesian.ScalarGradientPoint3D",
    "simple_config.source.cartesian.VectorPoint3D",
    "simple_config.source.cartesian.MomentTensorPoint3D",
    "simple_config.source.cartesian.SideSetScalarPoint3D",
    "simple_config.source.cartesian.SideSetVectorPoint3D",
    "simple_config.source.cartesian.SideSetMomentTensorPoint3D",
    "simple_config.receiver.cartesian.Point3D",
    "simple_config.receiver.cartesian.SideSetPoint2D",
    "simple_config.receiver.cartesian.SideSetPoint3D",
    "simple_config.receiver.cartesian.SideSetHorizontalPointCollection2D",
    "simple_config.receiver.cartesian.SideSetVerticalPointCollection2D",
    "simple_config.receiver.fields.FIELDS",
    "simple_config.stf.Custom.from_array",
    "simple_config.source.cartesian.collections.ScalarPoint2DRing",
    "simple_config.receiver.cartesian.Point2D",
    "simple_config.receiver.cartesian.collections.RingPoint2D",
    "simple_config.stf.Ricker",
    "simple_config.stf.GaussianRate",
    "simple_config.stf.Delta",
    "simple_config.stf.Heaviside",
    "simple_config.stf.FilteredHeaviside",
    "simple_config.stf.Custom",
    "errors.SimulationFailed",
    "misfit.MISFITS",
    "testing",
]
ROOT = Path(__file__).parents[2]


def resolve(module: object, path: str) -> object:
    for name in path.split("."):
        module = getattr(module, name)
    return module


@pytest.mark.parametrize("path", PATHS)
def test_both_faces_have_the_same_names(path: str) -> None:
    # Bound methods are made anew whenever they are asked for, so they are compared by value.
    assert resolve(wavetree, path) == resolve(wavetree.namespace, path)


def test_namespace_adds_the_spellings_of_existing_scripts() -> None:
    assert wavetree.namespace.UnstructuredMesh is wavetree.Mesh
    assert wavetree.namespace.simple_mesh.box_mesh is wavetree.box_mesh
    assert set(wavetree.__all__) < set(wavetree.namespace.__all__)
    assert isinstance(inspect.getattr_static(wavetree.Project, "visualizations"), property)


@pytest.mark.parametrize("module", [wavetree, wavetree.namespace])
def test_every_public_name_can_be_had_and_is_listed(module: object) -> None:
    assert [name for name in module.__all__ if not hasattr(module, name)] == []  # type: ignore[attr-defined]
    assert set(module.__all__) <= set(dir(module))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["wavetree", "wavetree.namespace"])
def test_unknown_names_are_refused(name: str) -> None:
    module = importlib.import_module(name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'Projekt'"):
        _ = module.Projekt


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(inspect.getsource(wavetree))
    (checked,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    imports = [
        alias for node in ast.walk(checked) if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    assert {alias.asname or alias.name for alias in imports} | {"__version__"} == set(wavetree.__all__)


def test_version_is_that_of_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'^version = "(.*)"', text, re.MULTILINE) == [wavetree.__version__]


@pytest.mark.parametrize("name", ["wavetree", "wavetree.namespace"])
def test_import_is_cheap(name: str) -> None:
    code = f"import sys, {name}; print('numpy' in sys.modules, 'matplotlib' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


def test_a_project_is_opened_without_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys, wavetree as wt\n"
        "p = wt.Project.from_domain(sys.argv[1], wt.domain.dim2.BoxDomain(x0=0.0, x1=1.0, y0=0.0, y1=1.0))\n"
        "print('matplotlib' in sys.modules, 'mpi4py.MPI' in sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "p")], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["False", "False"]
