"""Figures that can be chosen from where a notebook runs."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from matplotlib import pyplot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["has_widgets", "selection"]


def has_widgets() -> bool:
    """Say whether this is a notebook that can show widgets."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None and importlib.util.find_spec("ipywidgets") is not None


def selection(title: str, choices: Mapping[str, Any], chosen: Any, draw: Callable[[Any], Figure]) -> Any:
    """Return a widget that draws what is chosen.

    Parameters
    ----------
    title
        What is chosen.
    choices
        What can be, by the text that users read.
    chosen
        What is chosen at first.
    draw
        Draws it.
    """
    # Not a dependency: without it the figure is shown as it is.
    ipywidgets = importlib.import_module("ipywidgets")
    menu = ipywidgets.Dropdown(options=list(choices.items()), value=chosen, description=title)
    place = ipywidgets.Output()

    def show(_: Any = None) -> None:
        figure = draw(menu.value)
        place.outputs = ()
        place.append_display_data(figure)
        pyplot.close(figure)

    menu.observe(show, names="value")
    show()
    return ipywidgets.VBox([menu, place])
