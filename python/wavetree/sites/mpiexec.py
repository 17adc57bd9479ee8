"""How ranks are started: by the mpiexec of whatever MPI is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wavetree.errors import RankError

__all__ = ["Mpiexec", "find_mpiexec"]

_VARIABLE = "WAVETREE_MPIEXEC"
# What `mpiexec --version` says of itself, by what mpi4py calls the family.
_FAMILIES = {"openmpi": ("Open MPI", "OpenRTE", "PRRTE", "prte"), "mpich": ("HYDRA", "MPICH", "Intel(R) MPI")}
_LIBRARIES = {"openmpi": "libmpi.so.40", "mpich": "libmpi.so.12"}


@dataclass(frozen=True)
class Mpiexec:
    """A launcher of ranks.

    Attributes
    ----------
    path
        The program.
    family
        ``"mpich"`` or ``"openmpi"``.
    """

    path: str
    family: str

    def command(self, n_ranks: int, words: Sequence[str]) -> list[str]:
        """Return the command that runs a command on so many ranks of this machine.

        More ranks than cores are allowed, and none is bound to one core, for it may have threads.
        """
        flags = ["--oversubscribe", "--bind-to", "none"] if self.family == "openmpi" else []
        return [self.path, *flags, "-n", str(n_ranks), *words]

    def environment(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables for it: mpi4py takes the library beside it, and root may run it."""
        result = dict(os.environ if given is None else given)
        beside = Path(self.path).parent.parent / "lib" / _LIBRARIES[self.family]
        if beside.exists():
            result["MPI4PY_LIBMPI"] = os.fspath(beside)
        if self.family == "openmpi" and os.geteuid() == 0:
            result |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        return result


def find_mpiexec(environment: Mapping[str, str] | None = None) -> Mpiexec | None:
    """Return the launcher that WAVETREE_MPIEXEC names, that is beside this Python, or on the PATH.

    None if there is none.

    Raises
    ------
    RankError
        If the one that is named is not there, or says nothing known of itself.
    """
    variables = os.environ if environment is None else environment
    named, beside = variables.get(_VARIABLE, ""), Path(sys.executable).parent / "mpiexec"
    path = named or (os.fspath(beside) if beside.exists() else shutil.which("mpiexec"))
    if path is None:
        return None
    try:
        words = [path, "--version"]
        said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RankError(
            f"mpiexec {path!r} does not run: {error}; set {_VARIABLE} to one that does."
        ) from error
    for family, names in _FAMILIES.items():
        if any(name in said for name in names):
            return Mpiexec(path, family)
    raise RankError(
        f"mpiexec {path!r} says of itself {said.splitlines()[:1]}; expected MPICH, Intel MPI or Open MPI: "
        f"set {_VARIABLE} to the launcher of one of these."
    )
