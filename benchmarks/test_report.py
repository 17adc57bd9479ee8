"""The page of performance figures and the script that writes its tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from report import TABLES, filled

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def test_every_table_has_its_place() -> None:
    text = PAGE.read_text()
    assert re.findall(r"^<!-- table (\w+) -->$", text, re.MULTILINE) == list(TABLES)
    for name in TABLES:
        text = filled(text, name, "| old |")
        text = filled(text, name, f"| {name} |")
    assert "| old |" not in text
    assert [line for line in text.splitlines() if line in {f"| {name} |" for name in TABLES}] == [
        f"| {name} |" for name in TABLES
    ]
    assert text.startswith("# Performance") and text.count("<!-- end -->") == len(TABLES)


def test_a_page_without_the_place_is_refused() -> None:
    with pytest.raises(SystemExit, match="table steps"):
        filled("# Performance\n", "steps", "| new |")
