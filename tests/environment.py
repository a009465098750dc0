"""What every test of commands and processes begins with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the built-in ones, whatever the caller's environment and folder have."""
    for variable in list(os.environ):
        if variable.upper().startswith("WANGLOU_"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
