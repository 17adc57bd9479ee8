"""The example of the Marmousi section: its parts, a small section of its own, and the public one, reduced."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("WAVETREE_SHARED", ROOT.parent / "shared"))
MARMOUSI = SHARED / "data" / "marmousi_seistorch" / "examples_models_marmousi_model_half_true_vp.npy"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("marmousi", ROOT / "examples" / "marmousi.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:  # dataclasses look their module up
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def small(example, tmp_path_factory):
    """Project and result of the small section."""
    survey, true = example.SMALL, example.small_section()
    p = example.prepare(tmp_path_factory.mktemp("small") / "project", true, true.smoothed(300.0), survey)
    ends = example.invert(p, survey)
    yield p, example.Result.of(p, true, survey, ends), ends
    p.close()


def test_section_continues_the_rock_above_the_sea_floor(example):
    depth, x = np.meshgrid(25.0 * np.arange(41), 25.0 * np.arange(101), indexing="ij")
    water = depth < 200.0 + 40.0 * np.sin(x / 500.0)
    rows = np.where(water, 1500.0, 1600.0 + depth + 0.1 * x)
    section = example.Section.from_rows(rows, water, 25.0)
    vp, first = section.vp.values[:, ::-1].T, water.argmin(axis=0)
    np.testing.assert_array_equal(vp[~water], rows[~water])
    assert all((vp[: first[k], k] == rows[first[k], k]).all() for k in range(water.shape[1]))
    # The curve is that of the sine to half a cell and what smoothing takes away.
    floor = -200.0 - 40.0 * np.sin(section.floor.x.values / 500.0)
    assert np.abs(section.floor.values - floor)[20:-20].max() < 0.5 * 25.0 + 10.0


@pytest.mark.parametrize("rows", [np.full(9, 1500.0), np.full((9, 9), 1500.0), np.full((9, 9), 2000.0)])
def test_a_file_without_water_above_rock_is_refused(example, rows, tmp_path, monkeypatch, capsys):
    np.save(tmp_path / "true.npy", rows)
    monkeypatch.setattr(sys, "argv", ["marmousi.py", str(tmp_path / "true.npy")])
    with pytest.raises(SystemExit):
        example.main()
    assert "has no water of 1500 m/s above rock in every column" in capsys.readouterr().err


def result_of(example, models, width=125.0):
    true = example.small_section()
    rock = true.vp.y.values < true.floor.values[:, None] - true.spacing
    away = np.abs(true.vp.x.values - 1250.0)[:, None] < 1000.0  # from the ends, which the filter repeats
    return example.Result(true, {k: model(true) for k, model in models.items()}, rock, rock & away, width)


def test_errors_are_those_of_what_the_filter_leaves(example):
    """A Gaussian of full width w at half maximum damps a wave of length λ by exp(−(πw/λ)²/(4 ln 2))."""
    wavelength, width = 200.0, 125.0
    x = example.small_section().vp.x.values[:, None]

    def waves(true):
        return true.vp.values + 100.0 * np.cos(2.0 * np.pi * x / wavelength)

    models = {"true": lambda s: s.vp.values, "shifted": lambda s: s.vp.values + 50.0, "waves": waves}
    result = result_of(example, models, width)
    errors = result.errors(smooth_both=True)
    gain = np.exp(-((np.pi * width / wavelength) ** 2) / (4.0 * np.log(2.0)))
    assert errors["true"] == 0.0
    assert errors["shifted"] == pytest.approx(50.0, rel=1e-12)
    assert errors["waves"] == pytest.approx(100.0 * np.sqrt(0.5) * gain, rel=0.02)
    sharp = result.errors()
    assert sharp["waves"] > sharp["true"] > 0.0


def test_nothing_above_the_sea_floor_enters_the_errors(example):
    def wrong_water(true):
        return np.where(true.vp.y.values < true.floor.values[:, None] - true.spacing, true.vp.values, 9999.0)

    assert result_of(example, {"wrong water": wrong_water}).errors(smooth_both=True)["wrong water"] == 0.0


def test_small_section_is_found(example, small):
    _, result, _ = small
    start, *bands = result.errors().values()
    assert result.where[result.rock].mean() > 0.9
    assert bands[0] < 0.8 * start
    assert bands[-1] < 0.5 * start


def test_water_stays_as_it_is_and_density_follows(example, small):
    p, _, ends = small
    last = p.inversions.get_model(example.INVERSION, ends[-1])
    in_water = last.elemental_fields["layer"] == 0
    vp, rho = (last.element_nodal_fields[name] for name in ("VP", "RHO"))
    # Sea floors of meshes of different fineness differ a little, and so does what lies in the water.
    assert np.abs(vp[in_water] - 1500.0).max() < 5.0
    assert np.abs(rho[~in_water] - 310.0 * vp[~in_water] ** 0.25).max() < 1.0


def test_figures_are_drawn(example, small, tmp_path):
    p, result, ends = small
    example.draw(p, result, example.SMALL, ends, str(tmp_path))
    names = {"setup.png", "models.png", "errors.png", "misfit.png", "gather.png"}
    assert {file.name for file in tmp_path.iterdir()} == names


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(not MARMOUSI.exists(), reason=f"{MARMOUSI} is not here")
def test_upper_part_of_marmousi_is_found(example, tmp_path):
    """Five kilometres of the upper two, in cells of twice the size: the error falls to 0.47 of the first."""
    rows = np.load(MARMOUSI)[:51, 75:200]
    true = example.Section.from_rows(rows, rows <= 1500.2, 40.0)
    size = {"n_shots": 5, "receiver_spacing": 160.0, "seconds": 3.0}
    survey = example.Survey(corners=(2.5, 4.0, 6.5), iterations=(5, 5, 5), **size)
    p = example.prepare(tmp_path / "project", true, true.smoothed(300.0), survey)
    result = example.Result.of(p, true, survey, example.invert(p, survey))
    p.close()
    errors = list(result.errors().values())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]
