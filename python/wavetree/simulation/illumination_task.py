"""The illumination of one event as pure data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from wavetree.arrays import write_arrays
from wavetree.config import Configuration, configuration, content_digest
from wavetree.simulation.illumination import compute_illumination
from wavetree.simulation.task import NUMERICS_VERSION, ForwardTask

__all__ = ["IlluminationTask"]

# Raised by hand when the same forward run gives another illumination.
_ILLUMINATION_VERSION = 1


@configuration
class IlluminationTask(Configuration):
    """A forward run that leaves the illumination of the domain and no records.

    Parameters
    ----------
    forward
        The forward run of the event; what it stores does not matter.
    """

    kind: ClassVar[str] = "illumination"
    outputs: ClassVar[tuple[str, ...]] = ("illumination.h5",)

    forward: ForwardTask

    @property
    def label(self) -> str:
        """What users read."""
        return f"illumination of {self.forward.label}"

    def digest(self) -> str:
        """Return the hash of everything that the illumination depends on."""
        return content_digest(
            [NUMERICS_VERSION, _ILLUMINATION_VERSION, "illumination", self.forward.digest()]
        )

    def run(self, folder: Path, control: Any, threads: int = 1) -> None:
        """Compute the illumination (nelem, n_nodes) [J s/m^d] and write it into a folder.

        Parameters
        ----------
        folder
            Where the file goes; it appears complete or not at all.
        control
            Shows progress and can cancel.
        threads
            Number of threads; it does not change the result.
        """
        illumination = compute_illumination(self.forward.simulation(threads), control)
        write_arrays(folder / self.outputs[0], {"illumination": illumination}, durability="whole")
