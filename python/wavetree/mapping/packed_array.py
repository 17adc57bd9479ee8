"""Arrays inside configurations: their bits as text, which JSON keeps exactly."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import KW_ONLY
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeInt, model_validator

from wavetree.config import Configuration, configuration

__all__ = ["PackedArray"]


@configuration
class PackedArray(Configuration):
    """An array of numbers or of truth values.

    Parameters
    ----------
    shape
        Its shape.
    kind
        ``"bool"``: one bit a value; ``"float64"``: eight bytes a value, little-endian.
    content
        The values in C order, base64.

    Raises
    ------
    ValueError
        If content and shape do not belong together.
    """

    shape: tuple[NonNegativeInt, ...]
    _: KW_ONLY
    kind: Literal["bool", "float64"]
    content: str

    @classmethod
    def of(cls, array: Any) -> PackedArray:
        """Pack an array; one of zeros and ones takes a bit a value, whatever its type."""
        values = np.asarray(array)
        truth = values.astype(bool)
        binary = bool(np.array_equal(truth, values))
        data = np.packbits(truth.ravel()).tobytes() if binary else values.astype("<f8").tobytes()
        content = base64.b64encode(data).decode()
        return cls(values.shape, kind="bool" if binary else "float64", content=content)

    @model_validator(mode="after")
    def _complete(self) -> PackedArray:
        try:
            n_bytes = len(self._bytes())
        except binascii.Error as error:
            raise ValueError(
                f"content is not base64 ({error}); pack the array anew with PackedArray.of."
            ) from None
        size = math.prod(self.shape)
        expected = -(-size // 8) if self.kind == "bool" else 8 * size
        if n_bytes != expected:
            raise ValueError(
                f"content has {n_bytes} bytes; expected {expected} for {self.kind} values of shape "
                f"{self.shape}: pack the array anew with PackedArray.of."
            )
        return self

    @property
    def array(self) -> np.ndarray:
        """The values, float64, of the array's shape."""
        if self.kind == "float64":
            return np.frombuffer(self._bytes(), dtype="<f8").reshape(self.shape).astype(np.float64)
        bits = np.unpackbits(np.frombuffer(self._bytes(), dtype=np.uint8), count=math.prod(self.shape))
        return bits.reshape(self.shape).astype(np.float64)

    def _bytes(self) -> bytes:
        return base64.b64decode(self.content, validate=True)
