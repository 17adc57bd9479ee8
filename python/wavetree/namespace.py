"""The names of wavetree with those that existing scripts use besides: ``import wavetree.namespace as sn``."""
# ruff: noqa: F401, F403 (what is imported for type checkers is public)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import wavetree

if TYPE_CHECKING:
    from wavetree import *
    from wavetree import mesh as simple_mesh
    from wavetree.mesh import Mesh as UnstructuredMesh

_ALIASES = {"UnstructuredMesh": "Mesh", "simple_mesh": "mesh"}

__all__ = [*wavetree.__all__, *_ALIASES]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        original = _ALIASES.get(name, name)
        if original not in wavetree.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=None)
        return getattr(wavetree, original)


def __dir__() -> list[str]:
    return sorted(__all__)
