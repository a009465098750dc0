"""The recipe: which corpora, which stages, which constants; a YAML file, checked when loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from wanglou.models.network import HEADS
from wanglou.models.opinion import ModelError
from wanglou.models.training.corpora import READERS
from wanglou.schemas.problems import describe

DEFAULT_RECIPE = Path(__file__).with_name("recipe.yaml")
ENCODER = "encoder"
"""The start of a stage that starts from the pretrained encoder."""

HERE = "."
"""In a corpus' path: the folder of the recipe, for what the project itself wrote."""


class RecipeError(ModelError):
    """A recipe that cannot be used; the message names every field and what would be right."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_format(name: str) -> str:
    if name not in READERS:
        raise ValueError(f"is none of {', '.join(READERS)}")
    return name


class Corpus(_Part):
    """A file, or two, of labelled or unlabelled texts."""

    train: str = Field(description="Path under the data folder; ./ is the recipe's own folder.")
    dev: str | None = Field(None, description="Held-out file; without it a tenth is held out.")
    format: Annotated[str, AfterValidator(_known_format)]
    rows: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Examples of each of its sources drawn anew an epoch; null: all."
    )
    weight: Annotated[float, Field(gt=0, le=10)] = 1.0
    hold_out: bool = Field(True, description="False trains on everything and measures nothing.")


class Unseen(_Part):
    """A labelled file that no stage learns from: how the model does elsewhere."""

    file: str
    format: Annotated[str, AfterValidator(_known_format)]


def _all_they_know(teachers: object) -> object:
    return dict.fromkeys(teachers) if isinstance(teachers, list | tuple) else teachers


_Sources = Annotated[tuple[str, ...], Field(min_length=1)]


class Distillation(_Part):
    """Learn from the soft labels that earlier stages left."""

    teachers: Annotated[
        dict[str, _Sources | None], BeforeValidator(_all_they_know), Field(min_length=1)
    ] = Field(
        description="Stages, as a list; or by stage the sources that it is asked about: those that "
        "nobody is asked about have their hard labels only."
    )
    weight: Annotated[float, Field(gt=0, le=1)] = Field(description="Against the hard labels.")
    temperature: Annotated[float, Field(ge=1, le=10)] = 2.0

    def asked(self, drawn: Mapping[str, Set[str]]) -> dict[str, Set[str]]:
        """By teacher the sources that it is asked about, of those that each stage draws."""
        return {
            name: drawn[name] if sources is None else set(sources)
            for name, sources in self.teachers.items()
        }


def _known_head(name: str) -> str:
    if name not in HEADS:
        raise ValueError(f"is none of {', '.join(HEADS)}")
    return name


class Ngrams(_Part):
    """The n-gram term, fitted by itself and added to what the last stage's network says."""

    heads: Annotated[tuple[Annotated[str, AfterValidator(_known_head)], ...], Field(min_length=1)]
    weight: Annotated[float, Field(gt=0, le=2)] = Field(
        description="Factor on its logits; 1 would multiply the two models' probabilities."
    )


class Stage(_Part):
    """One training run."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    start: str = Field(ENCODER, description="`encoder`, or the stage whose weights it starts from.")
    sources: _Sources | None = Field(
        None, description="Sources whose texts it learns from and labels; null: all."
    )
    layers: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="Layers kept, of those that the start has."
    )
    epochs: Annotated[int, Field(ge=1, le=100)]
    batch_pieces: Annotated[int, Field(ge=512, le=65536)] = Field(
        1536, description="Pieces a step, padding included: 96 short posts, or 12 long ones."
    )
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.9, description="Factor on the rate for each layer further down."
    )
    train_embeddings: bool = False
    averaging: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.98, description="Decay each ten steps of the weights' running mean, which is kept."
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    adversarial: Annotated[float, Field(gt=0, le=10)] | None = Field(
        None,
        description="Length of the step by which word embeddings are moved to where the "
        "loss is worse, which counts too; null: none. It doubles the time.",
    )
    rank: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None, description="Learn changes of this rank, an adapter, to an earlier stage's network."
    )
    distillation: Distillation | None = None


class Recipe(_Part):
    """Everything that decides what a training run leaves, but for the data and the machine."""

    seed: int
    pieces: Annotated[int, Field(ge=16, le=512)] = Field(description="Longest text read at once.")
    class_balance: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Power of the inverse class frequency in the loss."
    )
    mark_at_random: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Share of texts without institution of which some piece is marked, so that a "
        "mark by itself means nothing to the other heads."
    )
    unmark: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Share of event texts whose institution is not marked."
    )
    corpora: Annotated[tuple[Corpus, ...], Field(min_length=1)]
    unseen: tuple[Unseen, ...] = ()
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    ngrams: Ngrams

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        problems: list[str] = []
        known: set[str] = set()
        adapters = {stage.name for stage in self.stages if stage.rank is not None}
        whole = {stage.name: tuple(range(len(stage.layers))) for stage in self.stages}
        for index, stage in enumerate(self.stages):
            if stage.start not in {ENCODER, *known}:
                problems.append(f"stages[{index}].start: no earlier stage is {stage.start!r}")
            for teacher in stage.distillation.teachers if stage.distillation else ():
                if teacher not in known:
                    problems.append(
                        f"stages[{index}].distillation.teachers: no earlier stage is {teacher!r}"
                    )
            if stage.start in adapters:
                problems.append(f"stages[{index}].start: {stage.start!r} leaves only an adapter")
            if stage.rank is not None and stage.start == ENCODER:
                problems.append(f"stages[{index}].start: an adapter changes an earlier stage")
            elif stage.rank is not None and stage.layers != whole.get(stage.start, stage.layers):
                problems.append(f"stages[{index}].layers: an adapter keeps all of {stage.start!r}")
            if stage.name in known:
                problems.append(f"stages[{index}].name: {stage.name!r} stands twice")
            known.add(stage.name)
        if problems:
            raise ValueError("; ".join(problems))
        return self


def check_sources(recipe: Recipe, sources: Collection[str]) -> None:
    """Check what stages say of sources, once the corpora are read. Raises `RecipeError`."""
    problems: list[str] = []
    drawn = {stage.name: set(stage.sources or sources) for stage in recipe.stages}
    for index, stage in enumerate(recipe.stages):
        for name in sorted(drawn[stage.name] - set(sources)):
            problems.append(f"stages[{index}].sources: {name!r} is none of {', '.join(sources)}")
        if stage.distillation is None:
            continue
        place = f"stages[{index}].distillation.teachers"
        asked = stage.distillation.asked(drawn)
        for teacher, named in asked.items():
            for name in sorted(named - drawn[teacher]):
                problems.append(f"{place}.{teacher}: does not label {name!r}")
        if set(stage.distillation.teachers.values()) == {None}:
            for name in sorted(drawn[stage.name] - set().union(*asked.values())):
                problems.append(f"{place}: none labels {name!r}")
    if problems:
        raise RecipeError("; ".join(problems))


def load_recipe(path: Path = DEFAULT_RECIPE) -> Recipe:
    """Load a recipe. Raises `RecipeError`."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: is not YAML: {error}") from error
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{path}: {describe(error)}") from error
