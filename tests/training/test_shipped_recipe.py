from __future__ import annotations

from pathlib import Path

import pytest

from wanglou.models.training.corpora import read_corpus
from wanglou.models.training.recipe import DEFAULT_RECIPE, check_sources, load_recipe

DATA = Path(__file__).parents[3] / "shared" / "data"
"""The corpora of the recipe, where they lie beside the project."""


@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data here, which the recipe reads")
def test_every_stage_finds_its_texts_and_its_teachers() -> None:
    recipe = load_recipe()
    sources = {
        example.source: None
        for corpus in recipe.corpora
        for example in read_corpus(
            (DEFAULT_RECIPE.parent if corpus.train.startswith("./") else DATA) / corpus.train,
            corpus.format,
        )
    }
    check_sources(recipe, sources)
