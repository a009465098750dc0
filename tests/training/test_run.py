from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor

from tests.training.builders import (
    BANK,
    CORPORA,
    PIECES,
    STUDENT,
    TEACHER,
    recipe,
    silent,
    vocabulary,
    write_lines,
)
from wanglou.models.adapter import ADAPTER
from wanglou.models.bert_opinion import BertOpinion
from wanglou.models.network import (
    EMOTION,
    EVENT_TYPE,
    HEADS,
    INSTITUTION_NEGATIVE,
    POLARITY,
    OpinionNetwork,
)
from wanglou.models.ngrams import NGRAMS
from wanglou.models.opinion import Passage
from wanglou.models.training import loop, run
from wanglou.models.training.checkpoint import WEIGHTS, load_soft_labels
from wanglou.models.training.example import CorpusError
from wanglou.models.training.loop import Machine
from wanglou.models.training.predicting import by_head
from wanglou.models.training.recipe import RecipeError
from wanglou.models.training.run import Places, train
from wanglou.models.training.soft_labels import soft_key

MACHINE = Machine(torch.device("cpu"), 2)
WRITTEN = (
    *("config.json", "model.safetensors", "ngrams.safetensors"),
    *("tokenizer.json", "manifest.json"),
)


def places(folder: Path, data: Path, encoder: Path) -> Places:
    return Places(data, encoder, folder / "recipe.yaml", folder / "work", folder / "out")


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in WRITTEN}


class Watched:
    """Counts the steps of each stage, and keeps the weights before they are rounded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = steps = Counter[str]()
        self.weights: dict[str, dict[str, Tensor]] = {}
        save = run.save_network

        class Counting(run.StageRun):
            def _train(self, *arguments: Any) -> float:
                steps[self._stage.name] += 1
                return super()._train(*arguments)

        def keep(folder: Path, network: OpinionNetwork, *rest: Any, **named: Any) -> None:
            self.weights[folder.name] = network.state_dict()
            save(folder, network, *rest, **named)

        monkeypatch.setattr(run, "StageRun", Counting)
        monkeypatch.setattr(run, "save_network", keep)


@dataclass(frozen=True)
class Whole:
    """A run of two stages that nothing interrupted; not to be changed."""

    places: Places
    watched: Watched


@pytest.fixture(scope="module", autouse=True)
def short_stages() -> Iterator[None]:
    """The weights go into their mean every other step: a stage here has few."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loop, "AVERAGED_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, shared_data: Path, encoder_folder: Path
) -> Whole:
    done = places(tmp_path_factory.mktemp("whole"), shared_data, encoder_folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        watched = Watched(monkeypatch)
        train(recipe(), done, MACHINE, silent())
    return Whole(done, watched)


@pytest.fixture
def whole(finished: Whole) -> Places:
    return finished.places


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


@pytest.fixture
def fresh(tmp_path: Path, shared_data: Path, encoder_folder: Path) -> Places:
    return places(tmp_path, shared_data, encoder_folder)


@pytest.fixture
def done(whole: Places, fresh: Places) -> Places:
    """A copy of the whole run."""
    shutil.copytree(whole.work, fresh.work)
    shutil.copytree(whole.out, fresh.out)
    return fresh


def test_model_of_the_folder_reads_texts(whole: Places) -> None:
    model = BertOpinion(whole.out, precision="float32")
    bad, good, named = model.read([Passage("坏坏天"), Passage("好好天"), Passage(BANK, (BANK,))])
    assert bad.polarity != good.polarity
    assert bad.institution_negative is None
    assert named.institution_negative is not None


def test_folder_says_what_reading_needs(whole: Places) -> None:
    config = json.loads((whole.out / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == 1
    assert config["pieces"] == PIECES
    assert set(config["temperatures"]) == set(HEADS)
    assert config["temperatures"]["polarity"] != 1
    assert config["temperatures"]["emotion"] == 1  # of which there are no texts


def test_ngrams_are_fitted_on_the_training_texts_and_count_as_the_recipe_says(
    whole: Places, tmp_path: Path, shared_data: Path, encoder_folder: Path
) -> None:
    table = load_file(whole.out / NGRAMS)
    assert table.keys() == {POLARITY, EMOTION}
    assert not table[EMOTION].any()  # of which there are no texts
    bad, plain, good = (table[POLARITY][vocabulary()[piece]] for piece in "坏平好")
    assert [int(row.argmax()) for row in (bad, plain, good)] == [0, 1, 2]
    other = places(tmp_path, shared_data, encoder_folder)
    shutil.copytree(whole.work, other.work)
    train(recipe(ngrams={"heads": ["polarity"], "weight": 1.0}), other, MACHINE, silent())
    twice = load_file(other.out / NGRAMS)
    assert twice.keys() == {POLARITY}
    torch.testing.assert_close(twice[POLARITY], 2 * table[POLARITY], atol=1e-3, rtol=1e-3)


def test_manifest_has_path_rows_and_digest_of_every_file(whole: Places) -> None:
    manifest = json.loads((whole.out / "manifest.json").read_text(encoding="utf-8"))
    assert [(row["path"], row["rows"]) for row in manifest["files"]] == [
        ("sentiment/train.jsonl", 60),
        ("sentiment/dev.jsonl", 36),
        ("topic/events.jsonl", 40),
        ("topic/subjects.jsonl", 40),
        ("extra/comments.csv", 20),
    ]
    for row in manifest["files"]:
        content = (whole.data / row["path"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["train"] + manifest["dev"] + sum(manifest["dropped"].values()) == 196


def test_held_out_texts_are_left_to_be_measured(whole: Places) -> None:
    lines = (whole.work / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    sources = Counter(json.loads(line)["source"] for line in lines)
    assert sources["论坛"] == 36
    assert sources["finese"] >= sources["finese, named"] > 0
    assert sources["finnsp"] > 0
    assert sources["comments"] == 0


def test_checkpoints_are_gone_when_a_stage_is_done(whole: Places) -> None:
    assert sorted(path.name for path in (whole.work / "teacher").iterdir()) == [
        *("config.json", "model.safetensors", "soft_labels.safetensors")
    ]
    assert sorted(path.name for path in (whole.work / "student").iterdir()) == [
        *("config.json", "model.safetensors")
    ]


ADAPTER_STAGE = TEACHER | {
    "name": "adapter",
    "start": "student",
    "layers": [0],
    "rank": 2,
    "adversarial": 0.1,
    "distillation": {"teachers": {"teacher": ["论坛"]}, "weight": 0.5},
}


def test_an_adapter_leaves_the_weights_that_it_changes_as_they_are(
    done: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = BertOpinion(done.out).read([Passage("坏坏天")])
    stages = recipe(stages=[TEACHER, STUDENT, ADAPTER_STAGE])
    monkeypatch.setattr(loop, "hard_loss", raising_at({9}, loop.hard_loss))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        train(stages, done, MACHINE, silent())
    train(stages, done, MACHINE, silent())
    assert [path.name for path in (done.work / "adapter").iterdir()] == [ADAPTER]
    assert (done.out / ADAPTER).read_bytes() == (done.work / "adapter" / ADAPTER).read_bytes()
    weights, whole = (done.work / "student" / WEIGHTS), (done.out / WEIGHTS)
    assert whole.read_bytes() == weights.read_bytes()
    after = BertOpinion(done.out).read([Passage("坏坏天")])
    assert after != before
    shutil.rmtree(done.work / "adapter")
    told = io.StringIO()
    train(stages, done, MACHINE, Console(file=told, width=200))
    assert BertOpinion(done.out).read([Passage("坏坏天")]) == after  # interrupted or not
    assert f"student is done: {done.work / 'student'}" in told.getvalue()
    train(recipe(), done, MACHINE, silent())
    assert not (done.out / ADAPTER).exists()
    assert BertOpinion(done.out).read([Passage("坏坏天")]) == before


def test_another_seed_gives_another_model(whole: Places, fresh: Places) -> None:
    train(recipe(seed=8, stages=[TEACHER | {"epochs": 1}]), fresh, MACHINE, silent())
    name = "model.safetensors"
    assert contents(fresh.out)[name] != contents(whole.out)[name]


def raising_at(calls: set[int], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which is interrupted in some of its calls."""
    numbers: Iterator[int] = iter(range(10**6))

    def interrupted(*arguments: Any, **named: Any) -> Any:
        if next(numbers) in calls:
            raise KeyboardInterrupt
        return function(*arguments, **named)

    return interrupted


@pytest.mark.parametrize(
    ("module", "name", "calls", "seconds", "lost"),
    [
        pytest.param(loop, "hard_loss", {7, 25}, 0, 2, id="in a step of each stage"),
        pytest.param(loop, "hard_loss", {3, 15}, 300, None, id="in a step of each epoch"),
        pytest.param(loop, "save_checkpoint", {1, 4}, 300, None, id="at a checkpoint"),
        pytest.param(run, "save_network", {0, 2}, 300, 0, id="before weights are written"),
        pytest.param(run, "save_soft_labels", {0}, 300, 0, id="before soft labels are written"),
        pytest.param(run, "temperatures", {0}, 300, 0, id="before the model is written"),
    ],
)
def test_interrupted_run_goes_on_to_bit_identical_weights(
    finished: Whole,
    fresh: Places,
    watched: Watched,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    calls: set[int],
    seconds: float,
    lost: int | None,
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", seconds)
    monkeypatch.setattr(module, name, raising_at(calls, getattr(module, name)))
    for _ in calls:
        with pytest.raises(KeyboardInterrupt):
            train(recipe(), fresh, MACHINE, silent())
    train(recipe(), fresh, MACHINE, silent())
    assert contents(fresh.out) == contents(finished.places.out)
    for stage in ("teacher", "student"):
        for path in (finished.places.work / stage).iterdir():
            assert (fresh.work / stage / path.name).read_bytes() == path.read_bytes()
    for stage, weights in watched.weights.items():
        expected = finished.watched.weights[stage]
        assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
    again = watched.steps.total() - finished.watched.steps.total()
    assert again == lost if lost is not None else again > 1


def test_it_is_said_where_a_run_goes_on(fresh: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "save_network", raising_at({0}, run.save_network))
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), fresh, MACHINE, silent())
    told = io.StringIO()
    train(recipe(stages=[TEACHER]), fresh, MACHINE, Console(file=told, width=200))
    assert "teacher goes on after step " in told.getvalue()


def test_done_stages_are_not_run_again(whole: Places, done: Places, watched: Watched) -> None:
    shutil.rmtree(done.out)
    train(recipe(), done, MACHINE, silent())
    assert not watched.steps
    assert contents(done.out) == contents(whole.out)
    shutil.rmtree(done.work / "student")
    train(recipe(), done, MACHINE, silent())
    assert list(watched.steps) == ["student"]
    assert contents(done.out) == contents(whole.out)


def test_changed_data_is_refused(done: Places, tmp_path: Path, watched: Watched) -> None:
    data = tmp_path / "changed"
    shutil.copytree(done.data, data)
    with (data / "topic/events.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")  # not even another text
    changed = Places(data, done.encoder, done.recipe, done.work, done.out)
    with pytest.raises(CorpusError, match=r"manifest\.json: the data is not what the stages"):
        train(recipe(), changed, MACHINE, silent())
    assert not watched.steps
    train(recipe(), done, MACHINE, silent())


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
)
def test_missing_file_of_the_encoder_is_named(fresh: Places, tmp_path: Path, name: str) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(fresh.encoder, encoder)
    (encoder / name).unlink()
    without = Places(fresh.data, encoder, fresh.recipe, fresh.work, fresh.out)
    with pytest.raises(CorpusError, match=rf"encoder/{name}: no such file; --encoder names"):
        train(recipe(), without, MACHINE, silent())
    assert not fresh.work.exists()


def test_a_source_of_which_every_text_stands_elsewhere_needs_no_teacher(fresh: Places) -> None:
    texts = (fresh.data / "sentiment/train.jsonl").read_text(encoding="utf-8").splitlines()
    again = [{"text": json.loads(line)["text"]} for line in texts]
    write_lines(fresh.recipe.parent / "again.jsonl", again)
    corpora = [CORPORA[0], {"train": "./again.jsonl", "format": "unlabelled", "hold_out": False}]
    stages = [
        TEACHER | {"sources": ["论坛"], "epochs": 1},
        STUDENT | {"epochs": 1},
    ]
    train(recipe(corpora=corpora, stages=stages), fresh, MACHINE, silent())


def test_missing_corpus_is_named_before_any_training(fresh: Places) -> None:
    corpora = [*CORPORA, {"train": "none.jsonl", "format": "emotion"}]
    with pytest.raises(CorpusError, match=r"none\.jsonl: No such file"):
        train(recipe(corpora=corpora), fresh, MACHINE, silent())
    assert not fresh.work.exists()


def test_texts_of_the_recipes_own_folder(fresh: Places) -> None:
    write_lines(
        fresh.recipe.parent / "own.jsonl", [{"text": "坏", "label": "negative", "source": "己"}]
    )
    corpora = [CORPORA[0], {"train": "./own.jsonl", "format": "sentiment", "hold_out": False}]
    texts = run.Texts(recipe(corpora=corpora), fresh)
    assert texts.manifest[-1].path == "./own.jsonl"
    assert texts.prepared.train[-1].source == "己"


def test_rows_and_weight_go_to_the_sources_of_a_corpus(fresh: Places) -> None:
    shares = run.Texts(recipe(), fresh).shares
    assert {name: (share.rows, share.weight) for name, share in shares.items()} == {
        "论坛": (None, 1),
        "finese": (None, 1),
        "finnsp": (15, 1),
        "comments": (None, 0.5),
    }


def test_corpus_without_dev_file_gives_a_tenth_unless_told_not_to(fresh: Places) -> None:
    corpora = [CORPORA[1] | {"hold_out": held_out} for held_out in (True, False)]
    with_, without = (run.Texts(recipe(corpora=[corpus]), fresh).prepared for corpus in corpora)
    assert 0 < len(with_.dev) < 20
    assert len(with_.dev) + len(with_.train) == len(without.train) == 40
    assert without.dev == []


def test_unseen_texts_are_kept_apart_from_training(fresh: Places) -> None:
    unseen = [{"file": "sentiment/dev.jsonl", "format": "sentiment"}]
    texts = run.Texts(recipe(corpora=CORPORA[1:], unseen=unseen), fresh)
    assert len(texts.unseen) == 36
    assert "论坛" not in {example.source for example in texts.prepared.train}
    also_trained = [{"train": "sentiment/dev.jsonl", "format": "sentiment", "hold_out": False}]
    assert run.Texts(recipe(corpora=also_trained, unseen=unseen), fresh).unseen == []


def test_later_stage_may_start_from_the_encoder_and_learn_from_two_teachers(
    fresh: Places,
) -> None:
    second = TEACHER | {"name": "second", "layers": [0], "epochs": 1}
    both = STUDENT | {
        "start": "encoder",
        "epochs": 1,
        "distillation": {"teachers": ["teacher", "second"], "weight": 1},
    }
    stages = [TEACHER | {"epochs": 1}, second, both]
    train(recipe(stages=stages), fresh, MACHINE, silent())
    BertOpinion(fresh.out)


def test_teachers_of_some_sources_label_what_they_learned(fresh: Places) -> None:
    posts = TEACHER | {"name": "posts", "epochs": 1, "sources": ["论坛", "comments"]}
    news = TEACHER | {"name": "news", "epochs": 1, "sources": ["finese", "finnsp"]}
    student = STUDENT | {
        "start": "encoder",
        "epochs": 1,
        "distillation": {"teachers": ["posts", "news"], "weight": 1},
    }
    train(recipe(stages=[posts, news, student]), fresh, MACHINE, silent())
    of_posts, of_news = (load_soft_labels(fresh.work / name) for name in ("posts", "news"))
    assert not of_posts.keys() & of_news.keys()
    for labels, known in ((of_posts, {"polarity"}), (of_news, {EVENT_TYPE, INSTITUTION_NEGATIVE})):
        rows = by_head(torch.stack(list(labels.values())))
        assert {head for head, part in rows.items() if not part.isnan().any()} == known
        assert all(rows[head].isnan().all() for head in HEADS.keys() - known)
    BertOpinion(fresh.out)


def test_a_teacher_is_asked_only_about_the_sources_named(
    done: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = TEACHER | {"name": "second", "layers": [0], "epochs": 1, "sources": ["论坛"]}
    teachers = {"teacher": ["finese", "comments"], "second": None}
    student = STUDENT | {"epochs": 1, "distillation": {"teachers": teachers, "weight": 0.5}}
    used: list[dict[int, Tensor]] = []

    class Keeping(run.StageRun):
        def __init__(self, *arguments: Any) -> None:
            used.append(arguments[4])
            super().__init__(*arguments)

    monkeypatch.setattr(run, "StageRun", Keeping)
    shutil.rmtree(done.work / "student")
    train(recipe(stages=[TEACHER, second, student]), done, MACHINE, silent())
    first, other = (load_soft_labels(done.work / name) for name in ("teacher", "second"))
    texts = run.Texts(recipe(), done).prepared.train
    for source, expected in (("论坛", other), ("finese", first), ("comments", first)):
        keys = [soft_key(row.text, None) for row in texts if row.source == source]
        for key in keys:
            assert torch.equal(used[-1][key].isnan(), expected[key].isnan())
            torch.testing.assert_close(used[-1][key], expected[key], equal_nan=True)
    marked = [soft_key(row.text, row.institution) for row in texts if row.source == "finnsp"]
    assert marked
    assert all(used[-1][key].isnan().all() for key in marked)  # nobody is asked about them


def test_a_source_that_a_teacher_does_not_label_is_named(fresh: Places) -> None:
    posts = TEACHER | {"sources": ["论坛"]}
    asked = {"teachers": {"teacher": ["论坛", "finese"]}, "weight": 0.5}
    problem = "stages[1].distillation.teachers.teacher: does not label 'finese'"
    with pytest.raises(RecipeError, match=re.escape(problem)):
        train(recipe(stages=[posts, STUDENT | {"distillation": asked}]), fresh, MACHINE, silent())


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"sources": ["论坛", "贴吧"]}, "stages[0].sources: '贴吧' is none of 论坛, finese, "),
        ({"sources": ["论坛"]}, "stages[1].distillation.teachers: none labels 'comments'; "),
    ],
)
def test_sources_that_do_not_fit_are_named_before_any_training(
    fresh: Places, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(problem)):
        train(recipe(stages=[TEACHER | fields, STUDENT]), fresh, MACHINE, silent())
    assert not fresh.work.exists()
