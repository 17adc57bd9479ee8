"""The certificate of a gradient as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wavetree.viz.style import COLORS, figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wavetree.testing import GradientCertificate

__all__ = ["plot_certificate"]


def plot_certificate(certificate: GradientCertificate, axes: Axes | None = None) -> Figure:
    """Draw the remainders of the linear model over the step, with a line of slope 2 for each direction.

    Parameters
    ----------
    certificate
        What `wavetree.testing.certify_gradient` returned.
    axes
        Axes to draw into; a new figure when None.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.
    """
    figure, axes = figure_of(axes, 6.0, 4.5)
    for k, test in enumerate(certificate.taylor):
        color = COLORS[k % len(COLORS)]
        known = test.remainders > 0.0
        label = f"direction {k + 1}: slope 2 over {test.decades:.1f} decades"
        axes.loglog(test.steps[known], test.remainders[known], "o", color=color, markersize=5, label=label)
        # Through the middle: at the largest steps third order counts, at the smallest the digits end.
        middle = len(test.steps) // 2
        line = test.remainders[middle] * (test.steps / test.steps[middle]) ** 2
        axes.loglog(test.steps, line, "-", color=color, linewidth=0.9, alpha=0.7)
    lowest = min(
        np.min(test.remainders[test.remainders > 0.0], initial=np.inf) for test in certificate.taylor
    )
    if np.isfinite(lowest):
        axes.set_ylim(bottom=0.1 * lowest)
    axes.set(xlabel="step h", ylabel="|χ(p + h d) − χ(p) − h ⟨g, d⟩|")
    verdict = "passed" if certificate.passed else "FAILED"
    axes.set_title(f"gradient of {certificate.name}: {verdict}", fontsize="medium")
    axes.grid(alpha=0.3)
    axes.plot([], [], "-", color="0.4", linewidth=0.9, label="slope 2")
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    return figure
