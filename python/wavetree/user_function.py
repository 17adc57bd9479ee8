"""Functions of the user inside configurations: known by what they do, never stored."""

from __future__ import annotations

import functools
import hashlib
import inspect
import logging
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, field
from typing import Any

import numpy as np

from wavetree.config import Configuration, configuration, content_digest
from wavetree.errors import WavetreeError

__all__ = ["UserFunction"]

# Functions that this process has identified, by hash: a record of one finds it here.
_known: dict[str, Callable[..., Any]] = {}


@configuration
class UserFunction(Configuration):
    """Function of the user, identified by a hash of its source and of the values it uses.

    Parameters
    ----------
    name
        Name of the function.
    source_digest
        The hash that identifies it.
    function
        The function; None when read back from a file, which never holds anything that could be executed.

    Notes
    -----
    The hash covers the source text, default arguments, closure values and the global names that the function
    uses: values (numbers, text, arrays, containers of them), objects of the user's classes, and in turn
    functions of the same top-level package. Modules and what comes from other packages count by name.
    """

    name: str
    _: KW_ONLY
    source_digest: str
    function: Callable[..., Any] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> UserFunction:
        """Identify a function.

        Parameters
        ----------
        function
            A function, method, `functools.partial` of one, or an object with ``__call__``.

        Raises
        ------
        ValueError
            If there is no source text, or the function uses a value that cannot be identified.
        """
        name = getattr(function, "__name__", type(function).__name__)
        inner = function
        while isinstance(inner, functools.partial):
            inner = inner.func
            name = getattr(inner, "__name__", type(inner).__name__)
        identity = _Identity(name, _package(inner if hasattr(inner, "__code__") else type(inner)))
        digest = content_digest(identity.top(function))
        _known[digest] = function
        return cls(name, source_digest=digest, function=function)

    def to_dict(self) -> dict[str, Any]:
        """Return name and hash; the function itself is not content."""
        return {"type": self._type_name, "name": self.name, "source_digest": self.source_digest}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; raises WavetreeError where only its record is left.

        A record finds its function if this process has identified the same one since.
        """
        function = self.function or _known.get(self.source_digest)
        if function is None:
            raise WavetreeError(
                f"the function {self.name!r} is not in memory: functions are identified, never stored. "
                "Add the configuration again with the function; if it is unchanged, nothing is computed anew"
            )
        return function(*args, **kwargs)


class _Identity:
    """Turns a function, and what it uses, into JSON that is equal only for equal behaviour."""

    def __init__(self, name: str, package: str) -> None:
        self._name = name
        self._package = package
        self._seen: set[int] = set()

    def top(self, function: Any) -> Any:
        if isinstance(function, functools.partial):
            values = self.value([function.args, function.keywords], "partial's arguments")
            return [self.top(function.func), values]
        if isinstance(function, types.MethodType):
            return [self.top(function.__func__), self.value(function.__self__, "object of the method")]
        if isinstance(function, types.FunctionType):
            return self._function(function)
        if (
            isinstance(function, type)
            or type(function).__module__ == "builtins"
            or _package(type(function)) == "numpy"
        ):
            raise self._no_source(function)
        return self._object(function)

    def value(self, value: Any, place: str) -> Any:
        if isinstance(value, functools.partial | types.MethodType):
            return self.top(value)
        if isinstance(value, types.FunctionType) and _package(value) == self._package:
            return self._function(value)
        simple = _simple(value)
        if simple is not None:
            return simple
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [self.value(item, place) for item in value]
            return [
                type(value).__name__,
                sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items,
            ]
        if isinstance(value, dict):
            return ["dict", [[self.value(k, place), self.value(v, place)] for k, v in value.items()]]
        if isinstance(value, type) and _package(value) == self._package:
            return ["class", self._source(value)]
        if (callable(value) and hasattr(value, "__qualname__")) or isinstance(value, np.ufunc):
            return [
                "named",
                f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', value.__name__)}",
            ]
        if _package(type(value)) == self._package and hasattr(value, "__dict__"):
            return self._object(value)
        raise ValueError(
            f"function {self._name!r} uses {place} of type {type(value).__name__}, whose content cannot be "
            "identified; use numbers, text, NumPy arrays or containers of them, or pass it as keyword "
            "argument"
        )

    def _object(self, value: Any) -> Any:
        if id(value) in self._seen:
            return "seen"
        self._seen.add(id(value))
        state = [[k, self.value(v, f"attribute {k!r}")] for k, v in sorted(vars(value).items())]
        return ["object", self._source(type(value)), state]

    def _function(self, function: types.FunctionType) -> Any:
        if id(function) in self._seen:
            return "seen"
        self._seen.add(id(function))
        code = function.__code__
        source = self._source(code)
        if code.co_name == "<lambda>" and source.count("lambda") > 1:
            raise ValueError(
                f"function {self._name!r}: several lambdas stand in one statement and cannot be told apart; "
                "use def"
            )
        used: dict[str, Any] = {}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            used[name] = self.value(_contents(cell), f"the closure variable {name!r}")
        for name in sorted(set(_names(code)) & set(function.__globals__)):
            used[name] = self.value(function.__globals__[name], f"the global {name!r}")
        defaults = self.value([function.__defaults__, function.__kwdefaults__], "a default argument")
        return ["function", source, defaults, used]

    def _source(self, item: Any) -> str:
        try:
            return textwrap.dedent(inspect.getsource(item)).strip()
        except (OSError, TypeError):
            raise self._no_source(item) from None

    def _no_source(self, item: Any) -> ValueError:
        return ValueError(
            f"function {self._name!r}: there is no source text of {getattr(item, '__name__', item)!r}, so "
            "that its "
            "results could not be told from those of another; define it with def in a file or notebook"
        )


def _simple(value: Any) -> Any:
    """Values that identify themselves; None for others."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return [type(value).__name__, repr(value)]
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
        array = np.ascontiguousarray(value)
        return ["array", array.dtype.str, list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if isinstance(value, Configuration):
        return ["configuration", value.digest()]
    if isinstance(value, (types.ModuleType, logging.Logger)):
        return ["name", getattr(value, "__name__", None) or str(getattr(value, "name", ""))]
    return None


def _package(item: Any) -> str:
    return str(getattr(item, "__module__", None) or "").partition(".")[0]


def _names(code: types.CodeType) -> Iterator[str]:
    """Names that a function and those inside it look up, attributes included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that is assigned later
        return None
