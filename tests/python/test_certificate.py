"""The certificate of a gradient: what it says, and that it fails a wrong gradient."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from typer.testing import CliRunner

from projects import misfit
from wavetree.cli import app
from wavetree.project.project import Project
from wavetree.simulation.configuration import WavefieldCompression
from wavetree.simulation.simulation import Simulation
from wavetree.testing import GradientCertificate, TaylorTest, count_runs

STEPS = 10.0 ** -np.arange(2.0, 6.01, 0.5)


def check(project: Project, **options) -> GradientCertificate:
    return project.actions.inversion.check_gradient("initial", "L2", **{"events": "event_0000", **options})


@pytest.fixture
def compared(project: Project) -> Project:
    project += misfit()
    return project


def spoil(monkeypatch: pytest.MonkeyPatch, parameter: str, factor: float) -> None:
    """Make every gradient wrong in one parameter."""
    right = Simulation.derivative

    def derivative(self, *arguments):
        found = right(self, *arguments)
        return {**found, parameter: factor * found[parameter]}

    monkeypatch.setattr(Simulation, "derivative", derivative)


# -- projects ----------------------------------------------------------------------------------


def test_the_gradient_of_a_project_passes(compared, caplog):
    with caplog.at_level(logging.INFO, "wavetree"):
        found = check(compared, wavefield_compression=WavefieldCompression(4))
    assert found.passed
    assert found.dot_product_defect < 1e-12 and set(found.entries) == {"VP", "RHO"}
    assert len(found.taylor) == 2 and min(test.decades for test in found.taylor) >= 3.0
    single, coarse = (
        found.approximations["float32, every step"],
        found.approximations["float32, every 4 steps"],
    )
    assert 0.0 < single < 1e-4
    assert single < coarse < 1e-2
    assert f"{found.n_runs} runs of" in caplog.text
    assert found.n_runs == count_runs(1, 2, 2)


def test_the_cost_is_what_is_said(compared, monkeypatch):
    compared.actions.inversion.compute_misfits("initial", "L2")
    runs, forward, adjoint = [], Simulation.run, Simulation.derivative
    monkeypatch.setattr(Simulation, "run", lambda self, *a: runs.append("forward") or forward(self, *a))
    monkeypatch.setattr(
        Simulation, "derivative", lambda self, *a: runs.append("adjoint") or adjoint(self, *a)
    )
    found = check(compared, events=None, parameters=["VP"])
    assert len(runs) == found.n_runs == count_runs(2, 1, 1)
    assert set(found.entries) == {"VP"}


def test_a_given_generator_decides_where_is_looked(compared):
    found = [check(compared, parameters=["VP"], generator=np.random.default_rng(k)) for k in (1, 1, 2)]
    first, same, other = ([test.remainders.tolist() for test in one.taylor] for one in found)
    assert first == same != other


@pytest.mark.parametrize("factor", [1.001, 1.0 + 1e-5, 0.0, -1.0])
def test_a_wrong_gradient_fails(compared, monkeypatch, factor):
    spoil(monkeypatch, "RHO", factor)
    found = check(compared)
    assert not found.passed
    assert found.dot_product_defect > 1e-12
    assert found.entries["RHO"] > 1e-6 > found.entries["VP"]
    if abs(factor - 1.0) > 1e-4:  # less is seen by the other checks alone
        assert max(test.decades for test in found.taylor) < 3.0
    assert "FAILED" in str(found) and "FAILED" in found._repr_html_()


def test_what_cannot_be_checked_is_refused(compared):
    with pytest.raises(ValueError, match="unknown parameter of the medium 'VS'; did you mean 'VP'"):
        check(compared, parameters=["VS"])
    with pytest.raises(ValueError, match="unknown event 'event_0009'"):
        check(compared, events="event_0009")
    compared += misfit("same", "initial")
    with pytest.raises(ValueError, match="misfit 'same' of 'initial' is zero, and so is its"):
        compared.actions.inversion.check_gradient("initial", "same", parameters=["VP"])


# -- what is printed and drawn -----------------------------------------------------------------


def certificate(slope: float = 2.0) -> GradientCertificate:
    test = TaylorTest(STEPS, 3.0 * STEPS**slope)
    return GradientCertificate(
        "<set-up>", 3e-15, (test, test), {"VP": 2e-9, "RHO": 3e-8}, {"float32, every step": 4e-6}, 124
    )


def test_certificates_print_as_tables():
    text = str(certificate())
    lines = [line.split() for line in text.splitlines()]
    assert text.splitlines()[0] == "Gradient of <set-up>: passed (124 runs)"
    assert ["dot", "product", "defect", "3e-15", "≤", "1e-12", "passed"] in lines
    assert "slope 2.00 ± 0.02 over 4.0 decades" in text
    assert ["entries", "of", "RHO", "3e-08", "≤", "1e-06", "passed"] in lines
    assert ["error", "of", "float32,", "every", "step", "4e-06"] in lines
    assert ["1.0e-06", "3.00e-12", "2.000", "3.00e-12", "2.000"] in lines
    assert not any(len(line) > 110 for line in text.splitlines())


def test_certificates_are_tables_in_notebooks():
    text = certificate()._repr_html_()
    assert text.count("<table>") == 2 and text.count("<tr>") == 7 + 1 + STEPS.size
    assert "&lt;set-up&gt;" in text and "<set-up>" not in text


def test_slopes_and_decades():
    cubic = TaylorTest(STEPS, STEPS**2 + 5.0 * STEPS**3)
    np.testing.assert_allclose(cubic.slopes[-1], 2.0, atol=1e-4)
    assert cubic.decades == pytest.approx(3.5) and cubic.passed  # the largest step does not count
    rounded = TaylorTest(STEPS, np.maximum(STEPS**2, 1e-9))
    assert rounded.decades == pytest.approx(2.5) and not rounded.passed
    assert TaylorTest(STEPS, STEPS).decades == 0.0
    assert TaylorTest(STEPS, np.zeros(STEPS.size)).decades == 0.0


@pytest.mark.parametrize(
    "changes", [{"dot_product_defect": 1e-11}, {"dot_product_defect": np.nan}, {"entries": {"VP": 1e-5}}]
)
def test_every_check_counts(changes):
    values = {"name": "x", "dot_product_defect": 0.0, "taylor": certificate().taylor, "entries": {"VP": 0.0}}
    assert GradientCertificate(**values).passed
    assert not GradientCertificate(**{**values, **changes}).passed
    assert not GradientCertificate(**{**values, "taylor": certificate(1.9).taylor}).passed


def test_the_figure_shows_the_remainders_and_a_line_of_slope_two():
    figure, axes = pyplot.subplots()
    assert certificate(1.0).plot(axes) is figure
    points, line = axes.lines[0], axes.lines[1]
    np.testing.assert_array_equal(points.get_ydata(), 3.0 * STEPS)
    middle = STEPS[len(STEPS) // 2]
    np.testing.assert_allclose(line.get_ydata(), 3.0 * middle * (STEPS / middle) ** 2)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert "FAILED" in axes.get_title()
    pyplot.close(figure)
    drawn = certificate().plot()
    assert "passed" in drawn.axes[0].get_title()
    pyplot.close(drawn)


# -- the command line --------------------------------------------------------------------------


def test_the_command_prints_the_table_and_says_so_by_its_status(compared, tmp_path: Path, monkeypatch):
    folder = str(compared.path)
    compared.close()
    figure = tmp_path / "gradient.png"
    arguments = ["check-gradient", folder, "initial", "L2", "--events", "event_0001", "--parameters", "RHO"]
    result = CliRunner().invoke(app, [*arguments, "--figure", str(figure)])
    assert result.exit_code == 0, result.output
    assert "entries of RHO" in result.output and "event_0001" in result.output
    assert figure.stat().st_size > 10_000
    spoil(monkeypatch, "RHO", 1.01)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1 and "FAILED" in result.output


def test_the_command_refuses_in_one_line(compared):
    folder = str(compared.path)
    compared.close()
    result = CliRunner().invoke(app, ["check-gradient", folder, "initail", "L2"])
    assert result.exit_code == 1
    assert "error: unknown simulation configuration 'initail'; did you mean 'initial'?" in result.output
    assert "Traceback" not in result.output
