"""Seismograms of other codes, stored outside the checkout."""

from __future__ import annotations

import pytest

from reference_cases import NAMES, ReferenceCase, reference_folder

pytestmark = [pytest.mark.reference, pytest.mark.slow]


@pytest.mark.parametrize("name", NAMES)
def test_reference_case(name, record_property):
    folder = reference_folder()
    if folder is None:
        pytest.skip("no reference cases: neither $WAVETREE_SHARED/reference nor ../shared/reference is there")
    result = ReferenceCase(folder / name).run()
    for receiver, errors in result.errors.items():
        for quantity, error in errors.items():
            record_property(f"{receiver} {quantity}", error)
            assert error < 0.01, (receiver, quantity)
