"""The scripts that print the documents' figures: what they import is still there."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SCRIPTS = [
    path
    for path in sorted(TESTS.rglob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and path != Path(__file__)
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_script_finds_what_it_imports(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(script.parent))
    assert "main" in runpy.run_path(str(script), run_name="imported")
