"""The base of configuration objects: frozen, validated, comparable and hashed by content.

A configuration class is written as::

    @configuration
    class Ricker(Configuration):
        center_frequency: PositiveFloat
        _: KW_ONLY
        time_shift_in_seconds: float | None = None

It is a frozen pydantic dataclass that forbids unknown arguments. Its content can be written as
JSON (`Configuration.to_dict`), read back (`load`) and hashed (`Configuration.digest`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from typing import Any, ClassVar, TypeVar

import numpy as np
import pydantic
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import dataclass_transform

from wavetree.errors import unknown_name

__all__ = ["Configuration", "configuration", "content_digest", "load", "plain"]

_CLASSES: dict[str, type[Configuration]] = {}
_PLAIN = {type(None), bool, int, float, str}
T = TypeVar("T")


class Configuration:
    """Base of all configuration objects; see `configuration`."""

    _type_name: ClassVar[str]
    # Fields that came when content without them had been stored, which keeps its digest.
    _left_out_while_none: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the content as JSON-serialisable dictionary with the class under ``"type"``."""
        fields = {name: plain(getattr(self, name)) for name in _field_names(type(self))}  # type: ignore[arg-type]
        for name in self._left_out_while_none:
            if fields[name] is None:
                del fields[name]
        return {"type": self._type_name, **fields}

    def digest(self) -> str:
        """Return the SHA-256 hex digest of the content; equal content has equal digest."""
        if "_digest" not in self.__dict__:
            object.__setattr__(self, "_digest", content_digest(self.to_dict()))
        return str(self.__dict__["_digest"])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.digest() == other.digest()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return int(self.digest()[:15], 16)

    def __str__(self) -> str:
        return "\n".join(_block(self, 0))


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, pydantic.Field))
def configuration(cls: type[T]) -> type[T]:
    """Make a class a frozen pydantic dataclass that forbids extra arguments, known to `load`."""
    made = pydantic_dataclass(
        frozen=True,
        eq=False,  # compared and hashed by `Configuration`, which also takes dictionaries and arrays
        repr=True,
        config=ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False),
    )(cls)
    made._type_name = cls.__name__  # type: ignore[attr-defined]
    made.__init__ = _with_plain_errors(made)  # type: ignore[method-assign]
    _CLASSES[cls.__name__] = made  # type: ignore[assignment]
    return made  # type: ignore[return-value]


def load(data: Any) -> Any:
    """Rebuild the configuration that `Configuration.to_dict` wrote.

    Raises
    ------
    ValueError
        If the class is unknown or the content is not valid for it.
    """
    if isinstance(data, dict):
        values = {k: load(v) for k, v in data.items() if k != "type"}
        if "type" not in data:
            return values
        if data["type"] not in _CLASSES:
            raise unknown_name("configuration type", data["type"], _CLASSES)
        return _CLASSES[data["type"]](**values)
    if isinstance(data, list):
        return [load(v) for v in data]
    return data


def content_digest(data: Any) -> str:
    """Return the SHA-256 hex digest of JSON-serialisable data, independent of key order."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a value with configurations, dataclasses, tuples and arrays turned into what JSON knows."""
    if type(value) in _PLAIN:  # most values are
        return value
    if isinstance(value, Configuration):
        return value.to_dict()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


@functools.cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _with_plain_errors(cls: Any) -> Any:
    """Return the constructor of `cls` with pydantic's report turned into one ValueError."""
    validated = cls.__init__

    @functools.wraps(validated)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            validated(self, *args, **kwargs)
        except pydantic.ValidationError as error:
            message = _message(cls, error)
        else:
            return
        raise ValueError(message)  # outside the handler: pydantic's report is not worth a second traceback

    return __init__


def _message(cls: Any, error: pydantic.ValidationError) -> str:
    """Say class, argument, value, what was expected and what to do, one sentence an argument."""
    names = [f.name for f in dataclasses.fields(cls) if f.init]
    groups: dict[Any, list[Any]] = {}
    for item in error.errors(include_url=False):
        argument = item["loc"][0] if item["loc"] else None
        if isinstance(argument, int) and argument < len(names):  # given by position
            argument = names[argument]
        groups.setdefault(argument, []).append(item)
    parts = [_sentence(names, argument, items) for argument, items in groups.items()]
    return f"{cls.__name__}: {' '.join(parts)}"


def _sentence(names: list[str], argument: Any, items: list[Any]) -> str:
    first = items[0]
    if first["type"] == "unexpected_keyword_argument":
        return str(unknown_name("argument", argument, names))
    if first["type"] == "unexpected_positional_argument":
        allowed = f"only {names[0]!r}" if names else "nothing"
        return f"{allowed} may be given without its name; write the name of {_short(first['input'])}."
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"argument {argument!r} is missing; give {argument}=..."
    if argument is None:  # a check of several arguments together, its message says it all
        return _own(first)
    if all(item["type"] == "value_error" for item in items):
        return f"{argument}: {_own(first)}"
    # The place inside a nested argument, without the tags of the branches of a union.
    place = "".join(f"[{step}]" for step in first["loc"][1:] if isinstance(step, int))
    expected = " or ".join(dict.fromkeys(_expected(item) for item in items))
    return f"{argument}{place}={_short(first['input'])} is not valid: expected {expected}; change {argument}."


def _expected(item: Any) -> str:
    text = _own(item)
    for start in ("Input should be ", "Input should "):
        if text.startswith(start):
            return text[len(start) :]
    return text


def _own(item: Any) -> str:
    """The text of a validator's own ValueError, without pydantic's prefix."""
    context = item.get("ctx", {})
    return str(context["error"]) if "error" in context else str(item["msg"])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _block(value: Configuration, depth: int) -> list[str]:
    """Lines of one readable block, one field a line, nested objects indented."""
    pad = "    " * depth
    lines = [f"{pad}{value._type_name}"]
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        if not field.repr:
            continue
        content = getattr(value, field.name)
        if isinstance(content, Configuration):
            inner = _block(content, depth + 1)
            lines.append(f"{pad}    {field.name}: {inner[0].strip()}")
            lines += inner[1:]
        else:
            lines.append(f"{pad}    {field.name}: {_summary(content)}")
    return lines


def _summary(content: Any) -> str:
    """A long tuple of configurations as its count and first entry, anything else as it prints."""
    text = repr(content)
    if isinstance(content, tuple) and content and isinstance(content[0], Configuration) and len(text) > 100:
        return f"{len(content)} x {content[0]._type_name}"
    return _short(content)
