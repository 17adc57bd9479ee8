import json

import numpy as np
import pytest

from wavetree.config import load
from wavetree.mapping.packed_array import PackedArray


@pytest.mark.parametrize("shape", [(0,), (5,), (3, 4), (2, 2, 7)])
def test_arrays_come_back_bit_by_bit(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(1)
    for array in (generator.standard_normal(shape), generator.uniform(size=shape) < 0.5):
        packed = PackedArray.of(array)
        stored = load(json.loads(json.dumps(packed.to_dict())))
        assert stored == packed
        assert stored.array.dtype == np.float64 and np.array_equal(stored.array, array)


def test_masks_take_a_bit_a_value_whatever_their_type() -> None:
    mask = np.arange(8000) % 3 == 0
    packed = PackedArray.of(mask)
    assert packed.kind == "bool" and len(packed.content) < 1400
    assert PackedArray.of(mask.astype(float)) == packed and PackedArray.of(~mask) != packed
    assert PackedArray.of(0.5 * mask).kind == "float64"


def test_content_that_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"content has 1 bytes; expected 24 for float64 values of shape \(3,\)"
    ):
        PackedArray((3,), kind="float64", content="AA==")
    with pytest.raises(ValueError, match="content is not base64"):
        PackedArray((8,), kind="bool", content="!")
