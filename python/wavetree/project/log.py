"""What terminal users see of the logger "wavetree"."""

from __future__ import annotations

import logging
import sys

from tqdm.auto import tqdm

from wavetree.errors import unknown_name

__all__ = ["set_log_level", "show_log"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Terminal(logging.Handler):
    """Prints to standard error, unless the program has set up logging of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        # Asked at every record: a program may set up its logging after it has opened a project.
        if logging.getLogger().handlers:
            return
        try:
            # Not a plain print, which would tear a progress bar.
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


def show_log() -> None:
    """Show INFO lines of wavetree on the terminal where logging is not set up."""
    log = logging.getLogger("wavetree")
    if logging.getLogger().handlers or any(isinstance(h, _Terminal) for h in log.handlers):
        return
    handler = _Terminal()
    handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s: %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    if log.level == logging.NOTSET:
        log.setLevel(logging.INFO)


def set_log_level(level: str) -> None:
    """Set from which level on wavetree logs: on the terminal, and to what else a program has set up.

    Parameters
    ----------
    level
        "DEBUG", "INFO" (what counts when nothing is set), "WARNING", "ERROR" or "CRITICAL".

    Raises
    ------
    ValueError
        If there is no such level.
    """
    name = str(level).upper()
    if name not in _LEVELS:
        raise unknown_name("log level", name, _LEVELS)
    logging.getLogger("wavetree").setLevel(name)
