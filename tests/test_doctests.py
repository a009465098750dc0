"""The examples in the docstrings of all packages, run under the names that users import."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

import wanglou.agents
import wanglou.models
import wanglou.schemas

FORMULAS = (
    "wanglou.models.burst",
    "wanglou.models.heat",
    "wanglou.models.likelihood",
    "wanglou.models.near_duplicate",
    "wanglou.models.reach",
    "wanglou.models.text",
)
"""Modules whose formulas a reader should be able to try."""


def module_names() -> list[str]:
    """Every module of the three packages, but not what runs a command."""
    names = []
    for package in (wanglou.schemas, wanglou.models, wanglou.agents):
        walked = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names += [package.__name__, *(module.name for module in walked)]
    return [name for name in names if not name.endswith(".__main__")]


def examples(module: ModuleType) -> Iterator[doctest.DocTest]:
    """The docstrings of a module that have examples."""
    return (test for test in doctest.DocTestFinder().find(module) if test.examples)


MODULES = {name: importlib.import_module(name) for name in module_names()}
WITH_EXAMPLES = [name for name, module in MODULES.items() if any(examples(module))]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_are_true(name: str) -> None:
    result = doctest.testmod(MODULES[name])
    assert result.attempted > 0
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples failed, see above"


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_have_examples(name: str) -> None:
    assert name in WITH_EXAMPLES


@pytest.mark.parametrize("package", ["schemas", "models", "agents"])
def test_whole_package_is_walked(package: str) -> None:
    # an import name that was lost would otherwise pass without a word
    assert f"wanglou.{package}" in MODULES
    assert sum(name.startswith(f"wanglou.{package}.") for name in MODULES) >= 5
